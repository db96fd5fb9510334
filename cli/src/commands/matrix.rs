//! `packetwalk matrix`

use super::load_to_run;
use crate::args::Args as All;
use crate::error::{CliError, FAILED, FINE};
use crate::output::Out;
use clap::Parser;
use scenarios::assemble::cluster::network_model;
use scenarios::assemble::run::{self, Options};
use sim_core::control::network_model::Requirement;

/// Arguments of `matrix`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
}

/// Tries every pair of pods and nodes, and compares the address that is seen at the other end.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let l = load_to_run(&args.scenario)?;
    let settled = run::settle(&l, &Options { seed: args.seed }).map_err(CliError::Unusable)?;
    let report = network_model(&settled.world)
        .map_err(|e| CliError::usage(format!("{}: {e}", l.id), "the network model is about pods and nodes; this scenario has none"))?;
    for r in Requirement::ALL {
        let (tried, broken) = report.count(r);
        let sign = if broken == 0 { "✓" } else { "✗" };
        out.line(format!("{sign} {:3} of {tried:3}  {}", tried - broken, r.text()))?;
    }
    for v in &report.violations {
        out.line(format!("  {v}"))?;
    }
    Ok(if report.holds() { FINE } else { FAILED })
}
