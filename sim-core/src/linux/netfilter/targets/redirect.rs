//! `-j REDIRECT`: the flow goes to this host.
//!
//! Models: net/netfilter/xt_REDIRECT.c redirect_tg4, net/netfilter/nf_nat_redirect.c, iptables extensions/libxt_NAT.c.

use super::dnat::{needs_ports, parse_ports, save_flags};
use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, IpAddr};
use std::fmt::Write as _;

/// Which port of this host.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Redirect {
    /// Ports; no addresses.
    pub range: NatRange<IpAddr>,
}

impl Redirect {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["to-ports"]), Opt::flag(&["random"])];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.range.ports = Some(parse_ports(args[0])?),
            _ => self.range.random = true,
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
            let _ = if a == b { write!(out, " redir ports {a}") } else { write!(out, " redir ports {a}-{b}") };
        }
        save_flags(&self.range, " ", out);
    }
}
