//! `traceroute`: the hops of a way, found by the time-to-live of UDP probes.
//!
//! Models: traceroute 2.1.2 for Linux, its wording included (print_probe, parse_icmp_res). Simplifies: UDP probes only; a host has no other
//! name than its address.

use super::answer::Answer;
use super::args::Args;
use super::flow::{FlowCommand, Letters, seconds};
use super::{Command, ShellError, Spec};
use crate::apps::route_probe::{Probe, Style};
use crate::linux::Errno;
use crate::packet::IpAddr;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The command.
pub static SPEC: Spec = Spec {
    name: "traceroute",
    about: "the hops of a way",
    usage: "traceroute [-n] [-F] [-f FIRST] [-m MAX] [-q QUERIES] [-N TOGETHER] [-w SECONDS] [-p PORT] [-s SOURCE] HOST [PACKET_LENGTH]",
    parse,
};

/// A `traceroute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceroute {
    /// Destination, an address or a name.
    pub host: Arc<str>,
    /// `-n`.
    pub numeric: bool,
    /// `-f`.
    pub first: u8,
    /// `-m`.
    pub last: u8,
    /// `-s`.
    pub source: Option<IpAddr>,
    /// Bytes of a packet.
    pub len: usize,
    /// How probes are sent.
    pub style: Style,
}

fn number(args: &Args<'_>, w: &str, what: &str, low: u64, high: u64) -> Result<u64, ShellError> {
    let bad = || args.error(format!("Bad option `{what}' (with arg `{w}')"));
    w.parse().ok().filter(|n| (low..=high).contains(n)).ok_or_else(bad)
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    let (mut numeric, mut first, mut last, mut queries, mut together, mut port) = (false, 1u8, 30u8, 3u32, 16u32, 33_434u16);
    let (mut wait, mut source, mut df) = (Duration::from_secs(5), None, false);
    let (mut host, mut len): (Option<Arc<str>>, usize) = (None, 60);
    while let Some(word) = args.next() {
        let Some(mut letters) = Letters::of(word) else {
            if word.starts_with("--") {
                return Err(args.not_simulated(format_args!("`{word}`")));
            }
            if host.is_none() {
                host = Some(word.into());
            } else {
                let bad = || args.error(format!("Cannot handle \"packetlen\" cmdline arg `{word}' on position 2"));
                len = word.parse().ok().filter(|n| (28..=65_000).contains(n)).ok_or_else(bad)?;
            }
            continue;
        };
        while let Some(c) = letters.next() {
            match c {
                'n' => numeric = true,
                'F' => df = true,
                '4' | 'U' => {}
                'f' | 'm' | 'q' | 'N' | 'w' | 'p' | 's' => {
                    let w = match letters.value() {
                        Some(w) => w,
                        None => args.next().ok_or_else(|| args.end(format!("Option `-{c}' requires an argument")))?,
                    };
                    match c {
                        'f' => first = number(args, w, "-f first_ttl", 1, 255)? as u8,
                        'm' => last = number(args, w, "-m max_ttl", 1, 255)? as u8,
                        'q' => queries = number(args, w, "-q nqueries", 1, 10)? as u32,
                        'N' => together = number(args, w, "-N squeries", 1, 1_000)? as u32,
                        'p' => port = number(args, w, "-p port", 1, 65_535)? as u16,
                        's' => source = Some(w.parse().map_err(|_| args.error(format!("Bad option `-s' (with arg `{w}')")))?),
                        _ => {
                            let first = w.split(',').next().unwrap_or(w);
                            wait = seconds(first).ok_or_else(|| args.error(format!("Bad option `-w' (with arg `{w}')")))?;
                        }
                    }
                }
                'I' | 'T' | 'A' | 'D' | 'd' | 'e' | 'g' | 'i' | 'l' | 'M' | 'O' | 'P' | 'r' | 'S' | 't' | 'V' | 'z' | '6' => {
                    return Err(args.not_simulated(format_args!("`-{c}`")));
                }
                c => return Err(args.error(format!("Bad option `-{c}' (argc 1)")).help(SPEC.usage)),
            }
        }
    }
    let Some(host) = host else { return Err(args.end("Specify \"host\" missing argument.")) };
    if first > last {
        return Err(args.end("first hop out of range"));
    }
    let style = Style::Traceroute { queries, together, wait, len, df, port };
    Ok(Command::flow(FlowCommand::Traceroute(Traceroute { host, numeric, first, last, source, len, style })))
}

/// What stands behind a time: nothing for "time exceeded" and for the destination itself.
fn note(icmp: Option<(u8, u8)>, errno: Errno, info: u32) -> String {
    match icmp {
        Some((11, _)) | Some((3, 3)) => String::new(),
        Some((3, code)) => match code {
            0 | 6 | 8 | 11 => " !N".to_owned(),
            1 | 7 | 12 => " !H".to_owned(),
            2 => " !P".to_owned(),
            4 => format!(" !F-{info}"),
            5 => " !S".to_owned(),
            9 | 10 | 13 => " !X".to_owned(),
            14 => " !V".to_owned(),
            15 => " !C".to_owned(),
            code => format!(" !<{code}>"),
        },
        Some((12, _)) => " !PARM".to_owned(),
        Some((kind, code)) => format!(" !<{kind}-{code}>"),
        None if errno == Errno::EMSGSIZE => format!(" !F-{info}"),
        None if errno == Errno::EHOSTUNREACH => " !H".to_owned(),
        None if errno == Errno::ENETUNREACH => " !N".to_owned(),
        None => format!(" !{errno}"),
    }
}

/// A time in milliseconds with three digits behind the point.
pub(super) fn ms(d: Duration) -> String {
    let us = (d.as_nanos() + 500) / 1_000;
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// What `traceroute` prints, and its exit status.
pub fn render(t: &Traceroute, target: Option<IpAddr>, probes: &[Probe]) -> Answer {
    let Some(target) = target else {
        let host = &t.host;
        return Answer::failed(
            format!("{host}: Temporary failure in name resolution\nCannot handle \"host\" cmdline arg `{host}' on position 1 (argc 1)"),
            2,
        );
    };
    let mut a = Answer::default();
    let _ = writeln!(a.stdout, "traceroute to {} ({target}), {} hops max, {} byte packets", t.host, t.last, t.len);
    let queries = match t.style {
        Style::Traceroute { queries, .. } => queries as usize,
        Style::Tracepath { .. } => 1,
    };
    for hop in probes.chunks(queries.max(1)) {
        if let Some(errno) = hop.iter().find_map(|p| p.not_sent) {
            let call = if matches!(errno, Errno::EPERM | Errno::EMSGSIZE) { "send" } else { "connect" };
            a.stderr.push_str(&format!("{call}: {errno}\n"));
            a.status = 1;
            return a;
        }
        let Some(first) = hop.first() else { break };
        let _ = write!(a.stdout, "{:2} ", first.ttl);
        let mut said: Option<IpAddr> = None;
        for p in hop {
            let Some((report, after)) = &p.answer else {
                a.stdout.push_str(" *");
                continue;
            };
            let from = report.offender.unwrap_or(target);
            if said != Some(from) {
                let _ = if t.numeric { write!(a.stdout, " {from}") } else { write!(a.stdout, " {from} ({from})") };
                said = Some(from);
            }
            let _ = write!(a.stdout, "  {} ms{}", ms(*after), note(report.icmp, report.errno, report.info));
        }
        a.stdout.push('\n');
    }
    a
}
