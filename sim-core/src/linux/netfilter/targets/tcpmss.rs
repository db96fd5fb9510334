//! `-j TCPMSS`: lowers the maximum segment size that a SYN announces.
//!
//! Models: net/netfilter/xt_TCPMSS.c tcpmss_mangle_packet, iptables extensions/libxt_TCPMSS.c.

use super::super::matches::Match;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol, TcpFlags};
use std::fmt::Write as _;

/// The size to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tcpmss {
    /// `--set-mss`; none of `--clamp-mss-to-pmtu`.
    pub mss: Option<u16>,
    /// `--clamp-mss-to-pmtu`.
    pub clamp: bool,
}

impl Tcpmss {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["set-mss"]), Opt::flag(&["clamp-mss-to-pmtu"])];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        if opt == 0 {
            self.mss = Some(ranged("TCPMSS", "set-mss", args[0], 0, 65_515)? as u16);
            self.clamp = false;
        } else {
            (self.mss, self.clamp) = (None, true);
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.mss.is_none() && !self.clamp {
            return Err(OptError::parameter("TCPMSS target: At least one parameter is required"));
        }
        Ok(())
    }

    /// Whether the kernel takes it in that rule: it needs `-p tcp` and, as its own check has it, a match of SYN; iptables-nft's own
    /// `-m tcp` is no match to that check, so that only the protocol is looked at.
    pub(crate) fn fits_rule(&self, rule: &RuleSpec) -> bool {
        rule.protocol.is_some_and(|p| p.protocol == Protocol::TCP && !p.invert)
    }

    /// Whether rule and flags say that only SYNs come here.
    pub fn only_syn(rule: &RuleSpec) -> bool {
        rule.matches.iter().any(|m| matches!(m, Match::Tcp(t) if t.flags.is_some_and(|f| !f.invert && f.comp.has(TcpFlags::SYN) && f.mask.has(TcpFlags::SYN))))
    }

    pub(super) fn save(&self, out: &mut String) {
        match self.mss {
            Some(n) => {
                let _ = write!(out, " --set-mss {n}");
            }
            None => out.push_str(" --clamp-mss-to-pmtu"),
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        match self.mss {
            Some(n) => {
                let _ = write!(out, " TCPMSS set {n}");
            }
            None => out.push_str(" TCPMSS clamp to PMTU"),
        }
    }
}
