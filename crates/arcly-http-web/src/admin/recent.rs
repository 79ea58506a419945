//! The last requests and the spans within them, for the console.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arcly_http_core::scope::spans::{SpanKind, SpanRecord, SpanSink, SpanValue, Tracing};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// Most requests that are kept.
const REQUESTS_MAX: usize = 100;
/// Most spans within requests that are kept, of all requests together.
const INNER_MAX: usize = 900;
/// Most values that are kept of a span.
const VALUES_MAX: usize = 8;
/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 128;
/// Deepest that a span is shown.
const DEPTH_MAX: usize = 16;

/// The values that are kept. Headers are not among them, nor what code of the
/// application notes, which may be anything.
const VALUES: [&str; VALUES_MAX] = [
    "http.request.method",
    "http.route",
    "url.path",
    "http.response.status_code",
    "arcly.request_id",
    "enduser.id",
    "error.type",
    "server.address",
];

/// Keeps the last 100 recorded requests and the last 900 spans within requests, so that
/// the console can show them; spans of other work are not kept. One request with very
/// many spans takes the places of others' spans, never of other requests.
///
/// Of a span it keeps name, kind, ids, times, failure and 8 values at most, each text
/// cut at 128 bytes: no headers, no query, no values of the application's own spans. A
/// span costs its copy and one short lock.
///
/// `#[arcly_http::main]` attaches it by the key `recent_requests`; a program that
/// launches by itself calls [`RecentRequests::attach`] and [`super::Admin::show_requests`].
#[derive(Debug, Default)]
pub struct RecentRequests {
    kept: Mutex<Kept>,
    /// Takes every span as well.
    next: Option<Arc<dyn SpanSink>>,
}

/// Invariant: no longer than `REQUESTS_MAX` and `INNER_MAX`.
#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Arc<Span>>,
    inner: VecDeque<Arc<Span>>,
}

#[derive(Debug)]
struct Span {
    name: String,
    kind: SpanKind,
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_id: Option<[u8; 8]>,
    begun: DateTime<Utc>,
    took: Duration,
    failure: Option<String>,
    values: Vec<(&'static str, SpanValue)>,
}

impl RecentRequests {
    /// Records all requests for the console, or, where requests are recorded already,
    /// those, which then go to both. A caller's decision (the sampled flag of
    /// `traceparent`) is followed either way.
    pub fn attach(tracing: &mut Option<Tracing>) -> Arc<Self> {
        let next = tracing.as_ref().map(|known| Arc::clone(known.sink()));
        let own = Arc::new(Self { kept: Mutex::default(), next });
        let sink = Arc::clone(&own) as Arc<dyn SpanSink>;
        *tracing = Some(match tracing.take() {
            Some(known) => known.with_sink(sink),
            None => Tracing::new(sink, 1.0),
        });
        own
    }

    /// A panic cannot leave it half changed: nothing within the lock calls out.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the console shows, newest first.
    pub(super) fn list(&self) -> Value {
        // Copies of pointers: requests that end meanwhile wait for no more than that.
        let (requests, inner): (Vec<_>, Vec<_>) = {
            let kept = self.kept();
            (kept.requests.iter().cloned().collect(), kept.inner.iter().cloned().collect())
        };
        let tree = Tree::of(&requests, &inner);
        let shown = requests.iter().enumerate().rev();
        shown.map(|(at, request)| tree.shown(at, request)).collect()
    }
}

impl SpanSink for RecentRequests {
    fn take(&self, span: SpanRecord) {
        match (span.kind, span.parent_id) {
            (SpanKind::Server, _) => {
                let own = Arc::new(Span::of(&span));
                let gone = push(&mut self.kept().requests, own, REQUESTS_MAX);
                drop(gone);
            }
            (_, Some(_)) => {
                let own = Arc::new(Span::of(&span));
                let gone = push(&mut self.kept().inner, own, INNER_MAX);
                drop(gone);
            }
            // A run of a task is over. The spans within it, which came first, would only
            // take the places of others.
            (_, None) => self.kept().inner.retain(|known| known.trace_id != span.trace_id),
        }
        if let Some(next) = &self.next {
            next.take(span);
        }
    }

    fn left_out(&self) {
        if let Some(next) = &self.next {
            next.left_out();
        }
    }
}

/// Gives what had to go, so that it is dropped outside the lock.
fn push(ring: &mut VecDeque<Arc<Span>>, span: Arc<Span>, most: usize) -> Option<Arc<Span>> {
    let gone = if ring.len() < most { None } else { ring.pop_front() };
    ring.push_back(span);
    gone
}

impl Span {
    fn of(span: &SpanRecord) -> Self {
        let is_route_known = span.values.iter().any(|(name, _)| *name == "http.route");
        // A path may hold what only its sender should know, which a route never does.
        let is_kept =
            |name: &str| VALUES.contains(&name) && !(is_route_known && name == "url.path");
        let own = match span.kind {
            // The application names its own as it likes.
            SpanKind::Internal => [].as_slice(),
            _ => span.values.as_slice(),
        };
        let values = own.iter().filter(|(name, _)| is_kept(name)).take(VALUES_MAX);
        Self {
            name: cut(&span.name),
            kind: span.kind,
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_id: span.parent_id,
            begun: span.begun,
            took: span.took,
            failure: span.failure.as_deref().map(cut),
            values: values.map(|(name, value)| (*name, trimmed(value))).collect(),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            SpanValue::Text(text) => Some(text),
            _ => None,
        }
    }

    fn value(&self, name: &str) -> Option<&SpanValue> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// What went wrong; where no more than that is known, its type.
    fn failure(&self) -> Option<&str> {
        match self.failure.as_deref() {
            None | Some("") => {
                let kind = self.text("error.type");
                kind.or_else(|| self.failure.is_some().then_some("failed"))
            }
            text => text,
        }
    }

    /// Calls are named by their method alone, so the host is shown with it.
    fn name(&self) -> Cow<'_, str> {
        match (self.kind, self.text("server.address")) {
            (SpanKind::Client, Some(host)) => format!("{} {host}", self.name).into(),
            _ => Cow::Borrowed(&self.name),
        }
    }
}

fn trimmed(value: &SpanValue) -> SpanValue {
    match value {
        SpanValue::Text(text) => SpanValue::Text(cut(text).into()),
        other => other.clone(),
    }
}

fn cut(text: &str) -> String {
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].to_owned()
}

/// Which spans are within which request. A trace may have several requests of this
/// process, so the parents decide, not the trace.
struct Tree<'s> {
    /// By position of the request: its spans with their depth, oldest first.
    within: Vec<Vec<(usize, &'s Span)>>,
}

impl<'s> Tree<'s> {
    fn of(requests: &[Arc<Span>], inner: &'s [Arc<Span>]) -> Self {
        let ids = requests.iter().enumerate();
        let roots: HashMap<_, _> = ids.map(|(at, request)| (request.id(), at)).collect();
        let parents: HashMap<_, _> =
            inner.iter().filter_map(|span| Some((span.id(), span.above()?))).collect();
        let mut within: Vec<Vec<_>> = requests.iter().map(|_| vec![]).collect();
        for span in inner {
            // A span whose way to its request is not kept, or not over yet, is left out.
            // Ids are random; the bound is for a circle, which they could only make up.
            let mut above = span.above();
            let mut depth = 1;
            while let Some(id) = above.filter(|_| depth <= INNER_MAX) {
                if let Some(spans) = roots.get(&id).and_then(|at| within.get_mut(*at)) {
                    spans.push((depth.min(DEPTH_MAX), &**span));
                    break;
                }
                above = parents.get(&id).copied();
                depth += 1;
            }
        }
        for spans in &mut within {
            spans.sort_by_key(|(depth, span)| (span.begun, *depth));
        }
        Self { within }
    }

    fn shown(&self, at: usize, request: &Span) -> Value {
        let spans = self.within.get(at).map_or(&[][..], Vec::as_slice);
        let spans: Vec<Value> = spans
            .iter()
            .map(|(depth, span)| {
                // The wall clock may have been set back meanwhile.
                let offset = (span.begun - request.begun).to_std().unwrap_or_default();
                json!({
                    "name": span.name(),
                    "depth": depth,
                    "offset_ms": ms(offset),
                    "took_ms": ms(span.took),
                    "failure": span.failure(),
                })
            })
            .collect();
        let status = match request.value("http.response.status_code") {
            Some(SpanValue::Whole(status)) => Some(*status),
            _ => None,
        };
        json!({
            "trace": hex(&request.trace_id),
            "span": hex(&request.span_id),
            "request": request.text("arcly.request_id"),
            "method": request.text("http.request.method"),
            "route": request.text("http.route"),
            "path": request.text("url.path"),
            "status": status,
            "principal": request.text("enduser.id"),
            "begun": request.begun.to_rfc3339_opts(SecondsFormat::Millis, true),
            "took_ms": ms(request.took),
            "failure": request.failure(),
            "spans": spans,
        })
    }
}

type Id = ([u8; 16], [u8; 8]);

impl Span {
    fn id(&self) -> Id {
        (self.trace_id, self.span_id)
    }

    fn above(&self) -> Option<Id> {
        Some((self.trace_id, self.parent_id?))
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
