//! Any bytes, cut anyhow. Run with
//! `cargo +nightly fuzz run frames -- -max_len=4096 -max_total_time=300`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/frames/property.rs"]
mod property;

fuzz_target!(|data: &[u8]| property::frames(data));
