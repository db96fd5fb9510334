//! What identifies a flow: the addresses, and per protocol ports or an ICMP identifier.

use super::addr::Address;
use super::body::Protocol;
use std::fmt;

/// An address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<A> {
    /// The address.
    pub addr: A,
    /// The port, 0 for none or any.
    pub port: u16,
}

impl<A: Address> Endpoint<A> {
    /// An address and a port.
    pub fn new(addr: A, port: u16) -> Self {
        Endpoint { addr, port }
    }
}

impl<A: Address> fmt::Display for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if A::BITS == 128 { write!(f, "[{}]:{}", self.addr, self.port) } else { write!(f, "{}:{}", self.addr, self.port) }
    }
}

impl<A: fmt::Debug> fmt::Debug for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.addr, self.port)
    }
}

/// The transport part of a tuple, as conntrack keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum L4 {
    /// TCP, UDP, SCTP: source and destination port.
    Ports {
        /// Source port.
        src: u16,
        /// Destination port.
        dst: u16,
    },
    /// ICMP queries: type, code and identifier.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// Identifier.
        id: u16,
    },
    /// Protocols without any.
    None,
}

/// Addresses, protocol and transport part of one direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Protocol number.
    pub protocol: Protocol,
    /// Ports or ICMP identifier.
    pub l4: L4,
}
