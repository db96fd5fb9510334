//! `packetwalk exec`

use super::load_to_run;
use crate::args::Args as All;
use crate::error::CliError;
use crate::output::Out;
use clap::Parser;
use scenarios::assemble::run::{self, Options};
use std::io::{self, Write};

/// Arguments of `exec`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A lesson's name, or a path
    scenario: String,
    /// A node, a host, a namespace (docker/web) or a pod
    #[arg(value_name = "NODE|POD")]
    place: String,
    /// Seed of all that is random, instead of the file's
    #[arg(long)]
    seed: Option<u64>,
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs one command in the settled world of a scenario, and ends with its exit status.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let l = load_to_run(&args.scenario)?;
    let settled = run::settle(&l, &Options { seed: args.seed }).map_err(CliError::Unusable)?;
    let line = match &args.command[..] {
        // one argument with blanks is a line as typed
        [one] => one.clone(),
        words => words.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" "),
    };
    let answer = run::exec(&l, settled, &args.place, &line).map_err(|what| CliError::Usage { what, hint: None })?;
    out.text(&answer.stdout)?;
    out.flush()?;
    let _ = io::stderr().lock().write_all(answer.stderr.as_bytes());
    Ok(answer.status)
}

/// A word as the shell reads it back.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,=+@%!^*?".contains(&b));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
