//! Lifecycle hooks of providers.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use super::container::Instance;
use crate::task::StopReport;

/// What a hook may fail with; shown with the provider's name.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

/// Moments in a provider's life.
///
/// Hooks run along the graph: `on_init` and `on_start` after those of the
/// providers it needs, `on_drain` and `on_shutdown` before them. Each has a
/// deadline ([`super::LaunchLimits`]).
///
/// They run for singletons that are provided as what implements this: a struct that
/// derives `Injectable`, or what a factory returns by its own type. They do not run for a
/// factory that returns `Arc<dyn Trait>`, which hides its type: list the struct with
/// `as dyn Trait` instead.
pub trait Lifecycle: Send + Sync + 'static {
    /// After every provider is built, before anything is served. A failure
    /// stops the launch.
    fn on_init(&self) -> impl Future<Output = Result<(), HookError>> + Send {
        async { Ok(()) }
    }
    /// After every `on_init`, just before the first request. A failure stops
    /// the launch.
    fn on_start(&self) -> impl Future<Output = Result<(), HookError>> + Send {
        async { Ok(()) }
    }
    /// When the application stops taking new work. A failure is reported.
    fn on_drain(&self) -> impl Future<Output = Result<(), HookError>> + Send {
        async { Ok(()) }
    }
    /// After the last work is done and the background tasks have ended, or after a launch that failed once everything
    /// was built; `on_init` may then not have run. A failure is reported.
    fn on_shutdown(&self) -> impl Future<Output = Result<(), HookError>> + Send {
        async { Ok(()) }
    }
}

type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), HookError>> + Send + 'a>>;
type Hook = for<'a> fn(&'a Instance) -> HookFuture<'a>;

/// The hooks of one provider, with its type forgotten.
#[derive(Debug, Clone, Copy)]
pub struct HookTable {
    pub(super) on_init: Hook,
    pub(super) on_start: Hook,
    pub(super) on_drain: Hook,
    pub(super) on_shutdown: Hook,
}

/// The table for a type that has hooks.
#[must_use]
pub fn hooks_of<T: Lifecycle>() -> HookTable {
    // An instance of another type cannot get here: the table and the builder
    // are written by one derive. It would be skipped.
    macro_rules! hook {
        ($name:ident) => {
            |instance| {
                Box::pin(async move {
                    match instance.downcast::<T>() {
                        Some(value) => value.$name().await,
                        None => Ok(()),
                    }
                })
            }
        };
    }
    HookTable {
        on_init: hook!(on_init),
        on_start: hook!(on_start),
        on_drain: hook!(on_drain),
        on_shutdown: hook!(on_shutdown),
    }
}

/// Asks, inside a derive, whether a type has hooks.
///
/// `(&Probe::<T>::new()).hooks()` finds [`WithHooks`] when `T: Lifecycle` and
/// falls back to [`NoHooks`] through one more reference. A hook that is
/// implemented can therefore not be forgotten in an attribute.
#[derive(Debug)]
pub struct Probe<T: ?Sized>(PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Probe<T> {
    /// A probe of `T`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only derives make probes")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Lifecycle> Probe<T> {
    /// Whether the type has hooks; [`Hookless`] answers for those that have none.
    pub const HAS_HOOKS: bool = true;
}

/// See [`Probe`].
pub trait WithHooks {
    /// The hooks of the probed type.
    fn hooks(&self) -> Option<HookTable>;
}

impl<T: Lifecycle> WithHooks for Probe<T> {
    fn hooks(&self) -> Option<HookTable> {
        Some(hooks_of::<T>())
    }
}

/// See [`Probe`].
pub trait NoHooks {
    /// None.
    fn hooks(&self) -> Option<HookTable>;
}

impl<T: ?Sized> NoHooks for &Probe<T> {
    fn hooks(&self) -> Option<HookTable> {
        None
    }
}

/// See [`Probe`].
pub trait Hookless {
    /// No.
    const HAS_HOOKS: bool = false;
}

impl<T: ?Sized> Hookless for Probe<T> {}

/// What was cut or failed while shutting down.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Provider, hook and what it said, or that its deadline passed.
    pub failures: Vec<(String, &'static str, String)>,
    /// How the background tasks ended.
    pub tasks: StopReport,
    /// Time that hooks and tasks took.
    pub elapsed: Duration,
}
