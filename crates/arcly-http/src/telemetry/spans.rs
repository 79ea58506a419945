//! Spans of `tracing` as spans of the trace that the work belongs to.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcly_http_core::scope::TraceContext;
use arcly_http_core::scope::current;
use arcly_http_core::scope::spans::{OpenSpan, Recorder, SpanKind, SpanValue};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{Filtered, LevelFilter};
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Whoever records in this process: applications, exporters. Without one, no callsite of a span is enabled
/// for the sake of this layer.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// While it lives, spans are looked at.
#[derive(Debug)]
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        if RUNNING.fetch_add(1, Ordering::SeqCst) == 0 {
            tracing_core::callsite::rebuild_interest_cache();
        }
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if RUNNING.fetch_sub(1, Ordering::SeqCst) == 1 {
            tracing_core::callsite::rebuild_interest_cache();
        }
    }
}

/// A layer for a subscriber of your own, so that the spans of your code
/// (`#[tracing::instrument]`) of level `INFO` and above are children of the request's
/// span. `#[arcly_http::main]` has it already.
///
/// It keeps nothing of its own: a span goes where the unit of work that it is made in
/// is recorded. A span that is made elsewhere, as in another task, is not recorded,
/// unless its parent is.
#[must_use]
pub fn span_layer<S>() -> Filtered<SpanLayer, impl Filter<S> + fmt::Debug, S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    SpanLayer(()).with_filter(Recorded)
}

/// See [`span_layer`].
#[derive(Debug)]
pub struct SpanLayer(());

/// Lets spans through that are within recorded work.
#[derive(Debug)]
struct Recorded;

/// What the framework makes for its own log; the pipeline records requests itself.
const OWN: [&str; 2] = ["arcly_http_web::pipeline", "arcly_http_core::task"];

impl Recorded {
    fn is_span_of_interest(metadata: &Metadata<'_>) -> bool {
        // Errors say that the span around them has failed.
        let is_of_interest = metadata.is_span() || *metadata.level() == Level::ERROR;
        is_of_interest && *metadata.level() <= Level::INFO && !OWN.contains(&metadata.target())
    }
}

impl<S> Filter<S> for Recorded
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Self::is_span_of_interest(metadata)
            && (current::with(|identity| identity.is_some_and(|known| known.recorder.is_some()))
                || context.lookup_current().is_some_and(|span| {
                    span.extensions().get::<Option<Within>>().is_some_and(Option::is_some)
                }))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if RUNNING.load(Ordering::SeqCst) > 0 && Self::is_span_of_interest(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }
}

/// What a span of `tracing` is in the trace.
struct Within {
    trace: TraceContext,
    recorder: Recorder,
    span: OpenSpan,
    /// The recorded span around it; `None` where that is the unit of work's own.
    around: Option<[u8; 8]>,
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(own) = context.span(id) else { return };
        let parent = own.parent().and_then(|parent| {
            let extensions = parent.extensions();
            let within = extensions.get::<Option<Within>>()?.as_ref()?;
            Some((within.trace.clone(), within.recorder.clone(), Some(within.trace.id())))
        });
        let parent = parent.or_else(|| {
            current::with(|identity| {
                let recorder = identity?.recorder.clone()?;
                Some((identity?.trace.clone(), recorder, None))
            })
        });
        let within = parent.and_then(|(trace, recorder, around)| {
            let trace = trace.child();
            let mut span = recorder.begin(&trace, SpanKind::Internal)?;
            span.name(own.metadata().name());
            attributes.record(&mut Values(|name, value| span.note(name, value)));
            Some(Within { trace, recorder, span, around })
        });
        own.extensions_mut().insert(within);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if is_within(id, &context) {
            let mut noted = vec![];
            values.record(&mut Values(|name, value| noted.push((name, value))));
            change(id, &context, |within| {
                noted.into_iter().for_each(|(name, value)| within.span.note(name, value));
            });
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(id) = context.event_span(event).map(|span| span.id())
            && is_within(&id, &context)
        {
            let message = message(event);
            change(&id, &context, |within| within.span.fail(message));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        change(id, &context, |within| mark(&within.recorder, Some(within.trace.id())));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        change(id, &context, |within| mark(&within.recorder, within.around));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            // It ends when it is dropped, outside the lock.
            let within = span.extensions_mut().remove::<Option<Within>>();
            drop(within);
        }
    }
}

/// Calls that are made from here on are made within this span; not by another unit of
/// work, to which a span may have been taken along.
fn mark(recorder: &Recorder, span_id: Option<[u8; 8]>) {
    current::with(|identity| {
        let own = identity.and_then(|known| known.recorder.as_ref());
        if own.is_some_and(|own| own.is_same(recorder)) {
            recorder.set_active(span_id);
        }
    });
}

fn is_within<S>(id: &Id, context: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let span = context.span(id);
    span.is_some_and(|span| span.extensions().get::<Option<Within>>().is_some_and(Option::is_some))
}

/// Nothing of the application runs in `change`: the span is locked, and values that log
/// while they are written would wait for themselves.
fn change<S>(id: &Id, context: &Context<'_, S>, change: impl FnOnce(&mut Within))
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if let Some(span) = context.span(id)
        && let Some(Some(within)) = span.extensions_mut().get_mut::<Option<Within>>()
    {
        change(within);
    }
}

/// Gives fields on as values of a span.
struct Values<F>(F);

impl<F: FnMut(&'static str, SpanValue)> Values<F> {
    fn note(&mut self, field: &Field, value: impl Into<SpanValue>) {
        (self.0)(field.name(), value.into());
    }
}

impl<F: FnMut(&'static str, SpanValue)> Visit for Values<F> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.note(field, value),
            Err(_) => self.note(field, value.to_string()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, format!("{value:?}"));
    }
}

/// The text of an event; `#[instrument(err)]` calls it `error`.
fn message(event: &Event<'_>) -> String {
    #[derive(Default)]
    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if matches!(field.name(), "message" | "error") {
                self.0 = format!("{value:?}");
            }
        }
    }

    let mut text = Text::default();
    event.record(&mut text);
    text.0
}
