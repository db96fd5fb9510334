//! `packetwalk export`

use super::load_to_run;
use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::Out;
use clap::{Parser, ValueEnum};
use lab::{script, verify};
use scenarios::assemble::run::{self, Options};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A shell script of real commands.
    Sh,
}

/// Arguments of `export`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// What is written: sh
    #[arg(long)]
    format: Format,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
}

/// Writes a scenario as a script for a real machine.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let Format::Sh = args.format;
    let l = load_to_run(&args.scenario)?;
    let settled = run::settle(&l, &Options { seed: args.seed }).map_err(CliError::Unusable)?;
    let agenda = run::agenda(&l, &settled, &l.scenario.flows).map_err(CliError::Unusable)?;
    let plan = verify::plan_to_read(&settled, &agenda).map_err(|e| CliError::Usage { what: e.to_string(), hint: None })?;
    let text = script::sh(&plan, l.title()).map_err(|e| CliError::Usage { what: e.to_string(), hint: None })?;
    out.text(text)?;
    Ok(FINE)
}
