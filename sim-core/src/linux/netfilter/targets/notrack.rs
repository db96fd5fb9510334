//! `-j NOTRACK`: the packet is not tracked, as the older name of `-j CT --notrack`.
//!
//! Models: net/netfilter/xt_CT.c notrack_tg, iptables extensions/libxt_NOTRACK.c.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// It has no options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Notrack;

impl Notrack {
    pub(super) const OPTS: &'static [Opt] = &[];

    pub(super) fn set(&mut self, _: usize, _: &[&str], _: Family) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, _: &mut String) {}

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" NOTRACK");
    }
}
