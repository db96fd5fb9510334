//! `-j CT`: what conntrack does with a packet.
//!
//! Models: net/netfilter/xt_CT.c xt_ct_target, iptables extensions/libxt_CT.c.
//! Simplifies: zones, helpers, timeouts and chosen events are refused; `--notrack`, or no option at all, is left.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ct {
    /// `--notrack`: the packet is not tracked.
    pub notrack: bool,
}

impl Ct {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::flag(&["notrack"]),
        Opt::one(&["zone"]),
        Opt::one(&["zone-orig"]),
        Opt::one(&["zone-reply"]),
        Opt::one(&["helper"]),
        Opt::one(&["timeout"]),
        Opt::one(&["ctevents"]),
        Opt::one(&["expevents"]),
    ];

    pub(super) fn set(&mut self, opt: usize, _: &[&str], _: Family) -> Result<(), OptError> {
        if opt > 0 {
            return Err(OptError::not_simulated(format_args!("`--{}` of CT", Self::OPTS[opt].names[0])));
        }
        self.notrack = true;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        if self.notrack {
            out.push_str(" --notrack");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(if self.notrack { " CT notrack" } else { " CT" });
    }
}
