//! Spans of a trace: how a unit of work records them, and the port by which they leave.
//!
//! A unit of work that is recorded has a [`Recorder`] in its identity
//! ([`super::current::Identity`]); one that is not has none, and costs nothing.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::TraceContext;

/// Most spans that one unit of work may record beside its own.
const SPANS_MAX: u32 = 1_000;
/// Most values that one span keeps.
const VALUES_MAX: usize = 64;
/// Longest text of a value, in bytes.
const TEXT_MAX: usize = 1_024;

/// Takes spans that are over, and sends them on. It must not wait: what it has no
/// place for it leaves out and counts.
pub trait SpanSink: fmt::Debug + Send + Sync + 'static {
    /// A span is over.
    fn take(&self, span: SpanRecord);

    /// A span was not even offered, because its unit of work had recorded too many.
    fn left_out(&self);
}

/// Who did the work that a span tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanKind {
    /// Something within the process.
    Internal,
    /// A request that was answered.
    Server,
    /// A request that was made.
    Client,
}

/// A value of a span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SpanValue {
    /// Text, cut at 1 KiB.
    Text(Cow<'static, str>),
    /// A whole number.
    Whole(i64),
    /// Any number.
    Real(f64),
    /// Yes or no.
    Flag(bool),
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(cut(text).into())
    }
}

impl From<i64> for SpanValue {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<u16> for SpanValue {
    fn from(number: u16) -> Self {
        Self::Whole(number.into())
    }
}

impl From<f64> for SpanValue {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for SpanValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

fn cut(text: String) -> String {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    // A text of its own: cutting the old one would keep all of its memory.
    text[..end].to_owned()
}

/// A span that is over.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SpanRecord {
    /// What was done: few different texts, so that they can be counted.
    pub name: Cow<'static, str>,
    /// Who did it.
    pub kind: SpanKind,
    /// Its trace.
    pub trace_id: [u8; 16],
    /// Its own id.
    pub span_id: [u8; 8],
    /// The span around it, which may be another service's.
    pub parent_id: Option<[u8; 8]>,
    /// `tracestate` of the trace.
    pub state: Option<Box<str>>,
    /// When it began.
    pub begun: DateTime<Utc>,
    /// How long it took.
    pub took: Duration,
    /// What went wrong, if anything did; empty where nothing is known but that.
    pub failure: Option<Cow<'static, str>>,
    /// What is known of it.
    pub values: Vec<(&'static str, SpanValue)>,
    /// How many values were left out because there were more than 64.
    pub values_left_out: u32,
}

/// Where the spans of one unit of work go.
///
/// Clones are the same recorder. It takes 1,000 spans beside the unit's own; further
/// ones are left out and counted, so that one request cannot crowd out all others.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    sink: Arc<dyn SpanSink>,
    left: AtomicU32,
    /// The span that the work is in; zero for its own.
    active: AtomicU64,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder(..)")
    }
}

impl Recorder {
    /// A recorder for one unit of work.
    #[must_use]
    pub fn new(sink: Arc<dyn SpanSink>) -> Self {
        Self(Arc::new(Inner { sink, left: AtomicU32::new(SPANS_MAX), active: AtomicU64::new(0) }))
    }

    /// Whether two are the same recorder.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The span that the work is in, unless that is its own.
    #[must_use]
    pub fn active(&self) -> Option<[u8; 8]> {
        match self.0.active.load(Ordering::Relaxed) {
            0 => None,
            id => Some(id.to_be_bytes()),
        }
    }

    /// The work enters a span, or goes back to its own by `None`.
    pub fn set_active(&self, span_id: Option<[u8; 8]>) {
        self.0.active.store(span_id.map_or(0, u64::from_be_bytes), Ordering::Relaxed);
    }

    /// Begins the span of the unit of work itself, which is always taken.
    pub fn begin_own(&self, trace: &TraceContext, kind: SpanKind) -> OpenSpan {
        OpenSpan::new(self.clone(), trace, kind)
    }

    /// Begins a span within the unit of work; `None` when it has too many.
    #[must_use]
    pub fn begin(&self, trace: &TraceContext, kind: SpanKind) -> Option<OpenSpan> {
        let take = |left: u32| left.checked_sub(1);
        if self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            self.0.sink.left_out();
            return None;
        }
        Some(OpenSpan::new(self.clone(), trace, kind))
    }
}

/// A span that is not over. Dropping it ends it, so that work which is dropped half
/// way is in the trace as well.
#[must_use = "the span ends when this is dropped"]
pub struct OpenSpan {
    recorder: Recorder,
    since: Instant,
    /// Taken when it ends.
    record: Option<SpanRecord>,
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSpan").field(&self.record).finish()
    }
}

impl OpenSpan {
    fn new(recorder: Recorder, trace: &TraceContext, kind: SpanKind) -> Self {
        let record = SpanRecord {
            name: Cow::Borrowed(""),
            kind,
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent_id: trace.parent_id,
            state: trace.state.clone(),
            begun: Utc::now(),
            took: Duration::ZERO,
            failure: None,
            values: vec![],
            values_left_out: 0,
        };
        Self { recorder, since: Instant::now(), record: Some(record) }
    }

    /// Where it goes when it is over.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Says what is done.
    pub fn name(&mut self, name: impl Into<Cow<'static, str>>) {
        if let Some(record) = &mut self.record {
            record.name = name.into();
        }
    }

    /// Adds a value, or replaces it. At most 64 are kept.
    pub fn note(&mut self, name: &'static str, value: impl Into<SpanValue>) {
        let Some(record) = &mut self.record else { return };
        let values = &mut record.values;
        match values.iter().position(|(known, _)| *known == name) {
            Some(at) => values[at].1 = value.into(),
            None if values.len() < VALUES_MAX => values.push((name, value.into())),
            None => record.values_left_out += 1,
        }
    }

    /// Says that it went wrong; the first text stays.
    pub fn fail(&mut self, why: impl Into<Cow<'static, str>>) {
        if let Some(record) = &mut self.record {
            record.failure.get_or_insert_with(|| match why.into() {
                Cow::Owned(text) => cut(text).into(),
                text => text,
            });
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.took = self.since.elapsed();
            self.recorder.0.sink.take(record);
        }
    }
}

/// Whether and where an application records its spans.
///
/// A caller's decision (the sampled flag of `traceparent`) is followed; of the
/// requests that begin a trace, a share is recorded.
#[derive(Debug, Clone)]
pub struct Tracing {
    sink: Arc<dyn SpanSink>,
    /// Traces whose random number is below it are recorded.
    threshold: u64,
}

impl Tracing {
    /// Records this share of the traces that begin here, between 0 and 1; what is
    /// outside counts as the nearer end.
    #[must_use]
    pub fn new(sink: Arc<dyn SpanSink>, share: f64) -> Self {
        /// 2 to the 63rd: the numbers have 63 bits.
        const ALL: u64 = 1 << 63;
        // A float that is not a number becomes 0.
        Self { sink, threshold: ((share.clamp(0.0, 1.0) * ALL as f64) as u64).min(ALL) }
    }

    /// Where the spans go.
    #[must_use]
    pub fn sink(&self) -> &Arc<dyn SpanSink> {
        &self.sink
    }

    /// Records the same traces, but sends their spans elsewhere.
    #[must_use]
    pub fn with_sink(self, sink: Arc<dyn SpanSink>) -> Self {
        Self { sink, ..self }
    }

    /// The root of a new trace, sampled or not. The decision follows from the trace
    /// id as OpenTelemetry's `TraceIdRatioBased` makes it, so that services of one
    /// share agree.
    #[must_use]
    pub fn root(&self) -> TraceContext {
        let trace = TraceContext::root();
        let mut random = [0; 8];
        random.copy_from_slice(&trace.trace_id[8..]);
        let is_sampled = u64::from_be_bytes(random) >> 1 < self.threshold;
        trace.sampled(is_sampled)
    }

    /// A recorder for work on this trace, if the trace is sampled.
    #[must_use]
    pub fn recorder(&self, trace: &TraceContext) -> Option<Recorder> {
        trace.is_sampled().then(|| Recorder::new(Arc::clone(&self.sink)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<SpanRecord>>, AtomicU32);

    impl SpanSink for Kept {
        fn take(&self, span: SpanRecord) {
            self.0.lock().unwrap().push(span);
        }

        fn left_out(&self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_unit_of_work_records_so_many_spans_and_no_more() {
        let kept = Arc::new(Kept::default());
        let recorder = Recorder::new(kept.clone());
        let trace = TraceContext::root();
        let own = recorder.begin_own(&trace, SpanKind::Server);
        for _ in 0..SPANS_MAX + 3 {
            drop(recorder.begin(&trace.child(), SpanKind::Internal));
        }
        drop(own);
        let spans = kept.0.lock().unwrap();
        assert_eq!(spans.len(), SPANS_MAX as usize + 1);
        assert_eq!(spans[0].parent_id, Some(trace.span_id));
        assert_eq!(kept.1.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn values_are_bounded() {
        let kept = Arc::new(Kept::default());
        let mut span =
            Recorder::new(kept.clone()).begin_own(&TraceContext::root(), SpanKind::Client);
        const NAMES: [&str; 3] = ["a", "b", "a"];
        for name in NAMES {
            span.note(name, format!("{}é", "é".repeat(TEXT_MAX)));
        }
        span.fail("first");
        span.fail("second");
        drop(span);
        let spans = kept.0.lock().unwrap();
        assert_eq!(spans[0].values.len(), 2);
        assert_eq!(spans[0].failure.as_deref(), Some("first"));
        let SpanValue::Text(Cow::Owned(text)) = &spans[0].values[0].1 else { panic!() };
        assert_eq!((text.len(), text.capacity()), (TEXT_MAX, TEXT_MAX));
    }

    #[test]
    fn the_share_decides_over_new_traces() {
        let share = |share| {
            let tracing = Tracing::new(Arc::new(Kept::default()), share);
            (0..4_000).filter(|_| tracing.root().is_sampled()).count()
        };
        assert_eq!(share(0.0), 0);
        assert_eq!(share(1.0), 4_000);
        assert_eq!(share(f64::NAN), 0);
        let quarter = share(0.25);
        assert!((800..1_200).contains(&quarter), "{quarter}");
    }
}
