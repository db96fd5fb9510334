//! `-m icmp`: type and code of an ICMP message.
//!
//! Models: net/ipv4/netfilter/ip_tables.c icmp_match, iptables extensions/libxt_icmp.h.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type; 255 for any.
    pub kind: u8,
    /// First and last code.
    pub codes: (u8, u8),
    /// `!`.
    pub invert: bool,
}

impl Default for Icmp {
    fn default() -> Self {
        Icmp { kind: 255, codes: (0, 255), invert: false }
    }
}

/// A name: type, first code, last code.
pub(crate) type Name = (&'static str, u8, u8, u8);

/// Names of types.
pub(crate) const NAMES: &[Name] = &[
    ("any", 255, 0, 255),
    ("echo-reply", 0, 0, 255),
    ("pong", 0, 0, 255),
    ("destination-unreachable", 3, 0, 255),
    ("network-unreachable", 3, 0, 0),
    ("host-unreachable", 3, 1, 1),
    ("protocol-unreachable", 3, 2, 2),
    ("port-unreachable", 3, 3, 3),
    ("fragmentation-needed", 3, 4, 4),
    ("source-route-failed", 3, 5, 5),
    ("network-unknown", 3, 6, 6),
    ("host-unknown", 3, 7, 7),
    ("network-prohibited", 3, 9, 9),
    ("host-prohibited", 3, 10, 10),
    ("TOS-network-unreachable", 3, 11, 11),
    ("TOS-host-unreachable", 3, 12, 12),
    ("communication-prohibited", 3, 13, 13),
    ("host-precedence-violation", 3, 14, 14),
    ("precedence-cutoff", 3, 15, 15),
    ("source-quench", 4, 0, 255),
    ("redirect", 5, 0, 255),
    ("network-redirect", 5, 0, 0),
    ("host-redirect", 5, 1, 1),
    ("TOS-network-redirect", 5, 2, 2),
    ("TOS-host-redirect", 5, 3, 3),
    ("echo-request", 8, 0, 255),
    ("ping", 8, 0, 255),
    ("router-advertisement", 9, 0, 255),
    ("router-solicitation", 10, 0, 255),
    ("time-exceeded", 11, 0, 255),
    ("ttl-exceeded", 11, 0, 255),
    ("ttl-zero-during-transit", 11, 0, 0),
    ("ttl-zero-during-reassembly", 11, 1, 1),
    ("parameter-problem", 12, 0, 255),
    ("ip-header-bad", 12, 0, 0),
    ("required-option-missing", 12, 1, 1),
    ("timestamp-request", 13, 0, 255),
    ("timestamp-reply", 14, 0, 255),
    ("address-mask-request", 17, 0, 255),
    ("address-mask-reply", 18, 0, 255),
];

/// Reads a type by name, number or `number/code`: the type, and the first and last code.
pub(crate) fn parse(s: &str, what: &str, names: &[Name]) -> Result<(u8, (u8, u8)), OptError> {
    let lower = s.to_ascii_lowercase();
    let mut found = names.iter().filter(|(n, ..)| n.to_ascii_lowercase().starts_with(&lower));
    if !s.is_empty()
        && let Some(first) = found.next()
    {
        if let Some(second) = found.next()
            && first.0.to_ascii_lowercase() != lower
        {
            return Err(OptError::parameter(format!("Ambiguous {what} type `{s}': `{}' or `{}'?", first.0, second.0)));
        }
        return Ok((first.1, (first.2, first.3)));
    }
    let (kind, code) = match s.split_once('/') {
        Some((k, c)) => (k, Some(c)),
        None => (s, None),
    };
    let kind = number(kind, 255).ok_or_else(|| OptError::parameter(format!("Unknown {what} type `{s}'")))? as u8;
    let codes = match code {
        None => (0, 255),
        Some(c) => {
            let c = number(c, 255).ok_or_else(|| OptError::parameter(format!("Unknown {what} code `{s}'")))? as u8;
            (c, c)
        }
    };
    Ok((kind, codes))
}

impl Icmp {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["icmp-type"]).inv().must()];

    pub(super) fn set(&mut self, _: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        (self.kind, self.codes) = parse(args[0], "ICMP", NAMES)?;
        self.invert = invert;
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((kind, code)) = cx.icmp() else { return Err("icmp") };
        let fits = self.kind == 255 || (self.kind == kind && (self.codes.0..=self.codes.1).contains(&code));
        if fits != self.invert { Ok(()) } else { Err("icmp-type") }
    }

    fn text(&self) -> String {
        match (self.kind, self.codes) {
            (255, _) => "any".to_owned(),
            (k, (0, 255)) => k.to_string(),
            (k, (c, _)) => format!("{k}/{c}"),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --icmp-type {}", if self.invert { " !" } else { "" }, self.text());
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let not = if self.invert { "!" } else { "" };
        let name = NAMES.iter().find(|(_, k, lo, hi)| *k == self.kind && (*lo, *hi) == self.codes);
        match name {
            Some((name, ..)) if !numeric => {
                let _ = write!(out, " icmp {not}{name}");
            }
            _ => {
                let _ = if self.invert { write!(out, " icmp !type {}", self.kind) } else { write!(out, " icmptype {}", self.kind) };
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
        match (field, cx.icmp()) {
            ("icmp-type", Some((k, c))) => (format!("{not}{}", self.text()), format!("{k}/{c}")),
            _ => ("an ICMP header".to_owned(), cx.body_seen()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]


    use crate::linux::netfilter::testing::{check, cx, echo, try_read, udp};

    #[test]
    fn types() {
        let (e, u) = (echo(), udp());
        check("icmp --icmp-type echo-request", "icmp --icmp-type 8", &[(cx(&e), ""), (cx(&u), "icmp")]);
        check("icmp --icmp-type host-unreach", "icmp --icmp-type 3/1", &[(cx(&e), "icmp-type")]);
        check("icmp ! --icmp-type 8/0", "icmp ! --icmp-type 8/0", &[(cx(&e), "icmp-type")]);
        check("icmp --icmp-type any", "icmp --icmp-type any", &[(cx(&e), "")]);
        let said = try_read("icmp --icmp-type network");
        assert_eq!(said, Err("Ambiguous ICMP type `network': `network-unreachable' or `network-unknown'?".to_owned()));
        assert_eq!(try_read("icmp --icmp-type 300"), Err("Unknown ICMP type `300'".to_owned()));
    }
}
