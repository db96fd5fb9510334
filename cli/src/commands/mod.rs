//! The commands. One is one file; this is their registry.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod matrix;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod step;
pub(crate) mod verify;

use crate::args::Args;
use crate::error::CliError;
use crate::output::Out;
use clap::Subcommand;
use scenarios::Loaded;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident $module:ident),* $(,)?) => {
        /// A command.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$doc])* $name($module::Args)),*
        }

        fn dispatch(command: &Command, all: &Args, out: &mut Out) -> Result<u8, CliError> {
            match command { $(Command::$name(args) => $module::run(args, all, out)),* }
        }
    };
}

// One line per command.
commands! {
    /// List the lessons
    List list,
    /// Run a scenario and print its trace
    Run run,
    /// Step through a scenario in the terminal interface
    Step step,
    /// Run one command on a node, a host or in a pod
    Exec exec,
    /// Check scenarios: their form, and what they expect of their own run
    Check check,
    /// Try the Kubernetes network model: every pair of pods and nodes
    Matrix matrix,
    /// Show a scenario's world with all defaults filled in
    Show show,
    /// Build a scenario in the real kernel and hold its packets against the simulated ones (Linux, root)
    Verify verify,
    /// Write a scenario as a shell script of real commands
    Export export,
    /// Print completions for a shell
    Completions completions,
    /// Print the manual page
    Man man,
}

/// Runs what was asked for; without a command the first lesson.
pub(crate) fn run(args: &Args, out: &mut Out) -> Result<u8, CliError> {
    match &args.command {
        Some(c) => dispatch(c, args, out),
        None => step::first_lesson(args, out),
    }
}

/// Loads a scenario that can be run; what is wrong with it otherwise.
pub(crate) fn load_to_run(name: &str) -> Result<Loaded, CliError> {
    let loaded = scenarios::load::by_name(name)?;
    if !loaded.can_run() {
        return Err(CliError::Unusable(Box::new(loaded.report)));
    }
    Ok(loaded)
}
