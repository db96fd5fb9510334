//! A packet in one short line, for titles: what it is and between whom. [`Frame::summary`] has every detail.

use crate::packet::{ArpOp, Body, Frame, Icmp, IcmpKind, Ipv4Packet, L4, Net, Quoted, Tcp, TcpFlags};
use crate::report::names::icmp_name;

/// Flags as one says them: `SYN`, `SYN-ACK`, `ACK`, `FIN-ACK`, `RST`.
pub fn flags(f: TcpFlags) -> String {
    let names = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ACK, "ACK"),
    ];
    let set: Vec<&str> = names.into_iter().filter(|(bit, _)| f.has(*bit)).map(|(_, n)| n).collect();
    if set.is_empty() { "no flags".to_owned() } else { set.join("-") }
}

fn bytes(n: usize) -> String {
    match n {
        0 => String::new(),
        1 => ", 1 byte".to_owned(),
        n => format!(", {n} bytes"),
    }
}

/// The packet: `TCP SYN 10.244.0.2:41000 > 10.244.1.3:80`.
pub fn title(frame: &Frame) -> String {
    match &frame.net {
        Net::Arp(a) => match a.op {
            ArpOp::Request if a.sender == a.target => format!("ARP announcement: {} is at {}", a.sender, a.sender_mac),
            ArpOp::Request => format!("ARP who has {}? tell {}", a.target, a.sender),
            ArpOp::Reply => format!("ARP {} is at {}", a.sender, a.sender_mac),
        },
        Net::Ipv4(p) => ipv4(p),
        Net::Ipv6(_) | Net::Other { .. } => frame.summary(),
    }
}

fn ipv4(p: &Ipv4Packet) -> String {
    let (s, d) = (p.header.src, p.header.dst);
    let part = if p.is_fragment() { format!(", part at byte {}", p.header.fragment_offset) } else { String::new() };
    match &p.body {
        Body::Tcp(t) => tcp(t, &s.to_string(), &d.to_string()),
        Body::Udp(u) => format!("UDP {s}:{} > {d}:{}{}", u.src_port, u.dst_port, bytes(u.payload.len())),
        Body::Icmp(m) => icmp(m, &s.to_string(), &d.to_string()),
        Body::Icmpv6(_) => format!("ICMPv6 {s} > {d}"),
        Body::Fragment { protocol, bytes: b } | Body::Other { protocol, bytes: b } => {
            format!("{} {s} > {d}{}{part}", protocol.to_string().to_uppercase(), bytes(b.len()))
        }
    }
}

fn tcp(t: &Tcp, s: &str, d: &str) -> String {
    format!("TCP {} {s}:{} > {d}:{}{}", flags(t.flags), t.src_port, t.dst_port, bytes(t.payload.len()))
}

fn icmp(m: &Icmp, s: &str, d: &str) -> String {
    let (kind, code) = m.type_code();
    let name = icmp_name(kind, code);
    match &m.kind {
        IcmpKind::EchoRequest { seq, .. } | IcmpKind::EchoReply { seq, .. } => format!("ICMP {name} {s} > {d}, seq {seq}"),
        IcmpKind::Unreachable { quoted, .. } | IcmpKind::Redirect { quoted, .. } | IcmpKind::TimeExceeded { quoted, .. } => {
            format!("ICMP {name} {s} > {d}{}", about(quoted))
        }
        IcmpKind::Other { .. } => format!("ICMP {name} {s} > {d}"),
    }
}

/// `, about TCP to 10.96.0.10:80`: the packet that an error quotes.
fn about(q: &Quoted) -> String {
    let Some(t) = q.tuple() else { return String::new() };
    let name = t.protocol.to_string().to_uppercase();
    match t.l4 {
        L4::Ports { dst, .. } => format!(", about {name} to {}:{dst}", t.dst),
        L4::Icmp { .. } | L4::None => format!(", about {name} to {}", t.dst),
    }
}
