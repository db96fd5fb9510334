//! `ip neigh` and `bridge fdb`.
//!
//! Models: iproute2 ip/ipneigh.c ipneigh_modify, bridge/fdb.c fdb_modify.

use crate::linux::neighbour::NudState;
use crate::packet::{Ipv4Addr, Mac};
use std::sync::Arc;

/// A change of the neighbour cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeighOp {
    /// `ip neigh add|replace|change A lladdr MAC dev DEV nud STATE`.
    Set {
        /// `add` (error if it is there), `change` (error if it is not) or `replace`.
        verb: NeighVerb,
        /// The device.
        dev: Arc<str>,
        /// The address.
        addr: Ipv4Addr,
        /// `lladdr`.
        mac: Option<Mac>,
        /// `nud`; permanent if not given.
        state: Option<NudState>,
    },
    /// `ip neigh del A dev DEV`.
    Del {
        /// The device.
        dev: Arc<str>,
        /// The address.
        addr: Ipv4Addr,
    },
    /// `ip neigh add proxy A dev DEV`, `ip neigh del proxy A dev DEV`: this host answers for the address.
    Proxy {
        /// The device.
        dev: Arc<str>,
        /// The address.
        addr: Ipv4Addr,
        /// Added, or deleted.
        add: bool,
    },
    /// `ip neigh replace A dev DEV use`: the entry is used as if a packet were sent, which makes the kernel resolve or confirm it.
    Use {
        /// The device.
        dev: Arc<str>,
        /// The address.
        addr: Ipv4Addr,
    },
    /// `ip neigh flush [dev DEV | all]`: all that are not permanent.
    Flush {
        /// The device; all if none is given.
        dev: Option<Arc<str>>,
    },
}

/// How a neighbour is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighVerb {
    /// `add`.
    Add,
    /// `change`.
    Change,
    /// `replace`.
    Replace,
}

/// A change of the forwarding database of a bridge, or of a tunnel device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FdbOp {
    /// `bridge fdb add|replace|append MAC dev PORT [master] [static|dynamic|local|permanent]`.
    Set {
        /// The port (or device).
        dev: Arc<str>,
        /// The address.
        mac: Mac,
        /// `local`/`permanent`: frames to it go up; `static`: does not age; `dynamic`: ages.
        kind: FdbKind,
        /// `replace`: no error if it is there.
        replace: bool,
        /// `master`: in the table of the bridge that the device is a port of; else in that of the device, a bridge.
        master: bool,
        /// `vlan N`; all that the port belongs to if none is given.
        vlan: Option<u16>,
    },
    /// `bridge fdb del MAC dev PORT master`.
    Del {
        /// The port (or device).
        dev: Arc<str>,
        /// The address.
        mac: Mac,
        /// `master`.
        master: bool,
        /// `vlan N`.
        vlan: Option<u16>,
    },
    /// `bridge fdb … dst A self`: where a VXLAN device sends frames.
    Remote(super::vxlan::RemoteOp),
}

/// How long an entry of the forwarding database lives, and where its frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdbKind {
    /// `permanent`, `local`.
    Permanent,
    /// `static`.
    Static,
    /// `dynamic`.
    Dynamic,
}
