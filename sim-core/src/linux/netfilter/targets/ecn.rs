//! `-j ECN`: takes the congestion bits out of a TCP segment.
//!
//! Models: net/ipv4/netfilter/ipt_ECN.c ecn_tg, iptables extensions/libipt_ECN.c.
//! Simplifies: `--ecn-tcp-remove` alone.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// The bits are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ecn {
    /// `--ecn-tcp-remove`.
    pub remove: bool,
}

impl Ecn {
    pub(super) const OPTS: &'static [Opt] = &[Opt::flag(&["ecn-tcp-remove"])];

    pub(super) fn set(&mut self, _: usize, _: &[&str], _: Family) -> Result<(), OptError> {
        self.remove = true;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.remove { Ok(()) } else { Err(OptError::parameter("ECN target: An operation is required")) }
    }

    pub(super) fn save(&self, out: &mut String) {
        out.push_str(" --ecn-tcp-remove");
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" ECN TCP remove");
    }
}
