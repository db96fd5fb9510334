//! Tests of the hooks by themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

mod flows;
mod fragments;
mod kernel_nat;
mod kernel_tcp;
pub(super) mod lab;
