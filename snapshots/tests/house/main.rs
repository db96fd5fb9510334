//! The rules of the house, held by tests that read the source.
//!
//! | module | holds |
//! |---|---|
//! | [`floors`] | a room uses only the floors below it |
#![allow(clippy::unwrap_used, reason = "tests")]

mod files;
mod floors;
mod paths;
