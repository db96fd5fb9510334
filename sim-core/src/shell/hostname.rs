//! `hostname`.

use super::args::Args;
use super::{Command, Query, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "hostname", about: "the host's name", usage: "hostname", parse };

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::Hostname)),
        Some(w) if w.starts_with('-') => Err(args.unsupported()),
        Some(_) => Err(args.not_simulated("setting the host's name")),
    }
}
