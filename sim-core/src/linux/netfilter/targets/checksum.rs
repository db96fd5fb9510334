//! `-j CHECKSUM`: fills in a checksum that was left to the device.
//!
//! Models: net/netfilter/xt_CHECKSUM.c, iptables extensions/libxt_CHECKSUM.c.
//! Simplifies: checksums are always filled in here, so that it changes nothing.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// The checksum is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Checksum;

impl Checksum {
    pub(super) const OPTS: &'static [Opt] = &[Opt::flag(&["checksum-fill"]).must()];

    pub(super) fn set(&mut self, _: usize, _: &[&str], _: Family) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        out.push_str(" --checksum-fill");
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" CHECKSUM fill");
    }
}
