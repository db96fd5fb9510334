//! How long flows live that have no states of their own.
//!
//! Models: net/netfilter/nf_conntrack_proto_udp.c nf_conntrack_udp_packet, nf_conntrack_proto_icmp.c
//! nf_conntrack_icmp_packet, nf_conntrack_core.c generic_packet.
//! Simplifies: SCTP, DCCP and GRE are tracked as protocols without states, with the generic timeout.

use super::CtStatus;
use crate::linux::sysctl::CtSysctls;
use crate::linux::time::Time;
use crate::packet::{L4, Protocol};
use std::time::Duration;

/// After this much of a UDP flow's life an exchange makes it a stream.
pub const UDP_STREAM_AFTER: Duration = Duration::from_secs(2);

/// The new timeout of a UDP flow in seconds, and whether it becomes ASSURED.
///
/// `status` is the one before the packet: the first answer does not yet make a stream.
pub fn udp(status: CtStatus, stream_at: Time, now: Time, sysctl: &CtSysctls) -> (u32, bool) {
    if status.has(CtStatus::SEEN_REPLY) && now > stream_at {
        let assured = !status.has(CtStatus::ASSURED) && !status.has(CtStatus::NAT_CLASH);
        return (sysctl.udp_timeout_stream, assured);
    }
    (sysctl.udp_timeout, false)
}

/// Whether a flow may begin with such an ICMP message: echo, timestamp, information and mask requests.
pub fn icmp_may_begin(protocol: Protocol, l4: L4) -> bool {
    match l4 {
        L4::Icmp { kind, .. } if protocol == Protocol::ICMP => matches!(kind, 8 | 13 | 15 | 17),
        L4::Icmp { kind, .. } => matches!(kind, 128 | 139),
        _ => false,
    }
}
