//! `-j SNAT`: the flow comes from another source.
//!
//! Models: net/netfilter/xt_nat.c xt_snat_target_v2, iptables extensions/libxt_NAT.c.

use super::dnat::{needs_ports, parse_to, save_flags, to_text};
use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, IpAddr};
use std::fmt::Write as _;

/// Where the flow seems to come from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Snat {
    /// Addresses, ports and how they are chosen.
    pub range: NatRange<IpAddr>,
}

impl Snat {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["to-source"]).must(), Opt::flag(&["random"]), Opt::flag(&["random-fully"]), Opt::flag(&["persistent"])];

    /// `--to-source addr`.
    pub fn to(addr: impl Into<IpAddr>) -> Snat {
        let addr = addr.into();
        Snat { range: NatRange { addrs: Some((addr, addr)), ..NatRange::default() } }
    }

    pub(super) fn set(&mut self, opt: usize, args: &[&str], family: Family) -> Result<(), OptError> {
        match opt {
            0 => parse_to(args[0], &mut self.range, family)?,
            1 => self.range.random = true,
            2 => self.range.random_fully = true,
            _ => self.range.persistent = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        needs_ports(&self.range, rule)
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --to-source {}", to_text(&self.range));
        save_flags(&self.range, " --", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " to:{}", to_text(&self.range));
        save_flags(&self.range, " ", out);
    }
}
