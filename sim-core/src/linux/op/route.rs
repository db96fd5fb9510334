//! `ip route`.
//!
//! Models: iproute2 ip/iproute.c iproute_modify.

use crate::linux::device::Scope;
use crate::linux::fib::{FibBase, RouteProto, RouteType, TableId};
use crate::linux::id::IfIndex;
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::{Arc, OnceLock};

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
    /// The table they make, once made; no part of what the batch says.
    pub shared: SharedBase,
}

impl RouteBatch {
    /// A batch of these routes.
    pub fn new(routes: Vec<RouteSpec>) -> Self {
        RouteBatch { routes, shared: SharedBase::default() }
    }
}

/// The stored form of a batch, made by the first namespace that applies it and shared by all in which its devices have the
/// same indices. Any two are equal: it follows from the batch.
#[derive(Clone, Debug, Default)]
pub struct SharedBase(OnceLock<MadeBase>);

/// The devices, in the order of their names, and the routes through them.
type MadeBase = (Vec<IfIndex>, Arc<FibBase<Ipv4Addr>>);

impl SharedBase {
    /// The shared base for devices of these indices; `make` makes it, the first time or where the indices differ.
    pub fn get_or_make(&self, devs: &[IfIndex], make: impl Fn() -> FibBase<Ipv4Addr>) -> Arc<FibBase<Ipv4Addr>> {
        let (made_for, base) = self.0.get_or_init(|| (devs.to_vec(), Arc::new(make())));
        if made_for == devs { base.clone() } else { Arc::new(make()) }
    }
}

impl PartialEq for SharedBase {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for SharedBase {}

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
