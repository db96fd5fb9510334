//! `tcpdump`: what a capture on a device of a namespace would have printed of a run.
//!
//! Models: tcpdump 4.99.3, libpcap 1.10 on Linux (cooked captures on `any`). A capture listens while a scenario's traffic runs: it reads the
//! recording, where `receive` and `transmit` steps stand exactly where AF_PACKET sees a frame. Simplifies: time begins at midnight with
//! the scenario; names are never looked up (`-n` is always on); no hexadecimal dumps, no files.

pub mod bytes;
pub mod filter;
mod line;
#[cfg(test)]
mod tests;

use super::answer::Answer;
use super::args::Args;
use super::flow::Letters;
use super::{CaptureIn, Command, ShellError, Spec};
use crate::linux::skb::PktType;
use crate::linux::{Config, IfIndex, NetnsId};
use crate::trace::{Evidence, Recording, StepId};
use filter::Filter;
use std::fmt::Write as _;
use std::sync::Arc;

/// The command.
pub static SPEC: Spec = Spec {
    name: "tcpdump",
    about: "frames on a device while the scenario's traffic runs",
    usage: "tcpdump [-i DEVICE|any] [-c COUNT] [-e] [-n] [-q] [-S] [-t|-tt|-ttt|-tttt] [-v] [-Q in|out|inout] [EXPRESSION]",
    parse,
};

/// A `tcpdump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcpdump {
    /// `-i`; none for the first device that is up and not `lo`.
    pub device: Option<Arc<str>>,
    /// `-c`.
    pub count: Option<u32>,
    /// `-e`.
    pub link: bool,
    /// `-q`.
    pub quick: bool,
    /// `-S`: sequence numbers as they are.
    pub absolute: bool,
    /// How often `-t` was given.
    pub times: u8,
    /// How often `-v` was given.
    pub verbose: u8,
    /// `-Q in`, `-Q out`: only that direction.
    pub direction: Option<bool>,
    /// The expression.
    pub filter: Filter,
}

impl Default for Tcpdump {
    fn default() -> Self {
        Tcpdump {
            device: None,
            count: None,
            link: false,
            quick: false,
            absolute: false,
            times: 0,
            verbose: 0,
            direction: None,
            filter: Filter::All,
        }
    }
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut t = Tcpdump::default();
    let mut words: Vec<&str> = Vec::new();
    while let Some(word) = args.next() {
        let Some(mut letters) = Letters::of(word).filter(|_| words.is_empty()) else {
            match word {
                "--immediate-mode" | "--number" if words.is_empty() => return Err(args.not_simulated(format_args!("`{word}`"))),
                _ => words.push(word),
            }
            continue;
        };
        while let Some(c) = letters.next() {
            match c {
                'n' | 'l' | 'p' | 'U' | 'K' => {}
                'e' => t.link = true,
                'q' => t.quick = true,
                'S' => t.absolute = true,
                't' => t.times = t.times.saturating_add(1),
                'v' => t.verbose = t.verbose.saturating_add(1),
                'i' | 'c' | 'Q' | 's' => {
                    let value = match letters.value() {
                        Some(v) => v,
                        None => args
                            .next()
                            .ok_or_else(|| args.end(format!("tcpdump: option requires an argument -- '{c}'")).help(SPEC.usage))?,
                    };
                    match c {
                        'i' => t.device = Some(value.into()),
                        's' => {
                            let _: u32 = value.parse().map_err(|_| args.error(format!("tcpdump: invalid snaplen {value}")))?;
                        }
                        'c' => {
                            let n = value.parse().ok().filter(|n| *n > 0);
                            t.count = Some(n.ok_or_else(|| args.error(format!("tcpdump: invalid packet count {value}")))?);
                        }
                        _ => {
                            t.direction = match value {
                                "in" => Some(true),
                                "out" => Some(false),
                                "inout" => None,
                                other => return Err(args.error(format!("tcpdump: unknown capture direction `{other}'"))),
                            };
                        }
                    }
                }
                'A' | 'B' | 'b' | 'C' | 'd' | 'D' | 'E' | 'F' | 'f' | 'G' | 'H' | 'I' | 'j' | 'J' | 'L' | 'm' | 'M' | 'N' | 'O' | 'r'
                | 'T' | 'u' | 'V' | 'w' | 'W' | 'x' | 'X' | 'y' | 'z' | 'Z' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                c => return Err(args.error(format!("tcpdump: invalid option -- '{c}'")).help(SPEC.usage)),
            }
        }
    }
    t.filter = Filter::parse(&words.join(" ")).map_err(|e| args.error(format!("tcpdump: {e}")))?;
    Ok(Command::Capture(CaptureIn { netns: None, capture: t }))
}

/// Where a capture listens.
enum Listens {
    Any,
    On(IfIndex),
}

/// What a capture in `netns` prints of a run; `config` is that of the namespace when the capture began.
pub fn render(t: &Tcpdump, recording: &Recording, netns: NetnsId, config: &Config) -> Answer {
    let (on, name) = match t.device.as_deref() {
        Some("any") => (Listens::Any, "any"),
        Some(name) => match config.devices.by_name(name) {
            Some(d) if d.up => (Listens::On(d.index), name),
            Some(_) => return Answer::failed(format!("tcpdump: {name}: That device is not up"), 1),
            None => return Answer::failed(format!("tcpdump: {name}: No such device exists\n(No such device exists)"), 1),
        },
        None => match config.devices.iter().find(|d| d.up && &*d.name != "lo") {
            Some(d) => (Listens::On(d.index), &*d.name),
            None => (Listens::Any, "any"),
        },
    };
    let any = matches!(on, Listens::Any);
    let mut a = Answer::default();
    let kind = if any { "LINUX_SLL2 (Linux cooked v2)" } else { "EN10MB (Ethernet)" };
    if any {
        a.stderr.push_str("tcpdump: data link type LINUX_SLL2\n");
    }
    if t.verbose == 0 {
        a.stderr.push_str("tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n");
    } else {
        a.stderr.push_str("tcpdump: ");
    }
    let _ = writeln!(a.stderr, "listening on {name}, link-type {kind}, snapshot length 262144 bytes");
    let mut out = line::Printer::new(t, any);
    let mut captured = 0u32;
    for (n, step) in (0u32..).zip(&recording.steps) {
        let incoming = match step.evidence {
            Evidence::Receive { pkttype, .. } => Some(pkttype),
            Evidence::Transmit { .. } => None,
            _ => continue,
        };
        if step.netns != netns || matches!(on, Listens::On(dev) if dev != step.dev) {
            continue;
        }
        let now = recording.config(netns, StepId(n));
        let dev = now.and_then(|c| c.devices.get(step.dev)).or_else(|| config.devices.get(step.dev));
        let loopback = dev.is_some_and(|d| &*d.name == "lo");
        // libpcap leaves out what lo sends: it comes in again
        if incoming.is_none() && loopback || t.direction.is_some_and(|wants_in| wants_in != incoming.is_some()) {
            continue;
        }
        let Some(frame) = recording.frame(step.version) else { continue };
        if !t.filter.passes(&frame.encode()) {
            continue;
        }
        let way = match incoming {
            None => "Out",
            Some(PktType::Host | PktType::Outgoing) => "In ",
            Some(PktType::Broadcast) => "B  ",
            Some(PktType::Multicast) => "M  ",
            Some(PktType::OtherHost) => "P  ",
        };
        out.frame(step.at, (dev.map_or("", |d| &d.name), step.dev.0), way, frame);
        captured += 1;
        if t.count == Some(captured) {
            break;
        }
    }
    a.stdout = out.text;
    let s = if captured == 1 { "" } else { "s" };
    let _ = writeln!(a.stderr, "{captured} packet{s} captured\n{captured} packet{s} received by filter\n0 packets dropped by kernel");
    a
}
