//! `-j MASQUERADE`: the flow comes from the address of the device that it leaves by.
//!
//! Models: net/netfilter/xt_MASQUERADE.c masquerade_tg, iptables extensions/libxt_NAT.c.
//! Seen in: 06-clusterip-remote-pod, 103-egress-masquerade.

use super::dnat::{needs_ports, parse_ports, save_flags};
use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, IpAddr};
use std::fmt::Write as _;

/// Which source ports may be taken.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Masquerade {
    /// Ports and how they are chosen; no addresses.
    pub range: NatRange<IpAddr>,
}

impl Masquerade {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["to-ports"]), Opt::flag(&["random"]), Opt::flag(&["random-fully"])];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.range.ports = Some(parse_ports(args[0])?),
            1 => self.range.random = true,
            _ => self.range.random_fully = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        needs_ports(&self.range, rule)
    }

    pub(super) fn save(&self, out: &mut String) {
        if let Some((a, b)) = self.range.ports {
            let _ = if a == b { write!(out, " --to-ports {a}") } else { write!(out, " --to-ports {a}-{b}") };
        }
        save_flags(&self.range, " --", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        if let Some((a, b)) = self.range.ports {
            let _ = if a == b { write!(out, " masq ports: {a}") } else { write!(out, " masq ports: {a}-{b}") };
        }
        save_flags(&self.range, " ", out);
    }
}
