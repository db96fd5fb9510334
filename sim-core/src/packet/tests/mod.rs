//! Tests of the packet floor that concern more than one protocol.

#![allow(clippy::unwrap_used, reason = "tests")]

mod laws;
mod quote;
mod strategy;
mod tcpdump;
