//! See `laws.rs`.
#![no_main]

#[path = "../laws.rs"]
#[allow(dead_code, reason = "the targets share one file")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::nft(data));
