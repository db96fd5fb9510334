//! Floor 7: a recording in words, hops, text and JSON.
//!
//! Everything here is a view of one trace. Nothing decides again what the walk has decided; rows that lost are derived
//! from the very tables, headers and views that a step names.
//!
//! ```text
//!  Run ─► Index ─► StepView ─┬─► words ──┐
//!                            ├─► losers ─┼─► Doc ─► text, terminal
//!                            ├─► hops ───┘
//!                            └─► JSON (packetwalk.trace/1)
//! ```

pub mod evidence;
pub mod headers;
pub mod index;
pub mod kind;
pub mod losers;
pub mod provenance;
pub mod rows;
pub mod value;
pub mod view;

pub use kind::Kind;
pub use losers::Loser;
pub use provenance::Provenance;
pub use value::Value;
pub use view::{Report, StepView};
