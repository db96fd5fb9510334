//! `ip tuntap`.
//!
//! Models: iproute2 6.1 ip/iptuntap.c; drivers/net/tun.c tun_set_iff.

use super::Format;
use crate::linux::device::{DeviceKind, TunMode};
use crate::linux::op::{LinkKind, LinkOp, NewLink};
use crate::linux::{Netns, Op};
use crate::shell::answer::Answer;
use crate::shell::args::{Args, begins};
use crate::shell::{Command, Query, ShellError};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) fn parse(args: &mut Args<'_>, _: Format) -> Result<Command, ShellError> {
    match args.next() {
        None => Ok(Command::query(Query::Tuntap)),
        Some(c) if begins(c, "add") => {
            let (name, mode) = words(args)?;
            Ok(Command::op(Op::Link(LinkOp::Add(NewLink { name, mac: None, mtu: None, kind: LinkKind::Tun(mode) }))))
        }
        Some(c) if begins(c, "delete") => {
            let (dev, _) = words(args)?;
            Ok(Command::op(Op::Link(LinkOp::Del { dev })))
        }
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => Ok(Command::query(Query::Tuntap)),
        Some(_) => Err(super::unknown(args, "tuntap")),
    }
}

fn words(args: &mut Args<'_>) -> Result<(Arc<str>, TunMode), ShellError> {
    let (mut name, mut mode) = (None, None);
    while let Some(w) = args.next() {
        match w {
            "mode" => {
                mode = Some(match args.need()? {
                    "tun" => TunMode::Tun,
                    "tap" => TunMode::Tap,
                    w => return Err(args.error(format!("Unknown tunnel mode \"{w}\""))),
                });
            }
            "user" | "group" | "one_queue" | "pi" | "vnet_hdr" | "multi_queue" => return Err(args.unsupported()),
            "dev" | "name" => name = Some(args.ifname("name")?),
            _ if name.is_none() => {
                args.back();
                name = Some(args.ifname("name")?);
            }
            _ => return Err(args.garbage("name")),
        }
    }
    let Some(mode) = mode else { return Err(args.end("You failed to specify a tunnel mode")) };
    let Some(name) = name else { return Err(args.not_simulated("a tun device without a name of its own")) };
    Ok((name, mode))
}

/// Answers `ip tuntap show`.
pub(in crate::shell) fn answer(ns: &Netns) -> Answer {
    let mut out = String::new();
    for d in ns.config.devices.iter() {
        if let DeviceKind::Tun(mode) = d.kind {
            let _ = writeln!(out, "{}: {} persist", d.name, mode.name());
        }
    }
    Answer::printed(out)
}
