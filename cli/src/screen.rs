//! The terminal interface, opened on a run.

use crate::error::CliError;
use crate::output::Out;
use scenarios::Loaded;
use scenarios::assemble::run::Ran;
use sim_core::report::Detail;

/// Opens the terminal interface.
pub(crate) fn open(_l: &Loaded, ran: Ran, out: &mut Out) -> Result<(), CliError> {
    crate::commands::run::print_text(&ran, Detail::Steps, None, out)
}
