//! Tests of the packet floor that concern more than one protocol.

#![allow(clippy::unwrap_used, reason = "tests")]

mod fields;
mod golden;
mod laws;
mod oracle;
mod quote;
mod strategy;
mod tcpdump;
