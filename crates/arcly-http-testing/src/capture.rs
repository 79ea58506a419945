//! What an application under test says: log lines and spans.
//!
//! Each [`crate::TestApp`] has a collector of its own, which is the subscriber only
//! while one of its futures is polled. Tests of one process do not see each other's
//! lines, and nothing is global.

mod layer;
mod logs;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{Dispatch, Level};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

pub use logs::{Fields, LogLine, Logs, SpanLine, Spans};

use layer::{Collector, SharedSpan};

/// Lines, and spans, that are kept; the oldest go first.
const KEPT_MAX: usize = 10_000;

/// The collector of one application.
#[derive(Clone)]
pub(crate) struct Capture {
    dispatch: Dispatch,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<(LogLine, Vec<SharedSpan>)>,
    spans: VecDeque<SharedSpan>,
    forgotten: usize,
}

impl Kept {
    fn push_line(&mut self, line: LogLine, spans: Vec<SharedSpan>) {
        if self.lines.len() == KEPT_MAX {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        self.lines.push_back((line, spans));
    }

    fn push_span(&mut self, span: SharedSpan) {
        if self.spans.len() == KEPT_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Capture({} lines)", self.kept().lines.len())
    }
}

impl Capture {
    pub(crate) fn new(level: Level) -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let subscriber = tracing_subscriber::registry()
            .with(LevelFilter::from_level(level))
            .with(Collector::new(Arc::clone(&kept)));
        Self { dispatch: Dispatch::new(subscriber), kept }
    }

    pub(crate) fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    pub(crate) fn logs(&self) -> Logs {
        let kept = self.kept();
        let lines = kept.lines.iter().map(|(line, spans)| {
            let spans = spans.iter().map(layer::snapshot).collect();
            LogLine { spans, ..line.clone() }
        });
        Logs::new(lines.collect(), kept.forgotten)
    }

    pub(crate) fn spans(&self) -> Spans {
        Spans::new(self.kept().spans.iter().map(layer::snapshot).collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
