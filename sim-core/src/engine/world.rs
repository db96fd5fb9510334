//! Everything there is: hosts, namespaces, wires, programs, and what was done to them.

use super::cluster::Cluster;
use super::guard::Guard;
use super::program::Slot;
use super::queue::Queue;
use super::stacked::Stacked;
use super::wire::Wires;
use crate::datapath::{Effects, Ids};
use crate::linux::id::OpId;
use crate::linux::rng::Rng;
use crate::linux::{FlowId, Netns, NetnsId, Op, Time};

use indexmap::IndexMap;
use std::sync::Arc;

/// A host, by its place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HostId(pub u32);

/// A host: a machine with a namespace of its own and perhaps others.
#[derive(Clone, Debug)]
pub struct Host {
    /// Name: `node-a`.
    pub name: Arc<str>,
    /// Its own namespace.
    pub root: NetnsId,
    /// Whether it is a node of the cluster.
    pub is_node: bool,
    /// Its other namespaces, by the names that `ip netns` knows.
    pub netns: IndexMap<Arc<str>, NetnsId>,
}

/// Where a namespace is and what it is called.
#[derive(Clone, Debug)]
pub struct NetnsInfo {
    /// Its host.
    pub host: HostId,
    /// Its name on that host as `ip netns` knows it; empty for the host's own.
    pub name: Arc<str>,
    /// What a reader calls it: `node-a`, `web` (a pod), `docker/web` (a host's namespace).
    pub label: Arc<str>,
    /// The pod that it is, as `namespace/name`.
    pub pod: Option<Arc<str>>,
    /// Whether it is a switch of the scenery whose steps nobody asked for.
    pub hidden: bool,
    /// Its /etc/hosts: names and what they stand for.
    pub etc_hosts: Vec<(Arc<str>, crate::packet::IpAddr)>,
}

/// A command that was applied.
#[derive(Clone, Debug, PartialEq)]
pub struct OpRecord {
    /// Its number; sources of rows name it.
    pub id: OpId,
    /// When.
    pub at: Time,
    /// In which namespace.
    pub netns: NetnsId,
    /// What.
    pub op: Arc<Op>,
    /// Who: the controller and object behind it, or the line of the scenario.
    pub origin: Arc<str>,
    /// The error, if it failed, in the words of the tool.
    pub error: Option<Arc<str>>,
}

/// Everything there is. Cloning it is cheap: namespaces are shared until they change.
#[derive(Clone, Debug)]
pub struct World {
    /// Hosts, in order of addition.
    pub hosts: Vec<Host>,
    /// Namespaces; a [`NetnsId`] is a place in this list.
    pub netns: Vec<Arc<Netns>>,
    /// About each namespace.
    pub info: Vec<NetnsInfo>,
    /// The time.
    pub now: Time,
    /// Commands that were applied, in order; [`OpId`] n stands at n - 1.
    pub ops: Vec<Arc<OpRecord>>,
    /// Wires and segments.
    pub wires: Wires,
    /// Programs, by number.
    pub(super) programs: Vec<Arc<Slot>>,
    /// What will happen.
    pub(super) queue: Queue,
    /// Chance.
    pub(super) rng: Rng,
    /// Numbers that are handed out.
    pub(super) ids: Ids,
    /// The last flow's number.
    pub(super) last_flow: FlowId,
    /// The cluster, if there is one.
    pub cluster: Option<Box<Cluster>>,
    /// Ends storms.
    pub guard: Guard,
    /// Devices that stand on others.
    pub(super) stacked: Vec<Stacked>,
    /// Effects of the event at hand; kept for its memory.
    pub(super) effects: Effects,
}

impl World {
    /// An empty world with that seed.
    pub fn new(seed: u64) -> Self {
        World {
            hosts: Vec::new(),
            netns: Vec::new(),
            info: Vec::new(),
            now: Time::ZERO,
            ops: Vec::new(),
            wires: Wires::default(),
            programs: Vec::new(),
            queue: Queue::default(),
            rng: Rng::new(seed),
            ids: Ids::default(),
            last_flow: FlowId::NONE,
            cluster: None,
            guard: Guard::default(),
            stacked: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// The seed of the world.
    pub fn seed(&self) -> u64 {
        self.rng.seed()
    }

    /// The namespace `id`.
    pub fn ns(&self, id: NetnsId) -> Option<&Netns> {
        self.netns.get(id.0 as usize).map(|n| &**n)
    }

    /// About the namespace `id`.
    pub fn info(&self, id: NetnsId) -> Option<&NetnsInfo> {
        self.info.get(id.0 as usize)
    }

    /// The host of that name.
    pub fn host_by_name(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|h| &*h.name == name).map(|i| HostId(i as u32))
    }

    /// The namespace that a reader calls `label`.
    pub fn by_label(&self, label: &str) -> Option<NetnsId> {
        self.info.iter().position(|i| &*i.label == label).map(|i| NetnsId(i as u32))
    }

    /// The command `id`.
    pub fn op(&self, id: OpId) -> Option<&OpRecord> {
        self.ops.get((id.0 as usize).checked_sub(1)?).map(|o| &**o)
    }
}
