//! `cluster` as Kubernetes objects and machines.

use super::addresses::Addresses;
use crate::check::cluster::pod_subnet;
use crate::schema::objects::{self, ContainerPort};
use crate::schema::{At, Cluster, Cni, Listen, Proto};
use sim_core::control::network_model::Report;
use sim_core::control::providers::{BridgeCni, FlannelCni};
use sim_core::control::{ClusterConfig, Controllers, Machine, Provider};
use sim_core::engine::{self, Engine, World};
use sim_core::kube::{self, DEFAULT_NAMESPACE, ObjectKey, PortProtocol, Store};
use sim_core::packet::{Ipv4Addr, Prefix};
use sim_core::trace::Tracer;
use std::sync::Arc;
use std::time::Duration;

/// A cluster, described.
#[derive(Clone, Debug)]
pub struct ClusterPlan {
    /// The network plugin as it is written.
    pub cni: Cni,
    /// Range of all pods.
    pub pod_subnet: Prefix<Ipv4Addr>,
    /// Nodes.
    pub nodes: Vec<kube::Node>,
    /// Pods, each with its node: those that name none go to the node with fewest pods, then the first.
    pub pods: Vec<kube::Pod>,
}

/// Describes a cluster.
pub fn plan(c: &Cluster, addresses: &Addresses) -> ClusterPlan {
    let nodes: Vec<kube::Node> = c
        .nodes
        .iter()
        .zip(&addresses.pod_cidrs)
        .map(|(n, cidr)| {
            let mut node = kube::Node::new(n.name.value.as_str());
            node.pod_cidr = *cidr;
            node.status.internal_ip = addresses.of(&n.name.value);
            node.meta.labels = n.labels.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect();
            node
        })
        .collect();
    let mut load: Vec<usize> =
        nodes.iter().map(|n| c.pods.iter().filter(|p| p.node_name.as_ref().is_some_and(|x| *x.value == **n.name())).count()).collect();
    let pods = c.pods.iter().map(|p| pod(p, &nodes, &mut load)).collect();
    ClusterPlan { cni: c.cni.value.clone(), pod_subnet: pod_subnet(c), nodes, pods }
}

/// The network plugin with its parameters; none if it is not simulated.
fn provider(cni: &Cni) -> Option<Provider> {
    Some(match cni {
        Cni::Bridge(b) => {
            let mut p = BridgeCni::default();
            p.ip_masq = b.ip_masq.as_ref().map_or(p.ip_masq, |x| x.value);
            p.hairpin_mode = b.hairpin_mode.as_ref().map_or(p.hairpin_mode, |x| x.value);
            p.mtu = b.mtu.as_ref().map_or(p.mtu, |x| x.value);
            Provider::Bridge(p)
        }
        Cni::Flannel(f) => {
            let mut p = FlannelCni::default();
            p.ip_masq = f.ip_masq.as_ref().map_or(p.ip_masq, |x| x.value);
            p.forward_rules = f.forward_rules.as_ref().map_or(p.forward_rules, |x| x.value);
            Provider::Flannel(p)
        }
        _ => return None,
    })
}

/// Puts the cluster into a world whose machines are there, and lets its controllers work until nothing is left to do.
///
/// # Errors
/// In words, when the cluster cannot be set up.
pub fn settle<T: Tracer>(engine: &mut Engine<T>, plan: &ClusterPlan, addresses: &Addresses) -> Result<(), String> {
    let cni = provider(&plan.cni).ok_or("this network plugin is not simulated yet")?;
    let mut config = ClusterConfig::new(cni);
    config.pod_subnet = plan.pod_subnet;
    config.node_mask = plan.pod_subnet.len().max(24);
    let machines = addresses
        .nodes
        .iter()
        .map(|m| Machine { host: m.host.as_str().into(), dev: "eth0".into(), ip: m.ip, range: m.range, gateway: m.gateway })
        .collect();
    let mut store = Store::default();
    for n in &plan.nodes {
        store.create(n.clone()).map_err(|e| e.to_string())?;
    }
    for p in &plan.pods {
        store.create(p.clone()).map_err(|e| e.to_string())?;
    }
    let cluster = engine::Cluster::new(Controllers::new(config, machines), store);
    engine.settle(cluster).map_err(|s| format!("frames go round in a loop before the world has settled, at {}", s.at))
}

/// The network model, tried on every pair.
///
/// # Errors
/// Without a cluster.
pub fn network_model(world: &World) -> Result<Report, String> {
    world.network_model().ok_or_else(|| "there is no cluster".to_owned())
}

fn pod(p: &objects::Pod, nodes: &[kube::Node], load: &mut [usize]) -> kube::Pod {
    let namespace = p.namespace.as_ref().map_or(DEFAULT_NAMESPACE, |n| n.value.as_str());
    let mut out = kube::Pod::new(ObjectKey::new(namespace, p.name.value.as_str()));
    if let Some(labels) = &p.labels {
        out.meta.labels = labels.value.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect();
    }
    let node: Option<Arc<str>> = match &p.node_name {
        Some(n) => Some(n.value.as_str().into()),
        None => {
            // a pod that asks for an address can only be where that address is
            let home = p.pod_ip.as_ref().and_then(|ip| nodes.iter().position(|n| n.pod_cidr.is_some_and(|c| c.contains(ip.value.0))));
            let at = home.or_else(|| load.iter().enumerate().min_by_key(|(i, n)| (**n, *i)).map(|(i, _)| i));
            at.and_then(|i| {
                *load.get_mut(i)? += 1;
                Some(nodes.get(i)?.name().clone())
            })
        }
    };
    let containers = if p.containers.is_empty() {
        vec![container(&p.name.value, &p.ports, &p.listen)]
    } else {
        p.containers.iter().map(|c| container(&c.name.value, &c.ports, &c.listen)).collect()
    };
    let spec = out.spec_mut();
    spec.node_name = node;
    spec.host_network = p.host_network.as_ref().is_some_and(|h| h.value);
    spec.containers = containers;
    spec.requested_ip = p.pod_ip.as_ref().map(|a| a.value.0);
    spec.ready_after = p.ready_after.as_ref().map_or(Duration::from_secs(1), |d| d.value.0);
    out
}

fn container(name: &str, ports: &[At<ContainerPort>], listen: &[At<Listen>]) -> kube::Container {
    kube::Container {
        name: name.into(),
        ports: ports
            .iter()
            .map(|p| kube::ContainerPort {
                name: p.name.as_ref().map(|n| n.value.as_str().into()),
                container_port: p.container_port.value,
                protocol: protocol(p.protocol.as_ref().map_or(Proto::TCP, |x| x.value)),
                host_port: p.host_port.as_ref().map(|h| h.value),
                host_ip: None,
            })
            .collect(),
        listen: listen
            .iter()
            .map(|l| {
                let mut out = kube::Listen::on(l.port, protocol(l.protocol));
                out.status = l.status.unwrap_or(200);
                out.delay = l.delay;
                out
            })
            .collect(),
    }
}

fn protocol(p: Proto) -> PortProtocol {
    match p {
        Proto::TCP => PortProtocol::Tcp,
        Proto::UDP => PortProtocol::Udp,
        Proto::SCTP => PortProtocol::Sctp,
    }
}
