//! `-m addrtype`: what an address is to this host.
//!
//! Models: net/netfilter/xt_addrtype.c addrtype_mt4, iptables extensions/libxt_addrtype.c.

use super::Field;
use crate::linux::fib::RouteType;
use crate::linux::netfilter::Hook;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::{RuleSpec, ip_of};
use crate::packet::Family;
use std::fmt::Write as _;

/// What is asked of the addresses.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Addrtype {
    /// `--src-type`: bits by place in the list of types; none if not asked.
    pub src: Option<Types>,
    /// `--dst-type`.
    pub dst: Option<Types>,
    /// `--limit-iface-in`: only addresses of the input device count.
    pub limit_in: bool,
    /// `--limit-iface-out`: only addresses of the output device count.
    pub limit_out: bool,
}

/// A set of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types {
    /// Bits by RTN number.
    pub mask: u16,
    /// `!`.
    pub invert: bool,
}

/// Types by RTN number.
const TYPES: [&str; 12] = [
    "UNSPEC",
    "UNICAST",
    "LOCAL",
    "BROADCAST",
    "ANYCAST",
    "MULTICAST",
    "BLACKHOLE",
    "UNREACHABLE",
    "PROHIBIT",
    "THROW",
    "NAT",
    "XRESOLVE",
];

fn number_of(t: RouteType) -> usize {
    match t {
        RouteType::Unicast => 1,
        RouteType::Local => 2,
        RouteType::Broadcast => 3,
        RouteType::Anycast => 4,
        RouteType::Multicast => 5,
        RouteType::Blackhole => 6,
        RouteType::Unreachable => 7,
        RouteType::Prohibit => 8,
        RouteType::Throw => 9,
    }
}

impl Types {
    /// Reads `LOCAL,BROADCAST`.
    ///
    /// # Errors
    /// In the words of iptables.
    fn parse(s: &str, invert: bool) -> Result<Types, OptError> {
        let mut mask = 0;
        for t in s.split(',') {
            let n = TYPES.iter().position(|n| n.eq_ignore_ascii_case(t));
            mask |= 1 << n.ok_or_else(|| OptError::parameter(format!("addrtype: bad type \"{t}\"")))?;
        }
        Ok(Types { mask, invert })
    }

    fn text(self) -> String {
        let names: Vec<_> = (0..TYPES.len()).filter(|n| self.mask >> n & 1 == 1).map(|n| TYPES[n]).collect();
        names.join(",")
    }

    fn holds(self, t: RouteType) -> bool {
        (self.mask >> number_of(t) & 1 == 1) != self.invert
    }
}

impl Addrtype {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["src-type"]).inv(),
        Opt::one(&["dst-type"]).inv(),
        Opt::flag(&["limit-iface-in"]).excl(1 << 3),
        Opt::flag(&["limit-iface-out"]).excl(1 << 2),
    ];

    /// `--dst-type LOCAL`.
    pub fn dst_local() -> Addrtype {
        Addrtype { dst: Some(Types { mask: 1 << 2, invert: false }), ..Addrtype::default() }
    }

    /// `--src-type LOCAL`.
    pub fn src_local() -> Addrtype {
        Addrtype { src: Some(Types { mask: 1 << 2, invert: false }), ..Addrtype::default() }
    }

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.src = Some(Types::parse(args[0], invert)?),
            1 => self.dst = Some(Types::parse(args[0], invert)?),
            2 => self.limit_in = true,
            _ => self.limit_out = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.src.is_none() && self.dst.is_none() {
            return Err(OptError::parameter("addrtype: you must specify --src-type or --dst-type"));
        }
        Ok(())
    }

    /// Whether the kernel takes it in a chain that these hooks reach.
    pub(super) fn fits_hook(&self, hook: Hook) -> bool {
        !(self.limit_out && matches!(hook, Hook::Prerouting | Hook::Input)
            || self.limit_in && matches!(hook, Hook::Postrouting | Hook::Output))
    }

    fn dev(&self, cx: &MatchCx<'_>) -> Option<crate::linux::IfIndex> {
        if self.limit_in {
            Some(cx.iif_index)
        } else if self.limit_out {
            Some(cx.oif_index)
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if let Some(t) = self.src
            && !t.holds(cx.addr_type(cx.src, self.dev(cx)))
        {
            return Err("src-type");
        }
        if let Some(t) = self.dst
            && !t.holds(cx.addr_type(cx.dst, self.dev(cx)))
        {
            return Err("dst-type");
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        for (t, opt) in [(self.src, "src-type"), (self.dst, "dst-type")] {
            if let Some(t) = t {
                let _ = write!(out, "{} --{opt} {}", if t.invert { " !" } else { "" }, t.text());
            }
        }
        if self.limit_in {
            out.push_str(" --limit-iface-in");
        }
        if self.limit_out {
            out.push_str(" --limit-iface-out");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" ADDRTYPE match");
        for (t, opt) in [(self.src, "src-type"), (self.dst, "dst-type")] {
            if let Some(t) = t {
                let _ = write!(out, " {opt} {}{}", if t.invert { "!" } else { "" }, t.text());
            }
        }
        if self.limit_in {
            out.push_str(" limit-in");
        }
        if self.limit_out {
            out.push_str(" limit-out");
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let (t, addr) = if field == "src-type" { (self.src, cx.src) } else { (self.dst, cx.dst) };
        let wanted = t.map(|t| format!("{}{}", if t.invert { "not " } else { "" }, t.text())).unwrap_or_default();
        let seen = TYPES[number_of(cx.addr_type(addr, self.dev(cx)))];
        (wanted, format!("{seen} ({})", ip_of(addr, cx.family)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    fn fib() -> crate::linux::fib::Fib<crate::packet::Ipv4Addr> {
        use crate::linux::fib::{Fib, NextHop, Route, RouteProto};
        let mut fib = Fib::default();
        for (addr, kind, dev) in [("10.0.0.2", RouteType::Local, 2), ("10.0.0.255", RouteType::Broadcast, 2)] {
            fib.local.append(Route {
                row: crate::linux::RowId(1),
                prefix: crate::packet::Prefix::host(addr.parse().unwrap()),
                tos: 0,
                metric: 0,
                kind,
                scope: crate::linux::device::Scope::Host,
                proto: RouteProto::KERNEL,
                nexthops: [NextHop { via: None, dev: crate::linux::IfIndex(dev), weight: 1, onlink: false }].into_iter().collect(),
                src: None,
                mtu: None,
                source: crate::linux::Source::Kernel,
            });
        }
        fib
    }

    #[test]
    fn types() {
        let (p, fib) = (udp(), fib());
        let here = MatchCx { fib: Some(&fib), iif_index: crate::linux::IfIndex(2), oif_index: crate::linux::IfIndex(3), ..cx(&p) };
        check("addrtype --dst-type LOCAL", "addrtype --dst-type LOCAL", &[(here, "")]);
        check("addrtype ! --dst-type local", "addrtype ! --dst-type LOCAL", &[(here, "dst-type")]);
        check("addrtype --src-type LOCAL", "addrtype --src-type LOCAL", &[(here, "src-type")]);
        check("addrtype --src-type LOCAL,UNICAST ! --dst-type BROADCAST", "addrtype --src-type UNICAST,LOCAL ! --dst-type BROADCAST", &[(here, "")]);
        check("addrtype --dst-type LOCAL --limit-iface-in", "addrtype --dst-type LOCAL --limit-iface-in", &[(here, "")]);
        check("addrtype --dst-type LOCAL --limit-iface-out", "addrtype --dst-type LOCAL --limit-iface-out", &[(here, "dst-type")]);
        let mut zero = udp();
        zero.header.src = crate::packet::Ipv4Addr::UNSPECIFIED;
        zero.header.dst = crate::packet::Ipv4Addr::new(224, 0, 0, 1);
        check("addrtype --src-type BROADCAST --dst-type MULTICAST", "addrtype --src-type BROADCAST --dst-type MULTICAST", &[(cx(&zero), "")]);
        assert_eq!(try_read("addrtype --src-type FOO"), Err("addrtype: bad type \"FOO\"".to_owned()));
    }
}
