//! Floor 4: the controllers, which compile objects into commands.
//!
//! ```text
//!             objects                    what the kernels look like
//!  Store ───────────────► Controllers ◄─────────────────────────── Hosts (read only)
//!    ▲  status               │   ▲
//!    └───────────────────────┘   │ what failed, the time
//!                   Actions      │
//!                      └──► engine
//!
//!  Controllers ─┬─ node_ipam, scheduler           once in the cluster
//!               └─ per node ─┬─ bootstrap         before anything else
//!                            ├─ flanneld          if the CNI is Flannel
//!                            └─ kubelet ── cni
//! ```
//!
//! Controllers do no I/O and keep no time. The engine drives them:
//!
//! 1. [`Controllers::run`] with the store, the hosts and the time returns a list of [`Action`]s.
//! 2. The engine carries them out in order. When one fails it calls [`Controllers::on_result`] and leaves out the other
//!    actions of the same task ([`TaskId`]); an action of which nothing is reported has succeeded.
//! 3. It calls `run` again, until the list is empty. Only then does time go on.
//! 4. After that it calls `run` whenever the store has changed, [`Controllers::systemctl`] was called, or
//!    [`Controllers::next_timer`] has come.
//!
//! At the start of the world the engine calls [`Controllers::settle`] instead of `run`: it does the same, and pods do not
//! wait for their readiness probe, because the world has settled before the clock starts.
//!
//! A pod is deleted by setting `deletion_timestamp`; the kubelet of its node removes the object when it has cleaned up.

pub mod action;
pub mod agents;
pub mod bootstrap;
pub mod cni;
pub mod flanneld;
pub mod hash;
pub mod iptables;
pub mod kubelet;
pub mod network_model;
pub mod node_files;
pub mod node_ipam;
pub mod outbox;
pub mod providers;
pub mod scheduler;
#[cfg(test)]
mod tests;
pub mod view;

pub use action::{Action, ActionKind, Failure, Origin, TaskId};
pub use bootstrap::Machine;
pub use providers::{PROVIDERS, Provider};
pub use view::Hosts;

use crate::kube::{Kind, Node, ObjectKey, Pod, Store, Verb};
use crate::linux::Time;
use crate::linux::op::AgentVerb;
use crate::packet::{Ipv4Addr, Prefix};
use agents::{Agents, FLANNELD, KUBELET};
use cni::ipam_host_local::IpamState;
use cni::{CniResult, ConfList, NodeEnv};
use flanneld::{Flanneld, FlanneldCx, Leases};
use indexmap::IndexMap;
use kubelet::{CNI_CONF_DIR, Kubelet, KubeletCx};
use node_files::Files;
use outbox::Outbox;
use rustc_hash::FxBuildHasher;
use scheduler::Scheduled;
use std::sync::Arc;

/// What is chosen for a cluster as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The CNI.
    pub cni: Provider,
    /// The range of all pods.
    pub pod_subnet: Prefix<Ipv4Addr>,
    /// Length of the range that a node gets of it.
    pub node_mask: u8,
}

impl ClusterConfig {
    /// A cluster with that CNI, and kubeadm's usual range for Flannel: 10.244.0.0/16, of which each node gets a /24.
    pub fn new(cni: Provider) -> Self {
        ClusterConfig { cni, pod_subnet: Prefix::new(Ipv4Addr::new(10, 244, 0, 0), 16), node_mask: 24 }
    }
}

/// What runs on a node and what lies there.
#[derive(Clone, Debug)]
pub struct NodeState {
    /// The machine.
    pub machine: Machine,
    /// Its agents.
    pub agents: Agents,
    /// Its files.
    pub files: Files,
    /// The addresses that are taken.
    pub ipam: IpamState,
    /// Its kubelet.
    pub kubelet: Kubelet,
    flanneld: Option<Flanneld>,
    configured: bool,
}

/// All controllers of a cluster, and what they know. A clone is cheap: nodes are shared until they change.
#[derive(Clone, Debug)]
pub struct Controllers {
    config: Arc<ClusterConfig>,
    nodes: Vec<Arc<NodeState>>,
    index: Arc<IndexMap<Arc<str>, usize, FxBuildHasher>>,
    booted: bool,
    /// The store's version up to which changes were seen; none before the first list.
    seen: Option<u64>,
    leases: Leases,
    /// The conflist that was read last: nodes mostly have the same.
    conf: Option<(Arc<str>, NodeConf)>,
    troubles: Vec<(Origin, Arc<str>, String)>,
    out: Outbox,
}

/// The network configuration of a node, or why it has none.
pub type NodeConf = Result<Arc<ConfList>, String>;

/// How often controllers may go round without an action before they give up: more than any chain of objects that follow
/// from each other.
const ROUNDS: usize = 64;

impl Controllers {
    /// The controllers of a cluster of these machines.
    pub fn new(config: ClusterConfig, machines: Vec<Machine>) -> Self {
        let index = machines.iter().enumerate().map(|(i, m)| (m.host.clone(), i)).collect();
        let nodes = machines.into_iter().map(|m| Arc::new(NodeState::new(m, &config.cni))).collect();
        Controllers {
            config: Arc::new(config),
            nodes,
            index: Arc::new(index),
            booted: false,
            seen: None,
            leases: Leases::default(),
            conf: None,
            troubles: Vec::new(),
            out: Outbox::default(),
        }
    }

    /// What was chosen.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// What runs and lies on a node.
    pub fn node(&self, host: &str) -> Option<&NodeState> {
        Some(&**self.nodes.get(*self.index.get(host)?)?)
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeState> {
        self.nodes.iter().map(|n| &**n)
    }

    /// The result of CNI ADD for a pod of a node.
    pub fn cni_result(&self, host: &str, pod: &ObjectKey) -> Option<&CniResult> {
        self.node(host)?.kubelet.cni_result(pod)
    }

    /// What is to be done now; empty when there is nothing left.
    pub fn run(&mut self, store: &mut Store, hosts: &dyn Hosts, now: Time) -> Vec<Action> {
        self.rounds(store, hosts, now, false)
    }

    /// As [`Controllers::run`], before the clock starts. When nothing is left the store's log is compacted.
    pub fn settle(&mut self, store: &mut Store, hosts: &dyn Hosts) -> Vec<Action> {
        let actions = self.rounds(store, hosts, Time::ZERO, true);
        if actions.is_empty() {
            store.compact(store.version());
        }
        actions
    }

    /// An action failed.
    pub fn on_result(&mut self, action: &Action, failure: &Failure) {
        let host = match &action.kind {
            ActionKind::Op { host, .. } | ActionKind::Spawn { host, .. } | ActionKind::Kill { host, .. } => host,
            ActionKind::Event { .. } => return,
        };
        let Some(node) = self.index.get(host).and_then(|i| self.nodes.get_mut(*i)) else { return };
        match action.origin.controller() {
            "flanneld" => {
                if let Some(f) = &mut Arc::make_mut(node).flanneld {
                    f.on_failure(action.task, &action.kind, failure);
                }
            }
            "boot" => self.troubles.push((action.origin.clone(), host.clone(), failure.text.to_string())),
            _ => Arc::make_mut(node).kubelet.on_failure(action.task, &action.origin, &action.kind, failure),
        }
    }

    /// When `run` is to be called next even if nothing changes.
    pub fn next_timer(&self) -> Option<Time> {
        self.nodes.iter().filter_map(|n| n.next_timer()).min()
    }

    /// `systemctl VERB UNIT` on a node.
    ///
    /// # Errors
    /// In systemctl's words, for a unit that the host does not have.
    pub fn systemctl(&mut self, host: &str, verb: AgentVerb, unit: &str) -> Result<(), String> {
        let Some(node) = self.index.get(host).and_then(|i| self.nodes.get_mut(*i)) else {
            return Agents::default().systemctl(verb, unit).map(|_| ());
        };
        let node = Arc::make_mut(node);
        let (unit, ran) = node.agents.systemctl(verb, unit)?;
        if unit == FLANNELD && (verb != AgentVerb::Start || !ran) {
            // What it knew goes with the process; a new one begins from the start.
            node.flanneld = (verb != AgentVerb::Stop).then(|| Flanneld::new(node.machine.host.clone()));
        }
        Ok(())
    }

    fn rounds(&mut self, store: &mut Store, hosts: &dyn Hosts, now: Time, settling: bool) -> Vec<Action> {
        for (origin, host, text) in std::mem::take(&mut self.troubles) {
            self.out.event(&origin, Some(&host), text);
        }
        if !std::mem::replace(&mut self.booted, true) {
            self.boot();
        }
        for _ in 0..ROUNDS {
            if !self.out.is_empty() {
                break;
            }
            self.cluster(store, settling);
            self.flannelds(store, hosts, now);
            self.kubelets(store, hosts, now, settling);
            let busy = self.nodes.iter().any(|n| n.agents.runs(KUBELET) && n.kubelet.is_busy());
            if !busy && self.seen == Some(store.version()) {
                break;
            }
        }
        self.out.take()
    }

    fn boot(&mut self) {
        for node in &self.nodes {
            let m = &node.machine;
            let origin = Origin::new("boot", format!("node {}", m.host));
            let task = self.out.task();
            for op in bootstrap::boot(m) {
                self.out.op(task, &origin, &m.host, None, op);
            }
        }
    }

    /// What happens once in the cluster: ranges for nodes, nodes for pods, and word of it to the kubelets.
    fn cluster(&mut self, store: &mut Store, settling: bool) {
        if self.seen == Some(store.version()) {
            return;
        }
        let log = self.seen.and_then(|v| store.changes(v).ok());
        let touched = |kind| log.is_none_or(|l| l.iter().any(|c| c.kind == kind));
        let (nodes, pods) = (touched(Kind::Node), touched(Kind::Pod));
        let mut told: Vec<(ObjectKey, Option<Arc<str>>)> = match log {
            Some(log) => log.iter().filter(|c| c.kind == Kind::Pod).map(|c| (c.key.clone(), last_node(c))).collect(),
            None => store.list::<Pod>().map(|p| (p.meta.key.clone(), None)).collect(),
        };
        if nodes {
            self.give_ranges(store);
            self.leases.refresh(store);
        }
        let first = self.seen.is_none();
        // What is changed from here on is seen in the next round.
        self.seen = Some(store.version());
        if nodes || pods {
            for done in scheduler::schedule(store) {
                let origin = |key: &ObjectKey| Origin::new("scheduler", format!("pod {key}"));
                match done {
                    Scheduled::On(key, node) if !settling => {
                        self.out.event(&origin(&key), None, format!("Successfully assigned {key} to {node}"));
                    }
                    Scheduled::On(key, _) if first => told.retain(|(k, _)| *k != key),
                    Scheduled::On(..) => {}
                    Scheduled::Nowhere(key, why) => self.out.event(&origin(&key), None, format!("FailedScheduling: {why}")),
                }
            }
        }
        for (key, last) in told {
            self.notify(&key, last, store);
        }
        if settling {
            for node in self.nodes.iter_mut().filter(|n| n.kubelet.is_busy()) {
                Arc::make_mut(node).kubelet.pinned_first();
            }
        }
    }

    /// Tells the kubelets that are concerned of a change of a pod.
    fn notify(&mut self, key: &ObjectKey, last: Option<Arc<str>>, store: &mut Store) {
        let pod = store.get::<Pod>(key).cloned();
        let here = pod.as_ref().and_then(|p| p.spec.node_name.clone());
        if here.is_none() && pod.as_ref().is_some_and(|p| p.is_terminating()) {
            // No kubelet has it: it goes at once.
            let _ = store.delete::<Pod>(key);
            return;
        }
        let other = last.filter(|l| here.as_ref() != Some(l));
        for host in here.into_iter().chain(other) {
            if let Some(node) = self.index.get(&host).and_then(|i| self.nodes.get_mut(*i)) {
                Arc::make_mut(node).kubelet.notice(key, pod.as_deref());
            }
        }
    }

    /// Ranges for the nodes, and the network configuration that depends on them.
    fn give_ranges(&mut self, store: &mut Store) {
        for key in node_ipam::allocate(store, self.config.pod_subnet, self.config.node_mask) {
            let origin = Origin::new("node-ipam", format!("node {key}"));
            self.out.event(&origin, None, format!("Node {key} status is now: CIDRNotAvailable"));
        }
        let mut shared: Option<Arc<str>> = None;
        for state in self.nodes.iter_mut().filter(|n| !n.configured) {
            let Some(node) = store.node(&state.machine.host).cloned() else { continue };
            let state = Arc::make_mut(state);
            if node.status.internal_ip.is_none() {
                let ip = state.machine.ip;
                let _ = store.modify::<Node>(&node.meta.key, |n| n.status.internal_ip = Some(ip));
            }
            let Some((path, text)) = self.config.cni.conflist(&node, self.config.pod_subnet) else { continue };
            let text = shared.take().filter(|s| **s == *text).unwrap_or_else(|| text.into());
            shared = Some(text.clone());
            state.files.write(path, text);
            state.configured = true;
        }
    }

    fn flannelds(&mut self, store: &mut Store, hosts: &dyn Hosts, now: Time) {
        let Provider::Flannel(config) = &self.config.cni else { return };
        let network = self.config.pod_subnet;
        let before = store.version();
        for state in self.nodes.iter_mut().filter(|n| n.flanneld.as_ref().is_some_and(Flanneld::wants_start)) {
            let state = Arc::make_mut(state);
            let (Some(f), Some(ns)) = (&mut state.flanneld, hosts.netns(&state.machine.host, None)) else { continue };
            f.start(&FlanneldCx { config, network, ns, now }, store, &mut state.files, &mut self.out);
        }
        if store.version() != before {
            self.leases.refresh(store);
        }
        let all = self.leases.all.clone();
        for state in self.nodes.iter_mut().filter(|n| n.flanneld.as_ref().is_some_and(|f| f.wants_run(&all, now))) {
            let state = Arc::make_mut(state);
            let (Some(f), Some(ns)) = (&mut state.flanneld, hosts.netns(&state.machine.host, None)) else { continue };
            let cx = FlanneldCx { config, network, ns, now };
            f.watch(&cx, &mut self.leases, &mut self.out);
            f.check(&cx, &mut self.out);
        }
    }

    fn kubelets(&mut self, store: &mut Store, hosts: &dyn Hosts, now: Time, settling: bool) {
        for i in 0..self.nodes.len() {
            let node = &self.nodes[i];
            let due = node.kubelet.next_timer().is_some_and(|t| t <= now);
            if !node.agents.runs(KUBELET) || !(node.kubelet.is_busy() || due || node.kubelet.is_new()) {
                continue;
            }
            let conf = self.conf_of(i);
            let state = Arc::make_mut(&mut self.nodes[i]);
            let host = state.machine.host.clone();
            let env = NodeEnv { host: &host, hosts, files: &mut state.files, ipam: &mut state.ipam };
            let mut cx = KubeletCx { env, conf, node_ip: Some(state.machine.ip), now, settling };
            state.kubelet.run(&mut cx, store, &mut self.out);
        }
    }

    /// The first network configuration of a node, by name of the file.
    fn conf_of(&mut self, i: usize) -> NodeConf {
        let ends = |path: &str| [".conf", ".conflist", ".json"].iter().any(|e| path.ends_with(e));
        let file = self.nodes[i].files.under(CNI_CONF_DIR).find(|(path, _)| ends(path));
        let Some((_, text)) = file else {
            let why = "NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";
            return Err(why.to_owned());
        };
        if let Some((read, conf)) = &self.conf
            && read == text
        {
            return conf.clone();
        }
        let conf = ConfList::parse(text)
            .map(Arc::new)
            .map_err(|e| format!("NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: {e}"));
        self.conf = Some((text.clone(), conf.clone()));
        conf
    }
}

/// The node that a pod which is gone was on.
fn last_node(change: &crate::kube::Change) -> Option<Arc<str>> {
    match (&change.last, change.verb) {
        (Some(crate::kube::AnyObject::Pod(p)), Verb::Deleted) => p.spec.node_name.clone(),
        _ => None,
    }
}

impl NodeState {
    fn new(machine: Machine, cni: &Provider) -> Self {
        let flanneld = cni.agents().contains(&FLANNELD).then(|| Flanneld::new(machine.host.clone()));
        NodeState {
            agents: Agents::running(std::iter::once(KUBELET).chain(cni.agents().iter().copied())),
            files: Files::default(),
            ipam: IpamState::default(),
            kubelet: Kubelet::new(machine.host.clone()),
            flanneld,
            configured: false,
            machine,
        }
    }

    fn next_timer(&self) -> Option<Time> {
        let kubelet = self.kubelet.next_timer().filter(|_| self.agents.runs(KUBELET));
        let flanneld = self.flanneld.as_ref().and_then(Flanneld::next_timer);
        kubelet.into_iter().chain(flanneld).min()
    }
}
