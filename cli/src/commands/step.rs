//! `packetwalk step`, and `packetwalk` alone

use super::load_to_run;
use super::run::print_text;
use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::{Out, is_dumb};
use clap::Parser;
use scenarios::assemble::run::{self, Options};
use scenarios::library;
use sim_core::report::Detail;
use std::io::{self, IsTerminal};

/// Arguments of `step`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
    /// Lines of text instead of a screen; commands such as next, table, why, quit are read as words
    #[arg(long)]
    plain: bool,
}

/// Steps through a scenario.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    open(&args.scenario, args.seed, args.plain, out)
}

/// Opens the first lesson.
pub(crate) fn first_lesson(_: &All, out: &mut Out) -> Result<u8, CliError> {
    let first = library::lessons().first().ok_or_else(|| CliError::Bug("there are no lessons".to_owned()))?;
    open(&first.id, None, false, out)
}

fn open(name: &str, seed: Option<u64>, plain: bool, out: &mut Out) -> Result<u8, CliError> {
    let l = load_to_run(name)?;
    let ran = run::run(&l, &Options { seed }).map_err(CliError::Unusable)?;
    let keyboard = out.is_terminal && io::stdin().is_terminal();
    if plain || keyboard && is_dumb() {
        crate::screen::plain(&l, ran, out)?;
        return Ok(FINE);
    }
    if !keyboard {
        print_text(&ran, Detail::Hops, None, out)?;
        return Ok(FINE);
    }
    crate::screen::open(&l, ran, out)?;
    Ok(FINE)
}
