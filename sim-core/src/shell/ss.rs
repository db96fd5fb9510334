//! `ss`: sockets.
//!
//! Models: iproute2 6.1 misc/ss.c: which states are shown, the columns and their widths, filters of states, addresses and ports.
//! Simplifies: TCP, UDP and raw sockets; sockets that listen come first, the newest before; processes (`-p`), timers and memory are
//! not told.

use super::answer::Answer;
use super::args::Args;
use super::flow::Letters;
use super::{Command, Query, ShellError, Spec};
use crate::linux::Netns;
use crate::linux::netfilter::option::{SERVICES, number, service_name};
use crate::linux::socket::tcp::TcpState;
use crate::linux::socket::{Socket, SocketKind};
use crate::packet::{Endpoint, Family, IpAddr, Ipv4Addr, Prefix};
use std::fmt::Write as _;

/// The command.
pub static SPEC: Spec = Spec {
    name: "ss",
    about: "sockets",
    usage: "ss [-t] [-u] [-w] [-a] [-l] [-n] [-H] [-4] [-s] [state STATE] [src|dst ADDRESS[:PORT]] [sport|dport = :PORT]",
    parse,
};

/// States, as ss names them, by bit.
const STATES: [(&str, &str); 11] = [
    ("established", "ESTAB"),
    ("syn-sent", "SYN-SENT"),
    ("syn-recv", "SYN-RECV"),
    ("fin-wait-1", "FIN-WAIT-1"),
    ("fin-wait-2", "FIN-WAIT-2"),
    ("time-wait", "TIME-WAIT"),
    ("closed", "UNCONN"),
    ("close-wait", "CLOSE-WAIT"),
    ("last-ack", "LAST-ACK"),
    ("listening", "LISTEN"),
    ("closing", "CLOSING"),
];
const ALL: u16 = (1 << STATES.len()) - 1;
const CLOSED: u16 = 1 << 6;
const LISTENING: u16 = 1 << 9;
/// All but those that listen, are not connected, or are about to end or to begin.
const CONNECTED: u16 = ALL & !(LISTENING | CLOSED | 1 << 5 | 1 << 2);

/// Which sockets, and how they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Show {
    /// `-t`.
    pub tcp: bool,
    /// `-u`.
    pub udp: bool,
    /// `-w`.
    pub raw: bool,
    /// States, a bit each.
    pub states: u16,
    /// `-n`.
    pub numeric: bool,
    /// `-H`.
    pub no_header: bool,
    /// `-s`: a summary.
    pub summary: bool,
    /// What the ends must be, all of it.
    pub filters: Vec<End>,
}

/// What one end must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The other end (`dst`, `dport`) instead of the own.
    pub remote: bool,
    /// `!=`.
    pub invert: bool,
    /// A range of addresses.
    pub addr: Option<Prefix<Ipv4Addr>>,
    /// A port.
    pub port: Option<u16>,
}

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    args.status = 255;
    let mut s =
        Show { tcp: false, udp: false, raw: false, states: 0, numeric: false, no_header: false, summary: false, filters: Vec::new() };
    let (mut all, mut listening) = (false, false);
    while args.peek().is_some_and(|w| w.starts_with('-')) {
        let word = args.next().unwrap_or_default();
        let letters = match word {
            "--tcp" => "-t",
            "--udp" => "-u",
            "--raw" => "-w",
            "--all" => "-a",
            "--listening" => "-l",
            "--numeric" => "-n",
            "--no-header" => "-H",
            "--ipv4" => "-4",
            "--summary" => "-s",
            w => w,
        };
        let Some(mut letters) = Letters::of(letters) else {
            return Err(args.error(format!("ss: unrecognized option '{word}'")).help(SPEC.usage));
        };
        while let Some(c) = letters.next() {
            match c {
                't' => s.tcp = true,
                'u' => s.udp = true,
                'w' => s.raw = true,
                'a' => all = true,
                'l' => listening = true,
                'n' => s.numeric = true,
                'H' => s.no_header = true,
                's' => s.summary = true,
                '4' | 'r' => {}
                'p' | 'e' | 'm' | 'i' | 'o' | 'b' | 'x' | 'd' | 'S' | '0' | '6' | 'f' | 'A' | 'D' | 'F' | 'N' | 'K' | 'E' | 'Z' | 'z'
                | 'T' | 'O' | 'M' | 'Q' | 'B' => return Err(args.not_simulated(format_args!("`-{c}`"))),
                c => return Err(args.error(format!("ss: invalid option -- '{c}'")).help(SPEC.usage)),
            }
        }
    }
    if !s.tcp && !s.udp && !s.raw {
        (s.tcp, s.udp, s.raw) = (true, true, true);
    }
    while let Some(word) = args.next() {
        match word {
            "state" | "exclude" => {
                let name = args.need()?;
                let bits = state(name).ok_or_else(|| args.error(format!("ss: wrong state name: {name}")))?;
                s.states = match (word, s.states) {
                    ("state", have) => have | bits,
                    (_, 0) => ALL & !bits,
                    (_, have) => have & !bits,
                };
            }
            "and" | "&" | "&&" => {}
            "src" | "dst" | "sport" | "dport" => s.filters.push(end(args, word)?),
            "or" | "|" | "||" | "not" | "!" | "(" | ")" | "dev" | "fwmark" | "cgroup" => {
                return Err(args.not_simulated(format_args!("`{word}` in a filter")));
            }
            _ => {
                return Err(args.error(format!("Error: an inet prefix is expected rather than \"{word}\".\nCannot parse dst/src address.")));
            }
        }
    }
    if s.states == 0 {
        s.states = match (all, listening) {
            (true, _) => ALL,
            (false, true) => LISTENING | CLOSED,
            (false, false) => CONNECTED,
        };
    }
    Ok(Command::query(Query::Sockets(s)))
}

fn state(name: &str) -> Option<u16> {
    Some(match name {
        "all" => ALL,
        "connected" => ALL & !(CLOSED | LISTENING),
        "synchronized" => ALL & !(CLOSED | LISTENING | 1 << 1),
        "bucket" => 1 << 2 | 1 << 5,
        "big" => ALL & !(1 << 2 | 1 << 5),
        "unconnected" => CLOSED,
        "close" => CLOSED,
        "listen" => LISTENING,
        name => 1 << STATES.iter().position(|(n, _)| *n == name)?,
    })
}

fn end(args: &mut Args<'_>, key: &str) -> Result<End, ShellError> {
    let mut e = End { remote: key.starts_with('d'), invert: false, addr: None, port: None };
    match args.peek() {
        Some("=" | "==" | "eq") => {
            args.next();
        }
        Some("!=" | "neq" | "ne") => {
            args.next();
            e.invert = true;
        }
        Some(">" | ">=" | "<" | "<=" | "gt" | "ge" | "lt" | "le") => {
            args.next();
            return Err(args.unsupported());
        }
        _ => {}
    }
    let word = args.need()?;
    let (addr, port) = match word.rsplit_once(':') {
        Some((a, p)) => (a, Some(p)),
        None if key.ends_with("port") => ("", Some(word)),
        None => (word, None),
    };
    let wrong =
        |args: &Args<'_>| args.error(format!("Error: an inet prefix is expected rather than \"{word}\".\nCannot parse dst/src address."));
    if !addr.is_empty() && addr != "*" {
        let (a, len) = match addr.split_once('/') {
            Some((a, l)) => (a, number(l, 32).ok_or_else(|| wrong(args))? as u8),
            None => (addr, 32),
        };
        e.addr = Some(Prefix::new(a.parse().map_err(|_| wrong(args))?, len));
    }
    if let Some(p) = port.filter(|p| *p != "*") {
        let n = number(p, 65_535).map(|n| n as u16).or_else(|| SERVICES.iter().find(|(n, _)| *n == p).map(|(_, n)| *n));
        e.port = Some(n.ok_or_else(|| args.error(format!("Error: \"{p}\" does not look like a port.\nCannot parse dst/src address.")))?);
    }
    Ok(e)
}

/// The state of a socket, by its bit.
fn state_of(s: &Socket) -> usize {
    let Some(tcp) = s.tcp.as_ref() else { return if s.remote.is_some() { 0 } else { 6 } };
    match tcp.state {
        TcpState::Established => 0,
        TcpState::SynSent => 1,
        TcpState::SynRecv => 2,
        TcpState::FinWait1 => 3,
        TcpState::FinWait2 => 4,
        TcpState::TimeWait => 5,
        TcpState::Close => 6,
        TcpState::CloseWait => 7,
        TcpState::LastAck => 8,
        TcpState::Listen => 9,
        TcpState::Closing => 10,
    }
}

/// Bytes (connections, for one that listens) that wait to be read, and to be acknowledged.
fn queues(s: &Socket) -> (u32, u32) {
    let Some(tcp) = s.tcp.as_ref() else { return (s.queue.iter().map(|d| d.data.len() as u32).sum(), 0) };
    if tcp.is_listening() {
        return (tcp.listener.accept.len() as u32, tcp.listener.backlog);
    }
    let unsent = tcp.snd.unsent.len() as u32;
    let flying: u32 = tcp.snd.in_flight.iter().map(|f| f.data.len() as u32).sum();
    (tcp.rcv.ready_len, unsent + flying)
}

fn fits(s: &Socket, e: &End) -> bool {
    let at = if e.remote { s.remote.unwrap_or(Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), 0)) } else { s.local };
    let same = e.addr.is_none_or(|p| matches!(at.addr, IpAddr::V4(a) if p.contains(a))) && e.port.is_none_or(|p| p == at.port);
    same != e.invert
}

/// An address as `ss` writes it: one that hears both families is `*`.
fn host(addr: IpAddr, s: &Socket) -> String {
    match addr {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) if a.is_unspecified() && !s.v6only => "*".to_owned(),
        IpAddr::V6(a) => format!("[{a}]"),
    }
}

fn service(port: u16, numeric: bool) -> String {
    match service_name(port).filter(|_| !numeric) {
        Some(name) => name.to_owned(),
        None => port.to_string(),
    }
}

/// What `ss` prints.
pub fn answer(ns: &Netns, q: &Show) -> Answer {
    let mut all = ns.sockets.sorted();
    all.sort_by_key(|s| (matches!(s.kind, SocketKind::Tcp), !s.tcp.as_ref().is_some_and(|t| t.is_listening()), std::cmp::Reverse(s.id)));
    if q.summary {
        return summary(&all);
    }
    let rows: Vec<[String; 8]> = all
        .iter()
        // the file of a tun device is no socket
        .filter(|s| s.kind != SocketKind::Tun)
        .filter(|s| match s.kind {
            SocketKind::Tcp => q.tcp,
            SocketKind::Udp => q.udp,
            _ => q.raw,
        })
        // a socket without a name is not hashed, and nobody sees it
        .filter(|s| s.local.port != 0 || s.remote.is_some() || !matches!(s.kind, SocketKind::Tcp | SocketKind::Udp))
        .filter(|s| q.states >> state_of(s) & 1 == 1 && q.filters.iter().all(|e| fits(s, e)))
        .map(|s| {
            let netid = match s.kind {
                SocketKind::Tcp => "tcp",
                SocketKind::Udp => "udp",
                _ => "raw",
            };
            let (received, sent) = queues(s);
            let raw = !matches!(s.kind, SocketKind::Tcp | SocketKind::Udp);
            let local_port = if raw {
                match (s.family, q.numeric) {
                    (Family::Inet, true) => "1".to_owned(),
                    (Family::Inet, false) => "icmp".to_owned(),
                    (Family::Inet6, true) => "58".to_owned(),
                    (Family::Inet6, false) => "ipv6-icmp".to_owned(),
                }
            } else {
                service(s.local.port, q.numeric)
            };
            let remote = s.remote.filter(|_| !s.tcp.as_ref().is_some_and(|t| t.is_listening()));
            let (peer, peer_port) = match remote {
                Some(r) if !raw => (host(r.addr, s), service(r.port, q.numeric)),
                Some(r) => (host(r.addr, s), "*".to_owned()),
                None => (host(crate::linux::socket::wildcard(s.family), s), "*".to_owned()),
            };
            [
                netid.to_owned(),
                STATES[state_of(s)].1.to_owned(),
                format!("{received:<6}"),
                format!("{sent:<6}"),
                format!("{}:", host(s.local.addr, s)),
                local_port,
                format!("{peer}:"),
                peer_port,
            ]
        })
        .collect();
    let netid = usize::from(q.tcp) + usize::from(q.udp) + usize::from(q.raw) > 1;
    // one state alone needs no column
    let stated = q.states.count_ones() > 1;
    Answer::printed(table(&rows, netid, stated, !q.no_header))
}

/// The columns: what stands before each, its heading, and whether it stands on the right.
const COLUMNS: [(&str, &str, bool); 9] = [
    ("", "Netid", false),
    (" ", "State", false),
    (" ", "Recv-Q", false),
    (" ", "Send-Q", false),
    (" ", "Local Address:", true),
    ("", "Port", false),
    (" ", "Peer Address:", true),
    ("", "Port", false),
    ("", "Process", false),
];

fn table(rows: &[[String; 8]], netid: bool, stated: bool, header: bool) -> String {
    let shown = |c: usize| match c {
        0 => netid,
        1 => stated,
        8 => header,
        _ => true,
    };
    let mut widths = [0usize; 9];
    for (c, w) in widths.iter_mut().enumerate() {
        let heading = if header { COLUMNS[c].1.len() } else { 0 };
        *w = rows.iter().filter_map(|r| r.get(c)).map(String::len).max().unwrap_or(0).max(heading);
    }
    let mut out = String::new();
    let mut line = |cell: &dyn Fn(usize) -> String| {
        let mut first = true;
        for (c, (before, _, right)) in COLUMNS.iter().enumerate().filter(|(c, _)| shown(*c)) {
            if !first {
                out.push_str(before);
            }
            first = false;
            let (text, width) = (cell(c), widths[c]);
            let _ = if *right { write!(out, "{text:>width$}") } else { write!(out, "{text:<width$}") };
        }
        out.push('\n');
    };
    if header {
        line(&|c| COLUMNS[c].1.to_owned());
    }
    for r in rows {
        line(&|c| r.get(c).cloned().unwrap_or_default());
    }
    out
}

fn summary(all: &[&Socket]) -> Answer {
    let count = |f: &dyn Fn(&Socket) -> bool| all.iter().filter(|s| f(s)).count();
    let tcp = count(&|s| s.kind == SocketKind::Tcp);
    let udp = count(&|s| s.kind == SocketKind::Udp);
    let raw = all.len() - tcp - udp;
    let state = |want: TcpState| count(&|s| s.tcp.as_ref().is_some_and(|t| t.state == want));
    let (established, waiting) = (state(TcpState::Established), state(TcpState::TimeWait));
    let orphaned = count(&|s| s.tcp.as_ref().is_some_and(|t| t.orphan && t.state != TcpState::TimeWait));
    let closed = tcp - established - state(TcpState::Listen);
    let mut out = format!("Total: {}\n", all.len());
    let _ = writeln!(out, "TCP:   {tcp} (estab {established}, closed {closed}, orphaned {orphaned}, timewait {waiting})\n");
    let _ = writeln!(out, "Transport Total     IP        IPv6");
    for (name, n) in [("RAW", raw), ("UDP", udp), ("TCP", tcp - waiting), ("INET", raw + udp + tcp - waiting), ("FRAG", 0)] {
        let _ = writeln!(out, "{name}\t  {n:<9} {n:<9} {:<9}", 0);
    }
    out.push('\n');
    Answer::printed(out)
}
