//! The field types that are edges of the graph.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};

use super::container::{BuildError, Resolver};
use super::key::{Qualifier, Unqualified};
use super::meta::{DepKind, DepSpec};

/// A field type that the container can fill.
#[diagnostic::on_unimplemented(
    message = "the container cannot fill a field of type `{Self}`",
    label = "not `Inject<..>`, `Option<Inject<..>>`, `Lazy<..>` or `All<dyn ..>`",
    note = "wrap a provider in `Inject<..>`; for any other field say where it comes from: `#[inject(default)]`, `#[inject(default = expression)]` or `#[inject(config = Section.field)]`"
)]
pub trait Dependency: Sized {
    /// What it adds to the graph.
    const SPEC: DepSpec;

    /// Takes it out of the container that is being built.
    ///
    /// # Errors
    /// When the graph that is built differs from the graph that was proved,
    /// which hand-written metadata can cause.
    fn resolve(resolver: &Resolver<'_>) -> Result<Self, BuildError>;
}

/// A provider, injected. Dereferences to it; cloning copies a pointer.
///
/// The compiler follows fields when it decides whether a type may cross threads
/// and how it is dropped, and gives up after 128 layers, of which each provider
/// takes three and two: a chain of more than 40 providers, each injected into the
/// next, stops with E0275 ("overflow evaluating the requirement") or E0320
/// ("overflow while adding drop-check rules"). Write `#![recursion_limit = "256"]`
/// then.
pub struct Inject<T: ?Sized, Q = Unqualified> {
    value: Arc<T>,
    qualifier: PhantomData<fn() -> Q>,
}

impl<T: ?Sized, Q> Inject<T, Q> {
    /// Wraps a value by hand, as tests of a single provider do.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        Self { value, qualifier: PhantomData }
    }

    /// The shared pointer itself.
    #[must_use]
    pub fn into_arc(self) -> Arc<T> {
        self.value
    }
}

impl<T: ?Sized, Q> Clone for Inject<T, Q> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.value))
    }
}

impl<T: ?Sized, Q> Deref for Inject<T, Q> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized + fmt::Debug, Q> fmt::Debug for Inject<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: ?Sized, Q> From<Arc<T>> for Inject<T, Q> {
    fn from(value: Arc<T>) -> Self {
        Self::new(value)
    }
}

impl<T, Q> Dependency for Inject<T, Q>
where
    T: ?Sized + Send + Sync + 'static,
    Q: Qualifier<T>,
{
    const SPEC: DepSpec = DepSpec { key: Q::KEY, kind: DepKind::One, many: Q::MANY };

    fn resolve(resolver: &Resolver<'_>) -> Result<Self, BuildError> {
        match resolver.get::<T>(&Q::KEY) {
            Some(value) => Ok(Self::new(value)),
            None => Err(BuildError::missing(Q::KEY)),
        }
    }
}

impl<T, Q> Dependency for Option<Inject<T, Q>>
where
    T: ?Sized + Send + Sync + 'static,
    Q: Qualifier<T>,
{
    const SPEC: DepSpec = DepSpec { key: Q::KEY, kind: DepKind::Optional, many: Q::MANY };

    fn resolve(resolver: &Resolver<'_>) -> Result<Self, BuildError> {
        Ok(resolver.get::<T>(&Q::KEY).map(Inject::new))
    }
}

/// A provider that is bound after construction, which breaks a cycle.
///
/// It holds no share of the provider, so that a cycle does not keep itself
/// alive after shutdown.
pub struct Lazy<T: ?Sized, Q = Unqualified> {
    slot: Arc<OnceLock<Weak<T>>>,
    qualifier: PhantomData<fn() -> Q>,
}

impl<T: ?Sized, Q> Lazy<T, Q> {
    /// The provider.
    ///
    /// # Panics
    /// Inside a constructor, where the other side does not exist yet, and after
    /// the application has shut down.
    #[must_use]
    pub fn get(&self) -> Inject<T, Q> {
        let value = self.slot.get().and_then(Weak::upgrade).expect(
            "a lazy provider is bound once the container is built, and lives until it is shut down",
        );
        Inject::new(value)
    }
}

impl<T: ?Sized, Q> Clone for Lazy<T, Q> {
    fn clone(&self) -> Self {
        Self { slot: Arc::clone(&self.slot), qualifier: PhantomData }
    }
}

impl<T: ?Sized, Q> fmt::Debug for Lazy<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy(..)")
    }
}

impl<T, Q> Dependency for Lazy<T, Q>
where
    T: ?Sized + Send + Sync + 'static,
    Q: Qualifier<T>,
{
    const SPEC: DepSpec = DepSpec { key: Q::KEY, kind: DepKind::Lazy, many: Q::MANY };

    fn resolve(resolver: &Resolver<'_>) -> Result<Self, BuildError> {
        let slot = Arc::new(OnceLock::new());
        let late = Arc::clone(&slot);
        resolver.later(Box::new(move |container| {
            let value =
                container.get_arc::<T>(&Q::KEY).ok_or_else(|| BuildError::missing(Q::KEY))?;
            // Invariant: each slot is bound by the one closure that was made with it.
            let _ = late.set(Arc::downgrade(&value));
            Ok(())
        }));
        Ok(Self { slot, qualifier: PhantomData })
    }
}

/// Every provider that any module binds to a trait, in construction order.
///
/// Binding is an offer to the whole application: visibility does not apply.
pub struct All<T: ?Sized> {
    values: Arc<[Arc<T>]>,
}

impl<T: ?Sized> Clone for All<T> {
    fn clone(&self) -> Self {
        Self { values: Arc::clone(&self.values) }
    }
}

impl<T: ?Sized> Deref for All<T> {
    type Target = [Arc<T>];
    fn deref(&self) -> &[Arc<T>] {
        &self.values
    }
}

impl<T: ?Sized> fmt::Debug for All<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "All({})", self.values.len())
    }
}

impl<T> Dependency for All<T>
where
    T: ?Sized + Send + Sync + 'static,
    Unqualified: Qualifier<T>,
{
    const SPEC: DepSpec = DepSpec {
        key: <Unqualified as Qualifier<T>>::KEY,
        kind: DepKind::All,
        many: <Unqualified as Qualifier<T>>::MANY,
    };

    fn resolve(resolver: &Resolver<'_>) -> Result<Self, BuildError> {
        let values = resolver.get_all::<T>(&<Unqualified as Qualifier<T>>::KEY);
        Ok(Self { values: values.into() })
    }
}
