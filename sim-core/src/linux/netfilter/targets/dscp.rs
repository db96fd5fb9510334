//! `-j DSCP`: sets the differentiated services field.
//!
//! Models: net/netfilter/xt_DSCP.c dscp_tg, dscp_tg6, iptables extensions/libxt_DSCP.c.

use super::super::matches::dscp::class;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// The value to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dscp {
    /// The upper six bits of the field, as a number.
    pub dscp: Option<u8>,
}

impl Dscp {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["set-dscp"]).excl(0b10), Opt::one(&["set-dscp-class"]).excl(0b01)];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        self.dscp = Some(if opt == 0 { ranged("DSCP", "set-dscp", args[0], 0, 63)? as u8 } else { class(args[0])? });
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.dscp {
            Some(_) => Ok(()),
            None => Err(OptError::parameter("DSCP target: Parameter --set-dscp is required")),
        }
    }

    /// The whole field after the target.
    pub fn apply(&self, old: u8) -> u8 {
        self.dscp.map_or(old, |d| old & 3 | d << 2)
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --set-dscp {:#04x}", self.dscp.unwrap_or(0));
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " DSCP set {:#04x}", self.dscp.unwrap_or(0));
    }
}
