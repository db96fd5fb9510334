//! Pods.
//!
//! Models: k8s.io/api/core/v1 types.go Pod, PodSpec, Container, PodStatus.
//! Simplifies: instead of an image a container has a list of what its process listens on.

use super::meta::{Object, ObjectKey, ObjectMeta};
use crate::packet::{IpAddr, Ipv4Addr};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PortProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl PortProtocol {
    /// `TCP`, as the API has it.
    pub fn name(self) -> &'static str {
        match self {
            PortProtocol::Tcp => "TCP",
            PortProtocol::Udp => "UDP",
            PortProtocol::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for PortProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A port that a container declares. It opens nothing: what listens is in [`Container::listen`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ContainerPort {
    /// Name that a Service's `targetPort` may use.
    pub name: Option<Arc<str>>,
    /// `containerPort`.
    pub container_port: u16,
    /// Protocol.
    pub protocol: PortProtocol,
    /// `hostPort`.
    pub host_port: Option<u16>,
    /// `hostIP`.
    pub host_ip: Option<Ipv4Addr>,
}

/// What the process in a container listens on and how it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port.
    pub port: u16,
    /// Protocol.
    pub protocol: PortProtocol,
    /// Address it binds to; any if none is given.
    pub address: Option<Ipv4Addr>,
    /// Status of its HTTP answers.
    pub status: u16,
    /// How long it waits before it answers.
    pub delay: Duration,
}

impl Listen {
    /// A listener that answers at once, with 200 where HTTP is asked.
    pub fn on(port: u16, protocol: PortProtocol) -> Self {
        Listen { port, protocol, address: None, status: 200, delay: Duration::ZERO }
    }
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Name, unique in the pod.
    pub name: Arc<str>,
    /// Declared ports.
    pub ports: Vec<ContainerPort>,
    /// What its process listens on.
    pub listen: Vec<Listen>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSpec {
    /// The node it runs on; the scheduler sets it if it is empty.
    pub node_name: Option<Arc<str>>,
    /// Whether it shares the node's network namespace.
    pub host_network: bool,
    /// Containers, at least one.
    pub containers: Vec<Container>,
    /// An address that is asked of IPAM.
    pub requested_ip: Option<Ipv4Addr>,
    /// How long after its start the readiness probe succeeds.
    pub ready_after: Duration,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PodPhase {
    /// Accepted; not all containers have run yet.
    #[default]
    Pending,
    /// On a node, and at least one container runs, starts or restarts.
    Running,
    /// All containers have ended well.
    Succeeded,
    /// All containers have ended, at least one badly.
    Failed,
}

impl PodPhase {
    /// As kubectl prints it.
    pub fn name(self) -> &'static str {
        match self {
            PodPhase::Pending => "Pending",
            PodPhase::Running => "Running",
            PodPhase::Succeeded => "Succeeded",
            PodPhase::Failed => "Failed",
        }
    }
}

/// Conditions of a pod, in the order in which they come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodCondition {
    /// It has a node.
    PodScheduled = 0,
    /// Its sandbox is there, with network.
    PodReadyToStartContainers = 1,
    /// Its init containers are done.
    Initialized = 2,
    /// All containers are ready.
    ContainersReady = 3,
    /// It may serve requests.
    Ready = 4,
}

impl PodCondition {
    /// All, in order.
    pub const ALL: [PodCondition; 5] = [
        PodCondition::PodScheduled,
        PodCondition::PodReadyToStartContainers,
        PodCondition::Initialized,
        PodCondition::ContainersReady,
        PodCondition::Ready,
    ];

    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            PodCondition::PodScheduled => "PodScheduled",
            PodCondition::PodReadyToStartContainers => "PodReadyToStartContainers",
            PodCondition::Initialized => "Initialized",
            PodCondition::ContainersReady => "ContainersReady",
            PodCondition::Ready => "Ready",
        }
    }
}

/// Which conditions are true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PodConditions(u8);

impl PodConditions {
    /// Whether `c` is true.
    pub fn get(self, c: PodCondition) -> bool {
        self.0 >> (c as u8) & 1 == 1
    }

    /// Sets `c`.
    pub fn set(&mut self, c: PodCondition, on: bool) {
        let bit = 1 << (c as u8);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ContainerState {
    /// Not begun: `ContainerCreating`, or `CrashLoopBackOff` between two attempts.
    #[default]
    Creating,
    /// It ended with an error and is started again later: `CrashLoopBackOff`.
    CrashLoopBackOff {
        /// The last words of its process.
        message: Arc<str>,
    },
    /// It runs.
    Running,
    /// It was stopped.
    Terminated,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ContainerStatus {
    /// What it does.
    pub state: ContainerState,
    /// How often it was started again.
    pub restart_count: u32,
}

/// What is known of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PodStatus {
    /// Phase.
    pub phase: PodPhase,
    /// Conditions that are true.
    pub conditions: PodConditions,
    /// `podIP`: the first address.
    pub pod_ip: Option<IpAddr>,
    /// `hostIP`.
    pub host_ip: Option<IpAddr>,
    /// Containers, in the order of the spec.
    pub containers: Vec<ContainerStatus>,
    /// Why it does not get on, in a word: `FailedCreatePodSandBox`, `Unschedulable`.
    pub reason: Option<Arc<str>>,
    /// Why it does not get on, in words.
    pub message: Option<Arc<str>>,
    /// When its containers started, since the world began.
    pub started: Option<Duration>,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name, namespace, labels.
    pub meta: ObjectMeta,
    /// What is asked for; shared by all versions of the object.
    pub spec: Arc<PodSpec>,
    /// What is known.
    pub status: PodStatus,
}

impl Pod {
    /// A pod with one container that listens on nothing, labelled as `kubectl run` labels it.
    pub fn new(key: ObjectKey) -> Self {
        let mut meta = ObjectMeta::new(key);
        let name = meta.name().clone();
        meta.labels.insert("run".into(), name.clone());
        let spec = PodSpec {
            node_name: None,
            host_network: false,
            containers: vec![Container { name, ports: Vec::new(), listen: Vec::new() }],
            requested_ip: None,
            ready_after: Duration::from_secs(1),
        };
        Pod { meta, spec: Arc::new(spec), status: PodStatus::default() }
    }

    /// The spec, to be changed.
    pub fn spec_mut(&mut self) -> &mut PodSpec {
        Arc::make_mut(&mut self.spec)
    }

    /// Whether it may serve requests.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.get(PodCondition::Ready)
    }

    /// Whether its deletion has been asked for.
    pub fn is_terminating(&self) -> bool {
        self.meta.deletion_timestamp.is_some()
    }

    /// The declared port called `name`, in the containers' order.
    pub fn port_named(&self, name: &str, protocol: PortProtocol) -> Option<u16> {
        let ports = self.spec.containers.iter().flat_map(|c| &c.ports);
        ports.filter(|p| p.protocol == protocol && p.name.as_deref() == Some(name)).map(|p| p.container_port).next()
    }
}

impl Object for Pod {
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    const SINGULAR: &'static str = "pod";
    const NAMESPACED: bool = true;

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
