//! Random traffic across a network: pings, connections, datagrams, packets as they are, and changes between them.

use super::draw::Draw;
use super::topology::Network;
use sim_core::packet::{Body, Bytes, Icmp, IcmpKind, Ipv4Header, Ipv4Packet, Tcp, TcpFlags, TcpOptions, Udp};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// How long an answer is waited for.
const WAIT: &str = "timeout: \"350ms\"";

/// Adds flows.
pub fn across(net: &mut Network, d: &mut Draw) {
    let n = d.between(2, 5);
    for i in 0..n {
        let before = net.case.flows.len();
        let from = d.one(&net.ends).clone();
        let to = destination(net, d);
        let name = format!("f{i}");
        // a packet as it is ends at once, while its neighbour may still be asked for
        let was_raw = net.case.flows.last().is_some_and(|f| f.starts_with("Raw("));
        match d.below(20) {
            0..=4 => ping(net, d, &name, &from.place, to),
            5..=10 => tcp(net, d, &name, &from.place, to),
            11..=14 => udp(net, d, &name, &from.place, to),
            15 | 16 => raw(net, d, &name, &from.place, from.addr, to),
            17 | 18 => held(net, d, &name, &from.place, to),
            _ => change(net, d, &name),
        }
        if was_raw && let Some(first) = net.case.flows.get_mut(before) {
            first.insert_str(first.len() - 1, ", wait: \"250ms\"");
        }
    }
}

/// A short ping before what must be cut: neighbours are known then.
fn knock(net: &mut Network, name: &str, from: &str, to: Ipv4Addr) {
    net.case.flows.push(format!("Ping(name: \"{name}-knock\", from: {from:?}, to: \"{to}\", {WAIT})"));
}

fn destination(net: &Network, d: &mut Draw) -> Ipv4Addr {
    match d.below(20) {
        0 if !net.routers.is_empty() => *d.one(&net.routers),
        1 => Ipv4Addr::new(203, 0, 113, 5),
        2 => Ipv4Addr::new(10, 0, 0, 77),
        3 => Ipv4Addr::new(172, 16, 0, 99),
        4 => Ipv4Addr::LOCALHOST,
        5..=8 if net.virtual_ip.is_some() => net.virtual_ip.unwrap_or(Ipv4Addr::LOCALHOST),
        _ => d.one(&net.ends).addr,
    }
}

fn ping(net: &mut Network, d: &mut Draw, name: &str, from: &str, to: Ipv4Addr) {
    let mut more = String::new();
    if d.percent(30) {
        let _ = write!(more, ", ttl: {}", d.one(&[1, 2, 3, 64, 255]));
        net.has("flow ttl");
    }
    if d.percent(30) {
        let size = *d.one(&[0, 1000, 1372, 1472, 1473, 3000]);
        if size > 1000 {
            knock(net, name, from, to);
        }
        let _ = write!(more, ", size: {size}");
        net.has("flow size");
    }
    if d.percent(30) {
        let mode = *d.one(&["dont", "want", "do", "probe"]);
        let _ = write!(more, ", pmtu: {mode}");
        net.has(format!("flow pmtu {mode}"));
    }
    if d.percent(15) {
        more.push_str(", count: 2, interval: \"150ms\"");
    }
    net.case.flows.push(format!("Ping(name: {name:?}, from: {from:?}, to: \"{to}\", {WAIT}{more})"));
    net.has("flow ping");
}

fn port(d: &mut Draw) -> u16 {
    *d.one(&[80, 80, 80, 8080, 81])
}

fn tcp(net: &mut Network, d: &mut Draw, name: &str, from: &str, to: Ipv4Addr) {
    let mut more = String::new();
    if d.percent(15) {
        let _ = write!(more, ", ttl: {}", d.one(&[1, 2, 64]));
        net.has("flow ttl");
    }
    if d.percent(20) {
        let _ = write!(more, ", size: {}", d.one(&[1, 100, 900]));
    }
    net.case.flows.push(format!("Tcp(name: {name:?}, from: {from:?}, to: \"{to}\", port: {}, {WAIT}{more})", port(d)));
    net.has("flow tcp");
}

fn udp(net: &mut Network, d: &mut Draw, name: &str, from: &str, to: Ipv4Addr) {
    let mut more = String::new();
    if d.percent(30) {
        let size = *d.one(&[0, 1, 1000, 1372, 1472, 1473, 4000]);
        if size > 1000 {
            knock(net, name, from, to);
        }
        let _ = write!(more, ", size: {size}");
        net.has("flow size");
    }
    if d.percent(25) {
        let mode = *d.one(&["dont", "want", "do", "probe"]);
        let _ = write!(more, ", pmtu: {mode}");
        net.has(format!("flow pmtu {mode}"));
    }
    if d.percent(20) {
        let _ = write!(more, ", sport: {}", d.one(&[5000, 5001]));
        net.has("flow sport");
    }
    if d.percent(15) {
        let _ = write!(more, ", ttl: {}", d.one(&[1, 2, 64]));
    }
    let port = *d.one(&[53, 53, 53, 54]);
    net.case.flows.push(format!("Udp(name: {name:?}, from: {from:?}, to: \"{to}\", port: {port}, {WAIT}{more})"));
    net.has("flow udp");
}

/// A connection that stays open while others come and go.
fn held(net: &mut Network, d: &mut Draw, name: &str, from: &str, to: Ipv4Addr) {
    net.case.flows.push(format!("Tcp(name: {name:?}, from: {from:?}, to: \"{to}\", port: 80, hold: true, {WAIT})"));
    if d.percent(50) {
        change(net, d, &format!("{name}-change"));
    }
    net.case.flows.push(format!("Send(name: \"{name}-more\", on: {name:?}, data: \"again\")"));
    net.case.flows.push(format!("Close(name: \"{name}-end\", on: {name:?})"));
    net.has("flow held");
}

/// A command between the flows.
fn change(net: &mut Network, d: &mut Draw, name: &str) {
    let h = d.below(net.case.hosts.len());
    let on = net.case.hosts[h].name.clone();
    let line = match d.below(5) {
        0 => "conntrack -F".to_owned(),
        1 => format!("iptables -I {} -j {}", d.one(&["INPUT", "FORWARD", "OUTPUT"]), d.one(&["DROP", "ACCEPT", "REJECT"])),
        2 => format!("ip route add {} 198.51.100.0/24", d.one(&["blackhole", "unreachable"])),
        3 => "ip neigh flush all".to_owned(),
        _ => "iptables -F".to_owned(),
    };
    let what = line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    net.has(format!("change {what}"));
    net.case.flows.push(format!("Run(name: {name:?}, on: {on:?}, run: {line:?})"));
}

/// A packet as it is.
fn raw(net: &mut Network, d: &mut Draw, name: &str, from: &str, own: Ipv4Addr, to: Ipv4Addr) {
    let src = if d.percent(70) { own } else { d.one(&net.ends).addr };
    let body = match d.below(5) {
        0 => Body::Udp(Udp { src_port: 4000, dst_port: 53, no_checksum: true, checksum_error: 0, payload: Bytes::from("hello") }),
        1 => Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: 7, seq: 1, payload: Bytes::from("p") })),
        n => {
            let flags = match n {
                2 => TcpFlags::default().with(TcpFlags::ACK),
                3 => TcpFlags::default().with(TcpFlags::RST),
                _ => TcpFlags::default().with(*d.one(&[TcpFlags::SYN, TcpFlags::FIN])),
            };
            let ack = if flags.has(TcpFlags::ACK) { 2000 } else { 0 };
            Body::Tcp(Tcp {
                src_port: 4000,
                dst_port: 80,
                seq: 1000,
                ack,
                flags,
                window: 1024,
                urgent: 0,
                checksum_error: if d.percent(15) { 1 } else { 0 },
                options: TcpOptions::default(),
                payload: Bytes::EMPTY,
            })
        }
    };
    let header = Ipv4Header {
        tos: 0,
        id: 777,
        dont_fragment: d.percent(50),
        more_fragments: false,
        fragment_offset: 0,
        ttl: *d.one(&[1, 2, 64]),
        src,
        dst: to,
        checksum_error: 0,
    };
    let bytes: Vec<u8> = Ipv4Packet { header, body }.encode();
    let hex = bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    });
    net.case.flows.push(format!("Raw(name: {name:?}, from: {from:?}, bytes: {hex:?})"));
    net.has("flow raw");
}
