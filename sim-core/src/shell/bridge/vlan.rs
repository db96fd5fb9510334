//! `bridge vlan`: the VLANs of ports.
//!
//! Models: iproute2 6.1 bridge/vlan.c vlan_modify, print_vlan_info.
//! Simplifies: `global`, `set`, `tunnelshow` and statistics are refused.

use super::super::answer::Answer;
use super::super::args::{Args, begins, number};
use super::super::lex::quote;
use super::super::{Command, Query, ShellError};
use crate::linux::device::{BridgeVlans, DeviceKind};
use crate::linux::op::{BridgeVlanOp, LinkOp};
use crate::linux::{Netns, Op};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::BridgeVlan(Show::default()))),
        Some(c) if begins(c, "add") => modify(args, true),
        Some(c) if begins(c, "delete") => modify(args, false),
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => {
            let mut show = Show::default();
            while let Some(word) = args.next() {
                match word {
                    "dev" => show.dev = Some(args.need()?.into()),
                    "vid" => {
                        let w = args.need()?;
                        show.vid = Some(number(w).and_then(|n| u16::try_from(n).ok()).ok_or_else(|| args.invalid("invalid vid"))?);
                    }
                    _ => return Err(args.unsupported()),
                }
            }
            Ok(Command::query(Query::BridgeVlan(show)))
        }
        Some(c) if ["set", "tunnelshow", "global"].iter().any(|k| begins(c, k)) => Err(args.unsupported()),
        Some(c) => Err(args.error(format!("Command \"{c}\" is unknown, try \"bridge vlan help\"."))),
    }
}

/// `A` or `A-B`.
fn range(args: &mut Args<'_>) -> Result<(u16, u16), ShellError> {
    let w = args.need()?;
    let (first, last) = w.split_once('-').unwrap_or((w, w));
    // atoi: what is no number is 0
    let vid = |w: &str| number(w).and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    let (a, b) = (vid(first), vid(last));
    if b >= 4096 || (w.contains('-') && a >= b) {
        return Err(args.error(format!("Invalid VLAN range \"{a}-{b}\"")));
    }
    if a >= 4096 {
        return Err(args.error(format!("Invalid VLAN ID \"{a}\"")));
    }
    Ok((a, b))
}

fn modify(args: &mut Args<'_>, add: bool) -> Result<Command, ShellError> {
    let (mut dev, mut vid) = (None::<Arc<str>>, None);
    let mut op = BridgeVlanOp { add, dev: "".into(), first: 0, last: 0, pvid: false, untagged: false, own: false };
    while let Some(word) = args.next() {
        match word {
            "dev" => dev = Some(args.need()?.into()),
            "vid" => vid = Some(range(args)?),
            "self" => op.own = true,
            "master" => {}
            "pvid" => op.pvid = true,
            "untagged" => op.untagged = true,
            "tunnel_info" => return Err(args.unsupported()),
            w => return Err(args.garbage(w)),
        }
    }
    let (Some(dev), Some((first, last))) = (dev, vid) else {
        return Err(args.end("Device and VLAN ID are required arguments."));
    };
    if first == 0 || last >= 4095 {
        return Err(args.error_status("Error: Invalid VLAN id.", 255));
    }
    Ok(Command::op(Op::Link(LinkOp::BridgeVlan(BridgeVlanOp { dev, first, last, ..op }))))
}

/// The command of a change.
pub(in crate::shell) fn print(op: &BridgeVlanOp) -> String {
    let verb = if op.add { "add" } else { "del" };
    let mut line = format!("bridge vlan {verb} dev {} vid {}", quote(&op.dev), op.first);
    if op.last != op.first {
        let _ = write!(line, "-{}", op.last);
    }
    for (word, on) in [("pvid", op.pvid), ("untagged", op.untagged), ("self", op.own)] {
        if on {
            let _ = write!(line, " {word}");
        }
    }
    line
}

/// What `bridge vlan show` is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// Only that device.
    pub dev: Option<Arc<str>>,
    /// Only that VLAN.
    pub vid: Option<u16>,
}

/// Answers `bridge vlan show`.
pub(in crate::shell) fn answer(ns: &Netns, show: &Show) -> Answer {
    let devices = &ns.config.devices;
    if let Some(name) = show.dev.as_deref().filter(|n| devices.by_name(n).is_none()) {
        return Answer::failed(format!("Cannot find device \"{name}\""), 255);
    }
    let mut out = format!("{:<16}  vlan-id  \n", "port");
    for d in devices.iter().filter(|d| show.dev.as_deref().is_none_or(|n| *d.name == *n)) {
        let vlans: &BridgeVlans = match &d.kind {
            DeviceKind::Bridge(b) => &b.vlans,
            _ if d.master.is_some() => &d.port.vlans,
            _ => continue,
        };
        let mut name: &str = &d.name;
        for (vid, untagged) in vlans.iter().filter(|(v, _)| show.vid.is_none_or(|w| w == *v)) {
            let pvid = if vlans.pvid == vid { " PVID" } else { "" };
            let untagged = if untagged { " Egress Untagged" } else { "" };
            let _ = writeln!(out, "{name:<16}  {vid}{pvid}{untagged}");
            name = "";
        }
    }
    Answer::printed(out)
}
