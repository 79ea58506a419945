//! Lines of the log: for people, or as JSON, each with the request that it belongs to.

mod levels;

use std::fmt::Result as FormatResult;

use arcly_http_core::config::Profile;
use arcly_http_core::scope::current::{self, Identity};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};

pub use levels::{LogLevelError, LogLevelModule, LogLevels, LogRule, log_levels};

use crate::telemetry::span_layer;

/// Starts the log of the process. A second application keeps the first one's.
///
/// In the `dev` profile every answered request is a line; elsewhere the metrics tell,
/// and `log = "info,arcly_http::access=debug"` brings the lines back. Spans are looked
/// at only where requests are recorded.
pub(crate) fn start(filter: &str, as_json: bool, profile: Profile, is_recorded: bool) {
    let levels = LogLevels::of_process();
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let format = match (as_json, is_terminal) {
        (true, _) => LogFormat::JsonLines,
        (false, true) => LogFormat::Coloured,
        (false, false) => LogFormat::Plain,
    };
    let log = registry().with(log_layer(format, std::io::stdout).with_filter(levels.filter()));
    let started = if is_recorded { log.with(span_layer()).try_init() } else { log.try_init() };
    if started.is_ok() {
        levels.configure(filter, if profile == Profile::Dev { ACCESS_SHOWN } else { "" });
    } else {
        tracing::debug!("logging was started before");
    }
}

/// What lines of the log look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people: `time LEVEL message field=value span{..} request=.. route=..`.
    Plain,
    /// The same in colour, for terminals.
    Coloured,
    /// One object a line, with `request_id`, `trace_id`, `span_id`, `route` and
    /// `principal` of the request that wrote it.
    JsonLines,
}

/// The log of `#[arcly_http::main]`, for a subscriber of your own.
pub fn log_layer<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(format == LogFormat::Coloured);
    match format {
        LogFormat::JsonLines => layer.json().event_format(Json).boxed(),
        LogFormat::Plain | LogFormat::Coloured => layer.event_format(Plain).boxed(),
    }
}

/// The target of the lines about answered requests.
const ACCESS: &str = "arcly_http::access";
const ACCESS_SHOWN: &str = "arcly_http::access=debug";

/// `time LEVEL message field=value span{..} request=.. route=.. principal=..`.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> FormatResult {
        let (dim, colour, end) = match (writer.has_ansi_escapes(), *event.metadata().level()) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\x1b[2m", "\x1b[31m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[2m", "\x1b[33m", "\x1b[0m"),
            (true, Level::INFO) => ("\x1b[2m", "\x1b[32m", "\x1b[0m"),
            (true, _) => ("\x1b[2m", "\x1b[34m", "\x1b[0m"),
        };
        write!(writer, "{dim}")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "{end} {colour}{:>5}{end} ", event.metadata().level())?;
        context.format_fields(writer.by_ref(), event)?;
        write!(writer, "{dim}")?;
        for span in context.event_scope().into_iter().flatten() {
            write!(writer, " {}", span.name())?;
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>().filter(|f| !f.is_empty()) {
                write!(writer, "{{{fields}}}")?;
            }
        }
        current::with(|identity| match identity {
            Some(Identity { request_id, trace, route, principal, .. }) => {
                write!(writer, " request={request_id}")?;
                // A request that begins its trace has the trace's id.
                if trace.is_sampled() && trace.trace_id() != request_id.as_str() {
                    write!(writer, " trace={}", trace.trace_id())?;
                }
                if !route.is_empty() {
                    write!(writer, " route={route}")?;
                }
                match principal {
                    Some(claims) => {
                        write!(writer, " principal={}", claims.subject().escape_debug())
                    }
                    None => Ok(()),
                }
            }
            None => Ok(()),
        })?;
        writeln!(writer, "{end}")
    }
}

/// One object a line. Fields of the event are its members, beside `timestamp`,
/// `level`, `target`, `message`, `request_id`, `trace_id`, `span_id`, `route` and
/// `principal`.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> FormatResult {
        let mut line = Map::new();
        event.record(&mut Members(&mut line));
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        // What the framework says cannot be overwritten by a field of the same name.
        let mut say = |name: &str, value: Value| line.insert(name.to_owned(), value);
        say("timestamp", timestamp.into());
        say("level", event.metadata().level().as_str().into());
        say("target", event.metadata().target().into());
        let spans: Vec<Value> =
            context.event_scope().into_iter().flatten().map(|span| span.name().into()).collect();
        if !spans.is_empty() {
            say("spans", spans.into());
        }
        current::with(|identity| {
            let Some(identity) = identity else { return };
            say("request_id", identity.request_id.as_str().into());
            say("trace_id", identity.trace.trace_id().into());
            say("span_id", identity.span_id().into());
            if !identity.route.is_empty() {
                say("route", identity.route.into());
            }
            if let Some(claims) = &identity.principal {
                say("principal", claims.subject().into());
            }
        });
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Fields as members of an object.
struct Members<'m>(&'m mut Map<String, Value>);

impl Visit for Members<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use arcly_http_core::scope::{Claims, RequestId, TraceContext};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(as_json: bool) -> (String, Identity) {
        let sink = Sink::default();
        let make = sink.clone();
        let format = if as_json { LogFormat::JsonLines } else { LogFormat::Plain };
        let layer = log_layer(format, move || make.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        let mut identity = Some(Identity {
            request_id: RequestId::parse(b"abc").unwrap(),
            trace: TraceContext::root(),
            route: "/articles/{slug}",
            principal: Some(Arc::new(Claims::about("ann\nroot"))),
            recorder: None,
        });
        tracing::subscriber::with_default(subscriber, || {
            let _entered = current::enter(&mut identity);
            let _span = tracing::info_span!("import", file = "a.csv").entered();
            tracing::warn!(count = 3, level = "fake", "half\ndone");
        });
        let bytes = sink.0.lock().unwrap().clone();
        (String::from_utf8(bytes).unwrap(), identity.unwrap())
    }

    #[test]
    fn a_line_says_to_which_request_it_belongs() {
        let (line, _) = written(false);
        assert!(line.contains("  WARN "), "{line}");
        assert!(line.contains("count=3"), "{line}");
        assert!(line.contains(" import{file=\"a.csv\"}"), "{line}");
        let end = " request=abc route=/articles/{slug} principal=ann\\nroot\n";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn json_has_the_trace_and_no_field_passes_for_the_frameworks() {
        let (line, identity) = written(true);
        assert_eq!(line.lines().count(), 1, "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "half\ndone");
        assert_eq!(line["count"], 3);
        assert_eq!(line["request_id"], "abc");
        assert_eq!(line["trace_id"], identity.trace.trace_id());
        assert_eq!(line["span_id"], identity.trace.span_id());
        assert_eq!(line["route"], "/articles/{slug}");
        assert_eq!(line["principal"], "ann\nroot");
        assert_eq!(line["spans"][0], "import");
    }
}
