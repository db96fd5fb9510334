//! `-m udp`: ports of a UDP datagram.
//!
//! Models: net/netfilter/xt_tcpudp.c udp_mt, iptables extensions/libxt_udp.c.

use super::Field;
use super::tcp::{list_ports, wanted_ports};
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, Ports};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol};

/// What is asked of a datagram.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Udp {
    /// `--sport`.
    pub sport: Ports,
    /// `--dport`.
    pub dport: Ports,
}

impl Udp {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["source-port", "sport"]).inv(), Opt::one(&["destination-port", "dport"]).inv()];

    /// A match of one destination port.
    pub fn dport(port: u16) -> Udp {
        Udp { dport: Ports { min: port, max: port, invert: false }, ..Udp::default() }
    }

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.sport = Ports::parse_lax("udp", "source-port", args[0], invert)?,
            _ => self.dport = Ports::parse_lax("udp", "destination-port", args[0], invert)?,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        match rule.protocol {
            Some(p) if p.protocol == Protocol::UDP && !p.invert => Ok(()),
            _ => Err(OptError::parameter("UDP match requires '-p udp'")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((sport, dport)) = cx.ports(Protocol::UDP) else { return Err("udp") };
        if !self.sport.holds(sport) {
            return Err("sport");
        }
        if !self.dport.holds(dport) {
            return Err("dport");
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        self.sport.save("sport", out);
        self.dport.save("dport", out);
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        out.push_str(" udp");
        list_ports(self.sport, "spt", numeric, out);
        list_ports(self.dport, "dpt", numeric, out);
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let ports = cx.ports(Protocol::UDP).unwrap_or_default();
        match field {
            "sport" => (wanted_ports(self.sport), ports.0.to_string()),
            "dport" => (wanted_ports(self.dport), ports.1.to_string()),
            _ => ("a UDP header".to_owned(), cx.body_seen()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]


    use crate::packet::TcpFlags;
    use crate::linux::netfilter::testing::{check, cx, tcp, udp};

    #[test]
    fn ports() {
        let (u, t) = (udp(), tcp(TcpFlags::SYN));
        check("udp --dport domain", "udp --dport 53", &[(cx(&u), ""), (cx(&t), "udp")]);
        check("udp --sport 1:2 ! --dport 53", "udp --sport 1:2 ! --dport 53", &[(cx(&u), "sport")]);
        check("udp", "udp", &[(cx(&u), "")]);
    }
}
