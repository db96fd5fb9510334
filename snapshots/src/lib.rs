//! Everything packetwalk is held against.

pub mod golden;
