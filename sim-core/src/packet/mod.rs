//! Floor 0: packets as values, and as exact bytes.
//!
//! A [`Frame`] is a small tree of typed headers, outermost first:
//!
//! ```text
//! Frame ── Ethernet ── Net ─┬─ Arp
//!                           ├─ Ipv4Packet ── Ipv4Header ── Body ─┬─ Icmp ── Quoted (bytes of the offending packet)
//!                           ├─ Ipv6Packet ── Ipv6Header ── Body  ├─ Icmpv6
//!                           └─ Other                             ├─ Tcp ── Bytes
//!                                                                ├─ Udp ── Bytes (of a tunnel: Vxlan ── Frame)
//!                                                                └─ Other / Fragment
//! ```
//!
//! Lengths and checksums are not stored: they follow from the values and appear when a
//! frame is encoded. A header that arrived with a wrong checksum says so in
//! `checksum_error`, the difference to the right one.
//!
//! This floor knows nothing of hosts, devices or time.

pub mod addr;
pub mod arp;
pub mod body;
pub mod bytes;
pub mod checksum;
pub mod decode;
pub mod encapsulated;
pub mod ethernet;
pub mod field;
pub mod gre;
pub mod icmp;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod mac;
pub mod prefix;
pub mod quoted;
pub mod summary;
pub mod tcp;
pub mod tcp_options;
pub mod tuple;
pub mod udp;
pub mod vlan;
pub mod vxlan;

pub use addr::{Address, Family};
pub use arp::{Arp, ArpOp};
pub use body::{Body, Protocol};
pub use bytes::Bytes;
pub use checksum::PseudoHeader;
pub use decode::DecodeError;
pub use encapsulated::Encapsulated;
pub use ethernet::{Ethernet, Frame, IpView, Net};
pub use field::{FieldChange, FieldValue, HeaderView};
pub use icmp::{Icmp, IcmpKind, Quoted};
pub use icmpv6::{Icmpv6, Icmpv6Kind};
pub use ipv4::{Ipv4Header, Ipv4Packet};
pub use ipv6::{Ipv6Header, Ipv6Packet};
pub use mac::Mac;
pub use prefix::Prefix;
pub use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
pub use tcp::{Tcp, TcpFlags, TcpOptions};
pub use tcp_options::{TcpOption, TcpOptionSet};
pub use tuple::{Endpoint, L4, Tuple};
pub use udp::Udp;
pub use vlan::{VlanProtocol, VlanTag, VlanTags};
pub use vxlan::Vxlan;

#[cfg(test)]
mod tests;
