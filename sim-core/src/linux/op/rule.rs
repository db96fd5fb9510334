//! `ip rule`.
//!
//! Models: iproute2 ip/iprule.c iprule_modify, iprule_flush.

use crate::linux::rule::RuleSpec;
use crate::packet::Ipv4Addr;

/// A change of policy rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOp {
    /// `ip rule add`.
    Add(Box<RuleSpec<Ipv4Addr>>),
    /// `ip rule del`: the first that is the same in all that is given.
    Del(Box<RuleSpec<Ipv4Addr>>),
    /// `ip rule flush`: all but those of preference 0.
    Flush,
}
