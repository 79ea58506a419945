//! Spans as OTLP's protobuf.

use arcly_http_core::scope::spans::{SpanKind, SpanRecord, SpanValue};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1 as proto;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status, span, status,
};
use prost::Message as _;

/// Bits of a span's flags beside those of `traceparent`: that it is known whether the
/// parent is another process's, and that it is.
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;

/// Who the spans are of.
#[derive(Debug)]
pub(super) struct Resource(proto::Resource);

/// Spans that are ready to be sent.
pub(super) struct Batch {
    pub(super) bytes: bytes::Bytes,
    pub(super) spans: u64,
}

impl Resource {
    pub(super) fn new(name: &str, version: &str) -> Self {
        let attributes = [
            ("service.name", name),
            ("service.version", version),
            ("telemetry.sdk.name", "arcly-http"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ];
        let attributes = attributes.map(|(key, text)| pair(key, Value::StringValue(text.into())));
        Self(proto::Resource { attributes: attributes.into(), ..proto::Resource::default() })
    }

    pub(super) fn encode(&self, spans: impl Iterator<Item = SpanRecord>) -> Batch {
        let spans: Vec<Span> = spans.map(encode).collect();
        let count = spans.len() as u64;
        let scope = InstrumentationScope {
            name: "arcly-http".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.0.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        Batch { bytes: request.encode_to_vec().into(), spans: count }
    }
}

/// How many spans a collector says that it did not take.
pub(super) fn rejected(response: &[u8]) -> u64 {
    let response = ExportTraceServiceResponse::decode(response).ok();
    let partial = response.and_then(|response| response.partial_success);
    partial.and_then(|partial| u64::try_from(partial.rejected_spans).ok()).unwrap_or(0)
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn encode(record: SpanRecord) -> Span {
    let begun = record.begun.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok());
    let begun = begun.unwrap_or(0);
    let took = u64::try_from(record.took.as_nanos()).unwrap_or(u64::MAX);
    let is_remote = record.kind == SpanKind::Server && record.parent_id.is_some();
    let kind = match record.kind {
        SpanKind::Server => span::SpanKind::Server,
        SpanKind::Client => span::SpanKind::Client,
        _ => span::SpanKind::Internal,
    };
    let values = record.values.into_iter().map(|(key, value)| {
        let value = match value {
            SpanValue::Text(text) => Value::StringValue(text.into_owned()),
            SpanValue::Whole(number) => Value::IntValue(number),
            SpanValue::Real(number) => Value::DoubleValue(number),
            SpanValue::Flag(flag) => Value::BoolValue(flag),
            other => Value::StringValue(format!("{other:?}")),
        };
        pair(key, value)
    });
    Span {
        trace_id: record.trace_id.to_vec(),
        span_id: record.span_id.to_vec(),
        parent_span_id: record.parent_id.map(Vec::from).unwrap_or_default(),
        trace_state: record.state.map(String::from).unwrap_or_default(),
        // What is recorded is sampled.
        flags: 1 | REMOTE_KNOWN | if is_remote { REMOTE } else { 0 },
        name: record.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: begun,
        end_time_unix_nano: begun.saturating_add(took),
        attributes: values.collect(),
        dropped_attributes_count: record.values_left_out,
        status: record.failure.map(|why| Status {
            message: why.into_owned(),
            code: status::StatusCode::Error.into(),
        }),
        ..Span::default()
    }
}
