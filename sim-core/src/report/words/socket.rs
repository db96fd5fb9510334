//! Words for sockets, TCP and ICMP errors.

use super::Words;
use crate::linux::socket::tcp::TcpState;
use crate::linux::{Errno, PacketId, SocketId};
use crate::report::doc::{Line, Role};
use crate::report::headers::{innermost, lookup};
use crate::report::names::{icmp_name, tcp_state as state_name};
use crate::report::view::StepView;

fn header(v: &StepView<'_>, path: &str) -> Option<String> {
    lookup(&v.headers, path).map(|x| x.to_string())
}

fn bytes(n: u32) -> String {
    if n == 1 { "1 byte".to_owned() } else { format!("{n} bytes") }
}

/// `10.244.1.3:80`, or the address alone.
fn end(v: &StepView<'_>, addr: &str, port: &str) -> String {
    let a = header(v, addr).unwrap_or_default();
    match innermost(&v.headers, port) {
        Some(p) => format!("{a}:{p}"),
        None => a,
    }
}

/// What a segment with these flags says.
fn segment(flags: &str, len: u32) -> String {
    let has = |c: char| flags.contains(c);
    let base = match (has('S'), has('.'), has('R'), has('F')) {
        (_, _, true, _) => "RST, there is no such connection",
        (true, true, _, _) => "SYN-ACK, accepts the connection",
        (true, false, _, _) => "SYN, asks for a connection",
        (_, _, _, true) => "FIN, has nothing more to say",
        _ => return if len == 0 { "ACK, acknowledges what came".to_owned() } else { format!("{} of data", bytes(len)) },
    };
    if len == 0 { base.to_owned() } else { format!("{base}, with {} of data", bytes(len)) }
}

pub(super) fn send(v: &StepView<'_>, len: u32) -> Words {
    let to = end(v, "ipv4.dst", "dport");
    let what = match header(v, "tcp.flags") {
        Some(flags) => format!("TCP to {to} sends {}", segment(&flags, len)),
        None => match header(v, "icmp.type").as_deref() {
            Some("8") => format!("ping sends an echo request to {to}"),
            _ => format!("the program sends {} to {to}", bytes(len)),
        },
    };
    Words::new(Line::plain(what.clone())).short(Line::plain(what))
}

pub(super) fn deliver(v: &StepView<'_>, socket: SocketId, len: u32) -> Words {
    let what = match header(v, "icmp.type").as_deref() {
        Some("8") => "an echo request for the kernel, which answers by itself".to_owned(),
        Some("0") => "an echo reply for ping".to_owned(),
        Some(t) => {
            let code = header(v, "icmp.code").and_then(|c| c.parse().ok()).unwrap_or(0);
            let name = icmp_name(t.parse().unwrap_or(u8::MAX), code);
            format!("ICMP {name}: the quoted packet names the socket that it is about")
        }
        None => match header(v, "tcp.flags") {
            Some(flags) => format!("TCP takes {}", segment(&flags, len)),
            None if socket.is_some() => format!("{} for the socket at {}", bytes(len), end(v, "ipv4.dst", "dport")),
            None => "for the kernel itself".to_owned(),
        },
    };
    Words::new(Line::of(Role::Good, "delivered").and(Role::Plain, format!(": {what}")))
        .short(Line::of(Role::Good, "delivered").and(Role::Plain, format!(": {what}")))
}

pub(super) fn error(v: &StepView<'_>, errno: Errno) -> Words {
    let what = Line::plain("the program is told ").and(Role::Bad, errno.name()).and(Role::Plain, format!(": {}", errno.message()));
    let _ = v;
    Words::new(what.clone()).short(what)
}

pub(super) fn tcp_state(from: TcpState, to: TcpState) -> Words {
    let why = match to {
        TcpState::Close => "The connection is gone.",
        TcpState::Listen => "It waits for connections.",
        TcpState::SynSent => "It has asked and waits for the answer.",
        TcpState::SynRecv => "It was asked, has answered and waits for the last acknowledgment of the handshake.",
        TcpState::Established => "The handshake is done: data may flow.",
        TcpState::FinWait1 => "It has closed its side; the FIN is not acknowledged yet.",
        TcpState::FinWait2 => "Its FIN is acknowledged; the other side may still send.",
        TcpState::CloseWait => "The other side has closed; the program has not.",
        TcpState::Closing => "Both sides have closed at once.",
        TcpState::LastAck => "Both have closed; the last FIN is not acknowledged yet.",
        TcpState::TimeWait => "Both have closed; it waits a minute for stray segments.",
    };
    Words::new(Line::plain(format!("the connection goes from {} to {}", state_name(from), state_name(to)))).why(why)
}

pub(super) fn icmp_error(v: &StepView<'_>, kind: u8, code: u8, packet: PacketId) -> Words {
    let name = icmp_name(kind, code);
    if !packet.is_some() {
        return Words::new(Line::plain(format!("an ICMP {name} would be due, and is held back by a rate limit")));
    }
    let to = header(v, "ipv4.src").unwrap_or_default();
    let what = Line::plain("answers ").and(Role::Bad, format!("ICMP {name}")).and(Role::Plain, format!(" to {to} (packet {})", packet.0));
    let why = match (kind, code) {
        (3, 0) => "No route leads to the destination.",
        (3, 1) => "The destination's host, or the next hop, could not be reached.",
        (3, 3) => "Nobody listens on the port, or a rule refuses it.",
        (3, 4) => "The packet is larger than the next link takes, and DF forbids to cut it; the error names the MTU.",
        (3, 13) => "A rule or a route forbids it.",
        (5, _) => "There is a shorter way: the sender could use the next hop itself.",
        (11, 0) => "The time to live ran out on this router.",
        _ => "",
    };
    Words::new(what.clone()).short(what).why(why)
}
