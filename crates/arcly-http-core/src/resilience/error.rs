//! Why a call under a policy gave nothing.

use std::time::Duration;

/// Why a call under a policy gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError<E> {
    /// The last attempt gave an error.
    #[error("the call failed at attempt {attempts}")]
    Failed {
        /// The error of that attempt.
        #[source]
        error: E,
        /// How many attempts there were; a hedge and what it hedges are one.
        attempts: u32,
    },
    /// The last attempt took too long and was dropped. What it asked for may have
    /// been done.
    #[error("no answer within {limit:?} at attempt {attempts}")]
    TimedOut {
        /// [`super::PolicyBuilder::timeout`].
        limit: Duration,
        /// How many attempts there were.
        attempts: u32,
    },
    /// The time for the whole call was over. What the last attempt asked for may
    /// have been done.
    #[error("not done within {limit:?}, at attempt {attempts}")]
    DeadlineExceeded {
        /// What the caller had left, at most [`super::PolicyBuilder::deadline`].
        limit: Duration,
        /// How many attempts were begun; 0 when nothing was left from the start.
        attempts: u32,
    },
    /// The circuit is open: too many of the calls before failed or were slow.
    /// Nothing was sent by this attempt.
    #[error("not called: too many calls before failed")]
    Open {
        /// When it will be tried again; zero while that is going on.
        retry_after: Duration,
    },
    /// As many calls run as are allowed, and the queue is full or too slow. Nothing
    /// was sent by this attempt.
    #[error("not called: too many calls are running")]
    Full {
        /// How long it was waited for; zero when the queue was full.
        waited: Duration,
    },
}

impl<E> PolicyError<E> {
    /// The error of the call itself, if that is what it came to.
    #[must_use]
    pub fn into_error(self) -> Option<E> {
        match self {
            Self::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Whether the last attempt was refused before anything was sent. Attempts
    /// before it may have been sent.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Full { .. })
    }

    pub(super) fn at(mut self, attempt: u32) -> Self {
        if let Self::Failed { attempts, .. } | Self::TimedOut { attempts, .. } = &mut self {
            *attempts = attempt;
        }
        self
    }
}
