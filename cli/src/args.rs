//! Arguments.

use crate::commands::Command;
use crate::output::Color;
use clap::Parser;
use std::process::ExitCode;

/// Watch a packet walk through a simulated Kubernetes cluster, hop by hop.
///
/// Without a command the first lesson opens: in the terminal interface, or as a plain trace where there is no terminal.
#[derive(Debug, Parser)]
#[command(name = "packetwalk", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    /// Colours: auto (on a terminal, if NO_COLOR is not set), always or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Reads the arguments; an exit code if there is nothing more to do.
pub(crate) fn parse() -> Result<Args, ExitCode> {
    Args::try_parse().map_err(|e| {
        // help and version go to standard output and are no error; if nobody reads them, that is no error either
        let _ = e.print();
        ExitCode::from(if e.use_stderr() { 2 } else { 0 })
    })
}
