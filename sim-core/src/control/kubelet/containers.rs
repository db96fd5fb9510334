//! Containers of a pod: their start, their crashes, their readiness.
//!
//! Models: kubernetes pkg/kubelet/kuberuntime/kuberuntime_manager.go doBackOff, pkg/kubelet/status/status_manager.go (1.36).

use super::sandbox::pod_netns;
use super::{Job, Kubelet, KubeletCx, State, Timer};
use crate::control::action::{ActionKind, Origin};
use crate::control::cni::CniResult;
use crate::control::outbox::Outbox;
use crate::kube::{ContainerState, ContainerStatus, ObjectKey, Pod, PodCondition, PodPhase, PodSpec, Store};
use crate::linux::Time;
use crate::packet::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// After the first crash of a container (containerBackOff); doubled each time.
pub const CRASH_BACKOFF: Duration = Duration::from_secs(10);
/// The longest pause between two starts of a container (MaxContainerBackOff).
pub const MAX_CRASH_BACKOFF: Duration = Duration::from_secs(300);

impl Kubelet {
    /// The processes of the containers, in the pod's namespace or the node's.
    pub(super) fn start_containers(
        &mut self,
        key: &ObjectKey,
        result: Option<CniResult>,
        cx: &KubeletCx<'_>,
        store: &mut Store,
        out: &mut Outbox,
    ) {
        let origin = self.origin(key);
        let Some(w) = self.workers.get_mut(key) else { return };
        w.result = result.map(Arc::new);
        if w.state == State::Stopping {
            return;
        }
        w.state = State::Running;
        let ip = w.result.as_ref().and_then(|r| r.ips.first()).map(|i| i.address).or(cx.node_ip);
        let spec = w.spec.clone();
        let count = spec.containers.len();
        for i in 0..count {
            self.spawn(key, i, &spec, &origin, out);
        }
        let node_ip = cx.node_ip;
        let now = cx.now;
        let _ = store.modify::<Pod>(key, |p| {
            p.status.phase = PodPhase::Running;
            p.status.pod_ip = ip.map(IpAddr::V4);
            p.status.host_ip = node_ip.map(IpAddr::V4);
            for c in [PodCondition::PodScheduled, PodCondition::PodReadyToStartContainers, PodCondition::Initialized] {
                p.status.conditions.set(c, true);
            }
            p.status.containers = vec![ContainerStatus { state: ContainerState::Running, restart_count: 0 }; count];
            p.status.started = Some(now.since(Time::ZERO));
            (p.status.reason, p.status.message) = (None, None);
        });
        if !cx.settling {
            let at = cx.now + spec.ready_after;
            let uid = self.workers.get(key).map_or(0, |w| w.uid);
            self.timers.insert((at, key.clone(), Timer::Probe), uid);
            let shown = ip.map(|ip| format!(" with address {ip}")).unwrap_or_default();
            out.event(&origin, Some(&self.host), format!("Started {count} containers of pod {key}{shown}"));
        }
    }

    fn spawn(&mut self, key: &ObjectKey, i: usize, spec: &PodSpec, origin: &Origin, out: &mut Outbox) {
        let Some(c) = spec.containers.get(i) else { return };
        let task = out.task();
        let netns = (!spec.host_network).then(|| pod_netns(key));
        let (container, listen) = (c.name.clone(), c.listen.clone());
        let kind = ActionKind::Spawn { host: self.host.clone(), netns, pod: key.clone(), container, listen };
        out.push(task, origin, kind);
        self.spawned.push((key.clone(), i, task, None));
    }

    /// Looks what became of the containers that were started.
    pub(super) fn containers_started(&mut self, cx: &KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        let spawned = std::mem::take(&mut self.spawned);
        let mut pods: Vec<ObjectKey> = Vec::new();
        for (key, i, _, error) in spawned {
            if pods.last() != Some(&key) {
                pods.push(key.clone());
            }
            let Some(w) = self.workers.get_mut(&key).filter(|w| w.state == State::Running) else { continue };
            let Some(message) = error else { continue };
            let crashes = w.crashes.get_mut(i).map_or(0, |n| std::mem::replace(n, n.saturating_add(1)));
            let pause = CRASH_BACKOFF.saturating_mul(1 << crashes.min(5)).min(MAX_CRASH_BACKOFF);
            self.timers.insert((cx.now + pause, key.clone(), Timer::Restart(i)), w.uid);
            let name = w.spec.containers.get(i).map(|c| c.name.clone()).unwrap_or_default();
            let origin = self.origin(&key);
            let text = format!("Back-off restarting failed container {name} in pod {key}: {message}");
            out.event(&origin, Some(&self.host), text);
            let _ = store.modify::<Pod>(&key, |p| {
                if let Some(c) = p.status.containers.get_mut(i) {
                    c.state = ContainerState::CrashLoopBackOff { message };
                }
            });
        }
        for key in pods {
            // At the start of the world, and after a restart, nobody waits for the probe.
            let started = store.get::<Pod>(&key).and_then(|p| p.status.started).unwrap_or_default();
            let after = self.workers.get(&key).map_or(Duration::ZERO, |w| w.spec.ready_after);
            let probed = cx.settling || cx.now.since(Time::ZERO) >= started.saturating_add(after);
            set_ready(&key, probed, store);
        }
    }

    /// Timers whose time has come.
    pub(super) fn due(&mut self, cx: &KubeletCx<'_>, store: &mut Store, out: &mut Outbox) {
        while let Some(((at, _, _), _)) = self.timers.first_key_value() {
            if *at > cx.now {
                return;
            }
            let Some(((_, key, timer), uid)) = self.timers.pop_first() else { return };
            let Some(w) = self.workers.get(&key).filter(|w| w.uid == uid) else { continue };
            match (timer, w.state) {
                (Timer::Probe, State::Running) => set_ready(&key, true, store),
                (Timer::Restart(i), State::Running) => {
                    let (spec, origin) = (w.spec.clone(), self.origin(&key));
                    self.spawn(&key, i, &spec, &origin, out);
                    let _ = store.modify::<Pod>(&key, |p| {
                        if let Some(c) = p.status.containers.get_mut(i) {
                            c.state = ContainerState::Running;
                            c.restart_count += 1;
                        }
                    });
                }
                (Timer::Retry, State::Failed) => self.queue.push_back(Job::Start(key)),
                _ => {}
            }
        }
    }
}

fn set_ready(key: &ObjectKey, probed: bool, store: &mut Store) {
    let _ = store.modify::<Pod>(key, |p| {
        let all_run = p.status.containers.iter().all(|c| c.state == ContainerState::Running);
        for c in [PodCondition::ContainersReady, PodCondition::Ready] {
            p.status.conditions.set(c, probed && all_run && !p.is_terminating());
        }
    });
}
