use std::sync::atomic::{AtomicU32, Ordering};

use arcly_http_core::scope::TraceContext;
use arcly_http_core::scope::spans::Recorder;

use super::*;

#[derive(Debug, Default)]
struct Next(Mutex<Vec<SpanRecord>>, AtomicU32);

impl SpanSink for Next {
    fn take(&self, span: SpanRecord) {
        self.0.lock().unwrap().push(span);
    }

    fn left_out(&self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

fn recorder() -> (Arc<RecentRequests>, Recorder) {
    let recent = Arc::new(RecentRequests::default());
    let recorder = Recorder::new(Arc::clone(&recent) as Arc<dyn SpanSink>);
    (recent, recorder)
}

fn names(spans: &Value) -> Vec<(&str, u64)> {
    let spans = spans.as_array().unwrap().iter();
    let shown = |span: &'static str| span;
    let (name, depth) = (shown("name"), shown("depth"));
    spans.map(|span| (span[name].as_str().unwrap(), span[depth].as_u64().unwrap())).collect()
}

#[test]
fn the_newest_stay_and_no_request_takes_the_place_of_others() {
    let (recent, _) = recorder();
    for number in 0..REQUESTS_MAX + 20 {
        let recorder = Recorder::new(Arc::clone(&recent) as Arc<dyn SpanSink>);
        let trace = TraceContext::root();
        let mut own = recorder.begin_own(&trace, SpanKind::Server);
        own.note("http.route", format!("/{number}"));
        let steps = if number == 110 { INNER_MAX + 50 } else { 2 };
        for _ in 0..steps {
            drop(recorder.begin(&trace.child(), SpanKind::Internal));
        }
    }
    let kept = recent.kept();
    assert_eq!((kept.requests.len(), kept.inner.len()), (REQUESTS_MAX, INNER_MAX));
    drop(kept);
    let list = recent.list();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), REQUESTS_MAX);
    assert_eq!((&list[0]["route"], &list[99]["route"]), (&json!("/119"), &json!("/20")));
    let spans: Vec<_> =
        list.iter().map(|request| request["spans"].as_array().unwrap().len()).collect();
    assert_eq!(spans[..10], [2, 2, 2, 2, 2, 2, 2, 2, 2, INNER_MAX - 18]);
    assert!(spans[10..].iter().all(|spans| *spans == 0));
}

#[test]
fn a_request_is_shown_with_its_own_spans() {
    let (recent, recorder) = recorder();
    let trace = TraceContext::root();
    let mut own = recorder.begin_own(&trace, SpanKind::Server);
    own.note("http.request.method", "GET");
    own.note("http.route", "/items/{id}");
    own.note("http.response.status_code", 500_u16);
    own.note("error.type", "500");
    own.fail("");
    let step = trace.child();
    let mut outer = recorder.begin(&step, SpanKind::Internal).unwrap();
    outer.name("load");
    outer.fail("no such table");
    let call = step.child();
    let mut client = recorder.begin(&call, SpanKind::Client).unwrap();
    client.name("GET");
    client.note("server.address", "prices.example");
    // The called service is this process, too: another request of the same trace.
    let called = call.child();
    let asked = recorder.begin_own(&called, SpanKind::Server);
    let mut inner = recorder.begin(&called.child(), SpanKind::Internal).unwrap();
    inner.name("price");
    drop((inner, asked, client, outer));
    // Its parent is not over.
    let mut early = recorder.begin(&step.child().child(), SpanKind::Internal).unwrap();
    early.name("early");
    drop(early);
    drop(own);

    let list = recent.list();
    assert_eq!(list[0]["failure"], "500");
    assert_eq!(list[0]["status"], 500);
    assert_eq!(list[0]["request"], Value::Null);
    assert_eq!(list[0]["trace"], trace.trace_id());
    assert_eq!(names(&list[0]["spans"]), [("load", 1), ("GET prices.example", 2)]);
    assert_eq!(list[0]["spans"][0]["failure"], "no such table");
    assert_eq!(names(&list[1]["spans"]), [("price", 1)]);
    assert!(list[0]["spans"][0]["offset_ms"].as_f64() >= Some(0.0));
}

#[test]
fn what_is_kept_is_trimmed_and_has_no_secrets() {
    let (recent, recorder) = recorder();
    let trace = TraceContext::root();
    let mut own = recorder.begin_own(&trace, SpanKind::Server);
    let long = "é".repeat(300);
    own.name(format!("GET {long}"));
    own.note("url.path", format!("/reset/{long}"));
    own.note("user_agent.original", "a header");
    own.note("client.address", "10.0.0.7");
    for name in VALUES {
        own.note(name, long.clone());
    }
    own.fail(long);
    let mut inner = recorder.begin(&trace.child(), SpanKind::Internal).unwrap();
    inner.note("enduser.id", "the application's own");
    inner.note("password", "hunter2");
    drop((inner, own));
    let mut unknown = recorder.begin_own(&TraceContext::root(), SpanKind::Server);
    unknown.note("url.path", "/nowhere");
    drop(unknown);

    let kept = recent.kept();
    let own = &kept.requests[0];
    assert_eq!(own.name.len(), TEXT_MAX);
    assert_eq!(own.failure.as_ref().unwrap().len(), TEXT_MAX);
    // All but the path, which the route stands for.
    assert_eq!(own.values.len(), VALUES_MAX - 1);
    assert!(own.value("url.path").is_none());
    for (name, value) in &own.values {
        assert!(VALUES.contains(name));
        let SpanValue::Text(Cow::Owned(text)) = value else { panic!("{value:?}") };
        assert_eq!((text.len(), text.capacity()), (TEXT_MAX, TEXT_MAX));
    }
    assert!(kept.inner[0].values.is_empty());
    assert_eq!(kept.requests[1].text("url.path"), Some("/nowhere"));
}

#[test]
fn tasks_take_no_place() {
    let (recent, recorder) = recorder();
    let trace = TraceContext::root();
    let own = recorder.begin_own(&trace, SpanKind::Internal);
    drop(recorder.begin(&trace.child(), SpanKind::Internal));
    drop(own);
    let kept = recent.kept();
    assert_eq!((kept.requests.len(), kept.inner.len()), (0, 0));
}

#[test]
fn spans_go_where_they_went_before_whole() {
    let next = Arc::new(Next::default());
    let mut tracing = Some(Tracing::new(Arc::clone(&next) as Arc<dyn SpanSink>, 0.0));
    let recent = RecentRequests::attach(&mut tracing);
    let tracing = tracing.unwrap();
    // The share is still the exporter's.
    assert!(!tracing.root().is_sampled());
    let trace = TraceContext::root().sampled(true);
    let recorder = tracing.recorder(&trace).unwrap();
    let mut own = recorder.begin_own(&trace, SpanKind::Server);
    own.note("user_agent.original", "curl");
    for _ in 0..1_001 {
        drop(recorder.begin(&trace.child(), SpanKind::Internal));
    }
    drop(own);
    let spans = next.0.lock().unwrap();
    assert_eq!(spans.len(), 1_001);
    assert_eq!(spans.last().unwrap().values.len(), 1);
    assert_eq!(next.1.load(Ordering::Relaxed), 1);
    assert_eq!(recent.list().as_array().unwrap().len(), 1);
}

#[test]
fn without_another_sink_everything_is_recorded() {
    let mut tracing = None;
    let _recent = RecentRequests::attach(&mut tracing);
    assert!(tracing.unwrap().root().is_sampled());
}
