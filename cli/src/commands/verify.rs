//! `packetwalk verify`

use super::load_to_run;
use crate::args::Args as All;
use crate::error::{CliError, FAILED, FINE, UNUSABLE};
use crate::output::Out;
use clap::Parser;
use lab::show;
use lab::verify::{self, Verdict};
use rayon::prelude::*;
use scenarios::assemble::run::Options;
use serde_json::json;

/// Arguments of `verify`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Lessons by name, or paths; several are verified side by side
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// One JSON document in place of text
    #[arg(long)]
    json: bool,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds scenarios in the real kernel and compares.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let loaded = args.scenarios.iter().map(|s| load_to_run(s)).collect::<Result<Vec<_>, _>>()?;
    let options = Options { seed: args.seed };
    // a run waits more than it works
    let pool = rayon::ThreadPoolBuilder::new().num_threads(loaded.len().clamp(1, 6)).build().map_err(|e| CliError::Bug(e.to_string()))?;
    let verdicts: Vec<_> = pool.install(|| loaded.par_iter().map(|l| verify::scenario(l, &options)).collect());
    let mut code = FINE;
    let mut documents = Vec::new();
    for (l, verdict) in loaded.iter().zip(verdicts) {
        let verdict = verdict.map_err(CliError::Unusable)?;
        match &verdict {
            Verdict::Different(..) | Verdict::Command(_) => code = code.max(FAILED),
            Verdict::Failed(_) => code = UNUSABLE,
            Verdict::Equal(_) | Verdict::Skipped(_) => {}
        }
        if args.json {
            documents.push(show::document(&l.id, &verdict));
        } else {
            out.text(show::text(&l.id, &verdict, out.width))?;
        }
    }
    if args.json {
        let all = json!({"schema": "packetwalk.verify/1", "scenarios": documents});
        out.line(serde_json::to_string_pretty(&all).map_err(|e| CliError::Bug(e.to_string()))?)?;
    }
    Ok(code)
}
