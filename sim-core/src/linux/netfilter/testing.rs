//! What the tests of matches share.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::eval::{MatchCx, Recorded};
use super::hook::Hook;
use super::matches::Match;
use crate::linux::RowId;
use crate::packet::{Body, Bytes, Family, Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Ipv4Packet, Protocol, Tcp, TcpFlags, TcpOptions, Udp};

/// A packet from 10.0.0.1 to 10.0.0.2.
pub(crate) fn ip(body: Body) -> Ipv4Packet {
    let header = Ipv4Header {
        tos: 0,
        id: 1,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: Ipv4Addr::new(10, 0, 0, 1),
        dst: Ipv4Addr::new(10, 0, 0, 2),
        checksum_error: 0,
    };
    Ipv4Packet { header, body }
}

/// A segment from port 40000 to port 80.
pub(crate) fn tcp(flags: TcpFlags) -> Ipv4Packet {
    ip(Body::Tcp(Tcp {
        src_port: 40_000,
        dst_port: 80,
        seq: 1,
        ack: 0,
        flags,
        window: 1000,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions(Some(Box::new([2, 4, 5, 180, 1, 3, 3, 7]))),
        payload: Bytes::default(),
    }))
}

/// A datagram from port 40000 to port 53.
pub(crate) fn udp() -> Ipv4Packet {
    ip(Body::Udp(Udp { src_port: 40_000, dst_port: 53, no_checksum: false, checksum_error: 0, payload: Bytes::default() }))
}

/// An echo request.
pub(crate) fn echo() -> Ipv4Packet {
    ip(Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: 7, seq: 1, payload: Bytes::default() })))
}

/// A fragment of a TCP segment to port 80 at that offset.
pub(crate) fn fragment(offset: u16) -> Ipv4Packet {
    let mut bytes = vec![0x9c, 0x40, 0, 80];
    bytes.resize(24, 0);
    bytes[13] = 2;
    let mut p = ip(Body::Fragment { protocol: Protocol::TCP, bytes: bytes.into() });
    p.header.fragment_offset = offset;
    p.header.more_fragments = true;
    p
}

/// Reads `NAME [!] --option value …`.
pub(crate) fn read(text: &str) -> Match {
    try_read(text).unwrap()
}

/// The same, or what iptables says.
pub(crate) fn try_read(text: &str) -> Result<Match, String> {
    let mut words = text.split_whitespace().peekable();
    let mut m = Match::new(words.next().unwrap(), Family::Inet).unwrap();
    let mut invert = false;
    while let Some(word) = words.next() {
        if word == "!" {
            invert = true;
            continue;
        }
        let at = m.opts().iter().position(|o| o.names.contains(&&word[2..])).unwrap();
        let args: Vec<&str> = (0..m.opts()[at].args).map(|_| words.next().unwrap()).collect();
        m.set(at, invert, &args, Family::Inet).map_err(|e| e.text)?;
        invert = false;
    }
    Ok(m)
}

/// Reads `text`, expects it saved as `saved`, and asks it about packets: each either fits or misses in that field.
pub(crate) fn check(text: &str, saved: &str, asked: &[(MatchCx<'_>, &str)]) {
    let m = read(text);
    let mut out = String::new();
    m.save(&mut out);
    assert_eq!(format!("{}{out}", m.shown_name()), saved);
    for (i, (cx, miss)) in asked.iter().enumerate() {
        let said = m.eval(cx, (RowId(1), 0), &mut Recorded(&[])).err().unwrap_or("");
        assert_eq!(said, *miss, "{text}, packet {i}");
        if let Some(field) = Some(said).filter(|f| !f.is_empty()) {
            let (wanted, seen) = m.explain(field, cx);
            assert_ne!(wanted, seen, "{text}, packet {i}");
            assert!(!wanted.is_empty() && !seen.is_empty(), "{text}, packet {i}: {wanted} {seen}");
        }
    }
}

/// The packet in FORWARD.
pub(crate) fn cx(p: &Ipv4Packet) -> MatchCx<'_> {
    MatchCx { iif: "eth0", oif: "cni0", ..MatchCx::new(p, Hook::Forward) }
}
