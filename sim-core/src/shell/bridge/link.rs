//! `bridge link`: the ports of bridges.
//!
//! Models: iproute2 6.1 bridge/link.c print_linkinfo (which names the other end of a veth by its index in this namespace, wherever
//! that end is), brlink_modify.

use super::super::answer::Answer;
use super::super::args::{Args, begins};
use super::super::{Command, Query, ShellError};
use crate::linux::device::{Attach, Device};
use crate::linux::op::{LinkOp, LinkSet};
use crate::linux::{Netns, Op};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>, details: bool) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::BridgeLink(Show { details, ..Show::default() }))),
        Some(c) if begins(c, "set") || begins(c, "change") => set(args),
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => {
            let mut show = Show { details, ..Show::default() };
            while let Some(word) = args.next() {
                match word {
                    "dev" => show.dev = Some(args.need()?.into()),
                    "master" => show.master = Some(args.need()?.into()),
                    _ => return Err(args.unsupported()),
                }
            }
            Ok(Command::query(Query::BridgeLink(show)))
        }
        Some(c) => Err(args.error(format!("Command \"{c}\" is unknown, try \"bridge link help\"."))),
    }
}

fn set(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let mut dev: Option<Arc<str>> = None;
    let mut set = LinkSet::default();
    while let Some(word) = args.next() {
        match word {
            "dev" => dev = Some(args.need()?.into()),
            "hairpin" => set.hairpin = Some(args.on_off("hairpin")?),
            "isolated" => set.isolated = Some(args.on_off("isolated")?),
            "learning" => set.learning = Some(args.on_off("learning")?),
            "flood" => set.flood = Some(args.on_off("flood")?),
            "mcast_flood" => set.mcast_flood = Some(args.on_off("mcast_flood")?),
            "bcast_flood" => set.bcast_flood = Some(args.on_off("bcast_flood")?),
            "guard" | "root_block" | "fastleave" | "learning_sync" | "mcast_router" | "mcast_to_unicast" | "cost" | "priority"
            | "state" | "hwmode" | "self" | "neigh_suppress" | "vlan_tunnel" | "locked" | "backup_port" | "nobackup_port" => {
                return Err(args.unsupported());
            }
            "master" => {}
            w => {
                return Err(args
                    .error(format!("Error: unknown option \"{w}\""))
                    .help("hairpin, isolated, learning, flood, mcast_flood or bcast_flood, with on or off"));
            }
        }
    }
    let Some(dev) = dev else { return Err(args.end("Device is a required argument.")) };
    if set == LinkSet::default() {
        return Err(args.not_simulated("a change that changes nothing"));
    }
    Ok(Command::op(Op::Link(LinkOp::Set { dev, set })))
}

/// What `bridge link show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// `-d`.
    pub details: bool,
    /// Only that port.
    pub dev: Option<Arc<str>>,
    /// Only ports of that bridge.
    pub master: Option<Arc<str>>,
}

/// The state of a port: it forwards while it is up with carrier and its bridge is up.
pub(in crate::shell) fn port_state(ns: &Netns, d: &Device) -> &'static str {
    let bridge_up = ns.config.devices.get(d.master).is_some_and(|b| b.up);
    if d.is_running() && bridge_up { "forwarding" } else { "disabled" }
}

/// Answers `bridge link show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show) -> Answer {
    let devices = &ns.config.devices;
    for name in [show.dev.as_deref(), show.master.as_deref()].into_iter().flatten() {
        if devices.by_name(name).is_none() {
            return Answer::failed(format!("Cannot find device \"{name}\""), 255);
        }
    }
    let mut out = String::new();
    let ports = devices
        .iter()
        .filter(|d| d.master.is_some())
        .filter(|d| show.dev.as_deref().is_none_or(|n| *d.name == *n))
        .filter(|d| show.master.as_deref().is_none_or(|n| devices.name(d.master) == n));
    for d in ports {
        let _ = write!(out, "{}: {}", d.index.0, d.name);
        let mut other_down = false;
        if let Attach::Veth { index, .. } | Attach::Lower { index, .. } = d.attach {
            match devices.get(index) {
                Some(p) => {
                    other_down = !p.up;
                    let _ = write!(out, "@{}", p.name);
                }
                None => {
                    let _ = write!(out, "@if{}", index.0);
                }
            }
        }
        let flags = super::super::ip::link::flags(d, other_down);
        let master = devices.name(d.master);
        let _ = writeln!(out, ": <{flags}> mtu {} master {master} state {} priority 32 cost 2 ", d.mtu, port_state(ns, d));
        if show.details {
            let on = |v: bool| if v { "on" } else { "off" };
            let p = &d.port;
            let _ = writeln!(
                out,
                "    hairpin {} guard off root_block off fastleave off learning {} flood {} mcast_flood {} bcast_flood {} mcast_router 1 mcast_to_unicast off neigh_suppress off vlan_tunnel off isolated {} locked off ",
                on(p.hairpin),
                on(p.learning),
                on(p.flood),
                on(p.mcast_flood),
                on(p.bcast_flood),
                on(p.isolated)
            );
        }
    }
    Answer::printed(out)
}
