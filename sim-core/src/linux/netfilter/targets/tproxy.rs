//! `-j TPROXY`: the packet is for a socket of this host, whatever its destination.
//!
//! Models: net/netfilter/xt_TPROXY.c tproxy_tg4, iptables extensions/libxt_TPROXY.c.
//! Simplifies: the mark is set; no program here makes transparent sockets, so that none is found and the packet is dropped.

use crate::linux::netfilter::option::{Masked, Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::Write as _;

/// Which socket, and the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tproxy {
    /// `--on-port`.
    pub port: u16,
    /// `--on-ip`; unspecified for the packet's own way in.
    pub ip: Option<IpAddr>,
    /// `--tproxy-mark`.
    pub mark: Masked,
    /// Whose rule it is of.
    pub family: Family,
}

impl Default for Tproxy {
    fn default() -> Self {
        Tproxy { port: 0, ip: None, mark: Masked { value: 0, mask: 0 }, family: Family::Inet }
    }
}

impl Tproxy {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["on-port"]).must(), Opt::one(&["on-ip"]), Opt::one(&["tproxy-mark"])];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], family: Family) -> Result<(), OptError> {
        self.family = family;
        match opt {
            0 => self.port = ranged("TPROXY", "on-port", args[0], 0, 65_535)? as u16,
            1 => {
                let found = match family {
                    Family::Inet => args[0].parse::<Ipv4Addr>().map(IpAddr::from),
                    Family::Inet6 => args[0].parse::<Ipv6Addr>().map(IpAddr::from),
                };
                self.ip = Some(found.map_err(|_| OptError::bad_value("TPROXY", "on-ip", args[0]))?);
            }
            _ => self.mark = Masked::parse("TPROXY", "tproxy-mark", args[0])?,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    /// Whether the kernel takes it in that rule: it needs `-p tcp` or `-p udp`.
    pub(crate) fn fits_rule(&self, rule: &RuleSpec) -> bool {
        rule.protocol.is_some_and(|p| matches!(p.protocol.0, 6 | 17) && !p.invert)
    }

    fn ip_text(&self) -> String {
        match (self.ip, self.family) {
            (Some(ip), _) => ip.to_string(),
            (None, Family::Inet) => "0.0.0.0".to_owned(),
            (None, Family::Inet6) => "::".to_owned(),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, " --on-port {} --on-ip {} --tproxy-mark {:#x}/{:#x}", self.port, self.ip_text(), self.mark.value, self.mark.mask);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = write!(out, " TPROXY redirect {}:{} mark {:#x}/{:#x}", self.ip_text(), self.port, self.mark.value, self.mark.mask);
    }
}
