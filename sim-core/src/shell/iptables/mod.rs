//! `iptables`, `iptables-save` and `iptables-restore`, and the same of `ip6tables`: text to `XtOp` and back, and listings.
//!
//! Models: iptables 1.8.9 (nf_tables variant), its wording included.
//! Simplifies: names of hosts and networks are not looked up.
//!
//! ```text
//!  iptables -A FORWARD …          parse_command ──► XtOp ──► print      iptables -A FORWARD …
//!  iptables-restore < file        parse_restore ──► XtOp ──► print      iptables-restore <<EOF …
//!                                       Xtables ──► save                iptables-save
//!                                       Xtables ──► show                iptables -L, iptables -S
//! ```

mod args;
mod list;
mod print;
mod restore;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests6;
#[cfg(test)]
mod tests_counters;
#[cfg(test)]
mod tests_forms;

pub use crate::linux::netfilter::apply::{program, restore_program};
pub use args::{Parsed, Show, ShowWhat, parse_command};
pub use list::show;
pub use print::{print, print_words, restore_text, save, shell_word};
pub use restore::{RestoreArgs, parse_restore, parse_restore_args, split_words};

use crate::linux::netfilter::apply::VERSION;
use crate::linux::netfilter::option::OptError;

/// A command that could not be carried out: what it writes to standard error, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CmdError {
    /// All it writes, without the last line's end.
    pub text: String,
    /// Exit status.
    pub status: u8,
}

impl CmdError {
    /// A parameter problem of `iptables`.
    fn of(program: &str, e: &OptError) -> CmdError {
        if e.is_not_simulated() {
            return CmdError { text: e.text.clone(), status: e.status };
        }
        CmdError { text: format!("{program} {VERSION}: {}\n{}", e.text, try_help(program)), status: e.status }
    }
}

fn try_help(program: &str) -> String {
    format!("Try `{program} -h' or '{program} --help' for more information.")
}

impl From<crate::linux::netfilter::XtFailed> for CmdError {
    fn from(e: crate::linux::netfilter::XtFailed) -> CmdError {
        CmdError { text: e.to_string(), status: e.status() }
    }
}
