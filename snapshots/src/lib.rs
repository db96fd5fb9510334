//! Everything packetwalk is held against: goldens of the real kernel, snapshots of the lessons, the rules of the house.

pub mod fuzz;
pub mod golden;
