//! `iptables` and `iptables-restore`.
//!
//! Models: iptables/iptables.c do_command4, iptables/iptables-restore.c.
//!
//! A restore file is one `Op`: a batch that holds or fails as a whole.

use crate::linux::netfilter::state::Counter;
use crate::linux::netfilter::{Policy, RuleSpec, TableKind};
use std::sync::Arc;

/// A change of iptables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtOp {
    /// `iptables -t TABLE …`.
    Command {
        /// The table.
        table: TableKind,
        /// The change.
        command: XtCommand,
    },
    /// `iptables-restore`.
    Restore(Arc<Restore>),
}

/// A change of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtCommand {
    /// `-N CHAIN`.
    NewChain(Arc<str>),
    /// `-X [CHAIN]`: that user chain, or all.
    DeleteChain(Option<Arc<str>>),
    /// `-E OLD NEW`.
    RenameChain(Arc<str>, Arc<str>),
    /// `-P CHAIN POLICY`.
    Policy(Arc<str>, Policy),
    /// `-F [CHAIN]`: the rules of that chain, or of all.
    Flush(Option<Arc<str>>),
    /// `-c PACKETS BYTES`, or `[PACKETS:BYTES]` before a line of a restore file: the same, and the new rule has counted so much.
    Counted(Counter, Box<XtCommand>),
    /// `-Z [CHAIN [NUMBER]]`: counters.
    Zero(Option<Arc<str>>, Option<u32>),
    /// `-A CHAIN RULE`.
    Append(Arc<str>, Arc<RuleSpec>),
    /// `-I CHAIN NUMBER RULE`: before the rule of that number, from 1.
    Insert(Arc<str>, u32, Arc<RuleSpec>),
    /// `-R CHAIN NUMBER RULE`.
    Replace(Arc<str>, u32, Arc<RuleSpec>),
    /// `-D CHAIN RULE`: the first that is the same.
    Delete(Arc<str>, Arc<RuleSpec>),
    /// `-D CHAIN NUMBER`.
    DeleteNumber(Arc<str>, u32),
    /// `-C CHAIN RULE`: whether it is there.
    Check(Arc<str>, Arc<RuleSpec>),
}

impl XtCommand {
    /// The rule that it is about, if it names one.
    pub fn spec(&self) -> Option<&Arc<RuleSpec>> {
        match self {
            XtCommand::Append(_, s)
            | XtCommand::Insert(_, _, s)
            | XtCommand::Replace(_, _, s)
            | XtCommand::Delete(_, s)
            | XtCommand::Check(_, s) => Some(s),
            XtCommand::Counted(_, c) => c.spec(),
            _ => None,
        }
    }
}

/// A restore file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Restore {
    /// `-n`, `--noflush`: what the tables hold already stays.
    pub noflush: bool,
    /// `-c`, `--counters`: those of the file count.
    pub counters: bool,
    /// The tables in the order of the file, each `*TABLE … COMMIT`.
    pub tables: Vec<RestoreTable>,
}

/// One table of a restore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreTable {
    /// The table.
    pub table: TableKind,
    /// Its lines, in order, each with its number in the file (0 if there is no file).
    pub lines: Vec<(u32, RestoreLine)>,
    /// Number of the line COMMIT.
    pub commit: u32,
}

/// One line of a restore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreLine {
    /// `:CHAIN POLICY` or `:CHAIN -`: the chain is made, or emptied if it is there and named so. With `--counters`, what the
    /// policy has counted.
    Chain(Arc<str>, Option<Policy>, Option<Counter>),
    /// `-A …`, `-I …`, `-X …` and so on.
    Command(XtCommand),
}

impl RestoreTable {
    /// A table without lines.
    pub fn new(table: TableKind) -> Self {
        RestoreTable { table, lines: Vec::new(), commit: 0 }
    }

    /// Adds `:CHAIN POLICY`, or `:CHAIN -` for a user chain.
    pub fn chain(&mut self, name: impl Into<Arc<str>>, policy: Option<Policy>) {
        self.lines.push((0, RestoreLine::Chain(name.into(), policy, None)));
    }

    /// Adds `-A CHAIN RULE`.
    pub fn append(&mut self, chain: impl Into<Arc<str>>, rule: RuleSpec) {
        self.lines.push((0, RestoreLine::Command(XtCommand::Append(chain.into(), Arc::new(rule)))));
    }

    /// Adds any other line.
    pub fn command(&mut self, command: XtCommand) {
        self.lines.push((0, RestoreLine::Command(command)));
    }
}
