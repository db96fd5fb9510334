//! `packetwalk man`

use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::Out;
use clap::{CommandFactory, Parser};

/// Arguments of `man`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The page of one command
    command: Option<String>,
}

/// Prints the manual page.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let mut command = All::command();
    command.build();
    let page = match &args.command {
        None => clap_mangen::Man::new(command),
        Some(name) => {
            let sub = command.find_subcommand(name).cloned();
            let names = || command.get_subcommands().map(|c| c.get_name().to_owned()).collect::<Vec<_>>().join(", ");
            clap_mangen::Man::new(
                sub.ok_or_else(|| CliError::usage(format!("there is no command `{name}`"), format!("the commands: {}", names())))?,
            )
        }
    };
    page.render(out)?;
    Ok(FINE)
}
