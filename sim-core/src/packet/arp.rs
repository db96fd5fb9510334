//! Address resolution for IPv4 over Ethernet (RFC 826).

use super::Mac;
use std::net::Ipv4Addr;

/// Request or reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpOp {
    /// Operation 1, who-has.
    Request,
    /// Operation 2, is-at.
    Reply,
}

/// An ARP packet, hardware type Ethernet, protocol type IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub op: ArpOp,
    /// `sha`: hardware address of the sender.
    pub sender_mac: Mac,
    /// `spa`: protocol address of the sender.
    pub sender: Ipv4Addr,
    /// `tha`: hardware address asked for; zero in a request.
    pub target_mac: Mac,
    /// `tpa`: protocol address asked for.
    pub target: Ipv4Addr,
}
