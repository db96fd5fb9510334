//! `ip rule`: which route table is asked for which packet.
//!
//! Models: iproute2 6.1 ip/iprule.c, its wording included.

use super::super::answer::Answer;
use super::super::args::{Args, begins, number};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use super::Format;
use super::route::{proto, proto_name, table};
use crate::linux::op::RuleOp;
use crate::linux::rule::{Action, Range, Rule, RuleSpec};
use crate::linux::{Netns, Op};
use crate::packet::{Ipv4Addr, Prefix, Protocol};
use std::fmt::Write as _;

/// Which rules are listed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// `-d`: who installed it.
    pub details: bool,
    /// What they must say; no preference, for it may be a range.
    pub like: RuleSpec<Ipv4Addr>,
    /// Preferences.
    pub prefs: Option<Range<u32>>,
}

pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::Rule(Show { details: format.details, ..Show::default() }))),
        Some(c) if begins(c, "show") || begins(c, "list") || c == "lst" => show(args, format),
        Some(c) if begins(c, "add") => Ok(Command::op(Op::Rule(RuleOp::Add(Box::new(modify(args, true)?))))),
        Some(c) if begins(c, "delete") => Ok(Command::op(Op::Rule(RuleOp::Del(Box::new(modify(args, false)?))))),
        Some(c) if begins(c, "flush") => {
            if !args.is_done() {
                args.next();
                return Err(args.not_simulated("a filter of `ip rule flush`"));
            }
            Ok(Command::op(Op::Rule(RuleOp::Flush)))
        }
        Some(c) if begins(c, "save") || begins(c, "restore") => Err(args.not_simulated(format_args!("`ip rule {c}`"))),
        Some(_) => Err(super::unknown(args, "rule")),
    }
}

fn wrong(args: &Args<'_>, what: &str) -> ShellError {
    args.invalid(format_args!("{what}\n"))
}

fn range<N: Copy + TryFrom<u64> + PartialOrd>(w: &str, max: u64) -> Option<Range<N>> {
    let one = |w: &str| number(w).filter(|n| *n <= max).and_then(|n| N::try_from(n).ok());
    match w.split_once('-') {
        Some((a, b)) => Some((one(a)?, one(b)?)),
        None => one(w).map(|n| (n, n)),
    }
}

/// Protocols by the names of /etc/protocols that one may meet.
const PROTOCOLS: &[(&str, u8)] = &[("icmp", 1), ("ipip", 4), ("tcp", 6), ("udp", 17), ("gre", 47), ("ipv6-icmp", 58), ("sctp", 132)];

fn modify(args: &mut Args<'_>, add: bool) -> Result<RuleSpec<Ipv4Addr>, ShellError> {
    let verb = if add { "add" } else { "del" };
    if args.is_done() {
        return Err(args.end(format!("\"ip rule {verb}\" requires arguments.")));
    }
    let mut s = RuleSpec::default();
    while let Some(word) = args.next() {
        match word {
            "not" => s.not = true,
            w if begins(w, "from") && w.len() > 1 => {
                let (a, l) = args.prefix()?;
                s.from = Some((a, l.unwrap_or(32))).filter(|(_, l)| *l > 0);
            }
            "to" => {
                let (a, l) = args.prefix()?;
                s.to = Some((a, l.unwrap_or(32))).filter(|(_, l)| *l > 0);
            }
            w if w.len() > 1 && (begins(w, "preference") || begins(w, "order") || begins(w, "priority")) => {
                s.pref = Some(args.number(u64::from(u32::MAX), "preference value is invalid\n")? as u32);
            }
            w if w == "tos" || begins(w, "dsfield") && w.len() > 1 => {
                let w = args.need()?;
                let value = u8::from_str_radix(w.trim_start_matches("0x"), 16).ok().filter(|t| t & 3 == 0 || *t <= 0x1e);
                s.tos = value.ok_or_else(|| wrong(args, "TOS value is invalid"))?;
            }
            "fwmark" => {
                let w = args.need()?;
                let (value, mask) = match w.split_once('/') {
                    Some((v, m)) => (number(v), number(m)),
                    None => (number(w), Some(u64::from(u32::MAX))),
                };
                let word = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok());
                let value = word(value).ok_or_else(|| wrong(args, "fwmark value is invalid"))?;
                let mask = word(mask).ok_or_else(|| wrong(args, "fwmask value is invalid"))?;
                s.mark = Some((value, mask));
            }
            w if w == "dev" || w == "iif" => s.iif = Some(name(args, "iif\"/\"dev")?),
            "oif" => s.oif = Some(name(args, "oif")?),
            "uidrange" => {
                let w = args.need()?;
                let found = w.contains('-').then(|| range(w, u64::from(u32::MAX))).flatten();
                s.uids = Some(found.ok_or_else(|| args.invalid("invalid UID range"))?);
            }
            "ipproto" => {
                let w = args.need()?;
                let n = PROTOCOLS.iter().find(|(n, _)| *n == w).map(|(_, p)| *p).or_else(|| number(w).and_then(|n| u8::try_from(n).ok()));
                s.protocol = Some(Protocol(n.ok_or_else(|| args.invalid("Invalid \"ipproto\" value"))?));
            }
            "sport" | "dport" => {
                let w = args.need()?;
                let found = range(w, 65_535).ok_or_else(|| args.invalid("invalid port range"))?;
                *(if word == "sport" { &mut s.sport } else { &mut s.dport }) = Some(found);
            }
            w if begins(w, "table") || begins(w, "lookup") => {
                let w = args.need()?;
                s.action = Some(Action::Lookup(table(w).ok_or_else(|| wrong(args, "invalid table ID"))?));
            }
            w if w == "suppress_prefixlength" || w == "sup_pl" => {
                s.suppress_prefixlength = Some(args.number(255, "suppress_prefixlength value is invalid\n")? as u8);
            }
            w if w == "suppress_ifgroup" || w == "sup_group" => {
                s.suppress_ifgroup = Some(args.number(u64::from(u32::MAX), "suppress_ifgroup value is invalid\n")? as u32);
            }
            w if w == "proto" || begins(w, "protocol") && w.len() > 2 => {
                let w = args.need()?;
                s.proto = Some(proto(w).ok_or_else(|| wrong(args, "\"protocol\" value is invalid"))?);
            }
            "goto" => s.action = Some(Action::Goto(args.number(u64::from(u32::MAX), "invalid target\n")? as u32)),
            "nop" => s.action = Some(Action::Nop),
            "blackhole" => s.action = Some(Action::Blackhole),
            "unreachable" => s.action = Some(Action::Unreachable),
            "prohibit" => s.action = Some(Action::Prohibit),
            "type" => {}
            "l3mdev" | "tun_id" | "nat" | "map-to" | "realms" | "flowlabel" => return Err(args.unsupported()),
            _ => return Err(args.invalid("Failed to parse rule type")),
        }
    }
    if add {
        // what is left out is table main; table 0 is no table
        s.action = match s.action {
            None | Some(Action::Lookup(crate::linux::fib::TableId(0))) => Some(Action::Lookup(crate::linux::fib::TableId::MAIN)),
            given => given,
        };
    }
    Ok(s)
}

fn name(args: &mut Args<'_>, key: &str) -> Result<std::sync::Arc<str>, ShellError> {
    let w = args.need()?;
    if w.is_empty() || w.len() > 15 || w.contains('/') {
        return Err(args.invalid(format_args!("\"{key}\" not a valid ifname")));
    }
    Ok(w.into())
}

fn show(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    let mut s = Show { details: format.details, ..Show::default() };
    while let Some(word) = args.peek() {
        if word.len() > 1 && (begins(word, "preference") || begins(word, "order") || begins(word, "priority")) {
            args.next();
            let w = args.need()?;
            s.prefs = Some(range(w, u64::from(u32::MAX)).ok_or_else(|| args.invalid("invalid priority value\n"))?);
        } else {
            s.like = modify(args, false)?;
        }
    }
    Ok(Command::query(Query::Rule(s)))
}

fn prefix((addr, len): (Ipv4Addr, u8)) -> String {
    if len == 32 { addr.to_string() } else { format!("{addr}/{len}") }
}

fn span<N: std::fmt::Display + PartialEq>((a, b): Range<N>) -> String {
    if a == b { a.to_string() } else { format!("{a}-{b}") }
}

fn protocol_word(p: Protocol) -> String {
    PROTOCOLS.iter().find(|(_, n)| *n == p.0).map_or_else(|| format!("ipproto-{}", p.0), |(n, _)| (*n).to_owned())
}

/// A table by name, as `ip rule` prints it.
fn table_word(id: crate::linux::fib::TableId) -> String {
    id.to_string()
}

/// What a rule says, as `ip rule show` prints it; `known` says whether there is a device of that name, and a rule of that preference.
pub fn line(r: &Rule<Ipv4Addr>, details: bool, device: impl Fn(&str) -> bool, target: impl Fn(u32) -> bool) -> String {
    let s = &r.spec;
    let mut out = format!("{}:\t", r.pref);
    if s.not {
        out.push_str("not ");
    }
    let _ = write!(out, "from {}", s.from.map_or_else(|| "all".to_owned(), prefix));
    if let Some(to) = s.to {
        let _ = write!(out, " to {}", prefix(to));
    }
    if s.tos != 0 {
        let _ = write!(out, " tos {:#04x}", s.tos);
    }
    match s.mark {
        Some((v, u32::MAX)) if v != 0 => {
            let _ = write!(out, " fwmark {v:#x}");
        }
        Some((v, m)) if (v, m) != (0, u32::MAX) => {
            let mask = if m == 0 { "0".to_owned() } else { format!("{m:#x}") };
            let value = if v == 0 { "0".to_owned() } else { format!("{v:#x}") };
            let _ = write!(out, " fwmark {value}/{mask}");
        }
        Some((_, _)) => out.push_str(" fwmark 0"),
        None => {}
    }
    for (key, dev) in [("iif", &s.iif), ("oif", &s.oif)] {
        if let Some(dev) = dev {
            let _ = write!(out, " {key} {dev}{}", if device(dev) { "" } else { " [detached]" });
        }
    }
    if let Some((a, b)) = s.uids {
        let _ = write!(out, " uidrange {a}-{b}");
    }
    if let Some(p) = s.protocol {
        let _ = write!(out, " ipproto {}", protocol_word(p));
    }
    if let Some(r) = s.sport {
        let _ = write!(out, " sport {}", span(r));
    }
    if let Some(r) = s.dport {
        let _ = write!(out, " dport {}", span(r));
    }
    match s.does() {
        Action::Lookup(id) => {
            let _ = write!(out, " lookup {}", table_word(id));
            if let Some(n) = s.suppress_prefixlength {
                let _ = write!(out, " suppress_prefixlength {n}");
            }
            if let Some(n) = s.suppress_ifgroup {
                let _ = write!(out, " suppress_ifgroup {n}");
            }
        }
        Action::Goto(n) => {
            let _ = write!(out, " goto {n}{}", if target(n) { "" } else { " [unresolved]" });
        }
        Action::Nop => out.push_str(" nop"),
        Action::Blackhole => out.push_str(" blackhole"),
        Action::Unreachable => out.push_str(" unreachable"),
        Action::Prohibit => out.push_str(" prohibit"),
    }
    match s.proto {
        Some(p) if details || p != crate::linux::fib::RouteProto::KERNEL => {
            let _ = write!(out, " proto {}", proto_name(p));
        }
        None if details => out.push_str(" proto unspec"),
        _ => {}
    }
    out
}

/// Answers `ip rule show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show) -> Answer {
    let rules = &ns.config.fib.rules;
    let like = &show.like;
    let wanted = |r: &&Rule<Ipv4Addr>| {
        let s = &r.spec;
        let range = |want: Option<(Ipv4Addr, u8)>, have: Option<(Ipv4Addr, u8)>| {
            want.is_none_or(|(a, l)| have.is_some_and(|(b, m)| m >= l && Prefix::new(a, l).contains(b)))
        };
        show.prefs.is_none_or(|(a, b)| (a..=b).contains(&r.pref))
            && (!like.not || s.not)
            && like.pref.is_none_or(|p| p == r.pref)
            && like.action.is_none_or(|a| a == s.does())
            && range(like.from, s.from)
            && range(like.to, s.to)
            && (like.tos == 0 || like.tos == s.tos)
            && (like.mark.is_none() || like.mark == s.mark)
            && (like.iif.is_none() || like.iif == s.iif)
            && (like.oif.is_none() || like.oif == s.oif)
            && (like.protocol.is_none() || like.protocol == s.protocol)
            && (like.sport.is_none() || like.sport == s.sport)
            && (like.dport.is_none() || like.dport == s.dport)
    };
    let device = |n: &str| ns.config.devices.by_name(n).is_some();
    let target = |n: u32| rules.list().iter().any(|r| r.pref == n);
    Answer::printed(rules.list().iter().filter(wanted).map(|r| line(r, show.details, device, target) + "\n").collect())
}

/// The command that makes a change.
pub(in crate::shell) fn print(op: &RuleOp) -> String {
    let (verb, s) = match op {
        RuleOp::Flush => return "ip rule flush".to_owned(),
        RuleOp::Add(s) => ("add", s),
        RuleOp::Del(s) => ("del", s),
    };
    let mut out = format!("ip rule {verb}");
    if s.not {
        out.push_str(" not");
    }
    if let Some(p) = s.pref {
        let _ = write!(out, " pref {p}");
    }
    for (key, range) in [("from", s.from), ("to", s.to)] {
        if let Some((a, l)) = range {
            let _ = write!(out, " {key} {a}/{l}");
        }
    }
    if s.tos != 0 {
        let _ = write!(out, " tos {:#x}", s.tos);
    }
    if let Some((v, m)) = s.mark {
        let _ = write!(out, " fwmark {v:#x}/{m:#x}");
    }
    for (key, dev) in [("iif", &s.iif), ("oif", &s.oif)] {
        if let Some(dev) = dev {
            let _ = write!(out, " {key} {}", quote(dev));
        }
    }
    if let Some((a, b)) = s.uids {
        let _ = write!(out, " uidrange {a}-{b}");
    }
    if let Some(p) = s.protocol {
        let _ = write!(out, " ipproto {}", p.0);
    }
    for (key, ports) in [("sport", s.sport), ("dport", s.dport)] {
        if let Some(r) = ports {
            let _ = write!(out, " {key} {}", span(r));
        }
    }
    match s.action {
        Some(Action::Lookup(id)) => {
            let _ = write!(out, " lookup {id}");
        }
        Some(Action::Goto(n)) => {
            let _ = write!(out, " goto {n}");
        }
        Some(Action::Nop) => out.push_str(" nop"),
        Some(Action::Blackhole) => out.push_str(" blackhole"),
        Some(Action::Unreachable) => out.push_str(" unreachable"),
        Some(Action::Prohibit) => out.push_str(" prohibit"),
        None => {}
    }
    if let Some(n) = s.suppress_prefixlength {
        let _ = write!(out, " suppress_prefixlength {n}");
    }
    if let Some(n) = s.suppress_ifgroup {
        let _ = write!(out, " suppress_ifgroup {n}");
    }
    if let Some(p) = s.proto {
        let _ = write!(out, " protocol {}", p.0);
    }
    out
}
