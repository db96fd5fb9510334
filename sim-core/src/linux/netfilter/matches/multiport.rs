//! `-m multiport`: a list of ports.
//!
//! Models: net/netfilter/xt_multiport.c ports_match_v1, iptables extensions/libxt_multiport.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, parse_port, service_name};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// Which port is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// `--sports`.
    Source,
    /// `--dports`.
    Destination,
    /// `--ports`: either.
    Either,
}

/// A list of ports to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiport {
    /// Which port is looked at.
    pub which: Which,
    /// Ports and ranges; a range counts as two, 15 in all.
    pub ports: Vec<(u16, u16, bool)>,
    /// `!`.
    pub invert: bool,
}

impl Default for Multiport {
    fn default() -> Self {
        Multiport { which: Which::Either, ports: Vec::new(), invert: false }
    }
}

impl Multiport {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["source-ports", "sports"]).inv().excl(0b110),
        Opt::one(&["destination-ports", "dports"]).inv().excl(0b101),
        Opt::one(&["ports"]).inv().excl(0b011),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        self.which = [Which::Source, Which::Destination, Which::Either][opt.min(2)];
        self.invert = invert;
        self.ports.clear();
        let mut slots = 0;
        for part in args[0].split(',') {
            let one = parse_port;
            if slots >= 15 {
                return Err(OptError::parameter("too many ports specified"));
            }
            match part.split_once(':') {
                None => {
                    let p = one(part)?;
                    self.ports.push((p, p, false));
                    slots += 1;
                }
                Some((a, b)) => {
                    if slots >= 14 {
                        return Err(OptError::parameter("too many ports specified"));
                    }
                    let (a, b) = (one(a)?, one(b)?);
                    if a >= b {
                        return Err(OptError::parameter("invalid portrange specified"));
                    }
                    self.ports.push((a, b, true));
                    slots += 2;
                }
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        let needs = "multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'";
        let only = "multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP";
        match rule.protocol {
            Some(p) if !p.invert && matches!(p.protocol.0, 6 | 17 | 33 | 132 | 136) => {}
            Some(p) if p.invert => return Err(OptError::parameter(only)),
            _ => return Err(OptError::parameter(needs)),
        }
        if self.ports.is_empty() {
            return Err(OptError::parameter("multiport expection an option"));
        }
        Ok(())
    }

    fn field(&self) -> Field {
        match self.which {
            Which::Source => "sports",
            Which::Destination => "dports",
            Which::Either => "ports",
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((s, d)) = cx.any_ports() else { return Err("multiport") };
        let fits = self.ports.iter().any(|&(lo, hi, _)| match self.which {
            Which::Source => (lo..=hi).contains(&s),
            Which::Destination => (lo..=hi).contains(&d),
            Which::Either => (lo..=hi).contains(&s) || (lo..=hi).contains(&d),
        });
        if fits != self.invert { Ok(()) } else { Err(self.field()) }
    }

    fn text(&self, numeric: bool) -> String {
        let one = |p: u16| match service_name(p) {
            Some(n) if !numeric => n.to_owned(),
            _ => p.to_string(),
        };
        let parts: Vec<_> =
            self.ports.iter().map(|&(a, b, range)| if range { format!("{}:{}", one(a), one(b)) } else { one(a) }).collect();
        parts.join(",")
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = write!(out, "{} --{} {}", if self.invert { " !" } else { "" }, self.field(), self.text(true));
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let _ = write!(out, " multiport {} {}{}", self.field(), if self.invert { " !" } else { "" }, self.text(numeric));
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let Some((s, d)) = cx.any_ports() else { return ("ports".to_owned(), cx.body_seen()) };
        let seen = match field {
            "sports" => s.to_string(),
            "dports" => d.to_string(),
            _ => format!("{s}, {d}"),
        };
        (format!("{}{}", if self.invert { "not " } else { "" }, self.text(true)), seen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]


    use crate::packet::TcpFlags;
    use crate::linux::netfilter::testing::{check, cx, echo, tcp, try_read};

    #[test]
    fn lists_and_ranges() {
        let (t, e) = (tcp(TcpFlags::SYN), echo());
        check("multiport --dports 22,http,1000:2000", "multiport --dports 22,80,1000:2000", &[(cx(&t), ""), (cx(&e), "multiport")]);
        check("multiport --sports 1,2", "multiport --sports 1,2", &[(cx(&t), "sports")]);
        check("multiport ! --ports 40000", "multiport ! --ports 40000", &[(cx(&t), "ports")]);
        assert_eq!(try_read("multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"), Err("too many ports specified".to_owned()));
        assert_eq!(try_read("multiport --ports 5:5"), Err("invalid portrange specified".to_owned()));
    }
}
