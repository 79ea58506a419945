//! Dependency injection: metadata, the proof, the container.
//!
//! Wiring is data. Derives and attributes write plain `static` metadata
//! ([`ModuleMeta`], [`ProviderMeta`], [`RouteFact`]); [`proof::check`] walks it
//! while the user's crate is compiled; [`Builder`] builds it once at launch.
//! After that nothing is looked up: whoever needs a provider holds it.

mod container;
mod inject;
mod key;
mod lifecycle;
mod meta;
pub mod proof;

pub use container::{
    BuildError, BuildFuture, Builder, FrozenDiContainer, Instance, LaunchError, LaunchLimits,
    Resolver, ScopedPlan,
};
pub use inject::{All, Dependency, Inject, Lazy};
pub use key::{Key, Qualifier, Token, Unqualified};
pub use lifecycle::{
    HookError, HookTable, Hookless, Lifecycle, NoHooks, Probe, ShutdownReport, WithHooks, hooks_of,
};
pub use meta::{
    ActionMeta, Binding, ControllerMeta, Dep, DepKind, DepSpec, Host, Module, ModuleMeta, Needer,
    Needs, Place, Provide, ProviderEntry, ProviderMeta, ProviderScope, Roles, RouteFact, shared,
};

#[cfg(test)]
mod tests;
