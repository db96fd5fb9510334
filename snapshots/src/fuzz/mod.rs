//! Differential fuzzing: random networks, rules and traffic, run by the simulated kernel and by the real one.
//!
//! ```text
//!  seed ──► Draw ──► topology, rules, traffic ──► Case ──► a scenario file ──► both kernels ──► equal?
//!                                                  ▲                                             │ no
//!                                                  └────────────── shrink ◄──────────────────────┘
//! ```
//!
//! A case is a scenario file that `packetwalk verify` can run alone. The same seed makes the same case.

pub mod case;
pub mod coverage;
pub mod draw;
pub mod edges;
pub mod rules;
pub mod run;
pub mod shrink;
pub mod topology;
pub mod traffic;

pub use case::Case;
pub use draw::Draw;

/// The case of a seed.
pub fn generate(seed: u64) -> Case {
    let mut draw = Draw::new(seed);
    let mut net = topology::network(&mut draw);
    rules::on(&mut net, &mut draw);
    traffic::across(&mut net, &mut draw);
    net.case.seed = seed;
    net.case
}
