//! Words for what became of a flow.

use crate::apps::outcome::{Ending, Outcome};
use crate::engine::{FlowKind, FlowRecord};
use crate::linux::Errno;
use crate::packet::Endpoint;
use crate::report::doc::{Line, Role};
use crate::report::names::icmp_name;
use crate::report::time;
use crate::report::view::Report;

/// The name of an ending, as expectations and the trace document spell it.
pub fn name(ending: Ending) -> &'static str {
    match ending {
        Ending::Connected => "connected",
        Ending::Replied => "replied",
        Ending::Sent => "sent",
        Ending::NoReply => "no_reply",
        Ending::Refused => "refused",
        Ending::Reset => "reset",
        Ending::TimedOut => "timed_out",
        Ending::HostUnreachable => "host_unreachable",
        Ending::NetworkUnreachable => "network_unreachable",
        Ending::PermissionDenied => "permission_denied",
        Ending::MessageTooLong => "message_too_long",
        Ending::InvalidArgument => "invalid_argument",
        Ending::AddressInUse => "address_in_use",
        Ending::NameNotFound => "name_not_found",
        Ending::Status(_) => "status",
        Ending::Exited(_) => "exited",
        Ending::Failed(_) => "failed",
    }
}

/// Whether the program got what it wanted.
pub fn is_good(ending: Ending) -> bool {
    match ending {
        Ending::Connected | Ending::Replied | Ending::Sent => true,
        Ending::Status(s) => s < 400,
        Ending::Exited(code) => code == 0,
        Ending::NoReply
        | Ending::Refused
        | Ending::Reset
        | Ending::TimedOut
        | Ending::HostUnreachable
        | Ending::NetworkUnreachable
        | Ending::PermissionDenied
        | Ending::MessageTooLong
        | Ending::InvalidArgument
        | Ending::AddressInUse
        | Ending::NameNotFound
        | Ending::Failed(_) => false,
    }
}

/// The ending in a word or two: `replied`, `network unreachable`.
pub fn ending(e: Ending) -> String {
    match e {
        Ending::Status(s) => format!("HTTP status {s}"),
        Ending::Exited(code) => format!("exit status {code}"),
        Ending::Failed(errno) => format!("failed: {}", errno.name()),
        Ending::Connected
        | Ending::Replied
        | Ending::Sent
        | Ending::NoReply
        | Ending::Refused
        | Ending::Reset
        | Ending::TimedOut
        | Ending::HostUnreachable
        | Ending::NetworkUnreachable
        | Ending::PermissionDenied
        | Ending::MessageTooLong
        | Ending::InvalidArgument
        | Ending::AddressInUse
        | Ending::NameNotFound => name(e).replace('_', " "),
    }
}

/// What an ending means for the program.
fn meaning(flow: &FlowRecord, o: &Outcome) -> String {
    let ping = matches!(flow.spec.kind, FlowKind::Ping { .. });
    match o.ending {
        Ending::Connected => match (o.sent, o.received) {
            (0, 0) => "the handshake was done".to_owned(),
            (s, r) => format!("the handshake was done; {s} bytes went out, {r} came back"),
        },
        Ending::Replied => match (o.answer, ping) {
            (Some((from, ttl)), true) => format!("an echo reply came from {from} with ttl {ttl}"),
            (Some((from, _)), false) => format!("{} bytes came back from {from}", o.received),
            (None, _) => format!("an answer of {} bytes came back", o.received),
        },
        Ending::Sent => "it was sent, and no answer was asked for".to_owned(),
        Ending::NoReply => "no answer came, and no error either".to_owned(),
        Ending::Refused => "the port is closed, or a rule refuses it".to_owned(),
        Ending::Reset => "the other side broke the connection off".to_owned(),
        Ending::TimedOut => "the handshake was not answered".to_owned(),
        Ending::HostUnreachable => "the packet could not reach its destination host".to_owned(),
        Ending::NetworkUnreachable => "no route leads there".to_owned(),
        Ending::PermissionDenied => "it is forbidden".to_owned(),
        Ending::MessageTooLong => match o.info {
            0 => "the packet is larger than the path takes".to_owned(),
            mtu => format!("the packet is larger than the path takes: {mtu} bytes"),
        },
        Ending::InvalidArgument => "the route swallows it (blackhole), or the call makes no sense".to_owned(),
        Ending::AddressInUse => "another socket has the address and port".to_owned(),
        Ending::NameNotFound => "no server knows the name".to_owned(),
        Ending::Status(_) => "the server answered".to_owned(),
        Ending::Exited(_) => "the command has ended".to_owned(),
        Ending::Failed(errno) => errno.message().to_lowercase(),
    }
}

/// The errno that goes with an ending, where the outcome has none of its own.
pub fn errno(o: &Outcome) -> Option<Errno> {
    o.errno.or(match o.ending {
        Ending::Refused => Some(Errno::ECONNREFUSED),
        Ending::Reset => Some(Errno::ECONNRESET),
        Ending::HostUnreachable => Some(Errno::EHOSTUNREACH),
        Ending::NetworkUnreachable => Some(Errno::ENETUNREACH),
        Ending::MessageTooLong => Some(Errno::EMSGSIZE),
        Ending::InvalidArgument => Some(Errno::EINVAL),
        Ending::AddressInUse => Some(Errno::EADDRINUSE),
        Ending::Failed(e) => Some(e),
        Ending::TimedOut
        | Ending::PermissionDenied
        | Ending::Connected
        | Ending::Replied
        | Ending::Sent
        | Ending::NoReply
        | Ending::NameNotFound
        | Ending::Status(_)
        | Ending::Exited(_) => None,
    })
}

/// One sentence on what became of a flow, without the ending's name: reasons, who said so, and when.
pub fn detail(report: &Report<'_>, flow: &FlowRecord) -> String {
    let o = &flow.outcome;
    let mut s = match errno(o) {
        Some(e) => format!("{}: {}", e.name(), meaning(flow, o)),
        None => meaning(flow, o),
    };
    let from = report.label(flow.spec.from);
    match (o.icmp, o.offender) {
        (Some((kind, code)), Some(who)) => {
            let whose = owner(report, who);
            s.push_str(&format!("; {who}{whose} sent ICMP {}", icmp_name(kind, code)));
        }
        (Some((kind, code)), None) => s.push_str(&format!("; ICMP {} came back", icmp_name(kind, code))),
        (None, _) if o.immediate => s.push_str(&format!("; {from} itself refused it at once, before a packet was made")),
        (None, _) => {}
    }
    if matches!(o.ending, Ending::NoReply | Ending::TimedOut)
        && let Some((netns, reason)) = report.last_drop(flow.id)
    {
        s.push_str(&format!("; {} dropped a packet: {} ({})", report.label(netns), reason.name(), reason.meaning()));
    }
    if let Some(server) = &o.server {
        s.push_str(&format!("; {} saw it come from {}", report.label(server.netns), server.client));
    }
    s.push_str(&format!(" (after {})", time::span(flow.ended.since(flow.began))));
    s
}

/// ` (node-a)`: whose address it is, if that is known.
fn owner(report: &Report<'_>, addr: std::net::IpAddr) -> String {
    for (i, ns) in report.run.end.netns.iter().enumerate() {
        if ns.config.devices.iter().any(|d| d.addrs.iter().any(|a| a.local == addr) || d.addrs6.iter().any(|a| a.local == addr)) {
            return format!(" ({})", report.label(crate::linux::NetnsId(i as u32)));
        }
    }
    String::new()
}

/// The last line of a flow.
pub fn line(report: &Report<'_>, flow: &FlowRecord) -> Line {
    let e = flow.outcome.ending;
    Line::plain("outcome: ")
        .and(if is_good(e) { Role::Good } else { Role::Bad }, ending(e))
        .and(Role::Plain, format!(": {}", detail(report, flow)))
}

/// What the client of a flow does, in a few words that stand behind its name: `pings 10.244.1.3`.
pub fn title(flow: &FlowRecord) -> String {
    match &flow.spec.kind {
        FlowKind::Ping { to, count, .. } if *count > 1 => format!("pings {to} {count} times"),
        FlowKind::Ping { to, .. } => format!("pings {to}"),
        FlowKind::Tcp { to, port, .. } => format!("connects to {} (TCP)", Endpoint::new(*to, *port)),
        FlowKind::Udp { to, port, .. } => format!("sends to {} (UDP)", Endpoint::new(*to, *port)),
        FlowKind::Http { host, path, method, .. } => format!("asks {method} http://{host}{path}"),
        FlowKind::Send { on, data } => format!("sends {} more bytes on {on}", data.len()),
        FlowKind::Close { on } => format!("closes {on}"),
        FlowKind::Raw { packet } => format!("sends a packet of {} bytes as it is", packet.len()),
        FlowKind::Run { line } => format!("runs {line}"),
        FlowKind::Serve { at, .. } => format!("listens on port {}", at.port),
        FlowKind::Sleep(d) => format!("waits for {}", time::span(*d)),
    }
}
