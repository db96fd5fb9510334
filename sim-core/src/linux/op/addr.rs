//! `ip address`.
//!
//! Models: iproute2 ip/ipaddress.c ipaddr_modify.

use crate::linux::device::Scope;
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::Arc;

/// A change of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddrOp {
    /// `ip addr add A/L dev DEV …`, or `replace`.
    Add {
        /// The device.
        dev: Arc<str>,
        /// The address itself.
        local: Ipv4Addr,
        /// The range on the link.
        prefix: Prefix<Ipv4Addr>,
        /// `peer`.
        peer: Option<Ipv4Addr>,
        /// `broadcast`: an address, or `+` (computed from the range).
        broadcast: Option<Broadcast>,
        /// `scope`.
        scope: Option<Scope>,
        /// `noprefixroute`.
        noprefixroute: bool,
        /// `replace`: no error if it is there.
        replace: bool,
    },
    /// `ip addr del A/L dev DEV`.
    Del {
        /// The device.
        dev: Arc<str>,
        /// The address itself.
        local: Ipv4Addr,
        /// The range, if given.
        prefix: Option<Prefix<Ipv4Addr>>,
    },
    /// `ip addr flush dev DEV`.
    Flush {
        /// The device.
        dev: Arc<str>,
    },
}

/// A broadcast address as one writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// `+`: the last address of the range.
    Computed,
    /// An address.
    Addr(Ipv4Addr),
}
