//! `conntrack`: the flows that are tracked.
//!
//! Models: conntrack-tools 1.4.7, its wording included.

use super::answer::{Answer, Surroundings};
use super::args::Args;
use super::{Command, Query, ShellError, Spec};
use crate::linux::op::ConntrackFilter;
use crate::linux::{Netns, Op};
use crate::packet::{Ipv4Addr, Protocol};
use std::fmt::Write as _;

/// The command.
pub static SPEC: Spec = Spec {
    name: "conntrack",
    about: "the flows that are tracked",
    usage: "conntrack { -L | -D | -F | -C } [-p PROTO] [-s ADDR] [-d ADDR] [-r ADDR] [-q ADDR] [--sport PORT] [--dport PORT]",
    parse,
};

/// What the tool says before its own words.
const NAME: &str = "conntrack v1.4.7 (conntrack-tools):";

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Show {
    /// Only entries that fit.
    pub filter: ConntrackFilter,
    /// `-C`: how many there are.
    pub count: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Delete,
    Flush,
    Count,
}

fn refuse(args: &Args<'_>, words: impl std::fmt::Display) -> ShellError {
    args.error_status(format!("{NAME} {words}\nTry `conntrack -h' or 'conntrack --help' for more information."), 2)
}

fn addr(args: &mut Args<'_>) -> Result<Ipv4Addr, ShellError> {
    let w = need(args)?;
    if w.contains('/') {
        return Err(args.not_simulated("ranges of addresses"));
    }
    w.parse().map_err(|_| refuse(args, format_args!("Invalid IP address `{w}'")))
}

fn need<'l>(args: &mut Args<'l>) -> Result<&'l str, ShellError> {
    match args.next() {
        Some(w) => Ok(w),
        None => Err(refuse(args, "option requires an argument")),
    }
}

fn port(args: &mut Args<'_>) -> Result<u16, ShellError> {
    let w = need(args)?;
    w.parse().map_err(|_| refuse(args, format_args!("`{w}' is not a port")))
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 2;
    let mut verb: Option<Verb> = None;
    let mut filter = ConntrackFilter::default();
    let mut ports = false;
    while let Some(word) = args.next() {
        let mut set = |v: Verb| match verb.replace(v) {
            Some(_) => Err(refuse(args, "Can't use `-L' and `-D' at the same time").help("give one of -L, -D, -F and -C")),
            None => Ok(()),
        };
        match word {
            "-L" | "--dump" => set(Verb::List)?,
            "-D" | "--delete" => set(Verb::Delete)?,
            "-F" | "--flush" => set(Verb::Flush)?,
            "-C" | "--count" => set(Verb::Count)?,
            "conntrack" => {}
            "-p" | "--proto" | "--protonum" => {
                let w = need(args)?;
                filter.protocol = Some(match w {
                    "tcp" | "6" => Protocol::TCP,
                    "udp" | "17" => Protocol::UDP,
                    "icmp" | "1" => Protocol::ICMP,
                    "sctp" | "132" => Protocol(132),
                    "gre" | "47" => Protocol(47),
                    w => return Err(refuse(args, format_args!("`{w}' unsupported protocol"))),
                });
            }
            "-s" | "--src" | "--orig-src" => filter.orig_src = Some(addr(args)?),
            "-d" | "--dst" | "--orig-dst" => filter.orig_dst = Some(addr(args)?),
            "-r" | "--reply-src" => filter.reply_src = Some(addr(args)?),
            "-q" | "--reply-dst" => filter.reply_dst = Some(addr(args)?),
            "--sport" | "--orig-port-src" => {
                filter.sport = Some(port(args)?);
                ports = true;
            }
            "--dport" | "--orig-port-dst" => {
                filter.dport = Some(port(args)?);
                ports = true;
            }
            "-f" | "--family" if args.peek() == Some("ipv4") => {
                args.next();
            }
            "-G" | "-I" | "-U" | "-E" | "-S" | "-A" | "-n" | "-g" | "-j" | "-m" | "-c" | "-e" | "-z" | "-o" | "-l" | "-t" | "-u" | "-w"
            | "-b" | "-f" | "-h" | "-V" | "--state" | "--mark" | "--status" | "--src-nat" | "--dst-nat" | "--any-nat"
            | "--reply-port-src" | "--reply-port-dst" | "--zone" | "--output" | "--timeout" | "--event-mask" | "--help" | "--version"
            | "expect" | "dying" | "unconfirmed" => return Err(args.unsupported()),
            w => return Err(refuse(args, format_args!("unknown option `{w}'"))),
        }
    }
    let with_ports = filter.protocol.is_some_and(|p| p != Protocol::ICMP && p.0 != 47);
    if ports && !with_ports {
        let which = if filter.dport.is_some() { "--dport" } else { "--sport" };
        return Err(refuse(args, format_args!("unknown option `{which}'")).help("ports need a protocol: `-p tcp`"));
    }
    match verb {
        Some(Verb::List) => Ok(Command::query(Query::Conntrack(Show { filter, count: false }))),
        Some(Verb::Count) => Ok(Command::query(Query::Conntrack(Show { filter: ConntrackFilter::default(), count: true }))),
        Some(Verb::Delete) => Ok(Command::op(Op::ConntrackDelete(filter))),
        Some(Verb::Flush) => Ok(Command::op(Op::ConntrackFlush)),
        None => Err(args.end("Usage: conntrack [commands] [options]").help(SPEC.usage)),
    }
}

/// The command that deletes what fits.
pub(super) fn print(filter: &ConntrackFilter) -> String {
    let mut line = String::from("conntrack -D");
    if let Some(p) = filter.protocol {
        let _ = match p.name() {
            Some(n) => write!(line, " -p {n}"),
            None => write!(line, " -p {}", p.0),
        };
    }
    for (flag, a) in [("-s", filter.orig_src), ("-d", filter.orig_dst), ("-r", filter.reply_src), ("-q", filter.reply_dst)] {
        if let Some(a) = a {
            let _ = write!(line, " {flag} {a}");
        }
    }
    for (flag, p) in [("--sport", filter.sport), ("--dport", filter.dport)] {
        if let Some(p) = p {
            let _ = write!(line, " {flag} {p}");
        }
    }
    line
}

/// What the tool says after a deletion of `n` entries, and its exit status.
pub fn deleted(n: usize) -> (String, u8) {
    (format!("{NAME} {n} flow entries have been deleted.\n"), u8::from(n == 0))
}

/// What the tool says after it has emptied the table.
pub fn emptied() -> String {
    format!("{NAME} connection tracking table has been emptied.\n")
}

/// Answers `conntrack -L` and `-C`.
pub(super) fn answer(ns: &Netns, show: &Show, around: &dyn Surroundings) -> Answer {
    let now = around.now();
    let entries = ns.conntrack.entries(now);
    if show.count {
        return Answer::printed(format!("{}\n", entries.len()));
    }
    let mut a = Answer::default();
    let mut shown = 0;
    for e in entries.into_iter().filter(|e| e.fits(&show.filter)) {
        let _ = writeln!(a.stdout, "{}", e.row(now));
        shown += 1;
    }
    let _ = writeln!(a.stderr, "{NAME} {shown} flow entries have been shown.");
    a
}
