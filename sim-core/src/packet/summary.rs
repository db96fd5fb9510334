//! A frame in one line, in the words of `tcpdump -n -S` 4.99 (no timestamp, absolute sequence numbers).
//!
//! The frame in a VXLAN packet, for which tcpdump begins a new line, stands behind a colon.
//!
//! Simplifies: payloads are not read, except the first line of HTTP on ports 80 and 8080; where tcpdump
//! would decode DNS or another protocol by its port it says `UDP, length …` or nothing here. IP protocols
//! that are not of this floor are `ip-proto-47 42`, frames of other types `ethertype Unknown`, without the
//! hexadecimal dump.

use super::{Arp, ArpOp, Body, Bytes, Frame, Icmp, IcmpKind, Icmpv6, Icmpv6Kind, Ipv4Packet, Ipv6Packet, Net, Protocol, PseudoHeader};
use super::{Quoted, Tcp, TcpFlags, TcpOption, Udp, Vxlan};
use std::fmt::Display;
use std::net::Ipv4Addr;

impl Frame {
    /// One line, as `tcpdump -n -S` prints the frame.
    pub fn summary(&self) -> String {
        match &self.net {
            Net::Arp(arp) => arp.summary(),
            Net::Ipv4(packet) => packet.summary(),
            Net::Ipv6(packet) => packet.summary(),
            Net::Other { ethertype, payload } => match plain_ipv4(payload) {
                Some(packet) if *ethertype == 0x0800 => packet.summary(),
                _ => format!("{} > {}, ethertype Unknown (0x{ethertype:04x}), length {}", self.eth.src, self.eth.dst, self.len()),
            },
        }
    }
}

/// An IPv4 packet that has no type for its options or its reserved flag, without them.
fn plain_ipv4(bytes: &[u8]) -> Option<Ipv4Packet> {
    let mut header = *bytes.first_chunk::<{ Ipv4Packet::HEADER_LEN }>()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let rest = bytes.get(header_len..total_len)?;
    header[0] = header[0] & 0xf0 | 5;
    let plain_len = u16::try_from(Ipv4Packet::HEADER_LEN + rest.len()).ok()?;
    header[2..4].copy_from_slice(&plain_len.to_be_bytes());
    header[6] &= 0x7f;
    Ipv4Packet::decode(&[&header, rest].concat()).ok()
}

impl Arp {
    /// One line, as tcpdump prints the packet.
    pub fn summary(&self) -> String {
        let Arp { op, sender_mac, sender, target_mac, target } = self;
        let len = Arp::LEN;
        match op {
            // A known hardware address is told: the unicast probe of a stale neighbour.
            ArpOp::Request if *target_mac != super::Mac::ZERO => {
                format!("ARP, Request who-has {target} ({target_mac}) tell {sender}, length {len}")
            }
            ArpOp::Request => format!("ARP, Request who-has {target} tell {sender}, length {len}"),
            ArpOp::Reply => format!("ARP, Reply {sender} is-at {sender_mac}, length {len}"),
        }
    }
}

impl Ipv4Packet {
    /// One line, as tcpdump prints the packet.
    pub fn summary(&self) -> String {
        let h = &self.header;
        let addrs = Addrs { family: "IP", src: &h.src, dst: &h.dst };
        if h.fragment_offset != 0 {
            return addrs.plain(format_args!("ip-proto-{}", self.body.protocol().0));
        }
        body(&self.body, &addrs, h.pseudo(), self.is_fragment())
    }
}

impl Ipv6Packet {
    /// One line, as tcpdump prints the packet.
    pub fn summary(&self) -> String {
        let h = &self.header;
        body(&self.body, &Addrs { family: "IP6", src: &h.src, dst: &h.dst }, h.pseudo(), false)
    }
}

/// The beginning of the line.
struct Addrs<'a> {
    family: &'static str,
    src: &'a dyn Display,
    dst: &'a dyn Display,
}

impl Addrs<'_> {
    fn plain(&self, text: impl Display) -> String {
        format!("{} {} > {}: {text}", self.family, self.src, self.dst)
    }

    fn ports(&self, src: u16, dst: u16, text: impl Display) -> String {
        format!("{} {}.{src} > {}.{dst}: {text}", self.family, self.src, self.dst)
    }
}

fn body(body: &Body, addrs: &Addrs<'_>, pseudo: PseudoHeader, fragment: bool) -> String {
    match body {
        Body::Tcp(t) => addrs.ports(t.src_port, t.dst_port, tcp(t)),
        Body::Udp(u) => addrs.ports(u.src_port, u.dst_port, udp(u)),
        Body::Icmp(m) => icmp(m).map_or_else(|| addrs.plain(" [|icmp]"), |text| addrs.plain(text)),
        Body::Icmpv6(m) => addrs.plain(icmpv6(m)),
        Body::Fragment { protocol, bytes } | Body::Other { protocol, bytes } => undecoded(*protocol, bytes, addrs, pseudo, fragment),
    }
}

/// The first fragment of a packet, a transport packet that has no type, or another protocol.
fn undecoded(protocol: Protocol, bytes: &Bytes, addrs: &Addrs<'_>, pseudo: PseudoHeader, fragment: bool) -> String {
    let ports = bytes.first_chunk::<4>().map(|[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
    match (protocol, ports) {
        (Protocol::TCP, None) => addrs.plain("[|tcp]"),
        (Protocol::TCP, Some((src, dst))) => {
            let mut bytes = bytes.to_vec();
            let Some(offset) = bytes.get_mut(12) else { return addrs.ports(src, dst, " [|tcp]") };
            *offset &= 0xf0;
            let header_len = usize::from(*offset >> 4) * 4;
            if let Ok(t) = Tcp::decode(&bytes, pseudo) {
                addrs.ports(src, dst, tcp(&t))
            } else if bytes.len() < Tcp::HEADER_LEN {
                addrs.ports(src, dst, " [|tcp]")
            } else if header_len < Tcp::HEADER_LEN {
                let data = bytes.len() - header_len;
                addrs.ports(src, dst, format_args!(" tcp {data} [bad hdr length {header_len} - too short, < 20]"))
            } else {
                let flags = TcpFlags(bytes[13]);
                addrs.ports(src, dst, format_args!("Flags [{flags}] [bad hdr length {header_len} - too long, > {}]", bytes.len()))
            }
        }
        (Protocol::UDP, None) => addrs.plain(" [|udp]"),
        (Protocol::UDP, Some((src, dst))) => {
            let Some(&[.., e, f, _, _]) = bytes.first_chunk::<{ Udp::HEADER_LEN }>() else {
                return addrs.ports(src, dst, format_args!("truncated-udp {}", bytes.len()));
            };
            let here = bytes.len() - Udp::HEADER_LEN;
            let whole = u16::from_be_bytes([e, f]);
            match usize::from(whole).checked_sub(Udp::HEADER_LEN) {
                None => addrs.ports(src, dst, format_args!("truncated-udplength {whole}")),
                Some(len) if len > here && !fragment => addrs.ports(src, dst, format_args!("UDP, bad length {len} > {here}")),
                Some(len) => addrs.ports(src, dst, format_args!("UDP, length {len}")),
            }
        }
        (Protocol::ICMP, _) if addrs.family == "IP" => {
            let text = Icmp::decode(bytes).ok().and_then(|m| icmp(&m));
            text.map_or_else(|| addrs.plain(" [|icmp]"), |text| addrs.plain(text))
        }
        // IP in IP.
        (Protocol(4), _) => Ipv4Packet::decode(bytes).map_or_else(|_| addrs.plain(" [|ip]"), |p| addrs.plain(p.summary())),
        (Protocol(41), _) => Ipv6Packet::decode(bytes).map_or_else(|_| addrs.plain(" [|ip6]"), |p| addrs.plain(p.summary())),
        (Protocol(59), _) => addrs.plain("no next header"),
        (Protocol(number), _) => addrs.plain(format_args!(" ip-proto-{number} {}", bytes.len())),
    }
}

fn udp(u: &Udp) -> String {
    match u.vxlan() {
        // the port that Linux uses was that of another protocol with the same header, and is read as that
        Some((v, frame)) if u.dst_port == Vxlan::PORT_LINUX => {
            format!("OTV, flags [I] (0x{:02x}), overlay {}, instance {}: {}", v.flags, v.reserved, v.vni, frame.summary())
        }
        Some((v, frame)) => format!("VXLAN, flags [I] (0x{:02x}), vni {}: {}", v.flags, v.vni, frame.summary()),
        None => format!("UDP, length {}", u.payload.len()),
    }
}

fn tcp(t: &Tcp) -> String {
    let len = t.payload.len() as u32;
    let mut out = format!("Flags [{}]", t.flags);
    if len > 0 {
        out += &format!(", seq {}:{}", t.seq, t.seq.wrapping_add(len));
    } else if t.flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0 | TcpFlags::RST.0) != 0 {
        out += &format!(", seq {}", t.seq);
    }
    if t.flags.has(TcpFlags::ACK) {
        out += &format!(", ack {}", t.ack);
    }
    out += &format!(", win {}", t.window);
    if t.flags.has(TcpFlags::URG) {
        out += &format!(", urg {}", t.urgent);
    }
    if !t.options.is_empty() {
        out += &format!(", options [{}", t.options);
        let malformed = t.options.iter().position(|o| matches!(o, TcpOption::Malformed(_)));
        if malformed != Some(0) {
            out += "]";
        }
        if malformed.is_some() {
            // tcpdump gives up here.
            return out;
        }
    }
    out += &format!(", length {len}");
    if len > 0 && [t.src_port, t.dst_port].iter().any(|p| matches!(p, 80 | 8080)) {
        out += ": HTTP";
        out += &http_line(&t.payload);
    }
    out
}

/// The first line of an HTTP request or response.
fn http_line(payload: &[u8]) -> String {
    const BEGINNINGS: [&str; 9] = ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "TRACE ", "CONNECT ", "HTTP/"];
    let end = payload.iter().position(|b| matches!(b, b'\r' | b'\n'));
    let line = std::str::from_utf8(&payload[..end.unwrap_or(payload.len())]).unwrap_or_default();
    if !BEGINNINGS.iter().any(|b| line.starts_with(b)) || line.contains(char::is_control) {
        return String::new();
    }
    // A line that goes on in the next segment.
    let cut = if end.is_none() { " [|http]" } else { "" };
    format!(": {line}{cut}")
}

/// None where the quote ends before what tcpdump wants to tell.
fn icmp(m: &Icmp) -> Option<String> {
    let text = match &m.kind {
        IcmpKind::EchoRequest { id, seq, .. } => format!("echo request, id {id}, seq {seq}"),
        IcmpKind::EchoReply { id, seq, .. } => format!("echo reply, id {id}, seq {seq}"),
        IcmpKind::Unreachable { code, mtu, quoted } => unreachable(*code, *mtu, quoted)?,
        IcmpKind::Redirect { code, gateway, quoted } => {
            let dst = quoted_dst(quoted)?;
            match code {
                0 => format!("redirect {dst} to net {gateway}"),
                1 => format!("redirect {dst} to host {gateway}"),
                2 => format!("redirect-tos {dst} to net {gateway}"),
                3 => format!("redirect-tos {dst} to host {gateway}"),
                code => format!("redirect-#{code} {dst} to {gateway}"),
            }
        }
        IcmpKind::TimeExceeded { code, quoted } => {
            quoted_dst(quoted)?;
            match code {
                0 => "time exceeded in-transit".to_owned(),
                1 => "ip reassembly time exceeded".to_owned(),
                code => format!("time exceeded-#{code}"),
            }
        }
        IcmpKind::Other { kind, code, rest: [a, b, c, d], payload } => {
            let (id, seq) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            match (kind, code) {
                (0, _) => format!("echo reply, id {id}, seq {seq}"),
                (8, _) => format!("echo request, id {id}, seq {seq}"),
                (3, code) => unreachable(*code, seq, &Quoted(payload.clone()))?,
                (11, 0) => "time exceeded in-transit".to_owned(),
                (11, 1) => "ip reassembly time exceeded".to_owned(),
                (11, code) => format!("time exceeded-#{code}"),
                (12, 0) => format!("parameter problem - octet {a}"),
                (12, code) => format!("parameter problem - code {code}"),
                (4, _) => "source quench".to_owned(),
                (10, _) => "router solicitation".to_owned(),
                (13, _) => format!("time stamp query id {id} seq {seq}"),
                (14, _) => {
                    let times = payload.first_chunk::<12>()?.as_chunks::<4>().0;
                    let [org, recv, xmit] = times else { return None };
                    let [org, recv, xmit] = [org, recv, xmit].map(|t| time_of_day(u32::from_be_bytes(*t)));
                    format!("time stamp reply id {id} seq {seq}: org {org}, recv {recv}, xmit {xmit}")
                }
                (15, _) => "information request".to_owned(),
                (16, _) => "information reply".to_owned(),
                (17, _) => "address mask request".to_owned(),
                (18, _) => {
                    let mask = payload.first_chunk::<4>()?;
                    format!("address mask is 0x{:08x}", u32::from_be_bytes(*mask))
                }
                (kind, _) => format!("type-#{kind}"),
            }
        }
    };
    Some(format!("ICMP {text}, length {}", m.len()))
}

/// Milliseconds since midnight.
fn time_of_day(ms: u32) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// The destination in a quote, header complete or not.
fn quoted_dst(quoted: &Quoted) -> Option<Ipv4Addr> {
    let [a, b, c, d] = *quoted.0.get(16..)?.first_chunk::<4>()?;
    Some(Ipv4Addr::new(a, b, c, d))
}

fn unreachable(code: u8, mtu: u16, quoted: &Quoted) -> Option<String> {
    let dst = quoted_dst(quoted)?;
    Some(match code {
        0 => format!("net {dst} unreachable"),
        1 => format!("host {dst} unreachable"),
        2 => format!("{dst} protocol {} unreachable", quoted.0.get(9)?),
        3 => {
            let at = usize::from(quoted.0.first()? & 0x0f) * 4 + 2;
            let port = u16::from_be_bytes(*quoted.0.get(at..)?.first_chunk::<2>()?);
            match *quoted.0.get(9)? {
                6 => format!("{dst} tcp port {port} unreachable"),
                17 => format!("{dst} udp port {port} unreachable"),
                protocol => format!("{dst} protocol {protocol} port {port} unreachable"),
            }
        }
        4 if mtu != 0 => format!("{dst} unreachable - need to frag (mtu {mtu})"),
        4 => format!("{dst} unreachable - need to frag"),
        5 => format!("{dst} unreachable - source route failed"),
        6 => format!("net {dst} unreachable - unknown"),
        7 => format!("host {dst} unreachable - unknown"),
        8 => format!("{dst} unreachable - source host isolated"),
        9 => format!("net {dst} unreachable - admin prohibited"),
        10 => format!("host {dst} unreachable - admin prohibited"),
        11 => format!("net {dst} unreachable - tos prohibited"),
        12 => format!("host {dst} unreachable - tos prohibited"),
        13 => format!("host {dst} unreachable - admin prohibited filter"),
        14 => format!("host {dst} unreachable - host precedence violation"),
        15 => format!("host {dst} unreachable - precedence cutoff"),
        code => format!("{dst} unreachable - #{code}"),
    })
}

fn icmpv6(m: &Icmpv6) -> String {
    let len = m.len();
    let text = match &m.kind {
        Icmpv6Kind::EchoRequest { id, seq, .. } => format!("echo request, id {id}, seq {seq}"),
        Icmpv6Kind::EchoReply { id, seq, .. } => format!("echo reply, id {id}, seq {seq}"),
        Icmpv6Kind::NeighbourSolicitation { target, .. } => format!("neighbor solicitation, who has {target}"),
        Icmpv6Kind::NeighbourAdvertisement { target, .. } => format!("neighbor advertisement, tgt is {target}"),
        Icmpv6Kind::PacketTooBig { mtu, .. } => format!("packet too big, mtu {mtu}"),
        Icmpv6Kind::Unreachable { code: code @ 5.., .. } => {
            return format!("ICMP6, destination unreachable, unknown unreach code ({code})");
        }
        Icmpv6Kind::Unreachable { code, quoted } => match unreachable_v6(*code, quoted) {
            Some(text) => format!("destination unreachable, {text}"),
            None => return "ICMP6, destination unreachable [|icmp6]".to_owned(),
        },
        Icmpv6Kind::TimeExceeded { code, quoted } => match (code, quoted.header_v6()) {
            (0, Some((h, ..))) => format!("time exceeded in-transit for {}", h.dst),
            (0, None) => return "ICMP6, time exceeded in-transit for  [|icmp6]".to_owned(),
            (1, _) => "time exceeded in-transit (reassembly)".to_owned(),
            (code, _) => format!("time exceeded in-transit, unknown code ({code})"),
        },
        Icmpv6Kind::Other { kind, .. } => match kind {
            130 => "multicast listener query".to_owned(),
            131 => "multicast listener report".to_owned(),
            132 => "multicast listener done".to_owned(),
            133 => "router solicitation".to_owned(),
            134 => "router advertisement".to_owned(),
            143 => "multicast listener report v2".to_owned(),
            kind => format!("unknown icmp6 type ({kind})"),
        },
    };
    format!("ICMP6, {text}, length {len}")
}

fn unreachable_v6(code: u8, quoted: &Quoted) -> Option<String> {
    let (h, protocol, _) = quoted.header_v6()?;
    Some(match code {
        0 => format!("unreachable route {}", h.dst),
        // The second blank is tcpdump's.
        1 => format!(" unreachable prohibited {}", h.dst),
        2 => format!("beyond scope {}, source address {}", h.dst, h.src),
        3 => format!("unreachable address {}", h.dst),
        _ => {
            let port = u16::from_be_bytes(*quoted.transport_v6()?.get(2..)?.first_chunk::<2>()?);
            match protocol {
                Protocol::TCP => format!("unreachable port, {} tcp port {port}", h.dst),
                Protocol::UDP => format!("unreachable port, {} udp port {port}", h.dst),
                _ => return None,
            }
        }
    })
}
