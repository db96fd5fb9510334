//! `ip address`.
//!
//! Models: iproute2 6.1 ip/ipaddress.c ipaddr_modify, print_addrinfo.

use super::super::answer::{Answer, Surroundings};
use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use super::{Format, link};
use crate::linux::device::{IfAddr, Scope};
use crate::linux::op::AddrOp;
use crate::linux::op::addr::Broadcast;
use crate::linux::{Netns, Op};
use crate::packet::{Ipv4Addr, Ipv6Addr, Prefix};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    let shown = |link| Ok(Command::query(Query::Addr(Show { link, ..Show::default() })));
    match args.next() {
        None => shown(link::Show { format, ..link::Show::default() }),
        Some(c) if begins(c, "add") => modify(args, Verb::Add),
        Some(c) if begins(c, "change") || c == "chg" || begins(c, "replace") => modify(args, Verb::Replace),
        Some(c) if begins(c, "delete") => modify(args, Verb::Del),
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => Ok(Command::query(Query::Addr(Show::parse(args, format)?))),
        Some(c) if begins(c, "flush") => flush(args),
        Some(c) if begins(c, "save") || begins(c, "restore") => Err(args.unsupported()),
        Some(_) => Err(super::unknown(args, "address")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Del,
}

/// A scope by name or number.
pub(super) fn scope(w: &str) -> Option<Scope> {
    Some(match w {
        "global" | "universe" | "0" => Scope::Universe,
        "site" | "200" => Scope::Site,
        "link" | "253" => Scope::Link,
        "host" | "254" => Scope::Host,
        "nowhere" | "255" => Scope::Nowhere,
        _ => return None,
    })
}

fn modify(args: &mut Args<'_>, verb: Verb) -> Result<Command, ShellError> {
    let mut local: Option<(Ipv4Addr, Option<u8>)> = None;
    let (mut dev, mut peer, mut broadcast, mut scoped, mut noprefixroute) = (None, None, None, None, false);
    while let Some(word) = args.next() {
        match word {
            "peer" | "remote" => {
                let w = args.need()?;
                if peer.is_some() {
                    return Err(args.duplicate("peer"));
                }
                args.back();
                let refused = args.error_status(format!("Error: inet prefix is expected rather than \"{w}\"."), 1);
                peer = Some(args.prefix().map_err(|e| if e.not_simulated { e } else { refused })?);
            }
            "broadcast" | "brd" => {
                if broadcast.is_some() {
                    return Err(args.duplicate("broadcast"));
                }
                broadcast = Some(match args.peek() {
                    Some("+") => {
                        args.next();
                        Broadcast::Computed
                    }
                    Some("-") => {
                        args.next();
                        return Err(args.not_simulated("`brd -`, the lowest address as broadcast address"));
                    }
                    _ => Broadcast::Addr(args.addr()?),
                });
            }
            "scope" => {
                let w = args.need()?;
                scoped = Some(scope(w).ok_or_else(|| args.invalid("invalid scope value."))?);
            }
            "dev" => dev = Some(Arc::from(args.need()?)),
            "noprefixroute" => noprefixroute = true,
            "label" | "metric" | "priority" | "preference" | "valid_lft" | "preferred_lft" | "anycast" | "home" | "mngtmpaddr"
            | "nodad" | "optimistic" | "autojoin" | "proto" | "temporary" | "secondary" => return Err(args.unsupported()),
            w => {
                if w == "local" {
                    args.need()?;
                }
                if local.is_some() {
                    return Err(args.garbage("local"));
                }
                args.back();
                local = Some(args.prefix()?);
            }
        }
    }
    let Some(dev) = dev else {
        let mut e = args.end("Not enough information: \"dev\" argument is required.");
        e.status = 1;
        return Err(e);
    };
    let Some((a, len)) = local else {
        let mut e = args.end("RTNETLINK answers: Operation not supported").help("an address is missing");
        e.status = 2;
        return Err(e);
    };
    let range = match peer {
        Some((p, l)) => Prefix::new(p, l.or(len).unwrap_or(32)),
        None => Prefix::new(a, len.unwrap_or(32)),
    };
    let peer = peer.map(|(p, _)| p).filter(|p| *p != a);
    let op = match verb {
        Verb::Del => {
            if peer.is_none() && (broadcast.is_some() || scoped.is_some() || noprefixroute) {
                return Err(args.not_simulated("more than an address in `ip addr del`"));
            }
            AddrOp::Del { dev, local: a, prefix: (len.is_some() || peer.is_some()).then_some(range) }
        }
        Verb::Add | Verb::Replace => {
            AddrOp::Add { dev, local: a, prefix: range, peer, broadcast, scope: scoped, noprefixroute, replace: verb == Verb::Replace }
        }
    };
    Ok(Command::op(Op::Addr(op)))
}

fn flush(args: &mut Args<'_>) -> Result<Command, ShellError> {
    if args.is_done() {
        return Err(args.error_status("Flush requires arguments.", 1));
    }
    args.take("dev");
    let dev = args.need()?.into();
    if !args.is_done() {
        args.next();
        return Err(args.unsupported());
    }
    Ok(Command::op(Op::Addr(AddrOp::Flush { dev })))
}

/// The command of a change.
pub(in crate::shell) fn print(op: &AddrOp) -> String {
    match op {
        AddrOp::Add { dev, local, prefix, peer, broadcast, scope, noprefixroute, replace } => {
            let verb = if *replace { "replace" } else { "add" };
            let mut line = match peer {
                Some(p) => format!("ip addr {verb} {local} peer {p}/{}", prefix.len()),
                None => format!("ip addr {verb} {local}/{}", prefix.len()),
            };
            match broadcast {
                Some(Broadcast::Computed) => line.push_str(" brd +"),
                Some(Broadcast::Addr(a)) => {
                    let _ = write!(line, " brd {a}");
                }
                None => {}
            }
            let _ = write!(line, " dev {}", quote(dev));
            if let Some(s) = scope {
                let _ = write!(line, " scope {}", s.name());
            }
            if *noprefixroute {
                line.push_str(" noprefixroute");
            }
            line
        }
        AddrOp::Del { dev, local, prefix } => match prefix {
            Some(p) if p.contains(*local) => format!("ip addr del {local}/{} dev {}", p.len(), quote(dev)),
            Some(p) => format!("ip addr del {local} peer {p} dev {}", quote(dev)),
            None => format!("ip addr del {local} dev {}", quote(dev)),
        },
        AddrOp::Flush { dev } => format!("ip addr flush dev {}", quote(dev)),
    }
}

/// What `ip address show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// Which devices, and how to print.
    pub link: link::Show,
    /// Only addresses of that scope.
    pub scope: Option<Scope>,
    /// Only addresses in that range.
    pub to: Option<Prefix<Ipv4Addr>>,
}

impl Show {
    fn parse(args: &mut Args<'_>, format: Format) -> Result<Show, ShellError> {
        let mut show = Show { link: link::Show { format, ..link::Show::default() }, ..Show::default() };
        while let Some(word) = args.next() {
            match word {
                "up" => show.link.up = true,
                "master" => show.link.master = Some(args.need()?.into()),
                "type" => show.link.kind = Some(args.need()?.into()),
                "scope" => {
                    let w = args.need()?;
                    show.scope = Some(scope(w).ok_or_else(|| args.invalid("invalid \"scope\""))?);
                }
                "to" => {
                    let (a, l) = args.prefix()?;
                    show.to = Some(Prefix::new(a, l.unwrap_or(32)));
                }
                "group" | "vrf" | "label" | "permanent" | "dynamic" | "secondary" | "primary" | "tentative" | "deprecated"
                | "dadfailed" | "temporary" | "nomaster" => return Err(args.unsupported()),
                w => {
                    if w == "dev" {
                        args.need()?;
                    }
                    if show.link.dev.is_some() {
                        return Err(args.garbage("dev"));
                    }
                    args.back();
                    show.link.dev = args.next().map(Into::into);
                }
            }
        }
        Ok(show)
    }

    fn wants(&self, a: &IfAddr<Ipv4Addr>) -> bool {
        self.scope.is_none_or(|s| s == a.scope) && self.to.is_none_or(|p| p.contains(a.local))
    }
}

fn line(a: &IfAddr<Ipv4Addr>, dev: &str) -> String {
    let mut out = match a.peer {
        Some(p) => format!("inet {} peer {p}/{}", a.local, a.prefix.len()),
        None => format!("inet {}/{}", a.local, a.prefix.len()),
    };
    if let Some(b) = a.broadcast {
        let _ = write!(out, " brd {b}");
    }
    let _ = write!(out, " scope {}", a.scope.name());
    if a.secondary {
        out.push_str(" secondary");
    }
    if a.noprefixroute {
        out.push_str(" noprefixroute");
    }
    let _ = write!(out, " {dev}");
    out
}

/// Answers `ip address show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show, around: &dyn Surroundings) -> Answer {
    let devices = match show.link.devices(ns) {
        Ok(d) => d,
        Err(e) => return e,
    };
    let format = show.link.format;
    let no_link = format.inet_only || show.to.is_some();
    let mut out = String::new();
    for d in devices {
        let addrs: Vec<&IfAddr<Ipv4Addr>> = d.addrs.iter().filter(|a| show.wants(a)).collect();
        // A device without any address is shown unless a family is asked for; one with others than those asked for is not.
        let both = !format.inet_only && show.to.is_none();
        let addrs6: Vec<&IfAddr<Ipv6Addr>> = d.addrs6.iter().filter(|a| both && show.scope.is_none_or(|s| s == a.scope)).collect();
        if addrs.is_empty() && addrs6.is_empty() && (no_link || !d.addrs.is_empty()) {
            continue;
        }
        if format.brief {
            out.push_str(&link::brief(ns, d, around));
            for a in addrs {
                match a.peer {
                    Some(p) => {
                        let _ = write!(out, "{} peer {p}/{} ", a.local, a.prefix.len());
                    }
                    None => {
                        let _ = write!(out, "{}/{} ", a.local, a.prefix.len());
                    }
                }
            }
            for a in addrs6 {
                let _ = write!(out, "{}/{} ", a.local, a.prefix.len());
            }
            out.push('\n');
            continue;
        }
        if format.oneline {
            for a in addrs {
                let _ = writeln!(out, "{}: {}    {}\\       valid_lft forever preferred_lft forever", d.index.0, d.name, line(a, &d.name));
            }
            continue;
        }
        let (first, second) = link::lines(ns, d, around, false);
        let _ = writeln!(out, "{first}");
        if !no_link {
            let _ = writeln!(out, "{second}");
        }
        for a in addrs {
            let _ = writeln!(out, "    {}\n       valid_lft forever preferred_lft forever", line(a, &d.name));
        }
        for a in addrs6 {
            let _ = writeln!(out, "    {} \n       valid_lft forever preferred_lft forever", super::inet6::line(a));
        }
    }
    Answer::printed(out)
}
