//! `cluster`: a Kubernetes cluster.

use super::objects::{Deployment, Endpoints, Ingress, NetworkPolicy, Pod, Service};
use super::value::{Addr, At, Cidr};
use indexmap::IndexMap;
use serde::Deserialize;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The network plugin.
    pub cni: At<Cni>,
    /// kube-proxy; none if left out.
    #[serde(default)]
    pub kube_proxy: Option<At<KubeProxy>>,
    /// Cluster DNS; none if left out.
    #[serde(default)]
    pub dns: Option<At<Dns>>,
    /// Load balancer; none if left out.
    #[serde(default)]
    pub load_balancer: Option<At<LoadBalancer>>,
    /// Range of all pods; 10.244.0.0/16.
    #[serde(default)]
    pub pod_subnet: Option<At<Cidr>>,
    /// Range of ClusterIPs; 10.96.0.0/12.
    #[serde(default)]
    pub service_subnet: Option<At<Cidr>>,
    /// Nodes.
    #[serde(default)]
    pub nodes: Vec<At<Node>>,
    /// Pods.
    #[serde(default)]
    pub pods: Vec<At<Pod>>,
    /// Deployments.
    #[serde(default)]
    pub deployments: Vec<At<Deployment>>,
    /// Services.
    #[serde(default)]
    pub services: Vec<At<Service>>,
    /// Endpoints written by hand, for Services without selector.
    #[serde(default)]
    pub endpoints: Vec<At<Endpoints>>,
    /// Ingresses.
    #[serde(default)]
    pub ingresses: Vec<At<Ingress>>,
    /// NetworkPolicies.
    #[serde(default)]
    pub network_policies: Vec<At<NetworkPolicy>>,
    /// Manifests in YAML, relative to this file.
    #[serde(default)]
    pub manifests: Vec<At<String>>,
}

/// A network plugin.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Cni {
    /// The `bridge` plugin with `host-local`.
    Bridge(BridgeCni),
    /// Flannel.
    Flannel(FlannelCni),
    /// Calico.
    Calico(CalicoCni),
    /// Cilium.
    Cilium(CiliumCni),
    /// The `macvlan` plugin.
    Macvlan(BridgeCni),
    /// The `ipvlan` plugin.
    Ipvlan(BridgeCni),
}

/// Options of the `bridge` plugin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeCni {
    /// `ipMasq`: pods leave their range under the node's address; false.
    #[serde(default)]
    pub ip_masq: Option<At<bool>>,
    /// `hairpinMode`; true.
    #[serde(default)]
    pub hairpin_mode: Option<At<bool>>,
    /// `mtu` of veths and bridge.
    #[serde(default)]
    pub mtu: Option<At<u32>>,
}

/// Options of Flannel.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlannelCni {
    /// How packets get to the other node; vxlan.
    #[serde(default)]
    pub backend: Option<At<FlannelBackend>>,
    /// `--ip-masq`: pods leave the pod network under the node's address; true, as in kube-flannel.yml.
    #[serde(default)]
    pub ip_masq: Option<At<bool>>,
    /// `--iptables-forward-rules`: flanneld lets pods pass the FORWARD chain; true.
    #[serde(default)]
    pub forward_rules: Option<At<bool>>,
}

/// How Flannel carries packets from node to node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, reason = "spelled as the file spells it")]
pub enum FlannelBackend {
    /// Routes over one segment.
    host_gw,
    /// VXLAN.
    vxlan,
    /// IPIP.
    ipip,
    /// Encapsulation in UDP by a process.
    udp,
    /// WireGuard.
    wireguard,
}

/// Options of Calico.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalicoCni {
    /// `ipipMode`.
    #[serde(default)]
    pub ipip_mode: Option<At<TunnelMode>>,
    /// `vxlanMode`.
    #[serde(default)]
    pub vxlan_mode: Option<At<TunnelMode>>,
    /// `natOutgoing`.
    #[serde(default)]
    pub nat_outgoing: Option<At<bool>>,
}

/// When a tunnel is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TunnelMode {
    /// Always.
    Always,
    /// Between subnets only.
    CrossSubnet,
    /// Never.
    Never,
}

/// Options of Cilium.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CiliumCni {}

/// Options of kube-proxy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubeProxy {
    /// How it compiles Services.
    pub mode: At<ProxyMode>,
    /// `clusterCIDR`; the pod range.
    #[serde(default)]
    pub cluster_cidr: Option<At<Cidr>>,
    /// `masqueradeAll`.
    #[serde(default)]
    pub masquerade_all: Option<At<bool>>,
    /// `scheduler` of mode ipvs; rr.
    #[serde(default)]
    pub scheduler: Option<At<super::value::Word>>,
}

/// Modes of kube-proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, reason = "spelled as the file spells it")]
pub enum ProxyMode {
    /// iptables.
    iptables,
    /// nftables.
    nftables,
    /// IPVS.
    ipvs,
}

/// Cluster DNS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Address of the Service kube-dns; the tenth of the Service range.
    #[serde(default)]
    pub cluster_ip: Option<At<Addr>>,
    /// Zone; cluster.local.
    #[serde(default)]
    pub domain: Option<At<String>>,
    /// How many CoreDNS pods; 2.
    #[serde(default)]
    pub replicas: Option<At<u32>>,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum LoadBalancer {
    /// A cloud's.
    Cloud(CloudLb),
    /// MetalLB.
    MetalLb(MetalLb),
}

/// A cloud's load balancer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudLb {
    /// The network on which it meets the nodes.
    #[serde(default)]
    pub network: Option<At<String>>,
    /// Addresses to give out: `A` or `A-B`.
    #[serde(default)]
    pub addresses: Vec<At<String>>,
    /// Whether the client's address stays.
    #[serde(default)]
    pub preserve_client_ip: Option<At<bool>>,
}

/// MetalLB.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetalLb {
    /// Addresses to give out: `A` or `A-B`.
    #[serde(default)]
    pub addresses: Vec<At<String>>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name.
    pub name: At<String>,
    /// Network of its `eth0`; the first.
    #[serde(default)]
    pub network: Option<At<String>>,
    /// `InternalIP`; the next that is free.
    #[serde(default)]
    pub internal_ip: Option<At<Addr>>,
    /// `ExternalIP`; none.
    #[serde(default)]
    pub external_ip: Option<At<Addr>>,
    /// `podCIDR`; the next /24 of the pod range.
    #[serde(default)]
    pub pod_cidr: Option<At<Cidr>>,
    /// Labels.
    #[serde(default)]
    pub labels: IndexMap<String, String>,
    /// Commands before the cluster is set up, one a line.
    #[serde(default)]
    pub run: Option<At<String>>,
}
