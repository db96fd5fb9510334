//! What is looked up in a recording again and again, laid out once per run, in linear time.
//!
//! It also settles which step a change of headers belongs to. The headers of a packet are a chain of versions; between
//! two steps of the packet the chain may have moved on. Each move goes to the step whose decision made it:
//!
//! ```text
//!   step i                       step i+1
//!   before ─► after(i)  ==  before(i+1) ─► after
//!            └ a move goes to i, unless i+1 is of a kind that makes such moves and i is not
//! ```
//!
//! So `after` of a step always is `before` of the packet's next one, and a change shows in one step only.

use crate::linux::conntrack::CtId;
use crate::linux::hot::HotMap;
use crate::linux::{FlowId, IfIndex, NetnsId, PacketId, VersionId};
use crate::packet::{IpAddr, Mac};
use crate::trace::evidence::NeighAction;
use crate::trace::{Change, Evidence, PacketRecord, Recording, StateDelta};

/// Lists of numbers, one after the other in one vector.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn build(lists: usize, pairs: &[(u32, u32)]) -> Self {
        let mut starts = vec![0u32; lists + 1];
        for (list, _) in pairs {
            if let Some(s) = starts.get_mut(*list as usize + 1) {
                *s += 1;
            }
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![0; pairs.len()];
        for (list, item) in pairs {
            if let Some(n) = next.get_mut(*list as usize) {
                if let Some(slot) = items.get_mut(*n as usize) {
                    *slot = *item;
                }
                *n += 1;
            }
        }
        Lists { starts, items }
    }

    /// The list `i`.
    pub fn get(&self, i: usize) -> &[u32] {
        match (self.starts.get(i), self.starts.get(i + 1)) {
            (Some(a), Some(b)) => self.items.get(*a as usize..*b as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// No place.
pub const NOWHERE: u32 = u32::MAX;

/// The index of a run.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The packets, in order of birth; one that the recording did not see being born stands at its first step.
    pub packets: Vec<PacketRecord>,
    by_id: HotMap<PacketId, u32>,
    steps: Lists,
    flows: Lists,
    caused: Lists,
    /// Steps about no packet.
    pub loose: Vec<u32>,
    /// Place of each step's packet in `packets`, or [`NOWHERE`].
    packet_of: Vec<u32>,
    /// Version at which each step was recorded.
    recorded: Vec<VersionId>,
    before: Vec<VersionId>,
    after: Vec<VersionId>,
    /// The hook inside which each step was taken, or [`NOWHERE`].
    hook_of: Vec<u32>,
    configs: Vec<Vec<u32>>,
    ct: HotMap<(NetnsId, CtId), Vec<u32>>,
    neigh: HotMap<(NetnsId, IfIndex, IpAddr), Vec<u32>>,
    fdb: HotMap<(NetnsId, IfIndex, Mac), Vec<u32>>,
}

impl Index {
    /// The index of `recording`, for a run of `flows` flows in `netns` namespaces.
    pub fn new(recording: &Recording, flows: usize, netns: usize) -> Self {
        let mut index = Index::default();
        for p in &recording.packets {
            index.add_packet(*p);
        }
        let mut pairs = Vec::with_capacity(recording.steps.len());
        // Decisions that were taken before there was a packet: they go to the packet that comes of them.
        let mut early: Vec<u32> = Vec::new();
        let mut begun = vec![false; index.packets.len()];
        for (n, step) in recording.steps.iter().enumerate() {
            let n = n as u32;
            index.packet_of.push(NOWHERE);
            let waits =
                early.last().and_then(|e| recording.steps.get(*e as usize)).is_none_or(|e| e.netns == step.netns && e.at == step.at);
            if !waits {
                index.settle(&mut early, recording, NOWHERE, &mut pairs);
            }
            if is_early(&step.evidence, step.version, step.packet) {
                early.push(n);
                continue;
            }
            if !step.packet.is_some() {
                index.loose.push(n);
                continue;
            }
            if !early.is_empty() && matches!(step.evidence, Evidence::IcmpError { .. }) {
                // the route of the error is looked up before the error is told of; its packet comes next
                if let Some(at) = index.place(step.packet) {
                    index.packet_of[n as usize] = at as u32;
                    pairs.push((at as u32, n));
                    continue;
                }
            }
            let at =
                index.add_packet(PacketRecord { id: step.packet, caused_by: PacketId::NONE, copy_of: PacketId::NONE, flow: FlowId::NONE });
            begun.resize(index.packets.len(), false);
            let first = !std::mem::replace(&mut begun[at as usize], true);
            index.settle(&mut early, recording, if first { at } else { NOWHERE }, &mut pairs);
            index.packet_of[n as usize] = at;
            pairs.push((at, n));
        }
        index.settle(&mut early, recording, NOWHERE, &mut pairs);
        pairs.sort_unstable();
        index.loose.sort_unstable();
        index.steps = Lists::build(index.packets.len(), &pairs);
        index.relate(flows);
        index.own_changes(recording);
        index.find_hooks(recording);
        index.file_states(recording, netns);
        index
    }

    /// Gives the early steps to the packet at `place`; without one they go to the packet that they name, or to none.
    fn settle(&mut self, early: &mut Vec<u32>, recording: &Recording, place: u32, pairs: &mut Vec<(u32, u32)>) {
        for n in early.drain(..) {
            let own = recording.steps.get(n as usize).and_then(|s| self.by_id.get(&s.packet)).copied().unwrap_or(NOWHERE);
            let to = if place == NOWHERE { own } else { place };
            if to == NOWHERE {
                self.loose.push(n);
            } else {
                self.packet_of[n as usize] = to;
                pairs.push((to, n));
            }
        }
    }

    fn add_packet(&mut self, p: PacketRecord) -> u32 {
        if let Some(at) = self.by_id.get(&p.id) {
            return *at;
        }
        let at = self.packets.len() as u32;
        self.by_id.insert(p.id, at);
        self.packets.push(p);
        at
    }

    /// Ties packets to flows and to the packets that caused them. What a flow's packet causes belongs to the flow.
    fn relate(&mut self, flows: usize) {
        let mut caused = Vec::new();
        let mut of_flow = Vec::new();
        for at in 0..self.packets.len() {
            let p = self.packets[at];
            let parent = if p.copy_of.is_some() { p.copy_of } else { p.caused_by };
            let parent = self.by_id.get(&parent).copied().filter(|up| (*up as usize) < at);
            if let Some(up) = parent {
                caused.push((up, at as u32));
                if !p.flow.is_some() {
                    self.packets[at].flow = self.packets[up as usize].flow;
                }
            }
            let flow = self.packets[at].flow.0;
            of_flow.push((if flow as usize <= flows { flow } else { 0 }, at as u32));
        }
        self.caused = Lists::build(self.packets.len(), &caused);
        self.flows = Lists::build(flows + 1, &of_flow);
    }

    fn own_changes(&mut self, recording: &Recording) {
        self.before = recording.steps.iter().map(|s| s.version).collect();
        for packet in 0..self.packets.len() {
            // A step that was taken without the packet at hand has no version: the packet stayed what it was.
            let steps = self.steps.get(packet);
            let birth = steps.iter().map(|n| self.before[*n as usize]).find(|v| v.is_some()).unwrap_or_default();
            let mut last = birth;
            for n in steps {
                let v = &mut self.before[*n as usize];
                if v.is_some() {
                    last = *v;
                } else {
                    *v = last;
                }
            }
        }
        self.recorded = self.before.clone();
        self.after = self.before.clone();
        let mut path = Vec::new();
        for packet in 0..self.packets.len() {
            for pair in self.steps.get(packet).windows(2) {
                let (i, j) = (pair[0] as usize, pair[1] as usize);
                let (this, next) = (&recording.steps[i], &recording.steps[j]);
                let (from, to) = (self.recorded[i], self.recorded[j]);
                path.clear();
                let mut at = to;
                while at > from {
                    path.push(at);
                    at = recording.versions.get((at.0 as usize).wrapping_sub(1)).map_or(VersionId::NONE, |v| v.before);
                }
                path.reverse();
                let change = |v: &VersionId| recording.versions.get((v.0 as usize).wrapping_sub(1)).map(|r| &r.change);
                let moved = path.iter().take_while(|v| change(v).is_none_or(|c| makes(&this.evidence, c) || !makes(&next.evidence, c)));
                let split = moved.last().copied().unwrap_or(from);
                let split = if at == from { split } else { to };
                self.after[i] = split;
                self.before[j] = split;
            }
        }
    }

    fn find_hooks(&mut self, recording: &Recording) {
        self.hook_of = vec![NOWHERE; recording.steps.len()];
        for packet in 0..self.packets.len() {
            let mut hook = NOWHERE;
            for n in self.steps.get(packet) {
                let step = &recording.steps[*n as usize];
                match step.evidence {
                    Evidence::Hook { .. } => hook = *n,
                    Evidence::Rule { .. }
                    | Evidence::NftRule { .. }
                    | Evidence::StatefulMatch { .. }
                    | Evidence::ConntrackLookup { .. }
                    | Evidence::ConntrackConfirm { .. }
                    | Evidence::NatBind { .. }
                    | Evidence::NatRewrite { .. }
                    | Evidence::IpvsSchedule { .. }
                    | Evidence::IpvsConn { .. }
                    | Evidence::IpvsForward { .. }
                    | Evidence::IcmpError { .. }
                    | Evidence::Drop { .. } => {
                        if hook != NOWHERE && recording.steps[hook as usize].netns == step.netns {
                            self.hook_of[*n as usize] = hook;
                        }
                    }
                    Evidence::Receive { .. }
                    | Evidence::Transmit { .. }
                    | Evidence::SocketSend { .. }
                    | Evidence::Deliver { .. }
                    | Evidence::SocketError { .. }
                    | Evidence::TcpState { .. }
                    | Evidence::PolicyRule { .. }
                    | Evidence::RouteLookup { .. }
                    | Evidence::NeighbourLookup { .. }
                    | Evidence::NeighbourUpdate { .. }
                    | Evidence::FdbLearn { .. }
                    | Evidence::FdbLookup { .. }
                    | Evidence::VlanFilter { .. }
                    | Evidence::RemoteLookup { .. }
                    | Evidence::RemoteLearn { .. }
                    | Evidence::Encap { .. }
                    | Evidence::Decap { .. }
                    | Evidence::TtlDecrement { .. }
                    | Evidence::Fragment { .. }
                    | Evidence::Defrag { .. }
                    | Evidence::ArpInput { .. }
                    | Evidence::Timer { .. } => hook = NOWHERE,
                }
            }
        }
    }

    fn file_states(&mut self, recording: &Recording, netns: usize) {
        self.configs = vec![Vec::new(); netns];
        for (i, (_, ns, _)) in recording.configs.iter().enumerate() {
            let ns = ns.0 as usize;
            if ns >= self.configs.len() {
                self.configs.resize(ns + 1, Vec::new());
            }
            self.configs[ns].push(i as u32);
        }
        fn file<K: std::hash::Hash + Eq + Ord>(map: &mut HotMap<K, Vec<u32>>, key: K, i: u32) {
            match map.get_mut(&key) {
                Some(list) => list.push(i),
                None => {
                    map.insert(key, vec![i]);
                }
            }
        }
        for (i, d) in recording.deltas.iter().enumerate() {
            let i = i as u32;
            match &d.delta {
                StateDelta::Neighbour { dev, addr, .. } => file(&mut self.neigh, (d.netns, *dev, *addr), i),
                StateDelta::Fdb { bridge, mac, .. } => file(&mut self.fdb, (d.netns, *bridge, *mac), i),
                // nobody asks for them by step yet
                StateDelta::Remote { .. } | StateDelta::Ipvs { .. } | StateDelta::NftElement { .. } => {}
                StateDelta::Conntrack { id, .. } => file(&mut self.ct, (d.netns, *id), i),
                StateDelta::Recent { .. } => {}
            }
        }
    }

    /// Place of the packet `id` in `packets`.
    pub fn place(&self, id: PacketId) -> Option<usize> {
        self.by_id.get(&id).map(|p| *p as usize)
    }

    /// The steps of the packet at `place`, in order.
    pub fn steps_at(&self, place: usize) -> &[u32] {
        self.steps.get(place)
    }

    /// The packets of a flow by their places, in order of birth; flow 0 is the background.
    pub fn packets_of(&self, flow: FlowId) -> &[u32] {
        self.flows.get(flow.0 as usize)
    }

    /// The packets that the one at `place` caused, or that are copies of it.
    pub fn caused_by(&self, place: usize) -> &[u32] {
        self.caused.get(place)
    }

    /// Place of the packet that the step `n` is about.
    pub fn packet_of(&self, n: u32) -> Option<usize> {
        self.packet_of.get(n as usize).filter(|p| **p != NOWHERE).map(|p| *p as usize)
    }

    /// Versions of the headers before and after the changes that the step `n` made.
    pub fn versions(&self, n: u32) -> (VersionId, VersionId) {
        let at = n as usize;
        (self.before.get(at).copied().unwrap_or_default(), self.after.get(at).copied().unwrap_or_default())
    }

    /// Version of the headers when the step `n` was recorded: what a capture there would show.
    pub fn recorded(&self, n: u32) -> VersionId {
        self.recorded.get(n as usize).copied().unwrap_or_default()
    }

    /// The hook inside which the step `n` was taken.
    pub fn hook_of(&self, n: u32) -> Option<u32> {
        self.hook_of.get(n as usize).copied().filter(|h| *h != NOWHERE)
    }

    /// Place in `recording.configs` of the configuration of `netns` in force at step `n`.
    pub fn config_at(&self, recording: &Recording, netns: NetnsId, n: u32) -> Option<usize> {
        let list = self.configs.get(netns.0 as usize)?;
        let end = list.partition_point(|i| recording.configs.get(*i as usize).is_some_and(|c| c.0 <= n));
        list[..end].last().map(|i| *i as usize)
    }

    /// The last write to a conntrack entry before step `n`, else the first at all.
    pub fn ct_at<'r>(&self, recording: &'r Recording, netns: NetnsId, id: CtId, n: u32) -> Option<&'r StateDelta> {
        let list = self.ct.get(&(netns, id))?;
        let end = list.partition_point(|i| recording.deltas.get(*i as usize).is_some_and(|d| d.step <= n));
        // An entry that is made for this packet is told of once it is in the table, a little later.
        let at = list[..end].last().or(list.first())?;
        recording.deltas.get(*at as usize).map(|d| &d.delta)
    }

    /// The last write to a neighbour entry before step `n`: the write's own place in the order of steps, and what it wrote.
    pub fn neigh_at<'r>(&self, recording: &'r Recording, key: (NetnsId, IfIndex, IpAddr), n: u32) -> Option<(u32, &'r StateDelta)> {
        last_before(self.neigh.get(&key)?, recording, n)
    }

    /// The last write to an FDB entry before step `n`.
    pub fn fdb_at<'r>(&self, recording: &'r Recording, key: (NetnsId, IfIndex, Mac), n: u32) -> Option<(u32, &'r StateDelta)> {
        last_before(self.fdb.get(&key)?, recording, n)
    }

    /// Neighbour entries of `netns` that were ever written, by device and address.
    pub fn neighbours_written(&self, netns: NetnsId) -> Vec<(IfIndex, IpAddr)> {
        self.neigh.sorted().into_iter().filter(|((ns, _, _), _)| *ns == netns).map(|((_, d, a), _)| (*d, *a)).collect()
    }

    /// FDB entries of a bridge that were ever written.
    pub fn fdb_written(&self, netns: NetnsId, bridge: IfIndex) -> Vec<Mac> {
        self.fdb.sorted().into_iter().filter(|((ns, b, _), _)| *ns == netns && *b == bridge).map(|((_, _, m), _)| *m).collect()
    }
}

fn last_before<'r>(list: &[u32], recording: &'r Recording, n: u32) -> Option<(u32, &'r StateDelta)> {
    let end = list.partition_point(|i| recording.deltas.get(*i as usize).is_some_and(|d| d.step <= n));
    recording.deltas.get(*list[..end].last()? as usize).map(|d| (d.step, &d.delta))
}

/// Whether a step was taken on behalf of a packet that is still to be made.
fn is_early(evidence: &Evidence, version: VersionId, packet: PacketId) -> bool {
    !version.is_some()
        && (matches!(evidence, Evidence::RouteLookup { input: false, .. } | Evidence::PolicyRule { .. })
            || (!packet.is_some() && matches!(evidence, Evidence::TcpState { .. } | Evidence::SocketSend { .. })))
}

/// Whether a step of this kind makes such a change.
fn makes(evidence: &Evidence, change: &Change) -> bool {
    let (ethernet, ttl, source, destination, whole) = match evidence {
        Evidence::NeighbourLookup { action: NeighAction::Sent, .. } | Evidence::Transmit { .. } => (true, false, false, false, false),
        Evidence::TtlDecrement { .. } => (false, true, false, false, false),
        Evidence::NatRewrite { source, .. } => (false, false, *source, !*source, true),
        Evidence::IpvsConn { reply: true, .. } => (false, false, true, false, true),
        Evidence::IpvsConn { .. } => (false, false, false, false, false),
        Evidence::IpvsForward { .. } => (false, false, false, true, true),
        Evidence::Fragment { .. }
        | Evidence::Defrag { .. }
        | Evidence::Encap { .. }
        | Evidence::Decap { .. }
        | Evidence::VlanFilter { .. } => (false, false, false, false, true),
        Evidence::NeighbourLookup { action: NeighAction::Queued | NeighAction::Dropped, .. }
        | Evidence::Receive { .. }
        | Evidence::SocketSend { .. }
        | Evidence::Deliver { .. }
        | Evidence::SocketError { .. }
        | Evidence::TcpState { .. }
        | Evidence::PolicyRule { .. }
        | Evidence::RouteLookup { .. }
        | Evidence::NeighbourUpdate { .. }
        | Evidence::Hook { .. }
        | Evidence::Rule { .. }
        | Evidence::NftRule { .. }
        | Evidence::StatefulMatch { .. }
        | Evidence::ConntrackLookup { .. }
        | Evidence::ConntrackConfirm { .. }
        | Evidence::NatBind { .. }
        | Evidence::IpvsSchedule { .. }
        | Evidence::FdbLearn { .. }
        | Evidence::FdbLookup { .. }
        | Evidence::RemoteLookup { .. }
        | Evidence::RemoteLearn { .. }
        | Evidence::IcmpError { .. }
        | Evidence::ArpInput { .. }
        | Evidence::Timer { .. }
        | Evidence::Drop { .. } => (false, false, false, false, false),
    };
    match change {
        Change::Ethernet { .. } => ethernet,
        Change::Ttl(_) => ttl,
        Change::Source(..) => source,
        Change::Destination(..) => destination,
        Change::Whole(_) => whole,
    }
}
