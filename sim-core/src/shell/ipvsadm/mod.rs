//! `ipvsadm`: virtual services, their real servers and their connections.
//!
//! Models: ipvsadm 1.31 ipvsadm.c parse_options, process_options, generic_opt_check; popt.
//! Simplifies: names of hosts are not resolved; the synchronisation daemons, persistence engines, and GUE and GRE tunnels are refused.

mod list;
mod options;
mod print;
#[cfg(test)]
mod tests;

use super::args::Args;
use super::{Command, Query, ShellError, Spec};
use crate::linux::Op;
use crate::linux::ipvs::sched::Scheduler;
use crate::linux::ipvs::service::SCTP;
use crate::linux::ipvs::{DestSpec, Forward, ServiceSpec, SvcFlags, Timeouts, VsKey};
use crate::linux::netfilter::option::port as service_port;
use crate::linux::op::IpvsOp;
use crate::packet::{Family, Protocol};
use options::{Cmd, Opt, Options, popt};
use std::net::{IpAddr, Ipv4Addr};

pub(super) use list::answer;
pub(super) use print::print;

/// The command.
pub static SPEC: Spec = Spec {
    name: "ipvsadm",
    about: "virtual services and real servers",
    usage: "ipvsadm { -A | -E | -D } SERVICE … | ipvsadm { -a | -e | -d } SERVICE -r SERVER … | ipvsadm -L [-n] [-c] | -C | -R | -S | -Z | --set",
    parse,
};

/// The longest timeout: 31 days.
const MAX_TIMEOUT: u32 = 86_400 * 31;
/// `-p` without a number.
const PERSISTENT: u32 = 360;

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// `-L`, `-S`.
    Services {
        /// Only that one.
        key: Option<VsKey>,
        /// How.
        format: Format,
    },
    /// `-L -c`.
    Connections {
        /// `-n`.
        numeric: bool,
        /// `--persistent-conn`: with the persistence engine's data.
        engine: bool,
    },
    /// `-L --timeout`.
    Timeout,
    /// `-L --daemon`.
    Daemon,
}

/// Columns of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Columns {
    /// Weights and connections.
    #[default]
    Plain,
    /// `-S`: as commands.
    Rule,
    /// `--stats`.
    Stats,
    /// `--rate`.
    Rate,
    /// `--thresholds`.
    Thresholds,
    /// `--persistent-conn`.
    Persistent,
    /// `--tun-info`.
    Tunnel,
}

/// How services are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Format {
    /// Which columns.
    pub columns: Columns,
    /// `-n`.
    pub numeric: bool,
    /// `--exact`.
    pub exact: bool,
    /// `--nosort`.
    pub nosort: bool,
}

/// A complaint with its exit status; the flag is set if the simulation is to blame.
#[derive(Debug)]
struct Fail {
    text: String,
    status: u8,
    not_simulated: bool,
}

fn fail(text: impl Into<String>) -> Fail {
    Fail { text: text.into(), status: 2, not_simulated: false }
}

fn unsupported(what: &str) -> Fail {
    Fail { text: format!("not simulated: `{what}`"), status: 1, not_simulated: true }
}

/// What a command line asks for.
#[derive(Debug)]
enum Parsed {
    Op(IpvsOp),
    Show(Show),
    Restore,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let words: Vec<&str> = args.rest().iter().map(|w| w.text.as_str()).collect();
    while args.next().is_some() {}
    let refused = |f: Fail| {
        let mut e = args.error_status(f.text, f.status);
        e.not_simulated = f.not_simulated;
        e
    };
    match parse_words(&words).map_err(refused)? {
        Parsed::Op(op) => Ok(Command::op(Op::Ipvs(op))),
        Parsed::Show(show) => Ok(Command::query(Query::Ipvs(show))),
        Parsed::Restore => {
            let Some(text) = &args.line().heredoc else {
                return Err(args.end("ipvsadm -R reads its rules from a here-document: `ipvsadm -R <<EOF`"));
            };
            let mut ops = Vec::new();
            for line in text.lines() {
                let words: Vec<&str> = line.split_whitespace().take_while(|w| !w.starts_with('#')).collect();
                if words.is_empty() {
                    continue;
                }
                match parse_words(&words).map_err(refused)? {
                    Parsed::Op(op) => ops.push(op),
                    Parsed::Show(_) => return Err(args.not_simulated("listings inside of a restore file")),
                    Parsed::Restore => return Err(refused(options::try_help())),
                }
            }
            Ok(Command::op(Op::Ipvs(IpvsOp::Restore(ops.into()))))
        }
    }
}

/// Whether the words after `ipvsadm` say that it reads a here-document.
pub(super) fn reads_stdin(words: &[super::lex::Word]) -> bool {
    words.first().is_some_and(|w| w.text.ends_with("ipvsadm")) && words.iter().any(|w| w.text == "-R" || w.text == "--restore")
}

/// What the options gather.
#[derive(Default)]
struct Entry {
    family: Option<Family>,
    service: Option<(Protocol, IpAddr, u16)>,
    fwmark: u32,
    scheduler: Option<String>,
    flags: SvcFlags,
    timeout: u32,
    netmask: Option<u32>,
    dest: Option<(IpAddr, u16)>,
    forward: Option<Forward>,
    weight: Option<i32>,
    upper: u32,
    lower: u32,
    tunnel: Option<String>,
}

fn parse_words(words: &[&str]) -> Result<Parsed, Fail> {
    if words.is_empty() {
        return Ok(Parsed::Show(Show::Services { key: None, format: Format::default() }));
    }
    let (cmd, rest) = options::command(words)?;
    let mut e = Entry::default();
    let mut seen = Options::default();
    let leftover = popt(&rest, |opt, arg| option(&mut e, &mut seen, opt, arg))?;
    let mut left = leftover.iter().copied();
    let mut timeouts = Timeouts { tcp: 0, tcp_fin: 0, udp: 0 };
    if cmd == Cmd::Set {
        let (Some(tcp), Some(fin), Some(udp)) = (left.next(), left.next(), left.next()) else {
            return Err(fail("--set option requires 3 timeout values"));
        };
        timeouts = Timeouts { tcp: timeout(Some(tcp), 0)?, tcp_fin: timeout(Some(fin), 0)?, udp: timeout(Some(udp), 0)? };
    }
    if let Some(word) = left.next() {
        return Err(fail(format!("unexpected argument {word}")));
    }
    seen.check(cmd)?;
    let key = match (e.service, e.fwmark) {
        (_, mark) if mark != 0 => Some(VsKey::Fwmark(e.family.unwrap_or(Family::Inet), mark)),
        (Some((protocol, addr, port)), _) => Some(VsKey::Addr(protocol, addr, port)),
        (None, _) => None,
    };
    let done = |op| Ok(Parsed::Op(op));
    match (cmd, key) {
        (Cmd::List | Cmd::Save, _) => list::show(cmd, key, &seen).map(Parsed::Show),
        (Cmd::Restore, _) => Ok(Parsed::Restore),
        (Cmd::Flush, _) => done(IpvsOp::Flush),
        (Cmd::Set, _) => done(IpvsOp::Timeouts(timeouts)),
        (Cmd::Zero, key) => done(IpvsOp::Zero(key)),
        (Cmd::Add | Cmd::Edit, Some(key)) => {
            let spec = service_spec(&e, &key)?;
            done(if cmd == Cmd::Add { IpvsOp::AddService { key, spec } } else { IpvsOp::EditService { key, spec } })
        }
        (Cmd::Delete, Some(key)) => done(IpvsOp::DeleteService(key)),
        (Cmd::AddServer | Cmd::EditServer | Cmd::DeleteServer, Some(key)) => {
            let Some((addr, mut port)) = e.dest else { return Err(fail("illegal real server address[:port] specified")) };
            if cmd == Cmd::DeleteServer {
                return done(IpvsOp::DeleteDest { key, addr, port });
            }
            let forward = e.forward.unwrap_or(Forward::Route);
            check_tunnel(&e, forward)?;
            // without rewriting the port stays what it is
            if forward != Forward::Masq && matches!(key, VsKey::Addr(..)) {
                port = key.port();
            }
            if crate::linux::ipvs::service::family_of(&addr) != key.family() && forward != Forward::Tunnel {
                return Err(fail("Different address family is allowed only for tunneling servers"));
            }
            let spec = DestSpec { forward, weight: e.weight.unwrap_or(1), upper: e.upper, lower: e.lower };
            done(match cmd {
                Cmd::AddServer => IpvsOp::AddDest { key, addr, port, spec },
                _ => IpvsOp::EditDest { key, addr, port, spec },
            })
        }
        (Cmd::StartDaemon | Cmd::StopDaemon, _) => Err(unsupported(cmd.name())),
        (_, None) => Err(fail("illegal virtual server address[:port] specified")),
    }
}

fn check_tunnel(e: &Entry, forward: Forward) -> Result<(), Fail> {
    match e.tunnel.as_deref() {
        None => Ok(()),
        Some(_) if forward != Forward::Tunnel => Err(fail("Tunnel options conflict with forward method")),
        Some("ipip") => Ok(()),
        Some(other) => Err(unsupported(&format!("--tun-type {other}"))),
    }
}

fn service_spec(e: &Entry, key: &VsKey) -> Result<ServiceSpec, Fail> {
    let address = matches!(key, VsKey::Addr(..));
    if address && key.port() == 0 && !e.flags.persistent {
        return Err(fail("Zero port specified for non-persistent service"));
    }
    if e.flags.one_packet && !matches!(key, VsKey::Addr(Protocol::UDP, ..) | VsKey::Fwmark(..)) {
        return Err(fail("One-Packet Scheduling is only for UDP virtual services"));
    }
    // the kernel keeps fifteen letters
    let name: String = e.scheduler.as_deref().filter(|s| !s.is_empty()).unwrap_or("wlc").chars().take(15).collect();
    let Some(scheduler) = Scheduler::by_name(&name) else {
        if name == "none" {
            return Err(unsupported("-s none"));
        }
        return Err(Fail { text: "Scheduler or persistence engine not found".to_owned(), status: 255, not_simulated: false });
    };
    let netmask = e.netmask.unwrap_or(ServiceSpec::whole_mask(key.family()));
    Ok(ServiceSpec { scheduler, flags: e.flags, timeout: e.timeout, netmask })
}

fn option(e: &mut Entry, seen: &mut Options, opt: Opt, arg: Option<&str>) -> Result<(), Fail> {
    seen.add(opt)?;
    let text = arg.unwrap_or("");
    match opt {
        Opt::Tcp | Opt::Udp | Opt::Sctp => {
            let protocol = match opt {
                Opt::Tcp => Protocol::TCP,
                Opt::Udp => Protocol::UDP,
                _ => SCTP,
            };
            let illegal = || fail("illegal virtual server address[:port] specified");
            let (addr, port) = endpoint(text, protocol).ok_or_else(illegal)?;
            e.family = Some(crate::linux::ipvs::service::family_of(&addr));
            e.service = Some((protocol, addr, port.unwrap_or(0)));
        }
        Opt::Fwmark => {
            let mark = text.parse::<u32>().ok().filter(|m| *m > 0);
            e.fwmark = mark.ok_or_else(|| fail(format!("invalid fwmark value `{text}' specified")))?;
            e.family = Some(Family::Inet);
        }
        Opt::Ipv6 if e.fwmark != 0 => e.family = Some(Family::Inet6),
        Opt::Ipv6 => return Err(fail("-6 used before -f\n")),
        Opt::Scheduler => e.scheduler = Some(text.to_owned()),
        Opt::Persistent => {
            e.flags.persistent = true;
            e.timeout = timeout(arg, 1)?;
        }
        Opt::Netmask if e.family == Some(Family::Inet6) => {
            let len = text.parse().ok().filter(|n| (1..=128).contains(n));
            e.netmask = Some(len.ok_or_else(|| fail("illegal ipv6 netmask specified"))?);
        }
        Opt::Netmask => {
            let mask = aton(text).ok_or_else(|| fail("illegal virtual server persistent mask specified"))?;
            e.netmask = Some(u32::from(mask));
        }
        Opt::Server => {
            let protocol = e.service.map_or(Protocol::TCP, |s| s.0);
            let illegal = || fail("illegal real server address[:port] specified");
            let (addr, port) = endpoint(text, protocol).ok_or_else(illegal)?;
            e.dest = Some((addr, port.unwrap_or(e.service.map_or(0, |s| s.2))));
        }
        Opt::Masq => e.forward = Some(Forward::Masq),
        Opt::Ipip => e.forward = Some(Forward::Tunnel),
        Opt::Gate => e.forward = Some(Forward::Route),
        Opt::Weight => e.weight = Some(count(text, "weight")?),
        Opt::Upper => e.upper = count(text, "u_threshold")? as u32,
        Opt::Lower => e.lower = count(text, "l_threshold")? as u32,
        Opt::Ops => e.flags.one_packet = true,
        Opt::SchedFlags => e.flags.sched = sched_flags(text, e.scheduler.as_deref().unwrap_or(""))?,
        Opt::TunType => match text {
            "ipip" | "gue" | "gre" => e.tunnel = Some(text.to_owned()),
            _ => return Err(fail("illegal tunnel type specified")),
        },
        Opt::Engine => return Err(unsupported("--pe")),
        Opt::Daemonic(name) => return Err(unsupported(name)),
        Opt::Connection
        | Opt::Numeric
        | Opt::Timeout
        | Opt::Daemon
        | Opt::Stats
        | Opt::Rate
        | Opt::Thresholds
        | Opt::PersistentConn
        | Opt::TunInfo
        | Opt::NoSort
        | Opt::Sort
        | Opt::Exact => {}
    }
    Ok(())
}

fn sched_flags(text: &str, scheduler: &str) -> Result<u8, Fail> {
    let mut flags = 0;
    for name in text.split(',').filter(|n| !n.is_empty()) {
        let (of, bit) = match name {
            "flag-1" => ("", 1),
            "flag-2" => ("", 2),
            "flag-3" => ("", 4),
            "sh-fallback" => ("sh", SvcFlags::FALLBACK),
            "sh-port" => ("sh", SvcFlags::PORT),
            "mh-fallback" => ("mh", SvcFlags::FALLBACK),
            "mh-port" => ("mh", SvcFlags::PORT),
            name => return Err(fail(format!("invalid scheduler flag `{name}'"))),
        };
        if !of.is_empty() && of != scheduler {
            return Err(fail(format!("incompatible scheduler flag `{name}'")));
        }
        flags |= bit;
    }
    Ok(flags)
}

/// A number of the C library: decimal, with a sign.
fn count(text: &str, what: &str) -> Result<i32, Fail> {
    text.strip_prefix('+').unwrap_or(text).parse::<i32>().ok().filter(|n| *n >= 0).ok_or_else(|| fail(format!("illegal {what} specified")))
}

fn timeout(text: Option<&str>, min: u32) -> Result<u32, Fail> {
    let Some(text) = text else { return Ok(PERSISTENT) };
    let n = text.parse::<u32>().ok().filter(|n| (min..=MAX_TIMEOUT).contains(n));
    n.ok_or_else(|| fail(format!("invalid timeout value `{text}' specified")))
}

/// An IPv4 address as inet_aton reads it: one to four numbers, the last one filling what is left.
fn aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = text.split('.').map(super::args::number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let room = 8 * (4 - first.len().min(4)) as u32;
    if first.len() > 3 || first.iter().any(|p| *p > 255) || *last >> room != 0 {
        return None;
    }
    let bits = first.iter().enumerate().fold(*last, |a, (i, p)| a | p << (24 - 8 * i));
    u32::try_from(bits).ok().map(Ipv4Addr::from)
}

/// `host[:port]`, `[IPv6]:port` (parse_service); the port is none where it is not given.
fn endpoint(text: &str, protocol: Protocol) -> Option<(IpAddr, Option<u16>)> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, Some(rest.strip_prefix(':')?))
        }
        None => match text.parse::<std::net::Ipv6Addr>() {
            Ok(_) => (text, None),
            Err(_) => text.rsplit_once(':').map_or((text, None), |(h, p)| (h, Some(p))),
        },
    };
    let addr = match host.parse::<std::net::Ipv6Addr>() {
        Ok(a) => IpAddr::V6(a),
        Err(_) if host == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Err(_) => IpAddr::V4(aton(host)?),
    };
    match port {
        None => Some((addr, None)),
        Some(p) => {
            let number = p.strip_prefix('+').unwrap_or(p).parse::<u16>().ok();
            let named = protocol != SCTP && p.starts_with(|c: char| c.is_ascii_alphabetic());
            let port = number.or_else(|| if named { service_port(p) } else { None })?;
            Some((addr, Some(port)))
        }
    }
}
