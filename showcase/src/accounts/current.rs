//! Who asks, as handlers want to know it: our own argument kinds.

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::kinds;

/// The user who asks. For operations that need one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CurrentUser(pub(crate) i64);

/// The user who asks, if anybody is logged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer(Option<i64>);

impl Viewer {
    /// An id that no user has stands for nobody.
    pub(crate) fn id(self) -> i64 {
        self.0.unwrap_or(0)
    }
}

fn user_id(head: &Head) -> Option<i64> {
    head.claims()?.subject().parse().ok()
}

impl FromRequest for CurrentUser {
    type Error = Problem;

    fn describe(operation: &mut Operation) {
        operation.problem(&kinds::UNAUTHENTICATED);
    }

    async fn from_request(head: &Head) -> Result<Self, Problem> {
        user_id(head).map(Self).ok_or_else(|| Problem::of(&kinds::UNAUTHENTICATED))
    }
}

impl FromRequest for Viewer {
    type Error = std::convert::Infallible;

    fn describe(_operation: &mut Operation) {}

    async fn from_request(head: &Head) -> Result<Self, Self::Error> {
        Ok(Self(user_id(head)))
    }
}
