//! What a route calls.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use arcly_http_core::problem::Problem;

use crate::{Context, Response};

/// A handler with everything it needs from the graph, bound at launch.
pub trait Endpoint: Send + Sync {
    /// Answers one request.
    fn call<'a>(&'a self, context: &'a mut Context) -> Called<'a>;

    /// Whether every call is answered as [`Called::Ready`].
    fn is_immediate(&self) -> bool {
        false
    }
}

/// A method of a controller, with what its arguments bound.
struct Bound<C, B, I, F> {
    controller: Arc<C>,
    bound: B,
    is_immediate: I,
    call: F,
}

impl<C, B, I, F> Endpoint for Bound<C, B, I, F>
where
    C: Send + Sync,
    B: Send + Sync,
    I: Fn(&B) -> bool + Send + Sync,
    F: for<'a> Fn(&'a C, &'a B, bool, &'a mut Context) -> Called<'a> + Send + Sync,
{
    fn call<'a>(&'a self, context: &'a mut Context) -> Called<'a> {
        (self.call)(&self.controller, &self.bound, (self.is_immediate)(&self.bound), context)
    }

    fn is_immediate(&self) -> bool {
        (self.is_immediate)(&self.bound)
    }
}

/// The endpoint of a method: what `#[controller]` mounts. `call` is told whether
/// it has to answer as [`Called::Ready`], which is what `is_immediate` says.
pub fn endpoint_of<C, B, I, F>(
    controller: Arc<C>,
    bound: B,
    is_immediate: I,
    call: F,
) -> Box<dyn Endpoint>
where
    C: Send + Sync + 'static,
    B: Send + Sync + 'static,
    I: Fn(&B) -> bool + Send + Sync + 'static,
    F: for<'a> Fn(&'a C, &'a B, bool, &'a mut Context) -> Called<'a> + Send + Sync + 'static,
{
    Box::new(Bound { controller, bound, is_immediate, call })
}

/// A handler's answer: there already, or on its way.
#[expect(
    clippy::large_enum_variant,
    reason = "boxing the answer is what `Ready` is there to avoid"
)]
pub enum Called<'a> {
    /// The handler never waits, so there is nothing to box.
    Ready(Option<Result<Response, Problem>>),
    /// One allocation for the whole call.
    Pending(Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send + 'a>>),
}

impl std::fmt::Debug for Called<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready(..)",
            Self::Pending(_) => "Pending(..)",
        })
    }
}

impl<'a> Called<'a> {
    /// Runs work that never waits, on the stack.
    pub fn now(work: impl Future<Output = Result<Response, Problem>>) -> Self {
        match pin!(work).poll(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(result) => Self::Ready(Some(result)),
            // Only an `Argument` that sets `IMMEDIATE` wrongly gets here.
            Poll::Pending => Self::Ready(Some(Err(Problem::internal(
                "an argument that is declared immediate waited",
            )))),
        }
    }

    /// Boxes work that may wait.
    pub fn later(work: impl Future<Output = Result<Response, Problem>> + Send + 'a) -> Self {
        Self::Pending(Box::pin(work))
    }
}

impl Future for Called<'_> {
    type Output = Result<Response, Problem>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(result) => Poll::Ready(
                result.take().unwrap_or_else(|| Err(Problem::internal("polled after completion"))),
            ),
            Self::Pending(work) => work.as_mut().poll(cx),
        }
    }
}
