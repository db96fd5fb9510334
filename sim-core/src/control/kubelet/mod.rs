//! The kubelet of a node: makes sandboxes with their network, starts and stops containers, and reports.
//!
//! Models: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go SyncPod, pkg/kubelet/pod_workers.go (1.36);
//! containerd internal/cri/server/sandbox_run.go, sandbox_run_linux.go, sandbox_stop.go (2.x); go-cni WithLoNetwork.
//! Simplifies: one pod after the other; images and volumes are there at once; containers end at once when asked to;
//! the probe is a time after the start ([`crate::kube::PodSpec::ready_after`]); init containers are none.
//!
//! ```text
//!  pod bound to this node ─► network namespace ─► CNI: loopback beside the node's conflist ─► containers ─► ready
//!                                  │ named NAMESPACE_NAME, held by the pause container; all containers share it
//!  pod gone ─► containers end ─► CNI DEL, last plugin first ─► namespace removed ─► object removed
//! ```
//!
//! The namespace is called after the pod (`default_web`) instead of `cni-` and a UUID, so that commands can be read. An
//! underscore cannot occur in the name of a namespace or a pod, so no two pods share a name. A pod with `hostNetwork` has no
//! namespace of its own: its containers run in the node's.

pub mod containers;
pub mod sandbox;

pub use containers::{CRASH_BACKOFF, MAX_CRASH_BACKOFF};
pub use sandbox::{pod_netns, sandbox_id};

use super::action::{ActionKind, Failure, Origin, TaskId};
use super::cni::{self, Chain, CmdArgs, CniResult, ConfList, Exec, NodeEnv, Step};
use super::outbox::Outbox;
use crate::kube::{ContainerState, Node, NodeReady, ObjectKey, Pod, PodCondition, PodSpec, Store};
use crate::linux::{Op, Time};
use crate::packet::Ipv4Addr;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use sandbox::{capabilities, cmd_args, loopback_list};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// After a sandbox could not be made (pod_workers.go, backOffPeriod).
pub const SANDBOX_RETRY: Duration = Duration::from_secs(10);
/// The directory that holds network configurations.
pub const CNI_CONF_DIR: &str = "/etc/cni/net.d";

/// What the kubelet knows of a pod.
#[derive(Clone, Debug)]
struct Worker {
    uid: u64,
    attempt: u32,
    state: State,
    /// The result of CNI ADD, as the runtime caches it.
    result: Option<Arc<CniResult>>,
    /// As the pod was when it was started; it may be gone from the store when it is stopped.
    spec: Arc<PodSpec>,
    /// How often each container has crashed.
    crashes: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waiting for its turn.
    Queued,
    /// Its sandbox is being made.
    Starting,
    /// Its containers have been started.
    Running,
    /// Its sandbox could not be made.
    Failed,
    /// It is being taken down.
    Stopping,
}

#[derive(Clone, Debug)]
enum Job {
    Start(ObjectKey),
    Stop(ObjectKey),
}

/// A pod whose sandbox is on its way.
#[derive(Clone, Debug)]
struct Current {
    key: ObjectKey,
    task: TaskId,
    stage: Stage,
    failure: Option<String>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// The namespace is made.
    Netns,
    /// The plugins of both networks run.
    Network { lo: Option<Box<Chain>>, net: Box<Chain> },
    /// The namespace is taken down; the pod itself, if it has gone, is removed then.
    TearDown,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Probe,
    Restart(usize),
    Retry,
}

/// The kubelet of one node.
#[derive(Clone, Debug)]
pub struct Kubelet {
    /// The node.
    pub host: Arc<str>,
    workers: IndexMap<ObjectKey, Worker, FxBuildHasher>,
    queue: VecDeque<Job>,
    current: Option<Current>,
    timers: BTreeMap<(Time, ObjectKey, Timer), u64>,
    /// Containers that were started by the last batch: pod, container, task, why it failed.
    spawned: Vec<(ObjectKey, usize, TaskId, Option<Arc<str>>)>,
    /// What the node's Ready condition was last set to.
    ready: Option<bool>,
}

/// What the kubelet works with.
#[derive(Debug)]
pub struct KubeletCx<'a> {
    /// The node's kernel, files and addresses.
    pub env: NodeEnv<'a>,
    /// The network configuration, if the node has one that can be read.
    pub conf: Result<Arc<ConfList>, String>,
    /// The node's own address.
    pub node_ip: Option<Ipv4Addr>,
    /// The time.
    pub now: Time,
    /// The clock has not started: probes succeed at once.
    pub settling: bool,
}

impl Kubelet {
    /// The kubelet of a node without pods.
    pub fn new(host: Arc<str>) -> Self {
        Kubelet {
            host,
            workers: IndexMap::default(),
            queue: VecDeque::new(),
            current: None,
            timers: BTreeMap::new(),
            spawned: Vec::new(),
            ready: None,
        }
    }

    /// The result of CNI ADD for a pod.
    pub fn cni_result(&self, pod: &ObjectKey) -> Option<&CniResult> {
        self.workers.get(pod)?.result.as_deref()
    }

    /// When it wants to be called.
    pub fn next_timer(&self) -> Option<Time> {
        self.timers.keys().next().map(|(at, _, _)| *at)
    }

    /// Whether it has not reported on its node yet.
    pub fn is_new(&self) -> bool {
        self.ready.is_none()
    }

    /// Whether there is anything to do now.
    pub fn is_busy(&self) -> bool {
        self.current.is_some() || !self.queue.is_empty() || !self.spawned.is_empty()
    }

    /// A pod has changed: it was bound to this node, altered, or is gone (`None`).
    pub fn notice(&mut self, key: &ObjectKey, pod: Option<&Pod>) {
        let here = pod.filter(|p| p.spec.node_name.as_ref() == Some(&self.host));
        match (here, self.workers.get_mut(key)) {
            (Some(p), None) if !p.is_terminating() => {
                let crashes = vec![0; p.spec.containers.len()];
                let worker = Worker { uid: p.meta.uid, attempt: 0, state: State::Queued, result: None, spec: p.spec.clone(), crashes };
                self.workers.insert(key.clone(), worker);
                self.queue.push_back(Job::Start(key.clone()));
            }
            (Some(p), None) if p.is_terminating() => self.queue.push_back(Job::Stop(key.clone())),
            (Some(p), Some(w)) if w.uid == p.meta.uid && !p.is_terminating() => {}
            (_, Some(w)) if w.state != State::Stopping => {
                w.state = State::Stopping;
                self.queue.push_back(Job::Stop(key.clone()));
            }
            _ => {}
        }
    }

    /// Puts pods that ask for a given address first: otherwise IPAM may have given it to another.
    pub fn pinned_first(&mut self) {
        let (pinned, others): (Vec<Job>, Vec<Job>) = std::mem::take(&mut self.queue).into_iter().partition(|j| match j {
            Job::Start(k) => self.workers.get(k).is_some_and(|w| w.spec.requested_ip.is_some()),
            Job::Stop(_) => false,
        });
        self.queue = pinned.into_iter().chain(others).collect();
    }

    /// An action of its failed.
    pub fn on_failure(&mut self, task: TaskId, origin: &Origin, kind: &ActionKind, failure: &Failure) {
        if let Some(s) = self.spawned.iter_mut().find(|s| s.2 == task) {
            s.3 = Some(failure.text.clone());
            return;
        }
        // What fails while a sandbox is taken down is borne.
        let id = self.current_id();
        let making = |c: &&mut Current| c.task == task && c.failure.is_none() && !matches!(c.stage, Stage::TearDown);
        let Some(cur) = self.current.as_mut().filter(making) else { return };
        let error = failure.go_error();
        cur.failure = Some(match (&cur.stage, kind) {
            (Stage::Network { .. }, ActionKind::Op { netns, op, .. }) => {
                let plugin = origin.controller().strip_prefix("cni/").unwrap_or("");
                let said = cni::find(plugin).map_or(error.clone(), |p| p.explain(op, netns.as_deref(), &error, failure.errno));
                format!("failed to setup network for sandbox {id:?}: plugin type={plugin:?} failed (add): {said}")
            }
            _ => format!("failed to create network namespace for sandbox {id:?}: {error}"),
        });
    }

    fn current_id(&self) -> String {
        let Some(cur) = &self.current else { return String::new() };
        self.workers.get(&cur.key).map(|w| sandbox_id(&cur.key, w.uid, w.attempt)).unwrap_or_default()
    }

    /// Goes on until there is something for the engine to carry out.
    pub fn run(&mut self, cx: &mut KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        self.report_node(cx, store);
        self.containers_started(cx, store, out);
        self.due(cx, store, out);
        loop {
            match self.current.take() {
                Some(cur) => {
                    if self.advance(cur, cx, store, out) {
                        return;
                    }
                }
                None => match self.queue.pop_front() {
                    Some(Job::Start(key)) => self.begin(key, cx, store, out),
                    Some(Job::Stop(key)) => self.stop(key, cx, store, out),
                    None => return,
                },
            }
            if self.current.is_some() {
                return;
            }
        }
    }

    fn origin(&self, key: &ObjectKey) -> Origin {
        Origin::new("kubelet", format!("pod {key}"))
    }

    fn report_node(&mut self, cx: &KubeletCx<'_>, store: &mut Store) {
        let ready = cx.conf.is_ok();
        if self.ready == Some(ready) {
            return;
        }
        self.ready = Some(ready);
        let (reason, message) = match &cx.conf {
            Ok(_) => ("KubeletReady", "kubelet is posting ready status".to_owned()),
            Err(why) => ("KubeletNotReady", format!("container runtime network not ready: {why}")),
        };
        let _ = store.modify::<Node>(&ObjectKey::cluster(self.host.clone()), |n| {
            n.status.ready = Some(NodeReady { ready, reason: reason.into(), message: message.into() });
        });
    }

    /// Begins with a pod: its namespace, or with hostNetwork its containers at once.
    fn begin(&mut self, key: ObjectKey, cx: &mut KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        let Some(w) = self.workers.get_mut(&key) else { return };
        if !matches!(w.state, State::Queued | State::Failed) {
            return;
        }
        w.state = State::Starting;
        if w.spec.host_network {
            self.start_containers(&key, None, cx, store, out);
            return;
        }
        if let Err(why) = &cx.conf {
            let text = format!("network is not ready: container runtime network not ready: {why}");
            self.failed(&key, "NetworkNotReady", text, cx, store, out);
            return;
        }
        let task = out.task();
        out.op(task, &self.origin(&key), &self.host, None, Op::NetnsAdd(pod_netns(&key)));
        self.current = Some(Current { key, task, stage: Stage::Netns, failure: None });
    }

    /// Goes on with the pod at hand; says whether there is something to carry out.
    fn advance(&mut self, mut cur: Current, cx: &mut KubeletCx<'_>, store: &mut Store, out: &mut Outbox) -> bool {
        if let Some(why) = cur.failure.take() {
            return self.give_up(cur, why, cx, store, out);
        }
        match cur.stage {
            Stage::Netns => {
                let Some((lo, net)) = self.chains(&cur.key, cx) else { return false };
                self.network(cur.key, Some(Box::new(lo)), Box::new(net), cx, store, out)
            }
            Stage::Network { lo, net } => self.network(cur.key, lo, net, cx, store, out),
            Stage::TearDown => {
                self.torn_down(&cur.key, store);
                false
            }
        }
    }

    /// The ADDs of the loopback network and of the node's.
    fn chains(&self, key: &ObjectKey, cx: &KubeletCx<'_>) -> Option<(Chain, Chain)> {
        let conf = cx.conf.as_ref().ok()?.clone();
        let w = self.workers.get(key)?;
        let args = cmd_args(key, w, "eth0");
        let lo = CmdArgs { if_name: "lo".into(), ..args.clone() };
        let capabilities = Arc::new(capabilities(&w.spec));
        Some((Chain::new(loopback_list(), lo, Arc::default()), Chain::new(conf, args, capabilities)))
    }

    /// Both networks side by side, as go-cni sets them up.
    fn network(
        &mut self,
        key: ObjectKey,
        mut lo: Option<Box<Chain>>,
        mut net: Box<Chain>,
        cx: &mut KubeletCx<'_>,
        store: &mut Store,
        out: &mut Outbox,
    ) -> bool {
        let task = out.task();
        let object = format!("pod {key}");
        let mut any = false;
        let mut error = None;
        if let Some(chain) = &mut lo {
            match chain.step(&mut cx.env) {
                Ok(Step::Run { plugin, exec }) => {
                    any = true;
                    self.emit(task, &plugin, &object, exec, out);
                }
                Ok(Step::Done(_)) => lo = None,
                Err(e) => error = Some(e),
            }
        }
        let done = match error.map_or_else(|| net.step(&mut cx.env), Err) {
            Ok(Step::Run { plugin, exec }) => {
                any = true;
                self.emit(task, &plugin, &object, exec, out);
                None
            }
            Ok(Step::Done(added)) => Some(added.result),
            Err(e) => {
                let id = self.workers.get(&key).map(|w| sandbox_id(&key, w.uid, w.attempt)).unwrap_or_default();
                let why = format!("failed to setup network for sandbox {id:?}: {e}");
                let cur = Current { key, task, stage: Stage::Network { lo: None, net }, failure: None };
                return self.give_up(cur, why, cx, store, out);
            }
        };
        match done {
            Some(result) if !any => {
                if result.ips.is_empty() {
                    let why = "failed to find network info for sandbox".to_owned();
                    let cur = Current { key, task, stage: Stage::Network { lo: None, net }, failure: None };
                    return self.give_up(cur, why, cx, store, out);
                }
                self.start_containers(&key, Some(result), cx, store, out);
                false
            }
            _ => {
                self.current = Some(Current { key, task, stage: Stage::Network { lo, net }, failure: None });
                true
            }
        }
    }

    fn emit(&self, task: TaskId, plugin: &str, object: &str, exec: Vec<Exec>, out: &mut Outbox) {
        let origin = Origin::new(&format!("cni/{plugin}"), object);
        for e in exec {
            out.op(task, &origin, &self.host, e.netns, e.op);
        }
    }

    /// A sandbox could not be made: what there is of it is taken down, and it is tried again later.
    fn give_up(&mut self, cur: Current, why: String, cx: &mut KubeletCx<'_>, store: &mut Store, out: &mut Outbox) -> bool {
        let text = format!("Failed to create pod sandbox: rpc error: code = Unknown desc = {why}");
        self.failed(&cur.key, "FailedCreatePodSandBox", text, cx, store, out);
        self.tear_down(cur.key, cx, out);
        true
    }

    fn failed(&mut self, key: &ObjectKey, reason: &str, text: String, cx: &KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        let origin = self.origin(key);
        out.event(&origin, Some(&self.host), format!("{reason}: {text}"));
        let text: Arc<str> = text.into();
        let _ = store.modify::<Pod>(key, |p| {
            p.status.reason = Some(reason.into());
            p.status.message = Some(text);
        });
        if let Some(w) = self.workers.get_mut(key)
            && w.state != State::Stopping
        {
            w.state = State::Failed;
            self.timers.insert((cx.now + SANDBOX_RETRY, key.clone(), Timer::Retry), w.uid);
        }
    }

    fn stop(&mut self, key: ObjectKey, cx: &mut KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        let Some(w) = self.workers.get(&key) else {
            self.torn_down(&key, store);
            return;
        };
        if w.state != State::Stopping {
            return;
        }
        let (spec, origin) = (w.spec.clone(), self.origin(&key));
        for c in &spec.containers {
            let task = out.task();
            out.push(task, &origin, ActionKind::Kill { host: self.host.clone(), pod: key.clone(), container: c.name.clone() });
        }
        let _ = store.modify::<Pod>(&key, |p| {
            for c in [PodCondition::ContainersReady, PodCondition::Ready] {
                p.status.conditions.set(c, false);
            }
            for c in &mut p.status.containers {
                c.state = ContainerState::Terminated;
            }
        });
        self.tear_down(key, cx, out);
    }

    /// CNI DEL, and the end of the namespace. Errors are borne: what is gone is gone.
    fn tear_down(&mut self, key: ObjectKey, cx: &mut KubeletCx<'_>, out: &mut Outbox) {
        let mut last = out.task();
        let Some(w) = self.workers.get_mut(&key) else { return };
        let (args, spec, result) = (cmd_args(&key, w, "eth0"), w.spec.clone(), w.result.take());
        w.attempt = w.attempt.saturating_add(1);
        if !spec.host_network {
            if let Ok(list) = &cx.conf {
                let done = cni::chain::del(list, &args, &capabilities(&spec), result.as_deref(), &mut cx.env);
                for (plugin, exec) in done.exec {
                    let task = out.task();
                    self.emit(task, &plugin, &format!("pod {key}"), exec, out);
                }
                if let Some(e) = done.error {
                    let text = format!("failed to destroy network for sandbox {:?}: {e}", &*args.container_id);
                    out.event(&self.origin(&key), Some(&self.host), text);
                }
            }
            let name = pod_netns(&key);
            if cx.env.netns(Some(&name)).is_some() {
                last = out.task();
                out.op(last, &self.origin(&key), &self.host, None, Op::NetnsDel(name));
            }
        }
        self.current = Some(Current { key, task: last, stage: Stage::TearDown, failure: None });
    }

    /// The sandbox is gone; if the pod was to go, so is the pod.
    fn torn_down(&mut self, key: &ObjectKey, store: &mut Store) {
        let stopping = self.workers.get(key).is_none_or(|w| w.state == State::Stopping);
        if !stopping {
            return;
        }
        let uid = self.workers.shift_remove(key).map(|w| w.uid);
        let now = store.get::<Pod>(key).cloned();
        let Some(pod) = now else { return };
        if pod.is_terminating() && uid.is_none_or(|u| u == pod.meta.uid) {
            let _ = store.delete::<Pod>(key);
        } else {
            // Another pod of that name has come meanwhile.
            self.notice(key, Some(&pod));
        }
    }
}
