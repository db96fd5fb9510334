//! `-m icmp6`: type and code of an ICMPv6 message.
//!
//! Models: net/ipv6/netfilter/ip6_tables.c icmp6_match, iptables extensions/libip6t_icmp6.c, libxt_icmp.h.

use super::Field;
use super::icmp::{Name, parse};
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp6 {
    /// Type.
    pub kind: u8,
    /// First and last code.
    pub codes: (u8, u8),
    /// `!`.
    pub invert: bool,
}

impl Default for Icmp6 {
    fn default() -> Self {
        Icmp6 { kind: 0, codes: (0, 255), invert: false }
    }
}

/// Names: type, first code, last code.
pub(crate) const NAMES: &[Name] = &[
    ("destination-unreachable", 1, 0, 255),
    ("no-route", 1, 0, 0),
    ("communication-prohibited", 1, 1, 1),
    ("beyond-scope", 1, 2, 2),
    ("address-unreachable", 1, 3, 3),
    ("port-unreachable", 1, 4, 4),
    ("failed-policy", 1, 5, 5),
    ("reject-route", 1, 6, 6),
    ("packet-too-big", 2, 0, 255),
    ("time-exceeded", 3, 0, 255),
    ("ttl-exceeded", 3, 0, 255),
    ("ttl-zero-during-transit", 3, 0, 0),
    ("ttl-zero-during-reassembly", 3, 1, 1),
    ("parameter-problem", 4, 0, 255),
    ("bad-header", 4, 0, 0),
    ("unknown-header-type", 4, 1, 1),
    ("unknown-option", 4, 2, 2),
    ("echo-request", 128, 0, 255),
    ("ping", 128, 0, 255),
    ("echo-reply", 129, 0, 255),
    ("pong", 129, 0, 255),
    ("router-solicitation", 133, 0, 255),
    ("router-advertisement", 134, 0, 255),
    ("neighbour-solicitation", 135, 0, 255),
    ("neighbor-solicitation", 135, 0, 255),
    ("neighbour-advertisement", 136, 0, 255),
    ("neighbor-advertisement", 136, 0, 255),
    ("redirect", 137, 0, 255),
];

impl Icmp6 {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["icmpv6-type"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        (self.kind, self.codes) = parse(args[0], "ICMPv6", NAMES)?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((kind, code)) = cx.icmp6() else { return Err("icmp6") };
        let fits = self.kind == kind && (self.codes.0..=self.codes.1).contains(&code);
        if fits != self.invert { Ok(()) } else { Err("icmpv6-type") }
    }

    fn text(&self) -> String {
        match (self.kind, self.codes) {
            (k, (0, 255)) => k.to_string(),
            (k, (c, _)) => format!("{k}/{c}"),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --icmpv6-type {}", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let not = if self.invert { "!" } else { "" };
        let name = NAMES.iter().find(|(_, k, lo, hi)| *k == self.kind && (*lo, *hi) == self.codes);
        match name {
            Some((name, ..)) if !numeric => {
                let _ = write!(out, " ipv6-icmp {not}{name}");
            }
            _ => {
                let _ = if self.invert { write!(out, " ipv6-icmp !type {}", self.kind) } else { write!(out, " ipv6-icmptype {}", self.kind) };
                match self.codes {
                    (0, 255) => {}
                    (a, b) if a == b => {
                        let _ = write!(out, " code {a}");
                    }
                    (a, b) => {
                        let _ = write!(out, " codes {a}-{b}");
                    }
                }
            }
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let not = if self.invert { "not " } else { "" };
        match (field, cx.icmp6()) {
            ("icmpv6-type", Some((k, c))) => (format!("{not}{}", self.text()), format!("{k}/{c}")),
            _ => ("an ICMPv6 header".to_owned(), cx.body_seen()),
        }
    }
}
