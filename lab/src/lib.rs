//! Floor 9: the real kernel beside the simulated one.
//!
//! The same commands build both worlds, the same programs make the traffic of both, and both accounts have one form.

pub mod account;
pub mod kernel;
pub mod plan;
pub mod script;
pub mod show;
pub mod verify;
