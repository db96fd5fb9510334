//! `-m sctp`: ports and chunks of an SCTP packet.
//!
//! Models: net/netfilter/xt_sctp.c sctp_mt, iptables extensions/libxt_sctp.c.
//! Simplifies: chunk flags (`DATA:Be`) are refused.

use super::Field;
use super::tcp::{list_ports, wanted_ports};
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, Ports};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Family, Protocol};
use std::fmt::Write as _;

/// SCTP's protocol number.
pub const SCTP: Protocol = Protocol(132);

/// How the chunks must stand to the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `any`: one of them is there.
    Any,
    /// `all`: all of them are there.
    All,
    /// `only`: all are, and no other.
    Only,
}

/// What is asked of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Sctp {
    /// `--sport`.
    pub sport: Ports,
    /// `--dport`.
    pub dport: Ports,
    /// `--chunk-types`: how, a bit for each place in the list of types, and `!`.
    pub chunks: Option<(Which, u32, bool)>,
}

const TYPES: [(&str, u8); 19] = [
    ("DATA", 0),
    ("INIT", 1),
    ("INIT_ACK", 2),
    ("SACK", 3),
    ("HEARTBEAT", 4),
    ("HEARTBEAT_ACK", 5),
    ("ABORT", 6),
    ("SHUTDOWN", 7),
    ("SHUTDOWN_ACK", 8),
    ("ERROR", 9),
    ("COOKIE_ECHO", 10),
    ("COOKIE_ACK", 11),
    ("ECN_ECNE", 12),
    ("ECN_CWR", 13),
    ("SHUTDOWN_COMPLETE", 14),
    ("I_DATA", 64),
    ("RE_CONFIG", 130),
    ("PAD", 132),
    ("ASCONF", 193),
];

impl Sctp {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["source-port", "sport"]).inv(),
        Opt::one(&["destination-port", "dport"]).inv(),
        Opt { args: 2, ..Opt::one(&["chunk-types"]).inv() },
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.sport = Ports::parse(args[0], invert)?,
            1 => self.dport = Ports::parse(args[0], invert)?,
            _ => {
                let which = match args[0].to_ascii_lowercase().as_str() {
                    "any" => Which::Any,
                    "all" => Which::All,
                    "only" => Which::Only,
                    _ => {
                        return Err(OptError::parameter(
                            "Match type has to be one of \"ALL\", \"ANY\" or \"ONLY\"",
                        ));
                    }
                };
                let mut bits = 0;
                for name in args[1].split(',') {
                    match name.to_ascii_uppercase().as_str() {
                        "ALL" => bits = (1 << TYPES.len()) - 1,
                        "NONE" => bits = 0,
                        n if n.contains(':') => return Err(OptError::not_simulated("flags of SCTP chunks")),
                        n => {
                            let at = TYPES.iter().position(|(t, _)| *t == n);
                            bits |= 1 << at.ok_or_else(|| OptError::parameter(format!("Unknown sctp chunk `{name}'")))?;
                        }
                    }
                }
                self.chunks = Some((which, bits, invert));
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        match rule.protocol {
            Some(p) if p.protocol == SCTP && !p.invert => Ok(()),
            _ => Err(OptError::parameter("SCTP match requires '-p sctp'")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((sport, dport)) = cx.ports(SCTP) else { return Err("sctp") };
        if !self.sport.holds(sport) {
            return Err("sport");
        }
        if !self.dport.holds(dport) {
            return Err("dport");
        }
        if let Some((which, bits, invert)) = self.chunks {
            let seen = chunks(cx.transport().unwrap_or_default());
            let known = |t: u8| TYPES.iter().position(|(_, n)| *n == t).map_or(0, |i| 1u32 << i);
            let fits = match which {
                Which::Any => seen.iter().any(|t| bits & known(*t) != 0),
                Which::All => seen.iter().fold(0, |m, t| m | known(*t)) & bits == bits,
                Which::Only => seen.iter().all(|t| bits & known(*t) != 0) && seen.iter().fold(0, |m, t| m | known(*t)) & bits == bits,
            };
            if fits == invert {
                return Err("chunk-types");
            }
        }
        Ok(())
    }

    fn names(bits: u32, numeric: bool) -> String {
        if bits == (1 << TYPES.len()) - 1 {
            return "ALL".to_owned();
        }
        let named: Vec<String> = TYPES
            .iter()
            .enumerate()
            .filter(|(i, _)| bits >> i & 1 == 1)
            .map(|(_, (n, t))| if numeric { format!("0x{t:04X}") } else { (*n).to_owned() })
            .collect();
        if named.is_empty() { "NONE".to_owned() } else { named.join(",") }
    }

    fn which(w: Which) -> &'static str {
        match w {
            Which::Any => "any",
            Which::All => "all",
            Which::Only => "only",
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.sport.save("sport", out);
        self.dport.save("dport", out);
        if let Some((which, bits, invert)) = self.chunks {
            let not = if invert { " !" } else { "" };
            let _ = write!(out, "{not} --chunk-types {} {}", Self::which(which), Self::names(bits, false));
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        out.push_str(" sctp");
        list_ports(self.sport, "spt", true, out);
        list_ports(self.dport, "dpt", true, out);
        if let Some((which, bits, invert)) = self.chunks {
            let not = if invert { "!" } else { "" };
            let _ = write!(out, " {not}{} {}", Self::which(which), Self::names(bits, numeric));
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let ports = cx.ports(SCTP).unwrap_or_default();
        match field {
            "sport" => (wanted_ports(self.sport), ports.0.to_string()),
            "dport" => (wanted_ports(self.dport), ports.1.to_string()),
            "chunk-types" => {
                let (which, bits, invert) = self.chunks.unwrap_or((Which::Any, 0, false));
                let seen: Vec<String> = chunks(cx.transport().unwrap_or_default()).iter().map(ToString::to_string).collect();
                (format!("{}{} {}", if invert { "not " } else { "" }, Self::which(which), Self::names(bits, false)), format!("types {}", seen.join(",")))
            }
            _ => ("an SCTP header".to_owned(), cx.body_seen()),
        }
    }
}

/// The types of the chunks behind the common header.
fn chunks(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 12;
    while let Some(h) = bytes.get(at..at + 4) {
        out.push(h[0]);
        let len = usize::from(u16::from_be_bytes([h[2], h[3]]));
        if len < 4 {
            break;
        }
        at += len.next_multiple_of(4);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, cx, ip, udp};
    use crate::packet::{Body, Protocol};

    #[test]
    fn ports_and_chunks() {
        let mut bytes = vec![0, 7, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([1, 0, 0, 4, 0, 0, 0, 5, 9, 0, 0, 0]);
        let p = ip(Body::Other { protocol: Protocol(132), bytes: bytes.into() });
        let u = udp();
        check("sctp --dport 80", "sctp --dport 80", &[(cx(&p), ""), (cx(&u), "sctp")]);
        check("sctp ! --sport 5:7", "sctp ! --sport 5:7", &[(cx(&p), "sport")]);
        check("sctp --chunk-types any DATA,ABORT", "sctp --chunk-types any DATA,ABORT", &[(cx(&p), "")]);
        check("sctp --chunk-types all INIT,ABORT", "sctp --chunk-types all INIT,ABORT", &[(cx(&p), "chunk-types")]);
        check("sctp --chunk-types only DATA,INIT", "sctp --chunk-types only DATA,INIT", &[(cx(&p), "")]);
    }
}
