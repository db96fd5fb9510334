//! `ip route`.

use crate::linux::device::Scope;
use crate::linux::fib::{RouteProto, RouteType, TableId};
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::Arc;

/// How a route is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteVerb {
    /// `add`: an error if there is one of the same prefix, TOS and metric.
    Add,
    /// `replace`: in place of the first of the same prefix, TOS and metric, or new.
    Replace,
    /// `append`: behind those of the same prefix, TOS and metric.
    Append,
    /// `prepend`: before them.
    Prepend,
    /// `change`: an error if there is none.
    Change,
    /// `del`: the first that fits all that is given.
    Del,
}

/// One next hop as one writes it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HopSpec {
    /// `via`.
    pub via: Option<Ipv4Addr>,
    /// `dev`.
    pub dev: Option<Arc<str>>,
    /// `weight`, 1 to 256.
    pub weight: Option<u16>,
    /// `onlink`.
    pub onlink: bool,
}

/// A route as one writes it: what is not given is found out when it is applied, or not asked for in `del`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSpec {
    /// `default` or a range.
    pub prefix: Prefix<Ipv4Addr>,
    /// `blackhole`, `unreachable`, …
    pub kind: Option<RouteType>,
    /// `via … dev …`, or several `nexthop …`.
    pub hops: Vec<HopSpec>,
    /// `table`.
    pub table: Option<TableId>,
    /// `metric`.
    pub metric: Option<u32>,
    /// `tos`.
    pub tos: u8,
    /// `scope`.
    pub scope: Option<Scope>,
    /// `proto`.
    pub proto: Option<RouteProto>,
    /// `src`.
    pub src: Option<Ipv4Addr>,
    /// `mtu`, bytes.
    pub mtu: Option<u32>,
}

impl RouteSpec {
    /// A route to `prefix` of which nothing else is said.
    pub fn to(prefix: Prefix<Ipv4Addr>) -> Self {
        RouteSpec {
            prefix,
            kind: None,
            hops: Vec::new(),
            table: None,
            metric: None,
            tos: 0,
            scope: None,
            proto: None,
            src: None,
            mtu: None,
        }
    }
}

/// Routes shared by many nodes, such as the mesh of a host-gw network: one entry per node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBatch {
    /// The routes, each with gateway and device given.
    pub routes: Vec<RouteSpec>,
}

/// A change of routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteOp {
    /// One route.
    One {
        /// How.
        verb: RouteVerb,
        /// Which.
        route: Box<RouteSpec>,
    },
    /// `ip -batch`: `route add` of all routes of the batch into the main table, but not those of `skip` (a node's own range).
    Batch {
        /// The routes, shared.
        batch: Arc<RouteBatch>,
        /// The range that is left out.
        skip: Option<Prefix<Ipv4Addr>>,
    },
    /// `ip route flush` of a table, a device or a range.
    Flush {
        /// `table`; main if none is given.
        table: Option<TableId>,
        /// `dev`.
        dev: Option<Arc<str>>,
        /// A range.
        prefix: Option<Prefix<Ipv4Addr>>,
    },
}
