//! The words for packets, the same for both kernels: one map a frame, one line a packet.

use serde_json::{Map, Value, json};
use sim_core::packet::{Arp, ArpOp, Body, Endpoint, Frame, Icmp, IcmpKind, IpAddr, Ipv4Packet, Mac, Net, Protocol, TcpFlags, Vxlan};
use std::fmt;

/// Who knows whose a hardware address is.
pub trait DeviceOf {
    /// `netns/device`; none if it is no device's.
    fn device_of(&self, mac: Mac) -> Option<String>;
}

/// How packets are told.
pub struct Words<'a> {
    /// Ports that keep their numbers.
    pub ports: &'a [u16],
    /// What stands before any other port: it has a name, not a number.
    pub symbol: &'static str,
    /// Whose a hardware address is.
    pub device: &'a dyn DeviceOf,
}

impl fmt::Debug for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("ports", &self.ports).field("symbol", &self.symbol).finish_non_exhaustive()
    }
}

impl Words<'_> {
    fn port(&self, p: u16) -> Value {
        if self.ports.contains(&p) { json!(p) } else { json!(self.port_text(p)) }
    }

    /// A port: its number, or its symbol.
    pub fn port_text(&self, p: u16) -> String {
        if self.ports.contains(&p) { p.to_string() } else { format!("{}{p}", self.symbol) }
    }

    /// `10.0.0.1:40001`, symbolic where it must be.
    pub fn endpoint(&self, e: Endpoint<IpAddr>) -> Value {
        json!(format!("{}:{}", e.addr, self.port_text(e.port)))
    }

    /// A hardware address: `bcast`, `zero`, a device, or as it is.
    pub fn mac(&self, mac: Mac) -> String {
        if mac.is_broadcast() {
            return "bcast".to_owned();
        }
        if mac == Mac::ZERO {
            return "zero".to_owned();
        }
        self.device.device_of(mac).unwrap_or_else(|| mac.to_string())
    }

    /// A frame: its link addresses, and what it carries.
    pub fn frame(&self, frame: &Frame, m: &mut Map<String, Value>) {
        m.insert("eth".into(), json!(format!("{}>{}", self.mac(frame.eth.src), self.mac(frame.eth.dst))));
        self.net(frame, m);
    }

    fn net(&self, frame: &Frame, m: &mut Map<String, Value>) {
        match &frame.net {
            Net::Arp(Arp { op: ArpOp::Request, sender, target, .. }) => {
                m.insert("arp".into(), json!(format!("who-has {target} tell {sender}")));
            }
            Net::Arp(Arp { op: ArpOp::Reply, sender, sender_mac, target, .. }) => {
                m.insert("arp".into(), json!(format!("{sender} is-at {} (to {target})", self.mac(*sender_mac))));
            }
            Net::Ipv4(p) => self.ipv4(p, m, false),
            Net::Ipv6(_) => {
                m.insert("ethertype".into(), json!("0x86dd"));
            }
            Net::Other { ethertype, .. } => {
                m.insert("ethertype".into(), json!(format!("{ethertype:#x}")));
            }
        }
    }

    fn ipv4(&self, p: &Ipv4Packet, m: &mut Map<String, Value>, inner: bool) {
        let h = &p.header;
        m.insert("src".into(), json!(h.src.to_string()));
        m.insert("dst".into(), json!(h.dst.to_string()));
        m.insert("ttl".into(), json!(h.ttl));
        m.insert("iplen".into(), json!(p.len()));
        let flags: Vec<&str> = [(h.dont_fragment, "DF"), (h.more_fragments, "MF")].iter().filter(|f| f.0).map(|f| f.1).collect();
        if !flags.is_empty() {
            m.insert("ipflags".into(), json!(flags.join("+")));
        }
        if h.fragment_offset != 0 {
            m.insert("fragoff".into(), json!(h.fragment_offset));
        }
        m.insert("proto".into(), protocol(p));
        match &p.body {
            Body::Tcp(t) => {
                m.insert("sport".into(), self.port(t.src_port));
                m.insert("dport".into(), self.port(t.dst_port));
                m.insert("tcp".into(), json!(flags_text(t.flags)));
                m.insert("data".into(), json!(t.payload.len()));
            }
            Body::Udp(u) if is_vxlan(u.dst_port) => self.vxlan(u.dst_port, &u.payload, m),
            Body::Other { protocol: Protocol::IPIP, bytes } => {
                if let Ok(p) = Ipv4Packet::decode(bytes) {
                    let mut packet = Map::new();
                    self.ipv4(&p, &mut packet, false);
                    m.insert("inner".into(), Value::Object(packet));
                }
            }
            Body::Udp(u) => {
                m.insert("sport".into(), self.port(u.src_port));
                m.insert("dport".into(), self.port(u.dst_port));
                m.insert("data".into(), json!(u.payload.len()));
            }
            Body::Icmp(i) => self.icmp(i, m, inner),
            Body::Fragment { .. } if h.fragment_offset == 0 => {
                // the first piece is read as far as it goes, as a capture tool reads it
                if let Some(read) = self.quoted(&p.encode()) {
                    m.extend(read);
                }
            }
            Body::Icmpv6(_) | Body::Fragment { .. } | Body::Other { .. } => {}
        }
    }

    /// The two VXLAN ports are read as a capture tool reads them; the source port is the hash of what is inside.
    fn vxlan(&self, port: u16, data: &[u8], m: &mut Map<String, Value>) {
        m.insert("sport".into(), json!("VXHASH"));
        m.insert("dport".into(), json!(port));
        if data.len() >= Vxlan::HEADER_LEN + 34
            && let Ok((vxlan, frame)) = Vxlan::decapsulate(data)
        {
            m.insert("vni".into(), json!(vxlan.vni));
            let mut inner = Map::new();
            self.frame(&frame, &mut inner);
            m.insert("inner".into(), Value::Object(inner));
        }
    }

    fn icmp(&self, i: &Icmp, m: &mut Map<String, Value>, inner: bool) {
        m.insert("icmp".into(), json!(icmp_name(i)));
        match &i.kind {
            IcmpKind::EchoRequest { id, seq, .. } | IcmpKind::EchoReply { id, seq, .. } => {
                m.insert("icmp_id".into(), json!(id));
                m.insert("icmp_seq".into(), json!(seq));
            }
            IcmpKind::Unreachable { code: 4, mtu, .. } => {
                m.insert("mtu".into(), json!(mtu));
            }
            IcmpKind::Redirect { gateway, .. } => {
                m.insert("gw".into(), json!(gateway.to_string()));
            }
            _ => {}
        }
        if let Some(q) = i.quoted()
            && !inner
            && let Some(packet) = self.quoted(&q.0)
        {
            m.insert("quoted".into(), Value::Object(packet));
        }
    }

    /// The quoted packet, read as a capture tool reads it: what is there of it.
    pub fn quoted(&self, b: &[u8]) -> Option<Map<String, Value>> {
        if b.len() < 20 {
            return None;
        }
        let ihl = usize::from(b[0] & 15) * 4;
        let word = |i: usize| b.get(i..i + 2).map(|w| u16::from_be_bytes([w[0], w[1]]));
        let (len, frag) = (usize::from(word(2)?), word(6)?);
        let mut m = Map::new();
        let addr = |i: usize| format!("{}.{}.{}.{}", b[i], b[i + 1], b[i + 2], b[i + 3]);
        m.insert("src".into(), json!(addr(12)));
        m.insert("dst".into(), json!(addr(16)));
        m.insert("ttl".into(), json!(b[8]));
        m.insert("iplen".into(), json!(len));
        let flags: Vec<&str> = [(frag & 0x4000 != 0, "DF"), (frag & 0x2000 != 0, "MF")].iter().filter(|f| f.0).map(|f| f.1).collect();
        if !flags.is_empty() {
            m.insert("ipflags".into(), json!(flags.join("+")));
        }
        if frag & 0x1fff != 0 {
            m.insert("fragoff".into(), json!((frag & 0x1fff) * 8));
        }
        let name = |n: u8| match n {
            1 => json!("icmp"),
            6 => json!("tcp"),
            17 => json!("udp"),
            4 => json!("ipip"),
            n => json!(n),
        };
        m.insert("proto".into(), name(b[9]));
        if frag & 0x1fff != 0 {
            return Some(m);
        }
        let p = b.get(ihl..b.len().min(len))?;
        let at = |i: usize| p.get(i..i + 2).map(|w| u16::from_be_bytes([w[0], w[1]]));
        match b[9] {
            6 if p.len() >= 8 => {
                m.insert("sport".into(), self.port(at(0)?));
                m.insert("dport".into(), self.port(at(2)?));
                if p.len() >= 14 {
                    m.insert("tcp".into(), json!(flags_text(TcpFlags(p[13]))));
                    m.insert("data".into(), json!(p.len().saturating_sub(usize::from(p[12] >> 4) * 4)));
                }
            }
            17 if p.len() >= 8 && is_vxlan(at(2)?) => self.vxlan(at(2)?, &p[8..], &mut m),
            17 if p.len() >= 8 => {
                m.insert("sport".into(), self.port(at(0)?));
                m.insert("dport".into(), self.port(at(2)?));
                m.insert("data".into(), json!(at(4)?.saturating_sub(8)));
            }
            1 if p.len() >= 8 => {
                m.insert("icmp".into(), json!(icmp_type_name(p[0], p[1])));
                if p[0] == 0 || p[0] == 8 {
                    m.insert("icmp_id".into(), json!(at(4)?));
                    m.insert("icmp_seq".into(), json!(at(6)?));
                }
                if (p[0], p[1]) == (3, 4) {
                    m.insert("mtu".into(), json!(at(6)?));
                }
            }
            _ => {}
        }
        Some(m)
    }

    /// One line about an IP packet, as the hooks' lists have it.
    pub fn line(&self, p: &Ipv4Packet) -> String {
        let mut m = Map::new();
        self.ipv4(p, &mut m, true);
        line_of(&m)
    }
}

fn is_vxlan(port: u16) -> bool {
    matches!(port, Vxlan::PORT_IANA | Vxlan::PORT_LINUX)
}

fn protocol(p: &Ipv4Packet) -> Value {
    match p.body.protocol().0 {
        1 => json!("icmp"),
        4 => json!("ipip"),
        6 => json!("tcp"),
        17 => json!("udp"),
        n => json!(n),
    }
}

fn flags_text(f: TcpFlags) -> String {
    [(TcpFlags::SYN, 'S'), (TcpFlags::FIN, 'F'), (TcpFlags::RST, 'R'), (TcpFlags::PSH, 'P'), (TcpFlags::ACK, 'A')]
        .iter()
        .filter(|(bit, _)| f.has(*bit))
        .map(|(_, c)| *c)
        .collect()
}

fn icmp_name(i: &Icmp) -> String {
    let (t, c) = i.type_code();
    icmp_type_name(t, c)
}

fn icmp_type_name(t: u8, c: u8) -> String {
    match (t, c) {
        (8, 0) => "echo-request",
        (0, 0) => "echo-reply",
        (3, 0) => "net-unreachable",
        (3, 1) => "host-unreachable",
        (3, 3) => "port-unreachable",
        (3, 4) => "frag-needed",
        (3, 13) => "admin-prohibited",
        (3, 10) => "host-prohibited",
        (3, 9) => "net-prohibited",
        (11, 0) => "ttl-exceeded",
        (11, 1) => "frag-time-exceeded",
        (5, 0) => "redirect-net",
        (5, 1) => "redirect-host",
        _ => return format!("{t}/{c}"),
    }
    .to_owned()
}

/// One line about a packet that was told as a map, as [`Words::line`] writes it.
pub fn line_of(m: &Map<String, Value>) -> String {
    let text = |k: &str| match m.get(k) {
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let end = |addr: &str, port: &str| match m.contains_key(port) {
        true => format!("{}:{}", text(addr), text(port)),
        false => text(addr),
    };
    let mut s = format!("{}>{} {}", end("src", "sport"), end("dst", "dport"), text("proto"));
    for k in ["tcp", "icmp"] {
        if m.contains_key(k) {
            s.push_str(&format!(" {}", text(k)));
        }
    }
    let more = text("ipflags").contains("MF");
    if m.contains_key("fragoff") || more {
        let offset = m.get("fragoff").and_then(Value::as_u64).unwrap_or(0);
        s.push_str(&format!(" frag@{offset}{}", if more { "+" } else { "" }));
    }
    s.push_str(&format!(" ttl {}", text("ttl")));
    s
}
