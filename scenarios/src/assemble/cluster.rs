//! `cluster` as Kubernetes objects and machines.

use super::addresses::Addresses;
use crate::check::cluster::pod_subnet;
use crate::schema::objects::{self, ContainerPort};
use crate::schema::{At, Cluster, Cni, Listen, Proto};
use sim_core::kube::{self, DEFAULT_NAMESPACE, ObjectKey, PortProtocol};
use sim_core::packet::{Ipv4Addr, Prefix};
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
