//! `packetwalk completions SHELL`

use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::Out;
use clap::{CommandFactory, Parser};
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints completions.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut All::command(), "packetwalk", &mut text);
    out.text(String::from_utf8_lossy(&text))?;
    Ok(FINE)
}
