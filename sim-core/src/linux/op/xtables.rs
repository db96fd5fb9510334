//! `iptables` and `iptables-restore`.

use crate::linux::netfilter::TableKind;
use std::sync::Arc;

/// A change of iptables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XtOp {
    /// `-N CHAIN`.
    NewChain {
        /// The table.
        table: TableKind,
        /// The chain.
        chain: Arc<str>,
    },
}
