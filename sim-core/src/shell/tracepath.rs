//! `tracepath`: the hops of a way and its MTU, by UDP probes that may not be cut.
//!
//! Models: iputils 20221126 tracepath.c, its wording included. Simplifies: a host has no other name than its address; the way back is told
//! as long as the way there (`asymm` is not).

use super::answer::Answer;
use super::args::Args;
use super::flow::{FlowCommand, Letters};
use super::traceroute::ms;
use super::{Command, ShellError, Spec};
use crate::apps::route_probe::{Probe, Style};
use crate::linux::Errno;
use crate::packet::IpAddr;
use std::fmt::Write as _;
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec {
    name: "tracepath",
    about: "the hops of a way, and its MTU",
    usage: "tracepath [-n] [-4] [-m MAX] [-l LENGTH] [-p PORT] HOST",
    parse,
};

/// A `tracepath`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracepath {
    /// Destination, an address or a name.
    pub host: Arc<str>,
    /// `-n`.
    pub numeric: bool,
    /// `-m`.
    pub last: u8,
    /// How probes are sent.
    pub style: Style,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 255;
    let (mut numeric, mut last, mut mtu, mut port, mut host) = (false, 30u8, 65_535u32, 44_444u16, None);
    while let Some(word) = args.next() {
        let Some(mut letters) = Letters::of(word) else {
            host = match word.split_once('/') {
                // HOST/PORT, as of old
                Some((h, p)) => {
                    port = p.parse().map_err(|_| args.error(format!("tracepath: invalid argument: '{p}'")))?;
                    Some(h.into())
                }
                None => Some(word.into()),
            };
            continue;
        };
        while let Some(c) = letters.next() {
            match c {
                'n' => numeric = true,
                '4' => {}
                'm' | 'l' | 'p' => {
                    let w = match letters.value() {
                        Some(w) => w,
                        None => args
                            .next()
                            .ok_or_else(|| args.end(format!("tracepath: option requires an argument -- '{c}'")).help(SPEC.usage))?,
                    };
                    let (low, high) = match c {
                        'm' => (0, 255),
                        'l' => (28, 65_535),
                        _ => (0, 65_535),
                    };
                    let n: i64 = w.parse().map_err(|_| args.error_status(format!("tracepath: invalid argument: '{w}'"), 1))?;
                    if n < low || n > high {
                        return Err(
                            args.error_status(format!("tracepath: invalid argument: '{w}': out of range: {low} <= value <= {high}"), 1)
                        );
                    }
                    match c {
                        'm' => last = n as u8,
                        'l' => mtu = n as u32,
                        _ => port = n as u16,
                    }
                }
                '6' | 'b' | 'V' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                c => return Err(args.error(format!("tracepath: invalid option -- '{c}'")).help(SPEC.usage)),
            }
        }
    }
    let Some(host) = host else { return Err(args.end("tracepath: usage error: Destination required").help(SPEC.usage)) };
    Ok(Command::flow(FlowCommand::Tracepath(Tracepath { host, numeric, last, style: Style::Tracepath { mtu, port } })))
}

/// What `tracepath` prints, and its exit status. `mtu` is the path's in the end.
pub fn render(t: &Tracepath, target: Option<IpAddr>, probes: &[Probe], mtu: u32) -> Answer {
    let Some(target) = target else {
        return Answer::failed(format!("tracepath: {}: Temporary failure in name resolution", t.host), 255);
    };
    let mut a = Answer::default();
    let out = &mut a.stdout;
    let (mut hops, mut ended, mut silent) = (None, false, 0);
    for p in probes {
        if p.not_sent.is_some() {
            let _ = writeln!(out, "{:2}:  send failed", p.ttl);
            ended = true;
            break;
        }
        let Some((report, after)) = &p.answer else {
            // three tries are one line
            silent += 1;
            if silent % 3 == 0 {
                let _ = writeln!(out, "{:2}:  no reply", p.ttl);
            }
            continue;
        };
        silent = 0;
        if report.errno == Errno::EMSGSIZE && report.icmp.is_none() {
            let _ = writeln!(out, "{:2}?: {:<32} pmtu {}", p.ttl, "[LOCALHOST]", report.info);
            continue;
        }
        let from = report.offender.unwrap_or(target);
        let name = if t.numeric { from.to_string() } else { format!("{from}") };
        let time = format!("{}ms ", ms(*after));
        // three digits before the point are reserved
        let _ = write!(out, "{:2}:  {name:<52}{time:>10}", p.ttl);
        match report.icmp {
            Some((11, 0)) => {}
            Some((3, 4)) => {
                let _ = write!(out, "pmtu {}", report.info);
            }
            Some((3, 3)) => {
                out.push_str("reached");
                hops = Some(p.ttl);
            }
            _ => {
                out.push_str(match report.errno {
                    Errno::EHOSTUNREACH => "!H",
                    Errno::ENETUNREACH => "!N",
                    Errno::EACCES => "!A",
                    Errno::EPROTO => "!P",
                    _ => "!?",
                });
                ended = true;
            }
        }
        out.push('\n');
    }
    if hops.is_none() && !ended {
        let _ = writeln!(out, "     Too many hops: pmtu {mtu}");
    }
    let _ = write!(out, "     Resume: pmtu {mtu} ");
    if let Some(hops) = hops {
        let _ = write!(out, "hops {hops} back {hops} ");
    }
    out.push('\n');
    a
}
