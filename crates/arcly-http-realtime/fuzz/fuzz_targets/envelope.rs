//! Any text as an envelope: what is read is what a JSON parser reads, and nothing panics.
//! Run with `cargo +nightly fuzz run envelope -- -max_len=1024 -max_total_time=300`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|text: &str| {
    let Some((event, data, id)) = arcly_http_realtime::__fuzz::envelope(text, 32) else { return };
    let whole: Value = serde_json::from_str(text).expect("an envelope is JSON");
    assert_eq!(whole["event"].as_str(), Some(event.as_str()));
    let read = |text: Option<String>| match text {
        Some(text) => serde_json::from_str(&text).expect("a part of JSON is JSON"),
        None => Value::Null,
    };
    assert_eq!(whole["data"], read(data));
    assert_eq!(whole["id"], read(id));
});
