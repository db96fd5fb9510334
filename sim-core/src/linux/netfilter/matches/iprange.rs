//! `-m iprange`: addresses between two.
//!
//! Models: net/netfilter/xt_iprange.c iprange_mt4, iprange_mt6, iptables extensions/libxt_iprange.c.
//! Simplifies: the warning about a reversed range is not printed.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::{RuleSpec, bits_of, ip_of};
use crate::packet::{Family, IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::Write as _;

/// First and last address as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddrRange {
    /// First.
    pub min: u128,
    /// Last.
    pub max: u128,
    /// Whose addresses.
    pub family: Family,
    /// `!`.
    pub invert: bool,
}

impl AddrRange {
    fn text(self) -> String {
        format!("{}-{}", ip_of(self.min, self.family), ip_of(self.max, self.family))
    }

    fn holds(self, addr: u128) -> bool {
        (self.min <= addr && addr <= self.max) != self.invert
    }
}

/// What is asked of the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Iprange {
    /// `--src-range`.
    pub src: Option<AddrRange>,
    /// `--dst-range`.
    pub dst: Option<AddrRange>,
}

impl Iprange {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["src-range"]).inv(), Opt::one(&["dst-range"]).inv()];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], family: Family) -> Result<(), OptError> {
        let one = |s: &str| -> Option<u128> {
            let ip: IpAddr = match family {
                Family::Inet => s.parse::<Ipv4Addr>().ok()?.into(),
                Family::Inet6 => s.parse::<Ipv6Addr>().ok()?.into(),
            };
            Some(bits_of(ip))
        };
        let (a, b) = args[0].split_once('-').unwrap_or((args[0], args[0]));
        let (Some(min), Some(max)) = (one(a), one(b)) else {
            let text = format!("iprange: Bad value for \"--{}\" option: \"{}\"", Self::OPTS[opt].names[0], args[0]);
            return Err(OptError::parameter(text));
        };
        let range = Some(AddrRange { min, max, family, invert });
        if opt == 0 { self.src = range } else { self.dst = range }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.src.is_none() && self.dst.is_none() {
            return Err(OptError::parameter("iprange match: You must specify `--src-range' or `--dst-range'"));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        if self.src.is_some_and(|r| !r.holds(cx.src)) {
            return Err("src-range");
        }
        if self.dst.is_some_and(|r| !r.holds(cx.dst)) {
            return Err("dst-range");
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        for (r, name) in [(self.src, "src-range"), (self.dst, "dst-range")] {
            if let Some(r) = r {
                let _ = write!(out, "{} --{name} {}", if r.invert { " !" } else { "" }, r.text());
            }
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        for (r, name) in [(self.src, "source"), (self.dst, "destination")] {
            if let Some(r) = r {
                let _ = write!(out, " {name} IP range{} {}", if r.invert { " !" } else { "" }, r.text());
            }
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let (r, seen) = if field == "src-range" { (self.src, cx.src_ip()) } else { (self.dst, cx.dst_ip()) };
        (r.map(|r| format!("{}{}", if r.invert { "not " } else { "" }, r.text())).unwrap_or_default(), seen.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, try_read, udp};

    #[test]
    fn ranges() {
        let p = udp();
        check("iprange --src-range 10.0.0.1-10.0.0.9", "iprange --src-range 10.0.0.1-10.0.0.9", &[(cx(&p), "")]);
        check("iprange ! --dst-range 10.0.0.2", "iprange ! --dst-range 10.0.0.2-10.0.0.2", &[(cx(&p), "dst-range")]);
        assert_eq!(try_read("iprange --src-range foo"), Err("iprange: Bad value for \"--src-range\" option: \"foo\"".to_owned()));
    }
}
