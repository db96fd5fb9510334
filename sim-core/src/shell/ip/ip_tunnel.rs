//! `ip link … type ipip|gre|gretap`, and `ip tunnel`.
//!
//! Models: iproute2 6.1 ip/link_iptnl.c, ip/link_gre.c, ip/iptunnel.c.
//! Simplifies: `ip tunnel show` tells what was set, without 6rd and encapsulation in UDP.

use super::Format;
use crate::linux::Op;
use crate::linux::config::Config;
use crate::linux::device::ip_tunnel::{GreFlags, IpTunnelConfig, IpTunnelMode};
use crate::linux::device::vxlan::OuterTtl;
use crate::linux::device::{Device, DeviceKind};
use crate::linux::op::{IpTunnelSet, LinkKind, LinkOp, LinkSet, NewLink};
use crate::linux::{IfIndex, Netns};
use crate::packet::Ipv4Addr;
use crate::shell::answer::Answer;
use crate::shell::args::{Args, begins};
use crate::shell::lex::quote;
use crate::shell::{Command, Query, ShellError};
use std::fmt::Write as _;
use std::sync::Arc;

/// Words that real hosts know and nothing here listens to.
const UNSUPPORTED: &[&str] = &[
    "external",
    "noexternal",
    "6rd-prefix",
    "6rd-relay_prefix",
    "6rd-reset",
    "isatap",
    "encap",
    "noencap",
    "encap-sport",
    "encap-dport",
    "encap-csum",
    "noencap-csum",
    "encap-udp6-csum",
    "encap-remcsum",
    "fwmark",
    "mode",
    "prl-default",
    "erspan",
    "erspan_ver",
    "allow-localremote",
];

/// A key: a number, or an address.
fn key(args: &mut Args<'_>, which: &str) -> Result<u32, ShellError> {
    let w = args.need()?;
    if w.contains('.') {
        return crate::shell::args::dotted(w).map(u32::from).ok_or_else(|| args.invalid(format_args!("invalid value for \"{which}\"")));
    }
    crate::shell::args::number(w)
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| args.error_status(format!("invalid value for \"{which}\": \"{w}\"; it should be an unsigned integer"), 255))
}

/// Takes one word of a tunnel's settings; false if it is none.
fn word(args: &mut Args<'_>, w: &str, set: &mut IpTunnelSet) -> Result<bool, ShellError> {
    let gre = set.mode != IpTunnelMode::Ipip;
    match w {
        "remote" => set.remote = Some(args.addr()?),
        "local" => set.local = Some(args.addr()?),
        "dev" => set.dev = Some(args.need()?.into()),
        "ttl" | "hoplimit" | "hlim" => {
            set.ttl = Some(match args.need()? {
                "inherit" => OuterTtl::Inherit,
                _ => {
                    args.back();
                    match args.number(255, "invalid TTL")? {
                        0 => OuterTtl::Inherit,
                        n => OuterTtl::Fixed(n as u8),
                    }
                }
            });
        }
        "tos" | "tclass" | "dsfield" => {
            set.tos = Some(match args.need()? {
                "inherit" => 1,
                w => u8::from_str_radix(w.strip_prefix("0x").unwrap_or(w), 16).map_err(|_| args.invalid("bad TOS value"))?,
            });
        }
        "pmtudisc" => set.pmtudisc = Some(true),
        "nopmtudisc" => set.pmtudisc = Some(false),
        "ignore-df" => set.ignore_df = Some(true),
        "noignore-df" => set.ignore_df = Some(false),
        "key" if gre => {
            let k = Some(key(args, "key")?);
            (set.input.key, set.output.key) = (k, k);
        }
        "ikey" if gre => set.input.key = Some(key(args, "ikey")?),
        "okey" if gre => set.output.key = Some(key(args, "okey")?),
        "csum" if gre => (set.input.csum, set.output.csum) = (true, true),
        "icsum" if gre => set.input.csum = true,
        "ocsum" if gre => set.output.csum = true,
        "seq" if gre => (set.input.seq, set.output.seq) = (true, true),
        "iseq" if gre => set.input.seq = true,
        "oseq" if gre => set.output.seq = true,
        "nokey" | "noikey" | "nookey" | "nocsum" | "noicsum" | "noocsum" | "noseq" | "noiseq" | "nooseq" if gre => {}
        _ => return Ok(false),
    }
    Ok(true)
}

/// The words of `type ipip`, `type gre`, `type gretap`.
pub(super) fn parse(args: &mut Args<'_>, mode: IpTunnelMode) -> Result<IpTunnelSet, ShellError> {
    let mut set = IpTunnelSet::new(mode);
    while let Some(w) = args.next() {
        if word(args, w, &mut set)? {
            continue;
        }
        if UNSUPPORTED.contains(&w) {
            return Err(args.unsupported());
        }
        return Err(args.error_status(format!("{}: unknown option \"{w}\"?", mode.name()), 1));
    }
    if matches!(set.ttl, Some(OuterTtl::Fixed(_))) && set.pmtudisc == Some(false) {
        return Err(args.error_status("ttl != 0 and nopmtudisc are incompatible", 1));
    }
    Ok(set)
}

fn gre_words(out: &mut String, input: &GreFlags, output: &GreFlags) {
    match (input.key, output.key) {
        (Some(i), Some(o)) if i == o => {
            let _ = write!(out, " key {i}");
        }
        (i, o) => {
            for (name, k) in [("ikey", i), ("okey", o)] {
                if let Some(k) = k {
                    let _ = write!(out, " {name} {k}");
                }
            }
        }
    }
    for (both, one, other, i, o) in [("csum", "icsum", "ocsum", input.csum, output.csum), ("seq", "iseq", "oseq", input.seq, output.seq)] {
        let word = match (i, o) {
            (true, true) => both,
            (true, false) => one,
            (false, true) => other,
            (false, false) => continue,
        };
        let _ = write!(out, " {word}");
    }
}

fn end(a: Ipv4Addr) -> String {
    if a.is_unspecified() { "any".to_owned() } else { a.to_string() }
}

/// The words behind the type.
pub(super) fn words(set: &IpTunnelSet) -> String {
    let mut out = String::new();
    if let Some(v) = set.remote {
        let _ = write!(out, " remote {}", end(v));
    }
    if let Some(v) = set.local {
        let _ = write!(out, " local {}", end(v));
    }
    if let Some(v) = &set.dev {
        let _ = write!(out, " dev {}", quote(v));
    }
    match set.ttl {
        Some(OuterTtl::Fixed(n)) => {
            let _ = write!(out, " ttl {n}");
        }
        Some(_) => out.push_str(" ttl inherit"),
        None => {}
    }
    match set.tos {
        Some(1) => out.push_str(" tos inherit"),
        Some(n) => {
            let _ = write!(out, " tos 0x{n:x}");
        }
        None => {}
    }
    for (v, yes, no) in [(set.pmtudisc, " pmtudisc", " nopmtudisc"), (set.ignore_df, " ignore-df", " noignore-df")] {
        if let Some(v) = v {
            out.push_str(if v { yes } else { no });
        }
    }
    gre_words(&mut out, &set.input, &set.output);
    out
}

/// What `ip -d link` says of a device.
pub(super) fn details(config: &Config, c: &IpTunnelConfig) -> String {
    let any = |a: Option<Ipv4Addr>| a.map_or("any".to_owned(), |a| a.to_string());
    let kind = if c.mode == IpTunnelMode::Ipip { "ipip ipip" } else { c.mode.name() };
    let mut out = format!("{kind} remote {} local {} ", any(c.remote), any(c.local));
    if c.link.is_some() {
        let _ = write!(out, "dev {} ", config.devices.name(c.link));
    }
    match c.ttl {
        OuterTtl::Fixed(n) => {
            let _ = write!(out, "ttl {n} ");
        }
        _ => out.push_str("ttl inherit "),
    }
    match c.tos {
        0 => {}
        1 => out.push_str("tos inherit "),
        n => {
            let _ = write!(out, "tos 0x{n:x} ");
        }
    }
    if !c.pmtudisc {
        out.push_str("nopmtudisc ");
    } else if c.mode == IpTunnelMode::Ipip {
        out.push_str("pmtudisc ");
    }
    for (name, k) in [("ikey", c.input.key), ("okey", c.output.key)] {
        if let Some(k) = k {
            let _ = write!(out, "{name} {} ", Ipv4Addr::from(k));
        }
    }
    for (name, on) in [("iseq", c.input.seq), ("oseq", c.output.seq), ("icsum", c.input.csum), ("ocsum", c.output.csum)] {
        if on {
            let _ = write!(out, "{name} ");
        }
    }
    if c.ignore_df {
        out.push_str("ignore-df ");
    }
    out
}

/// `ip tunnel`.
pub(super) fn tunnel(args: &mut Args<'_>, _: Format) -> Result<Command, ShellError> {
    let show = |args: &mut Args<'_>| -> Result<Command, ShellError> {
        args.take("dev");
        args.take("name");
        let dev = args.next().map(Arc::from);
        args.done("dev")?;
        Ok(Command::query(Query::Tunnel(dev)))
    };
    match args.next() {
        None => Ok(Command::query(Query::Tunnel(None))),
        Some(c) if begins(c, "add") => set(args, false),
        Some(c) if begins(c, "change") => set(args, true),
        Some(c) if begins(c, "delete") => {
            args.take("dev");
            args.take("name");
            let dev = args.ifname("name")?;
            args.done("name")?;
            Ok(Command::op(Op::Link(LinkOp::Del { dev })))
        }
        Some(c) if begins(c, "show") || c == "lst" || begins(c, "list") => show(args),
        Some(c) if begins(c, "prl") || begins(c, "6rd") => Err(args.unsupported()),
        Some(_) => Err(super::unknown(args, "tunnel")),
    }
}

fn set(args: &mut Args<'_>, change: bool) -> Result<Command, ShellError> {
    let (mut name, mut mode) = (None, None);
    // the mode decides which words there are: it is looked for first
    let all = args.rest();
    let at = all.iter().position(|w| w.text == "mode").and_then(|i| all.get(i + 1));
    if let Some(w) = at {
        mode = Some(match w.text.as_str() {
            "ipip" | "ip/ip" => IpTunnelMode::Ipip,
            "gre" | "gre/ip" => IpTunnelMode::Gre,
            "sit" | "ipv6/ip" | "isatap" | "vti" => return Err(args.not_simulated(format_args!("tunnels of mode `{}`", w.text))),
            other => return Err(args.end(format!("Error: either \"mode\" is duplicate, or \"{other}\" is a garbage."))),
        });
    }
    let mut set = IpTunnelSet::new(mode.unwrap_or(IpTunnelMode::Gre));
    while let Some(w) = args.next() {
        match w {
            "mode" => {
                args.need()?;
            }
            "name" => name = Some(args.ifname("name")?),
            _ if word(args, w, &mut set)? => {}
            w if UNSUPPORTED.contains(&w) => return Err(args.unsupported()),
            _ if name.is_none() => {
                args.back();
                name = Some(args.ifname("name")?);
            }
            _ => return Err(args.garbage("name")),
        }
    }
    let Some(name): Option<Arc<str>> = name else { return Err(args.not_simulated("a tunnel without a name of its own")) };
    if mode.is_none() {
        return Err(args.error_status("cannot determine tunnel mode (ipip, gre, vti or sit)", 255));
    }
    if change {
        let set = LinkSet { tunnel: Some(Box::new(set)), ..LinkSet::default() };
        return Ok(Command::op(Op::Link(LinkOp::Set { dev: name, set })));
    }
    Ok(Command::op(Op::Link(LinkOp::Add(NewLink { name, mac: None, mtu: None, kind: LinkKind::IpTunnel(Box::new(set)) }))))
}

/// Answers `ip tunnel show`.
pub(in crate::shell) fn answer(ns: &Netns, dev: Option<&str>) -> Answer {
    if let Some(d) = dev.filter(|d| ns.config.devices.by_name(d).is_none()) {
        return Answer::failed(format!("get tunnel \"{d}\" failed: No such device"), 1);
    }
    let mut out = String::new();
    for d in ns.config.devices.iter().filter(|d| dev.is_none_or(|n| *d.name == *n)) {
        if let DeviceKind::IpTunnel(c) = &d.kind
            && c.mode != IpTunnelMode::Gretap
        {
            let _ = writeln!(out, "{}", line(&ns.config, d, c));
        }
    }
    Answer::printed(out)
}

fn line(config: &Config, d: &Device, c: &IpTunnelConfig) -> String {
    let any = |a: Option<Ipv4Addr>| a.map_or("any".to_owned(), |a| a.to_string());
    let mode = if c.mode == IpTunnelMode::Ipip { "ip/ip" } else { "gre/ip" };
    let mut out = format!("{}: {mode} remote {} local {}", d.name, any(c.remote), any(c.local));
    if c.link != IfIndex::NONE {
        let _ = write!(out, " dev {}", config.devices.name(c.link));
    }
    match c.ttl {
        OuterTtl::Fixed(n) => {
            let _ = write!(out, " ttl {n}");
        }
        _ => out.push_str(" ttl inherit"),
    }
    match c.tos {
        0 => {}
        1 => out.push_str(" tos inherit"),
        n => {
            let _ = write!(out, " tos 0x{n:x}");
        }
    }
    if !c.pmtudisc {
        out.push_str(" nopmtudisc");
    }
    gre_words(&mut out, &c.input, &c.output);
    out
}
