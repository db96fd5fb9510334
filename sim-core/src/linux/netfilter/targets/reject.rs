//! `-j REJECT`: drops the packet and says so to its sender.
//!
//! Models: net/ipv4/netfilter/ipt_REJECT.c reject_tg, iptables extensions/libipt_REJECT.c.
//! Seen in: 102-reject-variants, 13-no-endpoints-reject.

use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol};

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The answer.
    pub with: RejectWith,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// ICMP destination unreachable of that code.
    Icmp(u8),
    /// ICMPv6 destination unreachable of that code.
    Icmp6(u8),
    /// A TCP reset.
    TcpReset,
}

/// Names, other names, ICMP codes.
const TYPES: [(&str, &str, u8); 7] = [
    ("icmp-net-unreachable", "net-unreach", 0),
    ("icmp-host-unreachable", "host-unreach", 1),
    ("icmp-proto-unreachable", "proto-unreach", 2),
    ("icmp-port-unreachable", "port-unreach", 3),
    ("icmp-net-prohibited", "net-prohib", 9),
    ("icmp-host-prohibited", "host-prohib", 10),
    ("icmp-admin-prohibited", "admin-prohib", 13),
];

/// The same for ICMPv6.
const TYPES6: [(&str, &str, u8); 6] = [
    ("icmp6-no-route", "no-route", 0),
    ("icmp6-adm-prohibited", "adm-prohibited", 1),
    ("icmp6-addr-unreachable", "addr-unreach", 3),
    ("icmp6-port-unreachable", "port-unreach", 4),
    ("icmp6-policy-fail", "policy-fail", 5),
    ("icmp6-reject-route", "reject-route", 6),
];

impl Default for Reject {
    fn default() -> Self {
        Reject { with: RejectWith::Icmp(3) }
    }
}

impl Reject {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["reject-with"])];

    /// What REJECT says if it is not told.
    pub(super) fn of_family(family: Family) -> Reject {
        Reject { with: if family == Family::Inet6 { RejectWith::Icmp6(4) } else { RejectWith::Icmp(3) } }
    }

    pub(super) fn set(&mut self, _: usize, args: &[&str], family: Family) -> Result<(), OptError> {
        let wanted = args[0];
        // As strncasecmp over the length given has it: a beginning is enough, the first in the list wins.
        let begins = |name: &str| name.get(..wanted.len()).is_some_and(|n| n.eq_ignore_ascii_case(wanted));
        if begins("tcp-reset") || begins("tcp-rst") {
            self.with = RejectWith::TcpReset;
            return Ok(());
        }
        let types = if family == Family::Inet6 { &TYPES6[..] } else { &TYPES[..] };
        match types.iter().find(|(name, alias, _)| begins(name) || begins(alias)) {
            Some((_, _, code)) if family == Family::Inet6 => self.with = RejectWith::Icmp6(*code),
            Some((_, _, code)) => self.with = RejectWith::Icmp(*code),
            None => return Err(OptError::parameter(format!("unknown reject type \"{wanted}\""))),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    /// Whether the kernel takes it in that rule: a reset needs `-p tcp`.
    pub(crate) fn fits_rule(&self, rule: &RuleSpec) -> bool {
        self.with != RejectWith::TcpReset || rule.protocol.is_some_and(|p| p.protocol == Protocol::TCP && !p.invert)
    }

    fn text(&self) -> &'static str {
        match self.with {
            RejectWith::TcpReset => "tcp-reset",
            RejectWith::Icmp6(code) => TYPES6.iter().find(|(_, _, c)| *c == code).map_or("icmp6-port-unreachable", |(n, _, _)| n),
            RejectWith::Icmp(code) => TYPES.iter().find(|(_, _, c)| *c == code).map_or("icmp-port-unreachable", |(n, _, _)| n),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        out.push_str(" --reject-with ");
        out.push_str(self.text());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" reject-with ");
        out.push_str(self.text());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_and_their_beginnings() {
        for (given, with) in [
            ("icmp-host-prohibited", RejectWith::Icmp(10)),
            ("admin-prohib", RejectWith::Icmp(13)),
            ("icmp", RejectWith::Icmp(0)),
            ("tcp-rst", RejectWith::TcpReset),
        ] {
            let mut t = Reject::default();
            t.set(0, &[given], Family::Inet).unwrap();
            assert_eq!(t.with, with);
        }
        assert_eq!(Reject::default().set(0, &["é"], Family::Inet).unwrap_err().text, "unknown reject type \"é\"");
    }

    #[test]
    fn a_reset_needs_tcp() {
        let reset = Reject { with: RejectWith::TcpReset };
        assert!(!reset.fits_rule(&RuleSpec::default()));
        assert!(reset.fits_rule(&RuleSpec::default().protocol(Protocol::TCP)));
    }
}
