//! The typed context of one unit of work: who asks, and on whose trace.

pub mod claims;
pub mod current;
pub mod spans;
mod trace;

use std::sync::Arc;

pub use claims::Claims;
pub use trace::{RequestId, TraceContext};

use crate::di::{Key, Token};
use crate::time::{Budget, Deadline};

pub(crate) const SCOPE_KEY: Key = Key::of("arcly_http::Scope", 0, 0);

/// One unit of work: a request now; a message, an event or a job alike.
///
/// Request-scoped providers inject it (`Inject<Scope>`), handlers take it as an
/// argument. Only the pipeline makes one.
#[derive(Debug, Clone)]
pub struct Scope {
    request_id: RequestId,
    trace: TraceContext,
    claims: Option<Arc<Claims>>,
    budget: Option<Budget>,
}

impl Scope {
    /// Puts a scope together; what an entry point's pipeline does.
    #[must_use]
    pub fn new(request_id: RequestId, trace: TraceContext, claims: Option<Arc<Claims>>) -> Self {
        Self { request_id, trace, claims, budget: None }
    }

    /// Limits the time of the work.
    #[must_use]
    pub fn with_budget(mut self, budget: Option<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// The id that logs and the `x-request-id` header carry.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The W3C trace that this work belongs to.
    #[must_use]
    pub fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// The verified claims of the caller; `None` for an anonymous one.
    #[must_use]
    pub fn claims(&self) -> Option<&Arc<Claims>> {
        self.claims.as_ref()
    }

    /// By when the work has to be done, on the application's clock; `None` when
    /// nothing limits it.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.budget.as_ref().map(Budget::deadline)
    }

    /// What is left of the time; `None` when nothing limits it.
    #[must_use]
    pub fn remaining(&self) -> Option<std::time::Duration> {
        self.budget.as_ref().map(Budget::remaining)
    }
}

impl Token for Scope {
    const KEY: Key = SCOPE_KEY;
}
