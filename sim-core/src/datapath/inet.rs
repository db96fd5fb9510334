//! What sockets and transport protocols ask of either family.
//!
//! Models: include/net/inet_connection_sock.h struct inet_connection_sock_af_ops (queue_xmit, and the route of connect(2)).

use super::ip6_output::{ip6_send, route_for6};
use super::output::{SendSpec, ip_send, route_for};
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::{Config, Errno};
use crate::packet::{Address, Body, IpAddr, Ipv4Addr};
use crate::trace::Tracer;

impl SendSpec<IpAddr> {
    /// The same for a destination of one family; the source is unspecified if it is of the other.
    pub fn narrow<A: Address>(&self, dst: A) -> SendSpec<A> {
        SendSpec {
            src: A::from_ip(self.src).unwrap_or(A::UNSPECIFIED),
            dst,
            ttl: self.ttl,
            tos: self.tos,
            mark: self.mark,
            oif: self.oif,
            pmtudisc: self.pmtudisc,
            l4: self.l4,
            socket: self.socket,
            flow: self.flow,
            confirms: self.confirms,
        }
    }
}

/// Sends a packet of this host (ip_queue_xmit, inet6_csk_xmit).
///
/// # Errors
/// Those of the route; EMSGSIZE; EPERM when OUTPUT dropped it.
pub fn send<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec<IpAddr>, body: Body) -> Result<(), Errno> {
    match spec.dst {
        IpAddr::V4(dst) => ip_send(w, &spec.narrow(dst), body),
        IpAddr::V6(dst) => ip6_send(w, &spec.narrow(dst), body),
    }
}

/// Which source address and MTU a packet to `spec.dst` would have.
///
/// # Errors
/// As the route says.
pub fn path_for<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec<IpAddr>) -> Result<(IpAddr, u32), Errno> {
    match spec.dst {
        IpAddr::V4(dst) => route_for(w, &spec.narrow(dst)).map(|(src, mtu)| (src.into(), mtu)),
        IpAddr::V6(dst) => route_for6(w, &spec.narrow(dst)).map(|(src, mtu)| (src.into(), mtu)),
    }
}

/// What an address is to this host (inet_addr_type, ipv6_chk_addr).
pub fn addr_type(config: &Config, addr: IpAddr) -> RouteType {
    match addr {
        IpAddr::V4(a) => config.fib.addr_type(a),
        IpAddr::V6(a) => config.fib6.addr_type(a),
    }
}

/// The address that stands for any one of the family of `like`.
pub fn any(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => crate::packet::Ipv6Addr::UNSPECIFIED.into(),
    }
}
