//! `ip neigh`: the neighbour cache.
//!
//! Models: iproute2 6.1 ip/ipneigh.c. Simplifies: the list is sorted by device and address.

use super::super::answer::Answer;
use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use super::Format;
use crate::linux::neighbour::{Neighbour, NudState};
use crate::linux::op::NeighOp;
use crate::linux::op::neigh::NeighVerb;
use crate::linux::{Netns, Op, Time};
use crate::packet::{Ipv4Addr, Prefix};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>, format: Format) -> Result<Command, ShellError> {
    let stats = format.stats;
    let shown = |show: Show| Command::query(Query::Neigh(Show { stats, ..show }));
    match args.next() {
        None => Ok(shown(Show::default())),
        Some(c) if begins(c, "add") => set(args, NeighVerb::Add),
        Some(c) if begins(c, "change") || c == "chg" => set(args, NeighVerb::Change),
        Some(c) if begins(c, "replace") => set(args, NeighVerb::Replace),
        Some(c) if begins(c, "delete") => {
            let w = words(args)?;
            Ok(Command::op(Op::Neigh(match w.proxy {
                true => NeighOp::Proxy { dev: w.dev, addr: w.addr, add: false },
                false => NeighOp::Del { dev: w.dev, addr: w.addr },
            })))
        }
        Some(c) if begins(c, "get") => {
            let w = words(args)?;
            Ok(shown(Show { dev: Some(w.dev), get: true, to: Some(Prefix::host(w.addr)), ..Show::default() }))
        }
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => Ok(shown(Show::parse(args)?)),
        Some(c) if begins(c, "flush") => flush(args),
        Some(_) => Err(super::unknown(args, "neigh")),
    }
}

/// A state by name.
fn nud(w: &str) -> Option<NudState> {
    Some(match w {
        "permanent" => NudState::Permanent,
        "reachable" => NudState::Reachable,
        "noarp" => NudState::Noarp,
        "none" => NudState::None,
        "stale" => NudState::Stale,
        "incomplete" => NudState::Incomplete,
        "delay" => NudState::Delay,
        "probe" => NudState::Probe,
        "failed" => NudState::Failed,
        _ => return None,
    })
}

struct Words {
    dev: Arc<str>,
    addr: Ipv4Addr,
    mac: Option<crate::packet::Mac>,
    state: Option<NudState>,
    proxy: bool,
    used: bool,
}

fn words(args: &mut Args<'_>) -> Result<Words, ShellError> {
    let (mut dev, mut addr, mut mac, mut state, mut proxy, mut used) = (None, None, None, None, false, false);
    while let Some(word) = args.next() {
        match word {
            "lladdr" => mac = Some(args.lladdr()?),
            "nud" => {
                let w = args.need()?;
                state = Some(nud(w).ok_or_else(|| args.invalid("nud state is bad"))?);
            }
            "dev" => dev = Some(Arc::from(args.need()?)),
            "use" => used = true,
            "router" | "managed" | "extern_learn" | "protocol" => return Err(args.unsupported()),
            w => {
                if w == "to" || w == "proxy" {
                    proxy |= w == "proxy";
                    args.need()?;
                }
                if addr.is_some() {
                    return Err(args.garbage("to"));
                }
                args.back();
                let refused = args.peek().map(|w| format!("Error: any valid address is expected rather than \"{w}\".")).unwrap_or_default();
                addr = Some(args.addr().map_err(|e| if e.not_simulated { e } else { args.error_status(refused, 1) })?);
            }
        }
    }
    match (dev, addr) {
        (Some(dev), Some(addr)) => Ok(Words { dev, addr, mac, state, proxy, used }),
        _ => Err(args.end("Device and destination are required arguments.")),
    }
}

fn set(args: &mut Args<'_>, verb: NeighVerb) -> Result<Command, ShellError> {
    let w = words(args)?;
    if w.proxy {
        return Ok(Command::op(Op::Neigh(NeighOp::Proxy { dev: w.dev, addr: w.addr, add: true })));
    }
    if w.used {
        if w.mac.is_some() || w.state.is_some() {
            return Err(args.not_simulated("`use` beside `lladdr` or `nud`"));
        }
        return Ok(Command::op(Op::Neigh(NeighOp::Use { dev: w.dev, addr: w.addr })));
    }
    Ok(Command::op(Op::Neigh(NeighOp::Set { verb, dev: w.dev, addr: w.addr, mac: w.mac, state: w.state })))
}

fn flush(args: &mut Args<'_>) -> Result<Command, ShellError> {
    if args.is_done() {
        return Err(args.error_status("Flush requires arguments.", 1));
    }
    let dev = match args.need()? {
        "all" => None,
        "dev" => Some(Arc::from(args.need()?)),
        _ => return Err(args.unsupported()),
    };
    if !args.is_done() {
        args.next();
        return Err(args.unsupported());
    }
    Ok(Command::op(Op::Neigh(NeighOp::Flush { dev })))
}

/// The command of a change.
pub(in crate::shell) fn print(op: &NeighOp) -> String {
    match op {
        NeighOp::Set { verb, dev, addr, mac, state } => {
            let verb = match verb {
                NeighVerb::Add => "add",
                NeighVerb::Change => "change",
                NeighVerb::Replace => "replace",
            };
            let mut line = format!("ip neigh {verb} {addr}");
            if let Some(m) = mac {
                let _ = write!(line, " lladdr {m}");
            }
            let _ = write!(line, " dev {}", quote(dev));
            if let Some(s) = state {
                let _ = write!(line, " nud {}", s.name().to_ascii_lowercase());
            }
            line
        }
        NeighOp::Del { dev, addr } => format!("ip neigh del {addr} dev {}", quote(dev)),
        NeighOp::Proxy { dev, addr, add } => format!("ip neigh {} proxy {addr} dev {}", if *add { "add" } else { "del" }, quote(dev)),
        NeighOp::Use { dev, addr } => format!("ip neigh replace {addr} dev {} use", quote(dev)),
        NeighOp::Flush { dev: Some(dev) } => format!("ip neigh flush dev {}", quote(dev)),
        NeighOp::Flush { dev: None } => "ip neigh flush all".to_owned(),
    }
}

/// What `ip neigh show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// Only entries of that device.
    pub dev: Option<Arc<str>>,
    /// Only entries in that range.
    pub to: Option<Prefix<Ipv4Addr>>,
    /// Only entries in one of those states; none for all but NONE and NOARP.
    pub states: Vec<NudState>,
    /// `nud all`.
    pub all: bool,
    /// `ip neigh get`: that entry must be there.
    pub get: bool,
    /// `proxy`: the addresses that this host answers for.
    pub proxy: bool,
    /// `-s`: times and requests too.
    pub stats: bool,
}

impl Show {
    fn parse(args: &mut Args<'_>) -> Result<Show, ShellError> {
        let mut s = Show::default();
        while let Some(word) = args.next() {
            match word {
                "dev" => s.dev = Some(args.need()?.into()),
                "nud" => {
                    let w = args.need()?;
                    if w == "all" {
                        s.all = true;
                    } else {
                        s.states.push(nud(w).ok_or_else(|| args.invalid("nud state is bad"))?);
                    }
                }
                "proxy" => s.proxy = true,
                "unused" | "vrf" | "nomaster" | "master" => return Err(args.unsupported()),
                w => {
                    if w != "to" {
                        args.back();
                    }
                    let (a, l) = args.prefix()?;
                    s.to = Some(Prefix::new(a, l.unwrap_or(32)));
                }
            }
        }
        Ok(s)
    }

    fn wants(&self, n: &Neighbour<Ipv4Addr>) -> bool {
        let state = match self.states.as_slice() {
            [] => self.all || self.get || !matches!(n.state, NudState::None | NudState::Noarp),
            some => self.all || some.contains(&n.state),
        };
        state && self.to.is_none_or(|p| p.contains(n.addr))
    }
}

/// Answers `ip neigh show` and `ip neigh get`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show, now: Time) -> Answer {
    let dev = match show.dev.as_deref() {
        Some(name) => match ns.config.devices.by_name(name) {
            Some(d) => Some(d.index),
            None => return Answer::failed(format!("Cannot find device \"{name}\""), 1),
        },
        None => None,
    };
    let mut out = String::new();
    if show.proxy {
        let wanted = ns.neigh.proxies.iter().filter(|(d, a)| dev.is_none_or(|w| w == *d) && show.to.is_none_or(|p| p.contains(*a)));
        for (d, addr) in wanted {
            let _ = write!(out, "{addr} ");
            if show.dev.is_none() {
                let _ = write!(out, "dev {} ", ns.config.devices.name(*d));
            }
            out.push_str("proxy \n");
        }
        return Answer::printed(out);
    }
    for n in ns.neigh.sorted().into_iter().filter(|n| dev.is_none_or(|d| d == n.dev) && show.wants(n)) {
        let _ = write!(out, "{} ", n.addr);
        if show.dev.is_none() || show.get {
            let _ = write!(out, "dev {} ", ns.config.devices.name(n.dev));
        }
        if n.state.is_valid() {
            let _ = write!(out, "lladdr {} ", n.mac);
        }
        if show.stats {
            let ago = |t: Time| now.since(t).as_secs();
            // an entry that was never confirmed counts from twice the base reachable time before its birth
            let base = ns.config.devices.get(n.dev).map_or(30_000, |d| d.neigh.base_reachable_time_ms);
            let confirmed = if n.confirmed == Time::ZERO { ago(n.updated) + u64::from(base) / 500 } else { ago(n.confirmed) };
            let _ = write!(out, " used {}/{confirmed}/{}probes {} ", ago(n.used), ago(n.updated), n.probes);
        }
        if n.state != NudState::None {
            let _ = write!(out, "{} ", n.state.name());
        }
        out.push('\n');
    }
    if show.get && out.is_empty() {
        return Answer::failed("Error: Neighbour entry not found.", 2);
    }
    Answer::printed(out)
}
