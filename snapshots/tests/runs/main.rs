//! Scenarios as a whole: what lessons show, that chance is the seed's alone, and what bad input meets.
//!
//! | module | holds |
//! |---|---|
//! | [`lessons`] | every lesson's trace, and that its expectations hold |
//! | [`determinism`] | same seed, same bytes, for any number of threads |
//! | [`bad_input`] | clear errors, no panic, an end within a second |
#![allow(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod determinism;
mod lessons;

use scenarios::Loaded;
use scenarios::assemble::run::{self, Options, Ran};
use scenarios::diag::draw;

/// Complaints as they are printed where there are no colours.
fn complaints(report: &scenarios::diag::Report) -> String {
    draw::all(report, draw::Style { color: false, unicode: true, width: 120 })
}

/// Runs a scenario that must run.
fn ran(l: &Loaded, seed: Option<u64>) -> Ran {
    assert!(l.can_run(), "{}", complaints(&l.report));
    run::run(l, &Options { seed }).unwrap_or_else(|r| panic!("{}", complaints(&r)))
}
