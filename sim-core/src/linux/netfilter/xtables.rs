//! iptables: tables of chains of rules.
//!
//! Models: net/netfilter/x_tables.c, and what iptables (nf_tables variant, 1.8.9) lets one write.

use super::hook::Hook;
use crate::linux::id::{RowId, Source};
use std::sync::Arc;

/// The five tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// Before conntrack.
    Raw = 0,
    /// Marks and header fields.
    Mangle = 1,
    /// Address translation; asked for the first packet of a flow only.
    Nat = 2,
    /// Accept or drop.
    Filter = 3,
    /// After filter.
    Security = 4,
}

impl TableKind {
    /// All, by number.
    pub const ALL: [TableKind; 5] = [TableKind::Raw, TableKind::Mangle, TableKind::Nat, TableKind::Filter, TableKind::Security];

    /// The name after `-t`.
    pub fn name(self) -> &'static str {
        match self {
            TableKind::Raw => "raw",
            TableKind::Mangle => "mangle",
            TableKind::Nat => "nat",
            TableKind::Filter => "filter",
            TableKind::Security => "security",
        }
    }

    /// The hooks at which its built-in chains stand.
    pub fn hooks(self) -> &'static [Hook] {
        use Hook::{Forward, Input, Output, Postrouting, Prerouting};
        match self {
            TableKind::Raw => &[Prerouting, Output],
            TableKind::Mangle => &[Prerouting, Input, Forward, Output, Postrouting],
            TableKind::Nat => &[Prerouting, Input, Output, Postrouting],
            TableKind::Filter | TableKind::Security => &[Input, Forward, Output],
        }
    }
}

/// What happens at the end of a built-in chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// The packet goes on.
    #[default]
    Accept,
    /// The packet is dropped.
    Drop,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Row number.
    pub row: RowId,
    /// What made it.
    pub source: Source,
}

/// A chain: rules in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Name.
    pub name: Arc<str>,
    /// Hook and policy of a built-in chain; none for a user chain.
    pub base: Option<(Hook, Policy)>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A table: chains, built-in ones first, then user chains in order of creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which table.
    pub kind: TableKind,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// The iptables of a namespace; a table that nobody touched is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xtables {
    /// By [`TableKind`].
    pub tables: [Option<Arc<Table>>; 5],
}

impl Xtables {
    /// The table, if it is there.
    #[inline]
    pub fn table(&self, kind: TableKind) -> Option<&Arc<Table>> {
        self.tables[kind as usize].as_ref()
    }
}
impl Xtables {
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|t| t.is_none())
    }
    pub fn needs_conntrack(&self) -> bool {
        false
    }
}
