//! Fields of headers that rules set.
//!
//! Models: net/netfilter/nft_payload.c nft_payload_set_eval; checksums follow.
//! Simplifies: IPv4, TCP and UDP only, and no field that says how long a header is.

use crate::linux::netfilter::nft::Field;
use crate::linux::netfilter::nft::datatype::number;
use crate::linux::skb::Skb;
use crate::packet::{Body, Ipv4Addr, Mac, Net};

/// Sets a field; false if the packet has none.
pub fn set(skb: &mut Skb, f: Field, v: &[u8]) -> bool {
    let n = number(v);
    let mac = || <[u8; 6]>::try_from(v).ok().map(Mac);
    match f {
        Field::EtherSaddr => return mac().map(|m| skb.frame.eth.src = m).is_some(),
        Field::EtherDaddr => return mac().map(|m| skb.frame.eth.dst = m).is_some(),
        _ => {}
    }
    match &mut skb.frame.net {
        Net::Ipv4(p) => {
            let h = &mut p.header;
            match f {
                Field::IpTtl => h.ttl = n as u8,
                Field::IpDscp => h.tos = (n as u8) << 2 | h.tos & 3,
                Field::IpEcn => h.tos = h.tos & !3 | n as u8 & 3,
                Field::IpId => h.id = n as u16,
                Field::IpSaddr => h.src = Ipv4Addr::from(n as u32),
                Field::IpDaddr => h.dst = Ipv4Addr::from(n as u32),
                _ => return ports(&mut p.body, f, n as u16),
            }
            true
        }
        Net::Ipv6(p) => match f {
            Field::Ip6Hoplimit => {
                p.header.hop_limit = n as u8;
                true
            }
            _ => ports(&mut p.body, f, n as u16),
        },
        _ => false,
    }
}

fn ports(body: &mut Body, f: Field, n: u16) -> bool {
    match (body, f) {
        (Body::Tcp(t), Field::TcpSport | Field::ThSport) => t.src_port = n,
        (Body::Tcp(t), Field::TcpDport | Field::ThDport) => t.dst_port = n,
        (Body::Tcp(t), Field::TcpWindow) => t.window = n,
        (Body::Udp(u), Field::UdpSport | Field::ThSport) => u.src_port = n,
        (Body::Udp(u), Field::UdpDport | Field::ThDport) => u.dst_port = n,
        _ => return false,
    }
    true
}
