//! The unit of work that a thread is busy with, so that every line of the log can say
//! to whom it belongs without a span for each request.

use std::cell::RefCell;
use std::sync::Arc;

use super::spans::Recorder;
use super::{Claims, RequestId, TraceContext};

/// What a line of the log says of the work that wrote it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The request's id.
    pub request_id: RequestId,
    /// Its place in a distributed trace.
    pub trace: TraceContext,
    /// The route that answers, as it was declared; empty where none does.
    pub route: &'static str,
    /// Who asks, once that is known.
    pub principal: Option<Arc<Claims>>,
    /// Where its spans go; `None` when it is not recorded.
    pub recorder: Option<Recorder>,
}

impl Identity {
    /// The span that it is in, as 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        match self.recorder.as_ref().and_then(Recorder::active) {
            Some(span_id) => format!("{:016x}", u64::from_be_bytes(span_id)),
            None => self.trace.span_id(),
        }
    }

    /// Its place in the trace: the span that it is in, if it records spans.
    #[must_use]
    pub fn position(&self) -> TraceContext {
        match self.recorder.as_ref().and_then(Recorder::active) {
            Some(span_id) => self.trace.clone().at(span_id),
            None => self.trace.clone(),
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Identity>> = const { RefCell::new(None) };
}

/// Puts an identity on the thread for as long as the value lives; what was there
/// before comes back. A future enters at each poll and leaves at its end, so that an
/// identity never meets another's work.
#[derive(Debug)]
#[must_use = "the identity is gone when this is dropped"]
pub struct Entered<'i> {
    own: &'i mut Option<Identity>,
}

/// Enters a unit of work. What the work notes (see [`note_principal`]) is in `own`
/// afterwards.
pub fn enter(own: &mut Option<Identity>) -> Entered<'_> {
    swap(own);
    Entered { own }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.own);
    }
}

fn swap(own: &mut Option<Identity>) {
    // A thread that is ending has nothing to say any more.
    let _ = CURRENT.try_with(|current| {
        if let Ok(mut current) = current.try_borrow_mut() {
            std::mem::swap(&mut *current, own);
        }
    });
}

/// Notes who asks.
pub fn note_principal(principal: &Arc<Claims>) {
    CURRENT.with_borrow_mut(|current| {
        if let Some(identity) = current {
            identity.principal = Some(Arc::clone(principal));
        }
    });
}

/// Shows the identity of the work that runs on this thread, if it has one.
pub fn with<T>(show: impl FnOnce(Option<&Identity>) -> T) -> T {
    CURRENT.with(|current| match current.try_borrow() {
        Ok(identity) => show(identity.as_ref()),
        Err(_) => show(None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(route: &'static str) -> Option<Identity> {
        let (request_id, trace) = (RequestId::fresh(), TraceContext::root());
        Some(Identity { request_id, trace, route, principal: None, recorder: None })
    }

    fn route() -> Option<&'static str> {
        with(|current| current.map(|identity| identity.route))
    }

    #[test]
    fn identities_are_nested_and_keep_what_was_noted() {
        let (mut outer, mut inner) = (identity("/outer"), identity("/inner"));
        {
            let _outer = enter(&mut outer);
            assert_eq!(route(), Some("/outer"));
            {
                let _inner = enter(&mut inner);
                note_principal(&Arc::new(Claims::about("ann")));
                assert_eq!(route(), Some("/inner"));
            }
            assert_eq!(route(), Some("/outer"));
        }
        assert_eq!(route(), None);
        assert!(outer.unwrap().principal.is_none());
        assert_eq!(inner.unwrap().principal.unwrap().subject(), "ann");
    }
}
