//! `bridge fdb`: forwarding databases.
//!
//! Models: iproute2 6.1 bridge/fdb.c. Simplifies: the address lists of the devices themselves (`self`), mostly groups, are not kept.

use super::super::answer::Answer;
use super::super::args::{Args, begins};
use super::super::lex::quote;
use super::super::{Command, OpIn, Query, ShellError};
use crate::linux::device::{Device, DeviceKind};
use crate::linux::op::neigh::FdbKind;
use crate::linux::op::{FdbOp, RemoteOp, RemoteVerb};
use crate::linux::vxlan_fdb::{EntryState, VxlanEntry};
use crate::linux::{Netns, Op, Time};
use crate::packet::Mac;
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::Fdb(Show::default()))),
        Some(c) if begins(c, "add") => set(args, RemoteVerb::Add),
        Some(c) if begins(c, "append") => set(args, RemoteVerb::Append),
        Some(c) if begins(c, "replace") => set(args, RemoteVerb::Replace),
        Some(c) if begins(c, "delete") => {
            let w = words(args)?;
            if w.remote.dst.is_some() {
                return Ok(Command::op(Op::Fdb(FdbOp::Remote(RemoteOp { verb: RemoteVerb::Del, ..w.remote }))));
            }
            Ok(Command::op(Op::Fdb(FdbOp::Del { dev: w.dev, mac: w.mac, master: w.master, vlan: w.vlan })))
        }
        Some(c) if begins(c, "get") || begins(c, "flush") => Err(args.unsupported()),
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => Ok(Command::query(Query::Fdb(Show::parse(args)?))),
        Some(c) => Err(args.error(format!("Command \"{c}\" is unknown, try \"bridge fdb help\"."))),
    }
}

struct Words {
    dev: Arc<str>,
    mac: Mac,
    kind: FdbKind,
    master: bool,
    own: bool,
    vlan: Option<u16>,
    remote: RemoteOp,
}

fn words(args: &mut Args<'_>) -> Result<Words, ShellError> {
    let (mut dev, mut mac, mut kind, mut master, mut own) = (None, None, FdbKind::Permanent, false, false);
    let (mut dst, mut port, mut vni, mut via, mut vlan) = (None, None, None, None, None);
    while let Some(word) = args.next() {
        match word {
            "dev" => dev = Some(Arc::from(args.need()?)),
            "self" => own = true,
            "dst" => dst = Some(args.addr()?),
            "port" => port = Some(args.number(65_535, "invalid port")? as u16),
            "vni" => vni = Some(args.number(0x00ff_ffff, "invalid VNI")? as u32),
            "via" => via = Some(args.need()?.into()),
            "vlan" => vlan = Some(args.number(4_095, "invalid vlan")? as u16),
            "src_vni" | "nhid" | "use" | "extern_learn" | "sticky" | "router" => {
                return Err(args.unsupported());
            }
            w if begins(w, "master") => master = true,
            "local" => kind = FdbKind::Permanent,
            w if begins(w, "permanent") => kind = FdbKind::Permanent,
            w if begins(w, "temp") || w == "static" => kind = FdbKind::Static,
            w if begins(w, "dynamic") => kind = FdbKind::Dynamic,
            w => {
                if w == "to" {
                    args.need()?;
                }
                if mac.is_some() {
                    return Err(args.garbage("to"));
                }
                args.back();
                let refused = args.peek().map(|w| format!("Invalid mac address {w}")).unwrap_or_default();
                mac = Some(args.lladdr().map_err(|_| args.error(refused))?);
            }
        }
    }
    let (Some(dev), Some(mac)) = (dev, mac) else {
        return Err(args.end("Device and address are required arguments."));
    };
    if own && master && dst.is_none() {
        return Err(args.not_simulated("`self` beside `master`"));
    }
    let remote = RemoteOp { verb: RemoteVerb::Add, dev: Arc::clone(&dev), mac, dst, port, vni, via, kind };
    Ok(Words { dev, mac, kind, master, own, vlan, remote })
}

fn set(args: &mut Args<'_>, verb: RemoteVerb) -> Result<Command, ShellError> {
    let w = words(args)?;
    let mut ops = Vec::new();
    if w.remote.dst.is_none() || w.master {
        let replace = verb != RemoteVerb::Add;
        ops.push(Op::Fdb(FdbOp::Set { dev: w.dev, mac: w.mac, kind: w.kind, replace, master: w.master, vlan: w.vlan }));
    }
    if w.remote.dst.is_some() && (w.own || !w.master) {
        ops.push(Op::Fdb(FdbOp::Remote(RemoteOp { verb, ..w.remote })));
    }
    Ok(Command::Ops(ops.into_iter().map(|op| OpIn { netns: None, op }).collect()))
}

/// The command of a change.
pub(in crate::shell) fn print(op: &FdbOp) -> String {
    let in_vlan = |vlan: Option<u16>| vlan.map(|v| format!(" vlan {v}")).unwrap_or_default();
    let whose = |master: bool| if master { "master" } else { "self" };
    match op {
        FdbOp::Remote(r) => super::remote::print(r),
        FdbOp::Set { dev, mac, kind, replace, master, vlan } => {
            let verb = if *replace { "replace" } else { "add" };
            let kind = match kind {
                FdbKind::Permanent => "permanent",
                FdbKind::Static => "static",
                FdbKind::Dynamic => "dynamic",
            };
            format!("bridge fdb {verb} {mac} dev {} {} {kind}{}", quote(dev), whose(*master), in_vlan(*vlan))
        }
        FdbOp::Del { dev, mac, master, vlan } => format!("bridge fdb del {mac} dev {} {}{}", quote(dev), whose(*master), in_vlan(*vlan)),
    }
}

/// What `bridge fdb show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// Only the table of that bridge.
    pub br: Option<Arc<str>>,
    /// Only entries of that port.
    pub dev: Option<Arc<str>>,
    /// Only entries that are not permanent.
    pub dynamic: bool,
}

impl Show {
    fn parse(args: &mut Args<'_>) -> Result<Show, ShellError> {
        let mut s = Show::default();
        while let Some(word) = args.next() {
            match word {
                "brport" | "dev" => s.dev = Some(args.need()?.into()),
                "br" => s.br = Some(args.need()?.into()),
                "state" | "vlan" => return Err(args.unsupported()),
                w if begins(w, "dynamic") => s.dynamic = true,
                w => {
                    if s.dev.is_some() {
                        return Err(args.garbage("dev"));
                    }
                    s.dev = Some(w.into());
                }
            }
        }
        Ok(s)
    }
}

/// The entries of a port, or of a bridge itself, in the table of the bridge.
fn of_bridge(ns: &Netns, show: &Show, now: Time, d: &Device, out: &mut String) {
    let bridge = if d.master.is_some() { d.master } else { d.index };
    let Some(b) = ns.config.devices.get(bridge) else { return };
    let DeviceKind::Bridge(config) = &b.kind else { return };
    if show.br.as_deref().is_some_and(|n| *b.name != *n) {
        return;
    }
    let mut entries = ns.fdb.get(&bridge).map(|f| f.sorted()).unwrap_or_default();
    entries.retain(|(_, e)| e.port == d.index);
    // the kernel's list begins with the newest
    entries.sort_by_key(|(_, e)| std::cmp::Reverse(e.born));
    for (mac, e) in entries {
        let aged = !e.fixed && now.since(e.updated) >= config.ageing_time;
        if aged || (show.dynamic && e.local) {
            continue;
        }
        let state = match (e.local, e.fixed) {
            (true, _) => "permanent",
            (false, true) => "static",
            (false, false) => "",
        };
        let dev = if show.dev.is_none() { format!("dev {} ", d.name) } else { String::new() };
        // own addresses are known in each VLAN of who has them, too
        let own = if d.index == bridge { &config.vlans } else { &d.port.vlans };
        let further = if e.local && config.vlan_filtering { own.iter().map(|(vid, _)| vid).collect() } else { Vec::new() };
        for vlan in further.into_iter().rev().chain([e.vlan]) {
            let vlan = if vlan == 0 { String::new() } else { format!("vlan {vlan} ") };
            let _ = writeln!(out, "{mac} {dev}{vlan}master {} {state}", b.name);
        }
    }
}

/// Answers `bridge fdb show`. Entries that have aged by `now` are gone.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show, now: Time) -> Answer {
    let devices = &ns.config.devices;
    if let Some(d) = show.dev.as_deref().filter(|d| devices.by_name(d).is_none()) {
        return Answer::failed(format!("Cannot find device \"{d}\""), 255);
    }
    if let Some(b) = show.br.as_deref().filter(|b| devices.by_name(b).is_none()) {
        return Answer::failed(format!("Cannot find bridge device \"{b}\""), 255);
    }
    let mut out = String::new();
    for d in devices.iter().filter(|d| show.dev.as_deref().is_none_or(|n| *d.name == *n)) {
        of_bridge(ns, show, now, d, &mut out);
        // the table of a tunnel device itself
        let wanted = show.br.as_deref().is_none_or(|n| *devices.name(d.master) == *n);
        if let (DeviceKind::Vxlan(v), true, Some(fdb)) = (&d.kind, wanted, ns.vxlan.get(&d.index)) {
            let alive = |e: &VxlanEntry| !(e.has_aged(now, v.ageing) || show.dynamic && e.state == EntryState::Permanent);
            for (mac, e) in fdb.sorted().into_iter().filter(|(_, e)| alive(e)) {
                for remote in &e.remotes {
                    let dev = if show.dev.is_none() { format!("dev {} ", d.name) } else { String::new() };
                    let _ = writeln!(out, "{mac} {dev}{}", super::remote::row(&ns.config, d, remote, e.state));
                }
            }
        }
    }
    Answer::printed(out)
}
