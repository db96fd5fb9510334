//! `ip -6 address` and `ip -6 route`.
//!
//! Models: iproute2 ip/ipaddress.c ipaddr_modify, ip/iproute.c iproute_modify, for the family inet6.

use super::route::RouteVerb;
use crate::linux::fib::{RouteProto, RouteType, TableId};
use crate::packet::{Ipv6Addr, Prefix};
use std::sync::Arc;

/// A change of IPv6 addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addr6Op {
    /// `ip -6 addr add A/L dev DEV …`, or `replace`.
    Add {
        /// The device.
        dev: Arc<str>,
        /// The address itself.
        local: Ipv6Addr,
        /// Length of the range on the link.
        len: u8,
        /// `nodad`: it is used without being tried.
        nodad: bool,
        /// `noprefixroute`.
        noprefixroute: bool,
        /// `replace`: no error if it is there.
        replace: bool,
    },
    /// `ip -6 addr del A/L dev DEV`.
    Del {
        /// The device.
        dev: Arc<str>,
        /// The address itself.
        local: Ipv6Addr,
        /// Length of the range.
        len: u8,
    },
    /// `ip -6 addr flush dev DEV`.
    Flush {
        /// The device.
        dev: Arc<str>,
    },
}

/// One next hop as one writes it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hop6Spec {
    /// `via`.
    pub via: Option<Ipv6Addr>,
    /// `dev`.
    pub dev: Option<Arc<str>>,
    /// `onlink`.
    pub onlink: bool,
}

/// An IPv6 route as one writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route6Spec {
    /// `default` or a range.
    pub prefix: Prefix<Ipv6Addr>,
    /// `blackhole`, `unreachable`, …
    pub kind: Option<RouteType>,
    /// `via … dev …`.
    pub hop: Hop6Spec,
    /// `table`.
    pub table: Option<TableId>,
    /// `metric`; 1024 if none is given.
    pub metric: Option<u32>,
    /// `proto`.
    pub proto: Option<RouteProto>,
    /// `src`.
    pub src: Option<Ipv6Addr>,
    /// `mtu`, bytes.
    pub mtu: Option<u32>,
}

impl Route6Spec {
    /// A route to `prefix` of which nothing else is said.
    pub fn to(prefix: Prefix<Ipv6Addr>) -> Self {
        Route6Spec { prefix, kind: None, hop: Hop6Spec::default(), table: None, metric: None, proto: None, src: None, mtu: None }
    }
}

/// A change of IPv6 routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route6Op {
    /// How.
    pub verb: RouteVerb,
    /// Which.
    pub route: Route6Spec,
}
