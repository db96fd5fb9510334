//! The text of a scenario file: RON as a tree in which every value knows its place.
//!
//! ```text
//! source ── lex ──► tokens ── parse ──► Node tree ── de ──► schema values, each with its span
//!                     │                     │                  │
//!                     └───── syntax errors ─┴─ keys twice ─────┴─ unknown fields, wrong types, …
//! ```
//!
//! The `ron` crate is the authority on the language: what is accepted here is read by it too, and a complaint
//! of its own is reported as it is. The tree exists because a lesson's author wants all errors at once, with places.

pub mod de;
pub mod lex;
pub mod node;
pub mod parse;

pub use node::{Field, Kind, Node, Span};
