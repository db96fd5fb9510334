//! The headers of a frame as layers of named values, outermost first, and how two sets of headers differ.

use super::value::{Fields, Value};
use crate::packet::{ArpOp, Body, Frame, Icmp, IcmpKind, Icmpv6, Ipv4Packet, Net, Tcp, Udp};

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `eth`, `arp`, `ipv4`, `icmp`, `tcp`, `udp`, …
    pub name: &'static str,
    /// Its fields in the order of the header.
    pub fields: Fields,
    /// The headers of the packet that an ICMP error is about.
    pub quoted: Option<Vec<Layer>>,
}

/// A field that differs between two sets of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// `ipv4.ttl`; a header alone if it came or went.
    pub field: String,
    /// The value before.
    pub from: Value,
    /// The value after.
    pub to: Value,
}

/// The headers of `frame`, outermost first.
pub fn layers(frame: &Frame) -> Vec<Layer> {
    let (ethertype, mut inner) = match &frame.net {
        Net::Arp(a) => {
            let fields = vec![
                (
                    "op",
                    Value::from(match a.op {
                        ArpOp::Request => "request",
                        ArpOp::Reply => "reply",
                    }),
                ),
                ("sender_mac", a.sender_mac.to_string().into()),
                ("sender", a.sender.to_string().into()),
                ("target_mac", a.target_mac.to_string().into()),
                ("target", a.target.to_string().into()),
            ];
            ("arp", vec![plain("arp", fields)])
        }
        Net::Ipv4(p) => ("ipv4", ipv4(p)),
        Net::Ipv6(p) => {
            let h = &p.header;
            let fields = vec![("src", Value::from(h.src.to_string())), ("dst", h.dst.to_string().into())];
            ("ipv6", std::iter::once(plain("ipv6", fields)).chain(body(&p.body)).collect())
        }
        Net::Other { ethertype: _, payload } => ("other", vec![plain("data", vec![("length", payload.len().into())])]),
    };
    let kind = match &frame.net {
        Net::Other { ethertype, .. } => format!("0x{ethertype:04x}"),
        _ => ethertype.to_owned(),
    };
    let eth = vec![("dst", frame.eth.dst.to_string().into()), ("src", frame.eth.src.to_string().into()), ("type", kind.into())];
    inner.insert(0, plain("eth", eth));
    inner
}

fn plain(name: &'static str, fields: Fields) -> Layer {
    Layer { name, fields, quoted: None }
}

fn ipv4(p: &Ipv4Packet) -> Vec<Layer> {
    let h = &p.header;
    let mut flags = Vec::new();
    if h.dont_fragment {
        flags.push("DF");
    }
    if h.more_fragments {
        flags.push("MF");
    }
    let fields = vec![
        ("tos", h.tos.into()),
        ("length", p.len().into()),
        ("id", h.id.into()),
        ("flags", flags.join("+").into()),
        ("offset", h.fragment_offset.into()),
        ("ttl", h.ttl.into()),
        ("protocol", p.body.protocol().to_string().into()),
        ("src", h.src.to_string().into()),
        ("dst", h.dst.to_string().into()),
    ];
    std::iter::once(plain("ipv4", fields)).chain(body(&p.body)).collect()
}

fn body(b: &Body) -> Option<Layer> {
    match b {
        Body::Icmp(m) => Some(icmp(m)),
        Body::Icmpv6(m) => Some(icmpv6(m)),
        Body::Tcp(t) => Some(plain("tcp", tcp(t))),
        Body::Udp(u) => Some(plain("udp", udp(u))),
        Body::Fragment { bytes, .. } | Body::Other { bytes, .. } => Some(plain("data", vec![("length", bytes.len().into())])),
    }
}

fn icmp(m: &Icmp) -> Layer {
    let (kind, code) = m.type_code();
    let mut fields: Fields = vec![("type", kind.into()), ("code", code.into())];
    match &m.kind {
        IcmpKind::EchoRequest { id, seq, payload } | IcmpKind::EchoReply { id, seq, payload } => {
            fields.extend([("id", (*id).into()), ("seq", (*seq).into()), ("data", payload.len().into())]);
        }
        IcmpKind::Unreachable { code: 4, mtu, .. } => fields.push(("mtu", (*mtu).into())),
        IcmpKind::Redirect { gateway, .. } => fields.push(("gateway", gateway.to_string().into())),
        IcmpKind::Unreachable { .. } | IcmpKind::TimeExceeded { .. } | IcmpKind::Other { .. } => {}
    }
    Layer { name: "icmp", fields, quoted: m.quoted().map(|q| quoted(&q.0)) }
}

fn icmpv6(m: &Icmpv6) -> Layer {
    plain("icmpv6", vec![("length", m.len().into())])
}

fn tcp(t: &Tcp) -> Fields {
    vec![
        ("sport", t.src_port.into()),
        ("dport", t.dst_port.into()),
        ("seq", t.seq.into()),
        ("ack", t.ack.into()),
        ("flags", t.flags.to_string().into()),
        ("window", t.window.into()),
        ("data", t.payload.len().into()),
    ]
}

fn udp(u: &Udp) -> Fields {
    vec![("sport", u.src_port.into()), ("dport", u.dst_port.into()), ("length", u.len().into()), ("data", u.payload.len().into())]
}

/// The headers that can be read from the beginning of an IPv4 packet, as an ICMP error quotes it.
fn quoted(bytes: &[u8]) -> Vec<Layer> {
    let [v, tos, l1, l2, i1, i2, f1, f2, ttl, proto, _, _, s0, s1, s2, s3, d0, d1, d2, d3, ..] = *bytes else { return Vec::new() };
    if v >> 4 != 4 {
        return Vec::new();
    }
    let frag = u16::from_be_bytes([f1, f2]);
    let flags: Vec<&str> = [(0x4000, "DF"), (0x2000, "MF")].into_iter().filter(|(bit, _)| frag & bit != 0).map(|(_, n)| n).collect();
    let fields = vec![
        ("tos", tos.into()),
        ("length", u16::from_be_bytes([l1, l2]).into()),
        ("id", u16::from_be_bytes([i1, i2]).into()),
        ("flags", flags.join("+").into()),
        ("offset", ((frag & 0x1fff) * 8).into()),
        ("ttl", ttl.into()),
        ("protocol", crate::packet::Protocol(proto).to_string().into()),
        ("src", format!("{s0}.{s1}.{s2}.{s3}").into()),
        ("dst", format!("{d0}.{d1}.{d2}.{d3}").into()),
    ];
    let mut out = vec![plain("ipv4", fields)];
    let rest = bytes.get(usize::from(v & 15) * 4..).unwrap_or(&[]);
    if frag & 0x1fff == 0 {
        out.extend(quoted_transport(proto, rest));
    }
    out
}

fn quoted_transport(proto: u8, rest: &[u8]) -> Option<Layer> {
    let word = |at: usize| Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
    let (a, b) = (word(0)?, word(2)?);
    match proto {
        1 => {
            let [kind, code] = a.to_be_bytes();
            let mut fields: Fields = vec![("type", kind.into()), ("code", code.into())];
            if matches!(kind, 0 | 8) {
                fields.extend([("id", word(4)?.into()), ("seq", word(6)?.into())]);
            }
            Some(plain("icmp", fields))
        }
        6 => {
            let mut fields: Fields = vec![("sport", a.into()), ("dport", b.into())];
            if let (Some(hi), Some(lo)) = (word(4), word(6)) {
                fields.push(("seq", (u32::from(hi) << 16 | u32::from(lo)).into()));
            }
            if let Some(f) = rest.get(13) {
                fields.push(("flags", crate::packet::TcpFlags(*f & 0x3f).to_string().into()));
                let header = usize::from(rest[12] >> 4) * 4;
                fields.push(("data", rest.len().saturating_sub(header).into()));
            }
            Some(plain("tcp", fields))
        }
        17 => {
            let length = word(4)?;
            Some(plain(
                "udp",
                vec![("sport", a.into()), ("dport", b.into()), ("length", length.into()), ("data", length.saturating_sub(8).into())],
            ))
        }
        _ => None,
    }
}

/// Every field that differs, by header and place in it; a header that came or went is named alone.
pub fn diff(before: &[Layer], after: &[Layer]) -> Vec<FieldChange> {
    let mut out = Vec::new();
    let added = after.len().saturating_sub(before.len());
    let same = |b: &[Layer], a: &[Layer]| b.len() == a.len() && b.iter().zip(a).all(|(x, y)| x.name == y.name);
    if same(before, after) {
        for (b, a) in before.iter().zip(after) {
            diff_layer("", b, a, &mut out);
        }
    } else if added > 0 && same(before, &after[added..]) {
        for l in &after[..added] {
            out.push(FieldChange { field: l.name.to_owned(), from: Value::Null, to: Value::Map(l.fields.clone()) });
        }
        for (b, a) in before.iter().zip(&after[added..]) {
            diff_layer("", b, a, &mut out);
        }
    } else if let Some(gone) = before.len().checked_sub(after.len()).filter(|g| *g > 0 && same(&before[*g..], after)) {
        for l in &before[..gone] {
            out.push(FieldChange { field: l.name.to_owned(), from: Value::Map(l.fields.clone()), to: Value::Null });
        }
        for (b, a) in before[gone..].iter().zip(after) {
            diff_layer("", b, a, &mut out);
        }
    } else {
        for l in before {
            out.push(FieldChange { field: l.name.to_owned(), from: Value::Map(l.fields.clone()), to: Value::Null });
        }
        for l in after {
            out.push(FieldChange { field: l.name.to_owned(), from: Value::Null, to: Value::Map(l.fields.clone()) });
        }
    }
    out
}

fn diff_layer(path: &str, before: &Layer, after: &Layer, out: &mut Vec<FieldChange>) {
    for (name, to) in &after.fields {
        let from = super::value::find(&before.fields, name).unwrap_or(&Value::Null);
        if from != to {
            out.push(FieldChange { field: format!("{path}{}.{name}", after.name), from: from.clone(), to: to.clone() });
        }
    }
    for (name, from) in &before.fields {
        if super::value::find(&after.fields, name).is_none() {
            out.push(FieldChange { field: format!("{path}{}.{name}", before.name), from: from.clone(), to: Value::Null });
        }
    }
    if let (Some(b), Some(a)) = (&before.quoted, &after.quoted) {
        let path = format!("{path}{}.quoted.", before.name);
        for (b, a) in b.iter().zip(a).filter(|(b, a)| b.name == a.name) {
            diff_layer(&path, b, a, out);
        }
    }
}

/// The value of `path`: `ipv4.ttl`, `tcp.dport`; of several headers of that name, the innermost.
pub fn lookup<'l>(layers: &'l [Layer], path: &str) -> Option<&'l Value> {
    let (layer, field) = path.split_once('.')?;
    layers.iter().rev().filter(|l| l.name == layer).find_map(|l| super::value::find(&l.fields, field))
}

/// The value of the field called `name` in the innermost header that has one.
pub fn innermost<'l>(layers: &'l [Layer], name: &str) -> Option<&'l Value> {
    layers.iter().rev().find_map(|l| super::value::find(&l.fields, name))
}

/// The packet in one line, as tcpdump prints it.
pub fn summary(frame: &Frame) -> String {
    match &frame.net {
        Net::Arp(a) => match a.op {
            ArpOp::Request => format!("ARP, Request who-has {} tell {}, length 28", a.target, a.sender),
            ArpOp::Reply => format!("ARP, Reply {} is-at {}, length 28", a.sender, a.sender_mac),
        },
        Net::Ipv4(p) => {
            let (s, d) = (p.header.src, p.header.dst);
            match &p.body {
                Body::Tcp(t) => format!("IP {s}.{} > {d}.{}: Flags [{}], length {}", t.src_port, t.dst_port, t.flags, t.payload.len()),
                Body::Udp(u) => format!("IP {s}.{} > {d}.{}: UDP, length {}", u.src_port, u.dst_port, u.payload.len()),
                Body::Icmp(m) => match &m.kind {
                    IcmpKind::EchoRequest { id, seq, .. } => {
                        format!("IP {s} > {d}: ICMP echo request, id {id}, seq {seq}, length {}", m.len())
                    }
                    IcmpKind::EchoReply { id, seq, .. } => format!("IP {s} > {d}: ICMP echo reply, id {id}, seq {seq}, length {}", m.len()),
                    _ => {
                        let (t, c) = m.type_code();
                        format!("IP {s} > {d}: ICMP type {t} code {c}, length {}", m.len())
                    }
                },
                b => format!("IP {s} > {d}: {} {}", b.protocol(), b.len()),
            }
        }
        Net::Ipv6(p) => format!("IP6 {} > {}: length {}", p.header.src, p.header.dst, p.body.len()),
        Net::Other { ethertype, payload } => format!("ethertype 0x{ethertype:04x}, length {}", payload.len()),
    }
}
