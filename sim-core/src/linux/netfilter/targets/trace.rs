//! `-j TRACE`: the kernel tells of each rule that the packet meets; here every packet is told of, so it changes nothing.
//!
//! Models: net/netfilter/xt_TRACE.c, iptables extensions/libxt_TRACE.c.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// It has no options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trace;

impl Trace {
    pub(super) const OPTS: &'static [Opt] = &[];

    pub(super) fn set(&mut self, _: usize, _: &[&str], _: Family) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, _: &mut String) {}

    pub(super) fn list(&self, _: bool, _: &mut String) {}
}
