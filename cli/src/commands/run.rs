//! `packetwalk run`

use super::load_to_run;
use crate::args::Args as All;
use crate::error::{CliError, FAILED, FINE};
use crate::output::Out;
use crate::paint::Painted;
use clap::{Parser, ValueEnum};
use scenarios::assemble::run::{self, Options, Ran};
use scenarios::expect;
use sim_core::report::{Detail, Report, json, print, text};

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// To be read.
    Text,
    /// One document, packetwalk.trace/1.
    Json,
}

/// How much a trace tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Density {
    /// One line per device or namespace crossed.
    Hops,
    /// Every decision.
    Steps,
    /// Every decision, and the rows that lost.
    All,
}

impl From<Density> for Detail {
    fn from(d: Density) -> Detail {
        match d {
            Density::Hops => Detail::Hops,
            Density::Steps => Detail::Steps,
            Density::All => Detail::All,
        }
    }
}

/// Arguments of `run`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// text or json
    #[arg(long, default_value = "text")]
    format: Format,
    /// How much is told: hops, steps or all
    #[arg(long, default_value = "hops")]
    detail: Density,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
    /// Of the flows only this one
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
}

/// Runs a scenario and prints its trace. A flow that does not end as the file says is a failure.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let l = load_to_run(&args.scenario)?;
    if let Some(f) = &args.flow {
        let names: Vec<String> = l.scenario.flows.iter().map(|x| x.name()).collect();
        if !names.contains(f) {
            return Err(CliError::usage(format!("{} has no flow `{f}`", l.id), format!("its flows: {}", names.join(", "))));
        }
    }
    let ran = run::run(&l, &Options { seed: args.seed }).map_err(CliError::Unusable)?;
    let report = Report::new(&ran.run);
    let only = args.flow.as_deref();
    match args.format {
        Format::Json => json::write(&report, &ran.info, args.detail.into(), only, out)?,
        Format::Text => {
            print_text(&ran, args.detail.into(), only, out)?;
            let shown = |f: &scenarios::schema::Flow| only.is_none_or(|o| o == f.name());
            let flows: Vec<_> = l.scenario.flows.iter().filter(|f| shown(&f.value)).cloned().collect();
            for f in expect::flows(&report, &flows).iter().filter(|f| !f.ok) {
                out.line(format!("\n✗ line {}: expected {}, but {}", l.line(f.span), f.wanted, f.found))?;
            }
        }
    }
    let good = expect::flows(&report, &l.scenario.flows).iter().all(|f| f.ok);
    Ok(if good { FINE } else { FAILED })
}

/// Prints a trace to be read.
pub(crate) fn print_text(ran: &Ran, detail: Detail, only: Option<&str>, out: &mut Out) -> Result<(), CliError> {
    let report = Report::new(&ran.run);
    let doc = text::document(&report, &ran.info, detail, only);
    let width = out.width;
    let page = if out.color { print(&doc, width, &Painted) } else { print(&doc, width, &sim_core::report::PlainStyle) };
    out.text(page)?;
    Ok(())
}
