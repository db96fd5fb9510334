//! Floor 8: scenarios.
//!
//! ```text
//!  lesson.ron ── text ──► schema ── check ──► resolved names ── assemble ──► Blueprint, flows ──► engine
//!                  │                  │                                                            │
//!                  └──── diag ────────┘                                             expect ◄───────┘
//! ```
//!
//! A file is read, checked and turned into a world; everything that is wrong with it is said at once, with places.
//! This crate knows nothing of terminals.

pub mod assemble;
pub mod check;
pub mod commands;
pub mod diag;
pub mod expect;
pub mod library;
pub mod load;
pub mod read;
pub mod schema;
pub mod text;

pub use diag::{Diagnostic, Report, Severity};
pub use load::{LoadError, Loaded};
