//! `Inject<T>` as an argument: a provider for one handler, or for one request.

use std::sync::Arc;

use arcly_http_core::contract::Operation;
use arcly_http_core::di::{Dep, Dependency, Inject, Qualifier, ScopedPlan};
use arcly_http_core::problem::Problem;

use super::{Argument, BindError, Binder};
use crate::Context;

/// Where an injected argument comes from.
#[derive(Debug)]
pub enum Scoped<T: ?Sized> {
    /// Built at launch.
    Singleton(Arc<T>),
    /// Built for each request, or for each use.
    PerRequest(ScopedPlan),
}

impl<T, Q> Argument for Inject<T, Q>
where
    T: ?Sized + Send + Sync + 'static,
    Q: Qualifier<T>,
{
    type Bound = Scoped<T>;
    const NEEDS: &'static [Dep] = &[Dep { field: "", spec: <Self as Dependency>::SPEC, line: 0 }];

    fn describe(_name: &str, _operation: &mut Operation) {}

    fn bind(_name: &'static str, binder: &Binder<'_>) -> Result<Scoped<T>, BindError> {
        match binder.scoped_plan(&Q::KEY) {
            Some(plan) => Ok(Scoped::PerRequest(plan)),
            None => binder.provider(&Q::KEY).map(Scoped::Singleton),
        }
    }

    fn is_immediate(bound: &Scoped<T>) -> bool {
        matches!(bound, Scoped::Singleton(_))
    }

    async fn extract(bound: &Scoped<T>, context: &mut Context) -> Result<Self, Problem> {
        match bound {
            Scoped::Singleton(value) => Ok(Self::new(Arc::clone(value))),
            Scoped::PerRequest(plan) => {
                let instance = context.build_scoped(plan).await?;
                let value = instance.downcast().ok_or_else(|| {
                    Problem::internal("a request-scoped provider is not of its own type")
                })?;
                Ok(Self::new(value))
            }
        }
    }
}
