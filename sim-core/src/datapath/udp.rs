//! UDP datagrams that come in.
//!
//! Models: net/ipv4/udp.c __udp4_lib_rcv, udp_queue_rcv_skb; net/ipv6/udp.c __udp6_lib_rcv.
//! Spec: RFC 768.
//! Seen in: 18-df-too-big-vxlan, 21-closed-ports.

use super::icmp::Error;
use super::icmpv6::Error6;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::fib::RouteType;
use crate::linux::skb::Skb;
use crate::linux::socket::{Datagram, SocketKind};
use crate::packet::{Body, Endpoint, Net};
use crate::trace::{DropReason, Evidence, Tracer};

/// Datagrams that may wait at a socket before more are dropped (a stand-in for SO_RCVBUF).
const QUEUE_LIMIT: usize = 256;

impl<T: Tracer> Walk<'_, T> {
    /// A datagram for this host (udp_rcv).
    pub(super) fn udp_rcv(&mut self, skb: Box<Skb>, dev: IfIndex, kind: RouteType) {
        let Some(p) = skb.frame.net.ip() else { return };
        let Body::Udp(u) = p.body else { return };
        let (from, to) = (Endpoint::new(p.src, u.src_port), Endpoint::new(p.dst, u.dst_port));
        let socket = self.ns.sockets.lookup(SocketKind::Udp, to, from, dev);
        if u.checksum_error != 0 && !u.no_checksum {
            return self.drop_skb(skb, dev, DropReason::UdpCsum);
        }
        if self.ns.sockets.is_encap(to.port) {
            return self.udp_encap_rcv(skb, dev);
        }
        let Some(id) = socket else {
            if kind == RouteType::Local {
                match skb.frame.net {
                    Net::Ipv6(_) => self.icmpv6_send(&skb, Error6::Unreachable { code: 4 }),
                    _ => self.icmp_send(&skb, Error::Unreachable { code: 3, mtu: 0 }),
                }
            }
            return self.drop_skb(skb, dev, DropReason::NoSocket);
        };
        let datagram = Datagram { from, to, ttl: p.ttl, data: u.payload.clone(), packet: skb.id, flow: skb.flow };
        let len = datagram.data.len() as u32;
        let Some(s) = self.ns.sockets.get_mut(id) else { return };
        if s.queue.len() >= QUEUE_LIMIT {
            return self.drop_skb(skb, dev, DropReason::SocketRcvbuff);
        }
        s.queue.push_back(datagram);
        self.step(&skb, dev, Evidence::Deliver { socket: id, len });
        self.wake(id);
        self.consumed(&skb, dev);
    }
}
