//! The words for codes: states, verdicts, kinds of timers and ICMP messages, as the kernel and its tools write them.

use super::value::{Fields, Value};
use crate::linux::conntrack::{CtInfo, CtView};
use crate::linux::skb::PktType;
use crate::linux::socket::tcp::TcpState;
use crate::packet::{ArpOp, Body, Frame, Net};
use crate::trace::evidence::{CtCode, NeighAction, RemoteHit, TimerKind, Tunnel, Verdict};

/// The word for whom a frame is.
pub fn pkttype(p: PktType) -> &'static str {
    match p {
        PktType::Host => "host",
        PktType::Broadcast => "broadcast",
        PktType::Multicast => "multicast",
        PktType::OtherHost => "otherhost",
        PktType::Outgoing => "outgoing",
    }
}

/// The kernel's name of a TCP state.
pub fn tcp_state(s: TcpState) -> &'static str {
    match s {
        TcpState::Close => "CLOSE",
        TcpState::Listen => "LISTEN",
        TcpState::SynSent => "SYN_SENT",
        TcpState::SynRecv => "SYN_RECV",
        TcpState::Established => "ESTABLISHED",
        TcpState::FinWait1 => "FIN_WAIT1",
        TcpState::FinWait2 => "FIN_WAIT2",
        TcpState::CloseWait => "CLOSE_WAIT",
        TcpState::Closing => "CLOSING",
        TcpState::LastAck => "LAST_ACK",
        TcpState::TimeWait => "TIME_WAIT",
    }
}

/// What a timer is for, in kebab-case.
pub fn timer(t: TimerKind) -> &'static str {
    match t {
        TimerKind::Neighbour => "neighbour",
        TimerKind::TcpRetransmit => "tcp-retransmit",
        TimerKind::TcpDelayedAck => "tcp-delayed-ack",
        TimerKind::TcpTimeWait => "tcp-time-wait",
        TimerKind::Conntrack => "conntrack",
        TimerKind::Fdb => "fdb",
    }
}

/// What a packet is to conntrack: state and direction, as `-m conntrack` and the rule trace name them.
pub fn ct_words(code: CtCode) -> (&'static str, Option<&'static str>) {
    let view = CtView::from(code);
    match view.info {
        None if !view.tracked => ("untracked", None),
        None => ("invalid", None),
        Some(CtInfo::New) => ("new", Some("orig")),
        Some(CtInfo::Established) => ("established", Some("orig")),
        Some(CtInfo::EstablishedReply) => ("established", Some("reply")),
        Some(CtInfo::Related) => ("related", Some("orig")),
        Some(CtInfo::RelatedReply) => ("related", Some("reply")),
    }
}

/// A packet as the rule trace tells it: addresses, ports, protocol, flags or ICMP type, TTL.
pub fn brief(frame: &Frame) -> Value {
    let mut out: Fields = Vec::new();
    match &frame.net {
        Net::Ipv4(p) => {
            let h = &p.header;
            out.push(("src", h.src.to_string().into()));
            out.push(("dst", h.dst.to_string().into()));
            out.push(("protocol", p.body.protocol().to_string().into()));
            match &p.body {
                Body::Tcp(t) => {
                    out.extend([("sport", t.src_port.into()), ("dport", t.dst_port.into()), ("flags", t.flags.to_string().into())])
                }
                Body::Udp(u) => out.extend([("sport", u.src_port.into()), ("dport", u.dst_port.into())]),
                Body::Icmp(m) => {
                    let (kind, code) = m.type_code();
                    out.extend([("type", kind.into()), ("code", code.into())]);
                }
                Body::Icmpv6(_) | Body::Fragment { .. } | Body::Other { .. } => {}
            }
            if p.is_fragment() {
                out.push(("offset", h.fragment_offset.into()));
                out.push(("more_fragments", h.more_fragments.into()));
            }
            out.push(("ttl", h.ttl.into()));
        }
        Net::Arp(a) => {
            out.push(("protocol", "arp".into()));
            out.push((
                "op",
                match a.op {
                    ArpOp::Request => "request".into(),
                    ArpOp::Reply => "reply".into(),
                },
            ));
            out.push(("src", a.sender.to_string().into()));
            out.push(("dst", a.target.to_string().into()));
        }
        Net::Ipv6(p) => out.extend([("src", p.header.src.to_string().into()), ("dst", p.header.dst.to_string().into())]),
        Net::Other { ethertype, .. } => out.push(("ethertype", (*ethertype).into())),
    }
    Value::Map(out)
}

/// A verdict as the kernel's rule trace writes it.
pub fn verdict_word(v: Verdict) -> &'static str {
    match v {
        Verdict::Accept => "ACCEPT",
        Verdict::Drop => "DROP",
        Verdict::Jump => "jump",
        Verdict::Goto => "goto",
        Verdict::Return => "return",
        Verdict::Continue => "continue",
        Verdict::Stolen => "STOLEN",
    }
}

/// What became of the packet after a neighbour lookup.
pub fn action_name(a: NeighAction) -> &'static str {
    match a {
        NeighAction::Sent => "sent",
        NeighAction::Queued => "queued",
        NeighAction::Dropped => "dropped",
    }
}

/// The name of a tunnel, as `ip link` knows it.
pub fn tunnel(t: Tunnel) -> &'static str {
    match t {
        Tunnel::Vxlan => "vxlan",
        Tunnel::Ipip => "ipip",
        Tunnel::Gre => "gre",
        Tunnel::Gretap => "gretap",
        Tunnel::Wireguard => "wireguard",
    }
}

/// What a table of endpoints said.
pub fn remote_hit(hit: RemoteHit) -> &'static str {
    match hit {
        RemoteHit::Entry => "entry",
        RemoteHit::Default => "default",
        RemoteHit::Miss => "miss",
    }
}

/// An ICMP type and code in the words of ping and tcpdump.
pub fn icmp_name(kind: u8, code: u8) -> String {
    let name = match (kind, code) {
        (0, _) => "echo reply",
        (8, _) => "echo request",
        (3, 0) => "net unreachable",
        (3, 1) => "host unreachable",
        (3, 2) => "protocol unreachable",
        (3, 3) => "port unreachable",
        (3, 4) => "fragmentation needed",
        (3, 9) => "net prohibited",
        (3, 10) => "host prohibited",
        (3, 13) => "admin prohibited",
        (5, 0) => "redirect to net",
        (5, 1) => "redirect to host",
        (11, 0) => "time to live exceeded",
        (11, 1) => "fragment reassembly time exceeded",
        _ => return format!("type {kind} code {code}"),
    };
    name.to_owned()
}
