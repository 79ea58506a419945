//! Chains of causes, for logs.

use std::error::Error;
use std::fmt;

/// An error and all its sources on one line, outermost first: `a: b: c`.
///
/// ```
/// use arcly_http_core::problem::{Problem, error_chain};
///
/// let problem = Problem::internal("disk is full");
/// assert_eq!(error_chain(&problem).to_string(), "500 internal: disk is full");
/// ```
pub fn error_chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}

/// The sources of an error without the error itself, whose text has already
/// become the detail of a problem: a log line that walks the chain would print
/// it twice.
pub(super) struct Behind<E>(E);

impl<E: Error> Behind<E> {
    pub(super) fn new(error: E) -> Self {
        Self(error)
    }
}

impl<E: Error> fmt::Debug for Behind<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<E: Error> fmt::Display for Behind<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl<E: Error> Error for Behind<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}
