//! The subscriber's side.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::Kept;
use super::logs::{Fields, LogLine, SpanLine};

/// A span that may still get fields: lines look at it when they are read, so that
/// they know the principal that was recorded after them.
pub(super) type SharedSpan = Arc<Mutex<SpanLine>>;

pub(super) fn snapshot(span: &SharedSpan) -> SpanLine {
    span.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Keeps lines and spans.
pub(super) struct Collector {
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    pub(super) fn new(kept: Arc<Mutex<Kept>>) -> Self {
        Self { kept }
    }

    fn keep(&self, add: impl FnOnce(&mut Kept)) {
        add(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Writes fields down as text.
struct Writer<'f>(&'f mut Fields);

impl Visit for Writer<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.set(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.set(field.name(), format!("{value:?}"));
    }
}

fn change<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, change: impl FnOnce(&mut SpanLine)) {
    if let Some(shared) = span.extensions().get::<SharedSpan>() {
        change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<S> Layer<S> for Collector
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let metadata = attributes.metadata();
        let mut fields = Fields::default();
        attributes.record(&mut Writer(&mut fields));
        let shared = Arc::new(Mutex::new(SpanLine {
            name: metadata.name().to_owned(),
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields,
            parent: span.parent().map(|parent| parent.name().to_owned()),
            is_closed: false,
        }));
        span.extensions_mut().insert(Arc::clone(&shared));
        self.keep(|kept| kept.push_span(shared));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            change(&span, |line| values.record(&mut Writer(&mut line.fields)));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            change(&span, |line| line.is_closed = true);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut Writer(&mut fields));
        let message = fields.take("message").unwrap_or_default();
        let spans = context.event_scope(event).into_iter().flatten();
        let spans = spans.filter_map(|span| span.extensions().get::<SharedSpan>().cloned());
        let spans = spans.collect();
        let line = LogLine {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message,
            fields,
            spans: vec![],
        };
        self.keep(|kept| kept.push_line(line, spans));
    }
}
