//! `-j DNAT`: the flow goes to another destination.
//!
//! Models: net/netfilter/xt_nat.c xt_dnat_target_v2, iptables extensions/libxt_NAT.c.
//! Simplifies: no shifted port ranges (`:port-port/base`).
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod.

use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::option::{Opt, OptError, parse_port};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Address, Family, IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::Write as _;

/// Where the flow goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dnat {
    /// Addresses, ports and how they are chosen.
    pub range: NatRange<IpAddr>,
}

impl Dnat {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["to-destination"]).must(), Opt::flag(&["random"]), Opt::flag(&["persistent"])];

    /// `--to-destination addr[:port]`.
    pub fn to(addr: impl Into<IpAddr>, port: Option<u16>) -> Dnat {
        let addr = addr.into();
        Dnat { range: NatRange { addrs: Some((addr, addr)), ports: port.map(|p| (p, p)), ..NatRange::default() } }
    }

    pub(super) fn set(&mut self, opt: usize, args: &[&str], family: Family) -> Result<(), OptError> {
        match opt {
            0 => parse_to(args[0], &mut self.range, family)?,
            1 => self.range.random = true,
            _ => self.range.persistent = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        needs_ports(&self.range, rule)
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --to-destination {}", to_text(&self.range));
        save_flags(&self.range, " --", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " to:{}", to_text(&self.range));
        save_flags(&self.range, " ", out);
    }
}

/// The range for one family; addresses of the other cannot be in it.
pub fn range_of<A: Address>(range: &NatRange<IpAddr>) -> NatRange<A> {
    let addrs = range.addrs.and_then(|(a, b)| Some((A::from_ip(a)?, A::from_ip(b)?)));
    NatRange { addrs, ports: range.ports, random: range.random, random_fully: range.random_fully, persistent: range.persistent }
}

/// Reads `addr[-addr][:port[-port]]`, either part may be missing; IPv6 addresses before a port stand in brackets.
pub(super) fn parse_to(s: &str, range: &mut NatRange<IpAddr>, family: Family) -> Result<(), OptError> {
    let (addrs, ports) = match (family, s.strip_prefix('[')) {
        (Family::Inet6, Some(inner)) => match inner.split_once(']') {
            Some((a, "")) => (a, None),
            Some((a, p)) => (a, Some(p.strip_prefix(':').ok_or_else(|| OptError::parameter("Invalid address format"))?)),
            None => return Err(OptError::parameter("Invalid address format")),
        },
        (Family::Inet6, None) => match s.strip_prefix(':').filter(|p| !p.contains(':')) {
            Some(p) => ("", Some(p)),
            None => (s, None),
        },
        (Family::Inet, _) => match s.split_once(':') {
            Some((a, p)) => (a, Some(p)),
            None => (s, None),
        },
    };
    if ports.is_some_and(|p| p.contains('/')) {
        return Err(OptError::not_simulated("shifted port ranges"));
    }
    if let Some(ports) = ports {
        range.ports = Some(parse_ports(ports)?);
    }
    if addrs.is_empty() && ports.is_some() {
        return Ok(());
    }
    let one = |a: &str| match family {
        Family::Inet => a.parse::<Ipv4Addr>().map(IpAddr::from),
        Family::Inet6 => a.parse::<Ipv6Addr>().map(IpAddr::from),
    };
    let one = |a: &str| one(a).map_err(|_| OptError::parameter(format!("Bad IP address \"{a}\"")));
    range.addrs = Some(match addrs.split_once('-') {
        Some((a, b)) => (one(a)?, one(b)?),
        None => (one(addrs)?, one(addrs)?),
    });
    Ok(())
}

/// Reads `port[-port]`.
pub(super) fn parse_ports(s: &str) -> Result<(u16, u16), OptError> {
    let one = |p: &str| parse_port(p).map_err(|_| OptError::parameter(format!("Port `{p}' not valid")));
    let digits = s.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=5).contains(&digits) && !matches!(s[digits..].chars().next(), None | Some('-')) {
        return Err(OptError::parameter(format!("Garbage after port value: `{}'", &s[digits..])));
    }
    let (lo, last) = match s.split_once('-') {
        Some(("", _)) => (s, s),
        Some((a, b)) => (a, b),
        None => (s, s),
    };
    if last.starts_with(|c: char| c.is_ascii_digit()) && parse_port(last).is_err() && last != s {
        return Err(OptError::parameter(format!("Port range `{last}' funky")));
    }
    let (lo, hi) = (one(lo)?, one(last)?);
    if lo > hi {
        return Err(OptError::parameter(format!("Port range `{last}' funky")));
    }
    Ok((lo, hi))
}

/// Writes `addr[-addr][:port[-port]]`.
pub(super) fn to_text(range: &NatRange<IpAddr>) -> String {
    let mut out = String::new();
    if let Some((a, b)) = range.addrs {
        let bracket = a.is_ipv6() && range.ports.is_some();
        let (open, close) = if bracket { ("[", "]") } else { ("", "") };
        let _ = if a == b { write!(out, "{open}{a}{close}") } else { write!(out, "{open}{a}-{b}{close}") };
    }
    if let Some((a, b)) = range.ports {
        let _ = if a == b { write!(out, ":{a}") } else { write!(out, ":{a}-{b}") };
    }
    out
}

/// Writes ` --random --random-fully --persistent` as far as they are set.
pub(super) fn save_flags(range: &NatRange<IpAddr>, dash: &str, out: &mut String) {
    for (set, name) in [(range.random, "random"), (range.random_fully, "random-fully"), (range.persistent, "persistent")] {
        if set {
            let _ = write!(out, "{dash}{name}");
        }
    }
}

/// Ports can be mapped only where the rule says which protocol has them.
pub(super) fn needs_ports(range: &NatRange<IpAddr>, rule: &RuleSpec) -> Result<(), OptError> {
    let has = rule.protocol.is_some_and(|p| !p.invert && matches!(p.protocol.0, 1 | 6 | 17 | 33 | 58 | 132));
    if range.ports.is_some() && !has {
        return Err(OptError::parameter("Need TCP, UDP, SCTP or DCCP with port specification"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn addresses_and_ports_both_ways() {
        for text in ["1.1.1.1", "1.1.1.1:80", "1.1.1.1-1.1.1.9:80-90", ":80"] {
            let mut range = NatRange::default();
            parse_to(text, &mut range, Family::Inet).unwrap();
            assert_eq!(to_text(&range), text);
        }
        for text in ["2001::1", "[2001::1]:80", "2001::1-2001::9", "[2001::1-2001::9]:80-90", "2001::1:80", ":80"] {
            let mut range = NatRange::default();
            parse_to(text, &mut range, Family::Inet6).unwrap();
            assert_eq!(to_text(&range), text);
        }
        assert_eq!(parse_to("[2001::1", &mut NatRange::default(), Family::Inet6).unwrap_err().text, "Invalid address format");
        for (text, said) in [
            ("foo", "Bad IP address \"foo\""),
            ("1.1.1.1-", "Bad IP address \"\""),
            ("1.1.1.1:", "Port `' not valid"),
            ("1.1.1.1:90-80", "Port range `80' funky"),
            ("1.1.1.1:80x", "Garbage after port value: `x'"),
        ] {
            assert_eq!(parse_to(text, &mut NatRange::default(), Family::Inet).unwrap_err().text, said);
        }
    }
}
