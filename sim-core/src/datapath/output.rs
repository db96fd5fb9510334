//! Packets made on this host, on their way out.

use super::walk::Walk;
use crate::linux::socket::PmtuDisc;
use crate::linux::{Errno, FlowId, IfIndex, SocketId};
use crate::packet::{Body, Ipv4Addr};
use crate::trace::Tracer;

/// What the sender of a packet decides.
#[derive(Clone, Copy, Debug)]
pub struct SendSpec {
    /// Source address; unspecified to have it chosen by the route.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// TTL; none for the namespace's default.
    pub ttl: Option<u8>,
    /// TOS.
    pub tos: u8,
    /// Mark.
    pub mark: u32,
    /// Device that it must leave by, or none.
    pub oif: IfIndex,
    /// Whether it may be cut, and DF.
    pub pmtudisc: PmtuDisc,
    /// The socket that sends it.
    pub socket: SocketId,
    /// The flow it belongs to.
    pub flow: FlowId,
}

/// Which source address and MTU a packet to `dst` would have (ip_route_output_key for connect).
///
/// # Errors
/// ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL as the route says.
pub fn route_for<T: Tracer>(_w: &mut Walk<'_, T>, _spec: &SendSpec) -> Result<(Ipv4Addr, u32), Errno> {
    Err(Errno::ENETUNREACH)
}

/// Sends a packet of this host (ip_route_output, ip_local_out and all that follows).
///
/// # Errors
/// Those of the route lookup; EMSGSIZE; EPERM when OUTPUT dropped it; ENOBUFS.
pub fn ip_send<T: Tracer>(_w: &mut Walk<'_, T>, _spec: &SendSpec, _body: Body) -> Result<(), Errno> {
    Err(Errno::ENETUNREACH)
}
