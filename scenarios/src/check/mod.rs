//! What a reader of the form cannot see: names that lead nowhere, addresses that cannot be, steps that no step can fit.
//!
//! One file per concern. Each takes what is there and adds what is wrong with it.

pub mod cluster;
pub mod commands;
pub mod flows;
pub mod hosts;
pub mod identity;
pub mod names;
pub mod network;
pub mod patterns;
pub mod simulated;
pub mod told;

use crate::diag::Diagnostic;
use crate::schema::Scenario;
use names::Names;

/// What the checks look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The scenario itself.
    pub scenario: &'a Scenario,
    /// The scenario whose world it has: itself, or the one it is based on.
    pub world: &'a Scenario,
    /// Names of both.
    pub names: &'a Names,
    /// Complaints.
    pub out: Vec<Diagnostic>,
}

impl Subject<'_> {
    /// Adds a complaint.
    pub fn say(&mut self, d: Diagnostic) {
        self.out.push(d);
    }

    /// Whether the world stands in another file.
    pub fn world_elsewhere(&self) -> bool {
        !std::ptr::eq(self.scenario, self.world)
    }
}

/// All checks.
pub fn all(scenario: &Scenario, world: &Scenario, names: &Names) -> Vec<Diagnostic> {
    let mut s = Subject { scenario, world, names, out: Vec::new() };
    identity::check(&mut s);
    names::check(&mut s);
    network::check(&mut s);
    hosts::check(&mut s);
    cluster::check(&mut s);
    commands::check(&mut s);
    flows::check(&mut s);
    patterns::check(&mut s);
    told::check(&mut s);
    simulated::check(&mut s);
    s.out
}
