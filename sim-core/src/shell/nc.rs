//! `nc`: a TCP connection or a UDP datagram.
//!
//! Models: netcat-openbsd 1.219, its wording included. Simplifies: it only calls (`-l` is for servers of the scenario), standard
//! input is empty, and one port is tried.

use super::answer::Answer;
use super::args::Args;
use super::flow::{FlowCommand, Letters};
use super::{Command, ShellError, Spec};
use crate::linux::Errno;
use crate::linux::netfilter::option::service_name;
use crate::packet::IpAddr;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The command.
pub static SPEC: Spec = Spec {
    name: "nc",
    about: "a TCP connection or a UDP datagram",
    usage: "nc [-u] [-z] [-v] [-n] [-w SECONDS] [-p SOURCE_PORT] [-s SOURCE] HOST PORT",
    parse,
};

/// An `nc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nc {
    /// Destination, an address or a name.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// `-u`.
    pub udp: bool,
    /// `-z`: no data.
    pub zero: bool,
    /// `-v`.
    pub verbose: bool,
    /// `-n`: names are not looked up.
    pub numeric: bool,
    /// `-w`.
    pub timeout: Option<Duration>,
    /// `-p`.
    pub source_port: Option<u16>,
    /// `-s`.
    pub source: Option<IpAddr>,
}

fn port(args: &Args<'_>, w: &str) -> Result<u16, ShellError> {
    if let Some(p) = (1..=u16::MAX).find(|p| service_name(*p) == Some(w)) {
        return Ok(p);
    }
    if w.contains('-') && w.split('-').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())) {
        return Err(args.not_simulated("several ports in one command"));
    }
    match w.parse::<i64>() {
        Ok(n) if n > 65_535 => Err(args.error(format!("nc: port number too large: {w}"))),
        Ok(n) if n < 1 => Err(args.error(format!("nc: port number too small: {w}"))),
        Ok(n) => Ok(n as u16),
        Err(_) => Err(args.error(format!("nc: port number invalid: {w}"))),
    }
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 1;
    let mut nc = Nc {
        host: "".into(),
        port: 0,
        udp: false,
        zero: false,
        verbose: false,
        numeric: false,
        timeout: None,
        source_port: None,
        source: None,
    };
    let mut host: Option<Arc<str>> = None;
    let mut to: Option<u16> = None;
    while let Some(word) = args.next() {
        let Some(mut letters) = Letters::of(word) else {
            match (&host, to) {
                (None, _) => host = Some(word.into()),
                (Some(_), None) => to = Some(port(args, word)?),
                _ => return Err(args.not_simulated("several ports in one command")),
            }
            continue;
        };
        while let Some(c) = letters.next() {
            match c {
                'u' => nc.udp = true,
                'z' => nc.zero = true,
                'v' => nc.verbose = true,
                'n' => nc.numeric = true,
                '4' | 'N' => {}
                'w' | 'p' | 's' => {
                    let w = match letters.value() {
                        Some(w) => w,
                        None => match args.next() {
                            Some(w) => w,
                            None => return Err(args.end(format!("nc: option requires an argument -- '{c}'")).help(SPEC.usage)),
                        },
                    };
                    match c {
                        'w' => {
                            let n: u32 = w.parse().map_err(|_| args.error(format!("nc: timeout invalid: {w}")))?;
                            nc.timeout = Some(Duration::from_secs(u64::from(n)));
                        }
                        'p' => nc.source_port = Some(port(args, w)?),
                        _ => {
                            let unknown = format!("nc: getaddrinfo: Name or service not known ({w})");
                            nc.source = Some(w.parse().map_err(|_| args.error(unknown))?);
                        }
                    }
                }
                'l' | '6' | 'C' | 'D' | 'd' | 'F' | 'h' | 'k' | 'r' | 'S' | 't' | 'U' | 'Z' | 'I' | 'i' | 'M' | 'm' | 'O' | 'P' | 'q'
                | 'T' | 'V' | 'W' | 'X' | 'x' | 'b' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                c => return Err(args.error(format!("nc: invalid option -- '{c}'")).help(SPEC.usage)),
            }
        }
    }
    match (host, to) {
        (Some(h), Some(p)) => {
            nc.host = h;
            nc.port = p;
            Ok(Command::flow(FlowCommand::Nc(nc)))
        }
        (Some(_), None) => Err(args.end("nc: missing port number")),
        (None, _) => Err(args.end(format!("usage: {}", SPEC.usage))),
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NcEnd {
    /// The connection was made (UDP: nothing came back that says otherwise), and this was received.
    Done(String),
    /// It failed.
    Failed(Errno),
    /// `-w` was over.
    TimedOut,
    /// The name is not known.
    NotResolved,
}

/// What `nc` prints, and its exit status.
pub fn render(nc: &Nc, end: &NcEnd) -> Answer {
    let mut a = Answer::default();
    let proto = if nc.udp { "udp" } else { "tcp" };
    let (host, port) = (&nc.host, nc.port);
    match end {
        NcEnd::Done(received) => {
            if nc.verbose {
                let service = if nc.numeric { "*" } else { service_name(port).unwrap_or("*") };
                let _ = writeln!(a.stderr, "Connection to {host} {port} port [{proto}/{service}] succeeded!");
            }
            a.stdout.push_str(received);
        }
        NcEnd::Failed(errno) => {
            if nc.verbose && !nc.udp {
                let _ = writeln!(a.stderr, "nc: connect to {host} port {port} ({proto}) failed: {errno}");
            }
            a.status = 1;
        }
        NcEnd::TimedOut => {
            if nc.verbose {
                let _ = writeln!(a.stderr, "nc: connect to {host} port {port} ({proto}) timed out: Operation now in progress");
            }
            a.status = 1;
        }
        NcEnd::NotResolved => {
            let _ = writeln!(a.stderr, "nc: getaddrinfo for host \"{host}\" port {port}: Temporary failure in name resolution");
            a.status = 1;
        }
    }
    a
}
