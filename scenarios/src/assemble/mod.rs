//! Scenario to world.

pub mod url;
