//! `-m dccp`: ports and packet types of DCCP.
//!
//! Models: net/netfilter/xt_dccp.c dccp_mt, iptables extensions/libxt_dccp.c.
//! Simplifies: `--dccp-option` is refused.

use super::Field;
use super::tcp::{list_ports, wanted_ports};
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, Ports};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol};
use std::fmt::Write as _;

/// DCCP's protocol number.
pub const DCCP: Protocol = Protocol(33);

/// What is asked of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Dccp {
    /// `--sport`.
    pub sport: Ports,
    /// `--dport`.
    pub dport: Ports,
    /// `--dccp-types`: a bit for each type, and `!`.
    pub types: Option<(u16, bool)>,
}

const TYPES: [&str; 11] = ["REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK", "INVALID"];

impl Dccp {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["source-port", "sport"]).inv(),
        Opt::one(&["destination-port", "dport"]).inv(),
        Opt::one(&["dccp-types"]).inv(),
        Opt::one(&["dccp-option"]).inv(),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.sport = Ports::parse(args[0], invert)?,
            1 => self.dport = Ports::parse(args[0], invert)?,
            2 => {
                let mut bits = 0;
                for name in args[0].split(',') {
                    let at = TYPES.iter().position(|n| n.eq_ignore_ascii_case(name));
                    bits |= 1 << at.ok_or_else(|| OptError::parameter(format!("Unknown DCCP type `{name}'")))?;
                }
                self.types = Some((bits, invert));
            }
            _ => return Err(OptError::not_simulated("`--dccp-option`")),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        match rule.protocol {
            Some(p) if p.protocol == DCCP && !p.invert => Ok(()),
            _ => Err(OptError::parameter("DCCP match requires '-p dccp'")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((sport, dport)) = cx.ports(DCCP) else { return Err("dccp") };
        if !self.sport.holds(sport) {
            return Err("sport");
        }
        if !self.dport.holds(dport) {
            return Err("dport");
        }
        if let Some((bits, invert)) = self.types {
            let kind = cx.transport().and_then(|b| b.get(8)).map_or(10, |b| b >> 1 & 15);
            if (bits >> kind & 1 == 1) == invert {
                return Err("dccp-types");
            }
        }
        Ok(())
    }

    fn names(bits: u16, numeric: bool) -> String {
        let named: Vec<String> = (0..TYPES.len())
            .filter(|i| bits >> i & 1 == 1)
            .map(|i| if numeric { i.to_string() } else { TYPES[i].to_owned() })
            .collect();
        named.join(",")
    }

    pub(super) fn save(&self, out: &mut String) {
        self.sport.save("sport", out);
        self.dport.save("dport", out);
        if let Some((bits, invert)) = self.types {
            let _ = write!(out, "{} --dccp-types {}", if invert { " !" } else { "" }, Self::names(bits, false));
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        out.push_str(" dccp");
        list_ports(self.sport, "spt", true, out);
        list_ports(self.dport, "dpt", true, out);
        if let Some((bits, invert)) = self.types {
            let _ = write!(out, " {}{}", if invert { "! " } else { "" }, Self::names(bits, numeric));
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let ports = cx.ports(DCCP).unwrap_or_default();
        match field {
            "sport" => (wanted_ports(self.sport), ports.0.to_string()),
            "dport" => (wanted_ports(self.dport), ports.1.to_string()),
            "dccp-types" => {
                let (bits, invert) = self.types.unwrap_or_default();
                (format!("{}{}", if invert { "not " } else { "" }, Self::names(bits, false)), "another type".to_owned())
            }
            _ => ("a DCCP header".to_owned(), cx.body_seen()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, ip};
    use crate::packet::{Body, Protocol};

    #[test]
    fn ports_and_types() {
        let p = ip(Body::Other { protocol: Protocol(33), bytes: [0, 7, 0, 80, 3, 0, 0, 0, 2, 0, 0, 0].as_slice().into() });
        check("dccp --dport 80 --dccp-types RESPONSE", "dccp --dport 80 --dccp-types RESPONSE", &[(cx(&p), "")]);
        check("dccp --dccp-types REQUEST,ACK", "dccp --dccp-types REQUEST,ACK", &[(cx(&p), "dccp-types")]);
    }
}
