//! The fields of a frame by name, and what changed between two versions of it.
//!
//! A path is `header.field`: `ipv4.ttl`, `tcp.flags`. In an ICMP error the headers of the quoted packet stand
//! behind `quoted`: `quoted.ipv4.src`. The headers of a tunnel stand behind `outer`: `outer.ipv4.src`.

use super::{Arp, Body, Bytes, Ethernet, Frame, Icmp, IcmpKind, Icmpv6, Icmpv6Kind, Ipv4Header, Ipv6Header, Mac, Net};
use super::{Protocol, PseudoHeader, Quoted, Tcp, TcpFlags, TcpOption};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A number.
    Number(u64),
    /// A number that is read in hexadecimal: checksums, the Ethernet type, the type of service.
    Hex(u16),
    /// An IP address.
    Addr(IpAddr),
    /// A hardware address.
    Mac(Mac),
    /// A bit.
    Flag(bool),
    /// A word.
    Text(String),
    /// Data.
    Bytes(Bytes),
    /// No such field: on one side of a change.
    Absent,
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldValue::Number(n) => write!(f, "{n}"),
            FieldValue::Hex(n) => write!(f, "0x{n:04x}"),
            FieldValue::Addr(a) => write!(f, "{a}"),
            FieldValue::Mac(m) => write!(f, "{m}"),
            FieldValue::Flag(b) => write!(f, "{}", u8::from(*b)),
            FieldValue::Text(t) => f.write_str(t),
            FieldValue::Bytes(b) => match std::str::from_utf8(b) {
                Ok(s) if s.len() <= 32 && s.chars().all(|c| !c.is_control()) => write!(f, "{s:?}"),
                _ => write!(f, "{} bytes", b.len()),
            },
            FieldValue::Absent => f.write_str("-"),
        }
    }
}

macro_rules! from {
    ($($type:ty => |$v:ident| $e:expr),* $(,)?) => {
        $(impl From<$type> for FieldValue {
            fn from($v: $type) -> Self { $e }
        })*
    };
}

from! {
    u8 => |v| FieldValue::Number(v.into()),
    u16 => |v| FieldValue::Number(v.into()),
    u32 => |v| FieldValue::Number(v.into()),
    usize => |v| FieldValue::Number(v as u64),
    bool => |v| FieldValue::Flag(v),
    Mac => |v| FieldValue::Mac(v),
    Ipv4Addr => |v| FieldValue::Addr(v.into()),
    Ipv6Addr => |v| FieldValue::Addr(v.into()),
    TcpFlags => |v| FieldValue::Text(v.to_string()),
    &str => |v| FieldValue::Text(v.to_owned()),
    String => |v| FieldValue::Text(v),
    &Bytes => |v| FieldValue::Bytes(v.clone()),
}

/// The fields of one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderView {
    /// `eth`, `vlan`, `vlan_inner`, `arp`, `ipv4`, `ipv6`, `icmp`, `icmpv6`, `tcp`, `udp` or `vxlan`.
    pub name: &'static str,
    /// The fields in the order in which they are shown.
    pub fields: Vec<(&'static str, FieldValue)>,
}

impl HeaderView {
    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&FieldValue> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, value)| value)
    }
}

/// One field that differs between two versions of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The path.
    pub field: String,
    /// What it was.
    pub from: FieldValue,
    /// What it is.
    pub to: FieldValue,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.field, self.from, self.to)
    }
}

/// `view!("udp", sport: a, dport: b)`.
macro_rules! view {
    ($name:literal $(, $field:ident: $value:expr)* $(,)?) => {
        HeaderView { name: $name, fields: vec![$((stringify!($field), FieldValue::from($value))),*] }
    };
}

/// The Ethernet type that follows the first `n` tags.
fn type_behind(h: &Ethernet, net: &Net, n: usize) -> FieldValue {
    FieldValue::Hex(h.tags.iter().nth(n).map_or(net.ethertype(), |t| t.protocol.ethertype()))
}

/// The tags, outermost first; the second is called `vlan_inner`.
fn vlan(h: &Ethernet, net: &Net) -> impl Iterator<Item = HeaderView> {
    let (h, types) = (*h, [type_behind(h, net, 1), type_behind(h, net, 2)]);
    ["vlan", "vlan_inner"].into_iter().zip(types).enumerate().filter_map(move |(n, (name, behind))| {
        let tag = h.tags.iter().nth(n)?;
        let fields = vec![("id", tag.id().into()), ("pcp", tag.priority().into()), ("dei", tag.drop_eligible().into()), ("type", behind)];
        Some(HeaderView { name, fields })
    })
}

fn eth(h: &Ethernet, net: &Net) -> HeaderView {
    let mut view = view!("eth", dst: h.dst, src: h.src);
    view.fields.push(("type", type_behind(h, net, 0)));
    if let Net::Other { payload, .. } = net {
        view.fields.push(("payload", payload.into()));
    }
    view
}

fn arp(a: &Arp) -> HeaderView {
    let op = match a.op {
        super::ArpOp::Request => "request",
        super::ArpOp::Reply => "reply",
    };
    view!("arp", op: op, sender_mac: a.sender_mac, sender: a.sender, target_mac: a.target_mac, target: a.target)
}

fn ipv4(h: &Ipv4Header, protocol: Protocol, len: usize, checksum: u16) -> HeaderView {
    view!("ipv4",
        src: h.src, dst: h.dst, ttl: h.ttl, id: h.id, df: h.dont_fragment, mf: h.more_fragments, offset: h.fragment_offset,
        tos: FieldValue::Hex(h.tos.into()), len: len, protocol: protocol.to_string(), checksum: FieldValue::Hex(checksum))
}

fn ipv6(h: &Ipv6Header, protocol: Protocol, payload_len: usize) -> HeaderView {
    view!("ipv6",
        src: h.src, dst: h.dst, hop_limit: h.hop_limit, traffic_class: FieldValue::Hex(h.traffic_class.into()),
        flow_label: h.flow_label, len: payload_len, next_header: protocol.to_string())
}

/// Without `len`, the length of the data is not known.
fn tcp(t: &Tcp, checksum: u16, len: Option<usize>) -> HeaderView {
    let mut view = view!("tcp", sport: t.src_port, dport: t.dst_port, seq: t.seq, ack: t.ack, flags: t.flags, window: t.window);
    let fields = &mut view.fields;
    if t.urgent != 0 || t.flags.has(TcpFlags::URG) {
        fields.push(("urgent", t.urgent.into()));
    }
    if !t.options.is_empty() {
        let set = t.options.set();
        fields.extend(set.mss.map(|v| ("mss", v.into())));
        fields.extend(set.window_scale.map(|v| ("wscale", v.into())));
        fields.extend(set.sack_permitted.then_some(("sack_ok", true.into())));
        if let Some((value, echo)) = set.timestamps {
            fields.extend([("ts_val", value.into()), ("ts_ecr", echo.into())]);
        }
        fields.push(("options", t.options.to_string().into()));
        if t.options.iter().any(|o| matches!(o, TcpOption::End | TcpOption::Malformed(_))) {
            // There are bytes that the text does not tell.
            fields.push(("options_bytes", FieldValue::Bytes(t.options.bytes().into())));
        }
    }
    fields.push(("checksum", FieldValue::Hex(checksum)));
    fields.extend(len.map(|len| ("len", len.into())));
    if !t.payload.is_empty() {
        fields.push(("payload", (&t.payload).into()));
    }
    view
}

fn udp(src: u16, dst: u16, len: usize, checksum: u16) -> HeaderView {
    view!("udp", sport: src, dport: dst, len: len, checksum: FieldValue::Hex(checksum))
}

fn icmp(m: &Icmp, checksum: u16) -> HeaderView {
    let (kind, code) = m.type_code();
    let mut view = HeaderView { name: "icmp", fields: vec![("type", kind.into()), ("code", code.into())] };
    let fields = &mut view.fields;
    match &m.kind {
        IcmpKind::EchoRequest { id, seq, .. } | IcmpKind::EchoReply { id, seq, .. } => {
            fields.extend([("id", (*id).into()), ("seq", (*seq).into())]);
        }
        IcmpKind::Unreachable { code, mtu, .. } => fields.extend((*code == 4 || *mtu != 0).then_some(("mtu", (*mtu).into()))),
        IcmpKind::Redirect { gateway, .. } => fields.push(("gateway", (*gateway).into())),
        IcmpKind::TimeExceeded { .. } => {}
        IcmpKind::Other { rest, .. } => fields.push(("rest", FieldValue::from(u32::from_be_bytes(*rest)))),
    }
    fields.push(("checksum", FieldValue::Hex(checksum)));
    if m.quoted().is_none() && !m.data().is_empty() {
        fields.push(("payload", m.data().into()));
    }
    view
}

fn icmpv6(m: &Icmpv6, checksum: u16) -> HeaderView {
    let (kind, code) = m.type_code();
    let mut view = HeaderView { name: "icmpv6", fields: vec![("type", kind.into()), ("code", code.into())] };
    let fields = &mut view.fields;
    let data = match &m.kind {
        Icmpv6Kind::EchoRequest { id, seq, payload } | Icmpv6Kind::EchoReply { id, seq, payload } => {
            fields.extend([("id", (*id).into()), ("seq", (*seq).into())]);
            Some(payload)
        }
        Icmpv6Kind::PacketTooBig { mtu, .. } => {
            fields.push(("mtu", (*mtu).into()));
            None
        }
        Icmpv6Kind::Unreachable { .. } | Icmpv6Kind::TimeExceeded { .. } => None,
        Icmpv6Kind::NeighbourSolicitation { target, options } => {
            fields.push(("target", (*target).into()));
            Some(options)
        }
        Icmpv6Kind::NeighbourAdvertisement { flags, target, options } => {
            fields.extend([("flags", FieldValue::Hex((*flags).into())), ("target", (*target).into())]);
            Some(options)
        }
        Icmpv6Kind::Other { rest, payload, .. } => {
            fields.push(("rest", u32::from_be_bytes(*rest).into()));
            Some(payload)
        }
    };
    fields.push(("checksum", FieldValue::Hex(checksum)));
    fields.extend(data.filter(|d| !d.is_empty()).map(|d| ("payload", d.into())));
    view
}

fn body(body: &Body, pseudo: PseudoHeader) -> Option<HeaderView> {
    Some(match body {
        Body::Tcp(t) => tcp(t, t.checksum(pseudo), Some(t.payload.len())),
        Body::Udp(u) => {
            let mut view = udp(u.src_port, u.dst_port, u.len(), u.checksum(pseudo));
            view.fields.extend((!u.payload.is_empty()).then(|| ("payload", (&u.payload).into())));
            view
        }
        Body::Icmp(m) => icmp(m, m.checksum()),
        Body::Icmpv6(m) => icmpv6(m, m.checksum(pseudo)),
        Body::Fragment { .. } | Body::Other { .. } => return None,
    })
}

/// The IP header; with the data, when that has no header of its own.
fn ip(net: &Net) -> Option<HeaderView> {
    let (mut view, body) = match net {
        Net::Ipv4(p) => (ipv4(&p.header, p.body.protocol(), p.len(), p.checksum()), &p.body),
        Net::Ipv6(p) => (ipv6(&p.header, p.body.protocol(), p.body.len()), &p.body),
        Net::Arp(a) => return Some(arp(a)),
        Net::Other { .. } => return None,
    };
    if let Body::Fragment { bytes, .. } | Body::Other { bytes, .. } = body {
        view.fields.push(("payload", bytes.into()));
    }
    Some(view)
}

fn transport(net: &Net) -> Option<HeaderView> {
    match net {
        Net::Ipv4(p) => body(&p.body, p.header.pseudo()),
        Net::Ipv6(p) => body(&p.body, p.header.pseudo()),
        Net::Arp(_) | Net::Other { .. } => None,
    }
}

/// What is here of a quoted transport header: 8 bytes at least, or nothing is shown.
fn quoted_transport(protocol: Protocol, bytes: &[u8]) -> Option<HeaderView> {
    let head = bytes.first_chunk::<8>()?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    // The pseudo header does not matter: the checksum is shown as it stands.
    let pseudo = PseudoHeader::V4 { src: Ipv4Addr::UNSPECIFIED, dst: Ipv4Addr::UNSPECIFIED };
    match protocol {
        Protocol::TCP => Some(match (Tcp::decode(bytes, pseudo), bytes.get(16..18)) {
            (Ok(mut t), Some(&[a, b])) => {
                t.payload = Bytes::EMPTY;
                tcp(&t, u16::from_be_bytes([a, b]), None)
            }
            _ => view!("tcp", sport: word(0), dport: word(2), seq: u32::from_be_bytes([head[4], head[5], head[6], head[7]])),
        }),
        Protocol::UDP => Some(udp(word(0), word(2), word(4).into(), word(6))),
        Protocol::ICMP => Icmp::decode(head).ok().map(|m| icmp(&m, word(2))),
        Protocol::ICMPV6 => Icmpv6::decode(bytes, pseudo).ok().map(|mut m| {
            if let Icmpv6Kind::EchoRequest { payload, .. } | Icmpv6Kind::EchoReply { payload, .. } | Icmpv6Kind::Other { payload, .. } =
                &mut m.kind
            {
                *payload = Bytes::EMPTY;
            }
            icmpv6(&m, word(2))
        }),
        _ => None,
    }
}

impl Quoted {
    /// The headers of the quoted packet, IPv4 or IPv6, as far as they are here, lengths and checksums as they stand.
    pub fn headers(&self) -> Vec<HeaderView> {
        let mut out = Vec::new();
        if let (Some(h), Some(protocol), Some(len), Some(checksum)) =
            (self.header(), self.protocol(), self.total_len(), self.header_checksum())
        {
            out.push(ipv4(&h, protocol, len.into(), checksum));
            out.extend(self.transport().and_then(|b| quoted_transport(protocol, b)));
        } else if let Some((h, protocol, len)) = self.header_v6() {
            out.push(ipv6(&h, protocol, len.into()));
            out.extend(self.transport_v6().and_then(|b| quoted_transport(protocol, b)));
        }
        out
    }
}

impl Icmp {
    /// The headers of the packet that an error is about; none for other messages.
    pub fn quoted_headers(&self) -> Vec<HeaderView> {
        self.quoted().map(Quoted::headers).unwrap_or_default()
    }
}

impl Icmpv6 {
    /// The headers of the packet that an error is about; none for other messages.
    pub fn quoted_headers(&self) -> Vec<HeaderView> {
        self.quoted().map(Quoted::headers).unwrap_or_default()
    }
}

impl Frame {
    /// The headers, outermost first, with every field as it stands on the wire. Those inside a tunnel follow the tunnel's.
    pub fn fields(&self) -> Vec<HeaderView> {
        self.levels().into_iter().flatten().collect()
    }

    /// The headers without those that a tunnel carries.
    pub(super) fn own_fields(&self) -> Vec<HeaderView> {
        let mut all = vec![eth(&self.eth, &self.net)];
        all.extend(vlan(&self.eth, &self.net));
        all.extend([ip(&self.net), transport(&self.net)].into_iter().flatten());
        all
    }

    /// The quoted packet, if the frame carries an ICMP error.
    pub fn quoted(&self) -> Option<&Quoted> {
        match &self.net {
            Net::Ipv4(p) => match &p.body {
                Body::Icmp(m) => m.quoted(),
                _ => None,
            },
            Net::Ipv6(p) => match &p.body {
                Body::Icmpv6(m) => m.quoted(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The field at `path`: `ipv4.ttl`, `quoted.tcp.dport`, `outer.ipv4.dst`. None if the frame has no such header or field.
    pub fn field(&self, path: &str) -> Option<FieldValue> {
        if self.encapsulated().is_some() {
            let mut levels = self.levels();
            let mut path = path;
            while let Some(rest) = path.strip_prefix("outer.") {
                levels.pop();
                path = rest;
            }
            let (header, field) = path.split_once('.')?;
            return levels.pop()?.iter().find(|v| v.name == header)?.get(field).cloned();
        }
        let (header, field) = path.split_once('.')?;
        let view = match header {
            "quoted" => {
                let (header, field) = field.split_once('.')?;
                let view = self.quoted()?.headers().into_iter().find(|v| v.name == header)?;
                return view.get(field).cloned();
            }
            "eth" => eth(&self.eth, &self.net),
            "vlan" | "vlan_inner" => vlan(&self.eth, &self.net).find(|v| v.name == header)?,
            "arp" | "ipv4" | "ipv6" => ip(&self.net)?,
            _ => transport(&self.net)?,
        };
        if view.name == header { view.get(field).cloned() } else { None }
    }

    /// Every field that differs, outermost header first, the quoted packet's last. A header or field that only one
    /// of the two has is [`FieldValue::Absent`] in the other.
    pub fn diff(before: &Frame, after: &Frame) -> Vec<FieldChange> {
        let mut changes = Vec::new();
        if before == after {
            return changes;
        }
        // the innermost levels are the same packet, whatever tunnels it is in
        let (old, new) = (before.levels(), after.levels());
        let depth = old.len().max(new.len());
        for out in (0..depth).rev() {
            let level = |levels: &[Vec<HeaderView>]| levels.len().checked_sub(out + 1).map(|i| levels[i].clone()).unwrap_or_default();
            compare(&"outer.".repeat(out), &level(&old), &level(&new), &mut changes);
        }
        let quoted = |f: &Frame| f.quoted().map(Quoted::headers).unwrap_or_default();
        let (old, new) = (before.quoted(), after.quoted());
        if old != new {
            let told = changes.len();
            compare("quoted.", &quoted(before), &quoted(after), &mut changes);
            if changes.len() == told {
                // Behind the headers.
                let bytes = |q: Option<&Quoted>| q.map_or(FieldValue::Absent, |q| FieldValue::Bytes(q.0.clone()));
                changes.push(FieldChange { field: "quoted.bytes".to_owned(), from: bytes(old), to: bytes(new) });
            }
        }
        changes
    }
}

/// Headers are compared by name; those that only one side has come where they stand.
fn compare(prefix: &str, before: &[HeaderView], after: &[HeaderView], changes: &mut Vec<FieldChange>) {
    let mut change = |header: &str, field: &str, from: FieldValue, to: FieldValue| {
        changes.push(FieldChange { field: format!("{prefix}{header}.{field}"), from, to });
    };
    for old in before {
        let new = after.iter().find(|v| v.name == old.name);
        for (field, from) in &old.fields {
            let to = new.and_then(|v| v.get(field)).cloned().unwrap_or(FieldValue::Absent);
            if to != *from {
                change(old.name, field, from.clone(), to);
            }
        }
        for (field, to) in new.map_or(&[][..], |v| &v.fields) {
            if old.get(field).is_none() {
                change(old.name, field, FieldValue::Absent, to.clone());
            }
        }
    }
    for new in after.iter().filter(|v| before.iter().all(|old| old.name != v.name)) {
        for (field, to) in &new.fields {
            change(new.name, field, FieldValue::Absent, to.clone());
        }
    }
}
