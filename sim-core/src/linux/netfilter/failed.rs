//! How a change of iptables fails, and what it touched beside the tables.
//!
//! Models: iptables 1.8.9 (nf_tables variant) iptables/nft.c nft_strerror, xtables-restore.c, its wording included.

use super::hook::Hook;
use super::state::Counter;
use super::xtables::TableKind;
use crate::linux::id::RowId;
use crate::packet::Family;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Why a change of iptables was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtError {
    /// By iptables, in the words for an errno, without the full stop: `No chain/target/match by that name`.
    Refused(&'static str),
    /// By iptables, as a wrong parameter (exit status 2).
    Parameter(String),
    /// By the kernel: each refused line with what was to be done, errno in words, and where.
    Kernel(Vec<(u32, String)>),
}

/// A change of iptables that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct XtFailed {
    /// Of iptables or of ip6tables.
    pub family: Family,
    /// Why.
    pub error: XtError,
    /// The line of the restore file; none for a single command.
    pub line: Option<u32>,
}

impl XtFailed {
    /// The exit status of the command.
    pub fn status(&self) -> u8 {
        match self.error {
            XtError::Refused(_) => 1,
            XtError::Parameter(_) => 2,
            XtError::Kernel(_) => 4,
        }
    }
}

/// What a change of the tables did that counters and memories follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Rules whose counter was set.
    pub rules: Vec<(RowId, Counter)>,
    /// Policies whose counter was set, or set to zero if it counts at all (none).
    pub policies: Vec<((TableKind, Hook), Option<Counter>)>,
    /// Rules that are gone.
    pub gone: BTreeSet<RowId>,
    /// Tables that were emptied.
    pub flushed: Vec<TableKind>,
    /// The lists of `recent` that rules name, if rules went.
    pub recent: Option<BTreeSet<Arc<str>>>,
}

/// The version that is modelled, as iptables names itself.
pub const VERSION: &str = "v1.8.9 (nf_tables)";

/// The program of a family: `iptables`, `ip6tables`.
pub fn program(family: Family) -> &'static str {
    match family {
        Family::Inet => "iptables",
        Family::Inet6 => "ip6tables",
    }
}

/// The program that reads restore files: `iptables-restore`, `ip6tables-restore`.
pub fn restore_program(family: Family) -> &'static str {
    match family {
        Family::Inet => "iptables-restore",
        Family::Inet6 => "ip6tables-restore",
    }
}

impl fmt::Display for XtFailed {
    /// As iptables writes it, without the last line's end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p, r) = (program(self.family), restore_program(self.family));
        match (&self.error, self.line) {
            (XtError::Refused(text), None) => write!(f, "{p}: {text}."),
            (XtError::Refused(text), Some(n)) => write!(f, "{r}: line {n} failed: {text}."),
            (XtError::Parameter(text), None) => {
                write!(f, "{p} {VERSION}: {text}\nTry `{p} -h' or '{p} --help' for more information.")
            }
            (XtError::Parameter(text), Some(n)) => {
                write!(f, "{r} {VERSION}: {text}\nError occurred at line: {n}\nTry `{r} -h' or '{r} --help' for more information.")
            }
            (XtError::Kernel(errors), None) => {
                write!(f, "{p} {VERSION}: ")?;
                errors.iter().try_for_each(|(_, text)| write!(f, " {text}"))
            }
            (XtError::Kernel(errors), Some(_)) => {
                write!(f, "{r} {VERSION}: ")?;
                errors.iter().try_for_each(|(n, text)| write!(f, "\nline {n}: {text}"))
            }
        }
    }
}
