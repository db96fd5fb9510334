//! `-j NETMAP`: a whole network is mapped to another, host for host.
//!
//! Models: net/netfilter/xt_NETMAP.c netmap_tg4, netmap_tg6, iptables extensions/libipt_NETMAP.c.

use crate::linux::conntrack::NatRange;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::{RuleSpec, bits_of, ip_of};
use crate::packet::{Family, IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::Write as _;

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Netmap {
    /// Its address as a number; none before an option was read.
    pub net: Option<u128>,
    /// Length of its prefix.
    pub len: u8,
    /// Whose addresses.
    pub family: Family,
}

impl Netmap {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["to"]).must()];

    pub(super) fn set(&mut self, _: usize, args: &[&str], family: Family) -> Result<(), OptError> {
        let bits: u8 = if family == Family::Inet { 32 } else { 128 };
        let bad = || OptError::bad_value("NETMAP", "to", args[0]);
        let (addr, len) = args[0].split_once('/').unwrap_or((args[0], ""));
        let ip: IpAddr = match family {
            Family::Inet => addr.parse::<Ipv4Addr>().map(Into::into),
            Family::Inet6 => addr.parse::<Ipv6Addr>().map(Into::into),
        }
        .map_err(|_| bad())?;
        self.len = match len {
            "" => bits,
            // a mask that is no prefix is taken for one address, as the tool does
            n => match number(n, bits.into()) {
                Some(n) => n as u8,
                None => {
                    let mask = n.parse::<Ipv4Addr>().ok().filter(|_| family == Family::Inet).map(u32::from).ok_or_else(bad)?;
                    let ones = mask.leading_ones();
                    if mask.checked_shl(ones).unwrap_or(0) == 0 { ones as u8 } else { bits }
                }
            },
        };
        self.family = family;
        self.net = Some(crate::linux::ipset::cut(bits_of(ip), self.len, bits));
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    /// Where an address is mapped to.
    pub fn range(&self, old: u128) -> NatRange<IpAddr> {
        let bits: u8 = if self.family == Family::Inet { 32 } else { 128 };
        let net = self.net.unwrap_or(old);
        let new = ip_of(net | (old ^ crate::linux::ipset::cut(old, self.len, bits)), self.family);
        NatRange { addrs: Some((new, new)), ..NatRange::default() }
    }

    fn text(&self) -> String {
        format!("{}/{}", ip_of(self.net.unwrap_or(0), self.family), self.len)
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --to {}", self.text());
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " to:{}", self.text());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn host_for_host() {
        let mut t = Netmap::default();
        t.set(0, &["192.168.7.9/24"], Family::Inet).unwrap();
        assert_eq!(t.text(), "192.168.7.0/24");
        let to = t.range(bits_of("10.1.2.3".parse().unwrap())).addrs.unwrap().0;
        assert_eq!(to.to_string(), "192.168.7.3");
    }
}
