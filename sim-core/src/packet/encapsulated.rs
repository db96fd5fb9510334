//! What a tunnel carries: the frame or packet inside another one.
//!
//! Each tunnel makes a level of headers. The innermost level is the packet that somebody sent; its fields are named as if
//! there were no tunnel. Each level further out has `outer.` before its names: `outer.ipv4.dst`, and in a tunnel through a
//! tunnel `outer.outer.ipv4.dst`.

use super::field::HeaderView;
use super::gre::{Gre, GreInside};
use super::{Body, Ethernet, Frame, Ipv4Packet, Net, Protocol};

/// Tunnels in tunnels that are looked into at most.
const DEEPEST: usize = 8;

/// What stands inside a tunnel's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encapsulated {
    /// The tunnel's own header, where it has one.
    pub header: Option<HeaderView>,
    /// What is inside; without a link header of its own its addresses are zero.
    pub frame: Frame,
    /// Whether the frame has a link header.
    pub link: bool,
}

impl Frame {
    /// What the frame carries, if it is a tunnel's.
    pub fn encapsulated(&self) -> Option<Encapsulated> {
        let Net::Ipv4(outer) = &self.net else { return None };
        match &outer.body {
            Body::Udp(udp) => {
                let (vxlan, frame) = udp.vxlan()?;
                let header = HeaderView {
                    name: "vxlan",
                    fields: vec![("flags", super::FieldValue::Hex(vxlan.flags.into())), ("vni", vxlan.vni.into())],
                };
                Some(Encapsulated { header: Some(header), frame, link: true })
            }
            Body::Other { protocol: Protocol::IPIP, bytes } => {
                let net = Net::Ipv4(Ipv4Packet::decode(bytes).ok()?);
                Some(Encapsulated { header: None, frame: Frame { eth: Ethernet::default(), net }, link: false })
            }
            Body::Other { protocol: Protocol::GRE, bytes } => {
                let (gre, inside) = Gre::open(bytes).ok()?;
                let mut fields = vec![("protocol", super::FieldValue::Hex(gre.protocol))];
                fields.extend(gre.key.map(|k| ("key", k.into())));
                fields.extend(gre.seq.map(|s| ("seq", s.into())));
                let header = Some(HeaderView { name: "gre", fields });
                match inside {
                    GreInside::Ipv4(p) => {
                        Some(Encapsulated { header, frame: Frame { eth: Ethernet::default(), net: Net::Ipv4(p) }, link: false })
                    }
                    GreInside::Frame(frame) => Some(Encapsulated { header, frame, link: true }),
                    GreInside::Other(_) => None,
                }
            }
            _ => None,
        }
    }

    /// The headers level by level, outermost first. The header of a tunnel stands last in the level that it ends.
    pub fn levels(&self) -> Vec<Vec<HeaderView>> {
        let mut out = vec![self.own_fields()];
        let mut at = self.encapsulated();
        while let Some(inside) = at.filter(|_| out.len() < DEEPEST) {
            if let Some(outer) = out.last_mut() {
                if let Some(last) = outer.last_mut() {
                    // it is told by what follows
                    last.fields.retain(|(name, _)| *name != "payload");
                }
                outer.extend(inside.header);
            }
            let mut own = inside.frame.own_fields();
            if !inside.link {
                own.retain(|v| v.name != "eth");
            }
            out.push(own);
            at = inside.frame.encapsulated();
        }
        out
    }

    /// The frame or packet that somebody sent: what is inside of all tunnels.
    pub fn innermost(&self) -> Frame {
        let mut frame = self.clone();
        for _ in 1..DEEPEST {
            match frame.encapsulated() {
                Some(inside) => frame = inside.frame,
                None => break,
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::packet::{Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Mac, Udp, Vxlan};

    fn packet(src: u8, ttl: u8, body: Body) -> Ipv4Packet {
        let header = Ipv4Header {
            tos: 0,
            id: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl,
            src: Ipv4Addr::new(10, 0, src, 1),
            dst: Ipv4Addr::new(10, 0, src, 2),
            checksum_error: 0,
        };
        Ipv4Packet { header, body }
    }

    fn frame(src: u8, ttl: u8, body: Body) -> Frame {
        Frame {
            eth: Ethernet { dst: Mac([2, 0, 0, 0, src, 2]), src: Mac([2, 0, 0, 0, src, 1]), ..Ethernet::default() },
            net: Net::Ipv4(packet(src, ttl, body)),
        }
    }

    fn ping() -> Body {
        Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: 1, seq: 2, payload: "abc".into() }))
    }

    fn in_vxlan(inner: &Frame, src: u8) -> Frame {
        frame(src, 64, Body::Udp(Udp::new(40_000, 8472, Vxlan::new(7).encapsulate(inner))))
    }

    #[test]
    fn levels_are_told_outermost_first() {
        let f = in_vxlan(&frame(1, 9, ping()), 2);
        let names: Vec<Vec<&str>> = f.levels().iter().map(|l| l.iter().map(|v| v.name).collect()).collect();
        assert_eq!(names, [vec!["eth", "ipv4", "udp", "vxlan"], vec!["eth", "ipv4", "icmp"]]);
        assert_eq!(f.innermost(), frame(1, 9, ping()));
        let twice = in_vxlan(&f, 3);
        assert_eq!(twice.levels().len(), 3);
        assert_eq!(twice.innermost(), frame(1, 9, ping()));
        assert!(frame(1, 9, ping()).encapsulated().is_none());
    }

    #[test]
    fn a_packet_in_a_packet_has_no_link_header() {
        let inner = packet(1, 9, ping());
        let f = frame(2, 64, Body::Other { protocol: Protocol::IPIP, bytes: inner.encode().into() });
        let names: Vec<Vec<&str>> = f.levels().iter().map(|l| l.iter().map(|v| v.name).collect()).collect();
        assert_eq!(names, [vec!["eth", "ipv4"], vec!["ipv4", "icmp"]]);
        assert_eq!(f.innermost().ipv4(), Some(&inner));
    }

    #[test]
    fn a_tunnel_that_is_entered_or_left_changes_the_outer_headers_alone() {
        let inner = frame(1, 9, ping());
        let outer = in_vxlan(&inner, 2);
        let changes = Frame::diff(&inner, &outer);
        assert!(changes.iter().all(|c| c.field.starts_with("outer.")), "{changes:?}");
        assert!(changes.iter().any(|c| c.field == "outer.vxlan.vni"));
        let back = Frame::diff(&outer, &inner);
        assert_eq!(back.len(), changes.len());
        let routed = Frame { net: Net::Ipv4(packet(2, 63, outer.ipv4().unwrap().body.clone())), ..outer.clone() };
        let fields: Vec<String> = Frame::diff(&outer, &routed).into_iter().map(|c| c.field).collect();
        assert_eq!(fields, ["outer.ipv4.ttl", "outer.ipv4.checksum"]);
        assert_eq!(outer.field("outer.udp.dport").unwrap().to_string(), "8472");
        assert_eq!(outer.field("ipv4.ttl").unwrap().to_string(), "9");
    }
}
