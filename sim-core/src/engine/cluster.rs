//! The cluster in the world: its controllers are asked, and what they want is carried out.
//!
//! ```text
//!  Store, Hosts, time ──► Controllers::run ──► Actions ──┬─► Op      a command on a host
//!          ▲                                             ├─► Spawn   the servers of a container
//!          └──────────── what failed ◄───────────────────┼─► Kill
//!                                                        └─► Event   told to the tracer
//! ```

use super::apply::AgentRequest;
use super::drive::Engine;
use super::guard::Storm;
use super::program::Slot;
use super::queue::Happening;
use super::world::{HostId, World};
use crate::apps::{Echo, Event, Listen};
use crate::control::{Action, ActionKind, Controllers, Failure, Hosts, TaskId};
use crate::kube::{DEFAULT_NAMESPACE, Listen as PodListen, ObjectKey, PortProtocol, Store};
use crate::linux::apply::OpError;
use crate::linux::{Errno, FlowId, Netns, NetnsId, PacketId, SocketId, Time};
use crate::packet::{Endpoint, Ipv4Addr};
use crate::trace::{EventKind, Tracer};
use std::sync::Arc;

/// The processes of a container.
#[derive(Clone, Debug)]
struct Container {
    host: HostId,
    pod: ObjectKey,
    name: Arc<str>,
    programs: Vec<u32>,
}

/// A cluster: objects, and who compiles them.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The controllers.
    pub controllers: Controllers,
    /// The objects.
    pub store: Store,
    containers: Arc<Vec<Container>>,
    /// When the controllers are called next.
    armed: Option<Time>,
}

impl Cluster {
    /// A cluster of these objects.
    pub fn new(controllers: Controllers, store: Store) -> Self {
        Cluster { controllers, store, containers: Arc::default(), armed: None }
    }
}

/// What controllers see of the world.
struct View<'w>(&'w World);

impl Hosts for View<'_> {
    fn netns(&self, host: &str, netns: Option<&str>) -> Option<&Netns> {
        let id = self.0.netns_by_name(self.0.host_by_name(host)?, netns.unwrap_or(""))?;
        self.0.ns(id)
    }
}

/// How often controllers may want something at one instant before that is taken for a quarrel that has no end.
const ROUNDS: usize = 10_000;

impl<T: Tracer> Engine<T> {
    /// Puts a cluster into the world and lets its controllers work until they have nothing left to do. No time passes.
    ///
    /// # Errors
    /// When frames go round in a loop.
    pub fn settle(&mut self, cluster: Cluster) -> Result<(), Storm> {
        self.world.cluster = Some(Box::new(cluster));
        self.control(true);
        let now = self.world.now;
        self.run_until(now)
    }

    /// Lets the controllers work until they have nothing left to do.
    pub fn run_controllers(&mut self) {
        self.control(false);
    }

    fn control(&mut self, settling: bool) {
        let Some(mut cluster) = self.world.cluster.take() else { return };
        for _ in 0..ROUNDS {
            let now = self.world.now;
            let Cluster { controllers, store, .. } = &mut *cluster;
            let actions =
                if settling { controllers.settle(store, &View(&self.world)) } else { controllers.run(store, &View(&self.world), now) };
            if actions.is_empty() {
                break;
            }
            let mut failed: Option<TaskId> = None;
            for action in &actions {
                if failed == Some(action.task) {
                    continue;
                }
                if let Err(failure) = self.act(&mut cluster, action) {
                    failed = Some(action.task);
                    cluster.controllers.on_result(action, &failure);
                }
            }
        }
        let next = cluster.controllers.next_timer();
        if next.is_some() && next != cluster.armed {
            cluster.armed = next;
            let w = &mut self.world;
            let at = next.unwrap_or(Time::NEVER).max(Time(w.now.0 + 1));
            w.queue.push(w.now, at, Happening::Agent { agent: 0 });
        }
        self.world.cluster = Some(cluster);
    }

    fn place(&self, host: &str, netns: Option<&str>) -> Result<NetnsId, Failure> {
        let found = self.world.host_by_name(host).and_then(|h| self.world.netns_by_name(h, netns.unwrap_or("")));
        found.ok_or_else(|| {
            let text = match netns {
                Some(n) => format!("Cannot open network namespace \"{n}\": No such file or directory"),
                None => format!("there is no host {host}"),
            };
            Failure { errno: Some(Errno::ENOENT), text: text.into() }
        })
    }

    fn act(&mut self, cluster: &mut Cluster, action: &Action) -> Result<(), Failure> {
        match &action.kind {
            ActionKind::Op { host, netns, op } => {
                let place = self.place(host, netns.as_deref())?;
                let origin: Arc<str> = action.origin.to_string().into();
                self.apply(place, op, &origin).map_err(|e| Failure::from(&e))
            }
            ActionKind::Spawn { host, netns, pod, container, listen } => {
                let place = self.place(host, netns.as_deref())?;
                if netns.is_some() {
                    self.world.name_pod(place, pod);
                }
                let host = self.world.info(place).map(|i| i.host).unwrap_or_default();
                let mut programs = Vec::new();
                for l in listen {
                    match self.start(place, container, l) {
                        Ok(id) => programs.push(id),
                        Err(errno) => {
                            for id in programs {
                                self.end_program(id);
                            }
                            let text = format!("{container}: bind: port {}: {errno}", l.port);
                            return Err(Failure { errno: Some(errno), text: text.into() });
                        }
                    }
                }
                Arc::make_mut(&mut cluster.containers).push(Container { host, pod: pod.clone(), name: container.clone(), programs });
                Ok(())
            }
            ActionKind::Kill { host, pod, container } => {
                let host = self.world.host_by_name(host);
                let mut gone = Vec::new();
                Arc::make_mut(&mut cluster.containers).retain(|c| {
                    let it = Some(c.host) == host && c.pod == *pod && c.name == *container;
                    if it {
                        gone.extend(&c.programs);
                    }
                    !it
                });
                for id in gone {
                    self.end_program(id);
                }
                Ok(())
            }
            ActionKind::Event { host, text } => {
                let name = match host {
                    Some(h) => format!("{} on {h}", action.origin),
                    None => action.origin.to_string(),
                };
                self.trace.event(self.world.now, EventKind::Controller { name: name.into(), text: text.clone() });
                Ok(())
            }
        }
    }

    /// Starts a server; it has bound its port when this returns.
    fn start(&mut self, netns: NetnsId, name: &Arc<str>, listen: &PodListen) -> Result<u32, Errno> {
        let mut at = match listen.protocol {
            PortProtocol::Udp => Listen::udp(name.clone(), listen.port),
            _ => Listen::tcp(name.clone(), listen.port),
        };
        at.at = Endpoint::new(listen.address.unwrap_or(Ipv4Addr::UNSPECIFIED).into(), listen.port);
        at.status = listen.status;
        at.delay = listen.delay;
        let id = self.world.programs.len() as u32;
        let program = Some(Box::new(Echo::new(at)) as Box<dyn crate::apps::Program>);
        self.world.programs.push(Arc::new(Slot { netns, name: name.clone(), flow: FlowId::NONE, program }));
        self.world.wake(&mut self.trace, id, Event::Start, PacketId::NONE, FlowId::NONE);
        self.effects(netns, PacketId::NONE, FlowId::NONE);
        let failed = self.world.program(id).and_then(|s| s.program.as_ref()?.outcome()?.errno);
        match failed {
            Some(errno) => {
                self.world.kill(id);
                Err(errno)
            }
            None => Ok(id),
        }
    }

    /// Ends a program as the kernel ends a process: its sockets close.
    fn end_program(&mut self, id: u32) {
        let Some(netns) = self.world.program(id).map(|s| s.netns) else { return };
        self.world.kill(id);
        let sockets: Vec<SocketId> =
            self.world.ns(netns).map(|n| n.sockets.sorted().iter().filter(|s| s.app == id).map(|s| s.id).collect()).unwrap_or_default();
        self.walk(netns, PacketId::NONE, FlowId::NONE, |w| {
            for s in sockets {
                crate::datapath::syscall::close(w, s);
            }
        });
        self.effects(netns, PacketId::NONE, FlowId::NONE);
    }

    /// `systemctl` on a host.
    pub(super) fn systemctl(&mut self, request: &AgentRequest) -> Result<(), OpError> {
        let host = self.world.info(request.netns).and_then(|i| self.world.hosts.get(i.host.0 as usize)).map(|h| h.name.clone());
        let host = host.unwrap_or_default();
        let answer = match &mut self.world.cluster {
            Some(c) => c.controllers.systemctl(&host, request.verb, &request.unit),
            None => crate::control::agents::Agents::default().systemctl(request.verb, &request.unit).map(|_| ()),
        };
        answer.map_err(|e| OpError::text(Errno::ENOENT, e).with_status(5))?;
        self.run_controllers();
        Ok(())
    }
}

impl World {
    /// Calls a namespace what a reader calls the pod: its name, with the Kubernetes namespace before it unless that is `default`.
    fn name_pod(&mut self, id: NetnsId, pod: &ObjectKey) {
        let label = if &*pod.namespace == DEFAULT_NAMESPACE { pod.name.to_string() } else { format!("{}/{}", pod.namespace, pod.name) };
        if let Some(info) = self.info.get_mut(id.0 as usize) {
            info.pod = Some(format!("{}/{}", pod.namespace, pod.name).into());
            info.label = label.into();
        }
    }

    /// The namespace of a pod.
    pub fn pod(&self, key: &ObjectKey) -> Option<NetnsId> {
        let name = format!("{}/{}", key.namespace, key.name);
        self.info.iter().position(|i| i.pod.as_deref() == Some(&name)).map(|i| NetnsId(i as u32))
    }
}
