//! Where the transport header of an IPv6 packet is.
//!
//! Models: net/ipv6/netfilter/ip6_tables.c ip6_packet_match, net/netfilter/nft_meta.c (l4proto): ipv6_find_hdr with target -1.
//! Simplifies: an authentication header ends the search where its length says, ESP and \"no next header\" end it.

use crate::packet::{Body, Protocol};

/// Hop-by-hop options, routing, destination options: (next header, length in 8 bytes less one, …).
pub(crate) const HOPOPTS: u8 = 0;
/// Routing header.
pub(crate) const ROUTING: u8 = 43;
/// Fragment header.
pub(crate) const FRAGMENT: u8 = 44;
/// Authentication header.
pub(crate) const AUTH: u8 = 51;
/// Destination options.
pub(crate) const DSTOPTS: u8 = 60;

/// One extension header: its protocol number, where it begins in the body, and its bytes from there on.
pub(crate) type Extension<'a> = (u8, u16, &'a [u8]);

/// The extension headers of a packet, in order.
pub(crate) fn extensions(body: &Body) -> Vec<Extension<'_>> {
    let mut out = Vec::new();
    walk(body, |e| out.push(e));
    out
}

/// The transport protocol, where its header begins in the body, and the offset of a fragment in bytes.
#[inline]
pub(crate) fn transport(body: &Body) -> (Protocol, u16, u16) {
    match body {
        Body::Other { .. } | Body::Fragment { .. } => walk(body, |_| {}),
        body => (body.protocol(), 0, 0),
    }
}

fn walk<'a>(body: &'a Body, mut each: impl FnMut(Extension<'a>)) -> (Protocol, u16, u16) {
    let (Body::Other { protocol, bytes } | Body::Fragment { protocol, bytes }) = body else {
        return (body.protocol(), 0, 0);
    };
    let mut next = protocol.0;
    let mut at = 0usize;
    let mut offset = 0u16;
    while let Some(header) = bytes.get(at..).filter(|h| h.len() >= 8) {
        let len = match next {
            HOPOPTS | ROUTING | DSTOPTS => (usize::from(header[1]) + 1) * 8,
            AUTH => (usize::from(header[1]) + 2) * 4,
            FRAGMENT => 8,
            _ => break,
        };
        each((next, at as u16, header));
        if next == FRAGMENT {
            offset = u16::from_be_bytes([header[2], header[3]]) & 0xfff8;
        }
        next = header[0];
        at = (at + len).min(usize::from(u16::MAX));
        if offset != 0 {
            break;
        }
    }
    (Protocol(next), at as u16, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_in_a_row() {
        let other = |protocol: u8, bytes: &[u8]| Body::Other { protocol: Protocol(protocol), bytes: bytes.into() };
        let hop = [43, 0, 0, 0, 0, 0, 0, 0];
        let routing = [6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let first = [17, 0, 0, 1, 0, 0, 0, 9];
        let later = [17, 0, 0, 9, 0, 0, 0, 9];
        for (body, expect) in [
            (other(0, &[&hop[..], &routing[..]].concat()), (6, 24, 0)),
            (other(44, &[&first[..], &[0; 8]].concat()), (17, 8, 0)),
            (other(44, &[&later[..], &[0; 8]].concat()), (17, 8, 8)),
            (other(50, &[0; 20]), (50, 0, 0)),
            (other(0, &[6, 0, 0]), (0, 0, 0)),
        ] {
            let (p, at, offset) = transport(&body);
            assert_eq!((p.0, at, offset), expect);
        }
        assert_eq!(extensions(&other(0, &[&hop[..], &routing[..]].concat())).len(), 2);
    }
}
