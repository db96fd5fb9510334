//! Accounts: what a kernel did, be it the real one or the simulated one, in one form that can be compared.
//!
//! ```text
//!  a run ────────► Observer ──► Observed ─┐
//!                                         ├─► compare ──► the first Difference
//!  a real kernel ─► capture ──► Observed ─┘
//! ```

pub mod compare;
pub mod observe;
pub mod outcome;
pub mod words;

pub use observe::{Observed, Observer};
pub use words::Words;
