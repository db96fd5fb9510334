//! `-m tcp`: ports, control bits and options of a TCP segment.
//!
//! Models: net/netfilter/xt_tcpudp.c tcp_mt, iptables extensions/libxt_tcp.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, Ports, number, service_name};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::{Body, Family, Protocol, TcpFlags};
use std::fmt::Write as _;

/// What is asked of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tcp {
    /// `--sport`.
    pub sport: Ports,
    /// `--dport`.
    pub dport: Ports,
    /// `--tcp-flags`, `--syn`.
    pub flags: Option<FlagMatch>,
    /// `--tcp-option`: the kind of an option that must be there, and `!`.
    pub option: Option<(u8, bool)>,
}

/// Control bits to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagMatch {
    /// Bits that are looked at.
    pub mask: TcpFlags,
    /// Those of them that must be set.
    pub comp: TcpFlags,
    /// `!`.
    pub invert: bool,
}

const FLAGS: [(&str, TcpFlags); 6] = [
    ("FIN", TcpFlags::FIN),
    ("SYN", TcpFlags::SYN),
    ("RST", TcpFlags::RST),
    ("PSH", TcpFlags::PSH),
    ("ACK", TcpFlags::ACK),
    ("URG", TcpFlags::URG),
];

/// FIN, SYN, RST, ACK: what `--syn` looks at.
const SYN_MASK: TcpFlags = TcpFlags(0x17);

fn parse_flags(s: &str) -> Result<TcpFlags, OptError> {
    let mut flags = TcpFlags(0);
    for name in s.split(',').filter(|n| !n.is_empty()) {
        flags = flags.with(match FLAGS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, f)) => *f,
            None if name.eq_ignore_ascii_case("ALL") => TcpFlags(0x3f),
            None if name.eq_ignore_ascii_case("NONE") => TcpFlags(0),
            None => return Err(OptError::parameter(format!("Unknown TCP flag `{name}'"))),
        });
    }
    Ok(flags)
}

fn flag_names(flags: TcpFlags) -> String {
    let names: Vec<_> = FLAGS.iter().filter(|(_, f)| flags.has(*f)).map(|(n, _)| *n).collect();
    if names.is_empty() { "NONE".to_owned() } else { names.join(",") }
}

impl Tcp {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["source-port", "sport"]).inv(),
        Opt::one(&["destination-port", "dport"]).inv(),
        Opt::flag(&["syn"]).inv(),
        Opt { args: 2, ..Opt::one(&["tcp-flags"]).inv() },
        Opt::one(&["tcp-option"]).inv(),
    ];

    /// A match of one destination port.
    pub fn dport(port: u16) -> Tcp {
        Tcp { dport: Ports { min: port, max: port, invert: false }, ..Tcp::default() }
    }

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.sport = Ports::parse(args[0], invert)?,
            1 => self.dport = Ports::parse(args[0], invert)?,
            2 | 3 if self.flags.is_some() => {
                return Err(OptError::parameter("Only one of `--syn' or `--tcp-flags'  allowed"));
            }
            2 => self.flags = Some(FlagMatch { mask: SYN_MASK, comp: TcpFlags::SYN, invert }),
            3 => {
                let (mask, comp) = (parse_flags(args[0])?, parse_flags(args[1])?);
                // Nothing looked at and nothing wanted is no match at all.
                self.flags = (mask.0 | comp.0 != 0).then_some(FlagMatch { mask, comp, invert });
            }
            _ => {
                let kind = number(args[0], 255).filter(|k| *k >= 1);
                let kind = kind.ok_or_else(|| OptError::parameter(format!("Bad TCP option `{}'", args[0])))?;
                self.option = Some((kind as u8, invert));
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, rule: &RuleSpec) -> Result<(), OptError> {
        match rule.protocol {
            Some(p) if p.protocol == Protocol::TCP && !p.invert => Ok(()),
            _ => Err(OptError::parameter("TCP match requires '-p tcp'")),
        }
    }

    #[inline]
    pub(super) fn eval(&self, cx: &MatchCx<'_>) -> Result<(), Field> {
        let Some((sport, dport)) = cx.ports(Protocol::TCP) else { return Err("tcp") };
        if !self.sport.holds(sport) {
            return Err("sport");
        }
        if !self.dport.holds(dport) {
            return Err("dport");
        }
        if let Some(f) = self.flags {
            let Some(flags) = cx.tcp_flags() else { return Err("tcp") };
            if (flags.0 & f.mask.0 == f.comp.0) == f.invert {
                return Err("tcp-flags");
            }
        }
        if let Some((kind, invert)) = self.option
            && has_option(cx, kind) == invert
        {
            return Err("tcp-option");
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        self.sport.save("sport", out);
        self.dport.save("dport", out);
        if let Some((kind, invert)) = self.option {
            let _ = write!(out, "{} --tcp-option {kind}", if invert { " !" } else { "" });
        }
        if let Some(f) = self.flags {
            let not = if f.invert { " !" } else { "" };
            let _ = write!(out, "{not} --tcp-flags {} {}", flag_names(f.mask), flag_names(f.comp));
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        out.push_str(" tcp");
        list_ports(self.sport, "spt", numeric, out);
        list_ports(self.dport, "dpt", numeric, out);
        if let Some((kind, invert)) = self.option {
            let _ = write!(out, " option={}{kind}", if invert { "!" } else { "" });
        }
        if let Some(f) = self.flags {
            let not = if f.invert { "!" } else { "" };
            if numeric {
                let _ = write!(out, " flags:{not}0x{:02X}/0x{:02X}", f.mask.0, f.comp.0);
            } else {
                let _ = write!(out, " flags:{not}{}/{}", flag_names(f.mask), flag_names(f.comp));
            }
        }
    }

    pub(super) fn explain(&self, field: Field, cx: &MatchCx<'_>) -> (String, String) {
        let ports = cx.ports(Protocol::TCP).unwrap_or_default();
        match field {
            "sport" => (wanted_ports(self.sport), ports.0.to_string()),
            "dport" => (wanted_ports(self.dport), ports.1.to_string()),
            "tcp-flags" => {
                let f = self.flags.unwrap_or(FlagMatch { mask: SYN_MASK, comp: TcpFlags::SYN, invert: false });
                let not = if f.invert { "not " } else { "" };
                let seen = flag_names(TcpFlags(cx.tcp_flags().unwrap_or_default().0 & 0x3f));
                (format!("{not}{} of {}", flag_names(f.comp), flag_names(f.mask)), seen)
            }
            "tcp-option" => {
                let (kind, invert) = self.option.unwrap_or_default();
                (format!("{}option {kind}", if invert { "no " } else { "" }), if invert { "there" } else { "not there" }.to_owned())
            }
            _ => ("a TCP header".to_owned(), cx.body_seen()),
        }
    }
}

/// What a range of ports wants, in words.
pub(super) fn wanted_ports(p: Ports) -> String {
    format!("{}{p}", if p.invert { "not " } else { "" })
}

/// ` dpt:80`, ` dpts:80:90`, ` dpt:!80`, with names unless `numeric`.
pub(super) fn list_ports(p: Ports, name: &str, numeric: bool, out: &mut String) {
    if p.any() {
        return;
    }
    let one = |n: u16| match service_name(n) {
        Some(s) if !numeric => s.to_owned(),
        _ => n.to_string(),
    };
    let not = if p.invert { "!" } else { "" };
    if p.min == p.max {
        let _ = write!(out, " {name}:{not}{}", one(p.min));
    } else {
        let _ = write!(out, " {name}s:{not}{}:{}", one(p.min), one(p.max));
    }
}

/// Whether the segment carries an option of that kind.
fn has_option(cx: &MatchCx<'_>, kind: u8) -> bool {
    let Body::Tcp(t) = cx.body else { return false };
    let bytes = t.options.0.as_deref().unwrap_or_default();
    let mut at = 0;
    while let Some(&k) = bytes.get(at) {
        if k == kind {
            return true;
        }
        // Kinds 0 and 1 are one byte long, as the kernel counts them.
        at += if k < 2 { 1 } else { usize::from(bytes.get(at + 1).copied().unwrap_or(0)).max(1) };
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, fragment, tcp, try_read, udp};

    #[test]
    fn ports_flags_and_options() {
        let syn = tcp(TcpFlags::SYN);
        let ack = tcp(TcpFlags::ACK);
        let u = udp();
        check("tcp --dport 80", "tcp --dport 80", &[(cx(&syn), ""), (cx(&u), "tcp")]);
        check("tcp --destination-port 81", "tcp --dport 81", &[(cx(&syn), "dport")]);
        check("tcp ! --dport http", "tcp ! --dport 80", &[(cx(&syn), "dport")]);
        check("tcp --sport 1024: --dport :100", "tcp --sport 1024:65535 --dport 0:100", &[(cx(&syn), "")]);
        check("tcp ! --sport 30000:50000", "tcp ! --sport 30000:50000", &[(cx(&syn), "sport")]);
        check("tcp --syn", "tcp --tcp-flags FIN,SYN,RST,ACK SYN", &[(cx(&syn), ""), (cx(&ack), "tcp-flags")]);
        check("tcp ! --syn", "tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", &[(cx(&syn), "tcp-flags"), (cx(&ack), "")]);
        check("tcp --tcp-flags all none", "tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE", &[(cx(&syn), "tcp-flags")]);
        check("tcp --tcp-option 3", "tcp --tcp-option 3", &[(cx(&syn), "")]);
        check("tcp ! --tcp-option 2", "tcp ! --tcp-option 2", &[(cx(&syn), "tcp-option")]);
        check("tcp --tcp-option 8", "tcp --tcp-option 8", &[(cx(&syn), "tcp-option")]);
    }

    #[test]
    fn only_a_first_fragment_has_ports() {
        let (first, later) = (fragment(0), fragment(8));
        check("tcp --dport 80 --syn", "tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN", &[(cx(&first), ""), (cx(&later), "tcp")]);
    }

    #[test]
    fn refused() {
        assert_eq!(try_read("tcp --dport 90:80"), Err("invalid portrange (min > max)".to_owned()));
        assert_eq!(try_read("tcp --dport 65536"), Err("invalid port/service `65536' specified".to_owned()));
        assert_eq!(try_read("tcp --syn --tcp-flags SYN SYN"), Err("Only one of `--syn' or `--tcp-flags'  allowed".to_owned()));
        assert_eq!(try_read("tcp --tcp-flags FOO SYN"), Err("Unknown TCP flag `FOO'".to_owned()));
    }
}
