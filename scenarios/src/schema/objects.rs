//! Kubernetes objects of `cluster`, with `metadata`, `spec` and `template` flattened.

use super::value::{Addr, At, Cidr, Dur, Listen, PortRef, Proto};
use indexmap::IndexMap;
use serde::Deserialize;

/// A pod.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Name.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// The node it runs on; the one with fewest pods.
    #[serde(default)]
    pub node_name: Option<At<String>>,
    /// Labels; `run: NAME` if none are written.
    #[serde(default)]
    pub labels: Option<At<IndexMap<String, String>>>,
    /// The address to ask IPAM for.
    #[serde(default)]
    pub pod_ip: Option<At<Addr>>,
    /// Whether it uses its node's network namespace.
    #[serde(default)]
    pub host_network: Option<At<bool>>,
    /// Containers; one, named as the pod, if none are written.
    #[serde(default)]
    pub containers: Vec<At<Container>>,
    /// Ports of its container.
    #[serde(default)]
    pub ports: Vec<At<ContainerPort>>,
    /// Servers in its container.
    #[serde(default)]
    pub listen: Vec<At<Listen>>,
    /// How long after its start it is ready; 1s.
    #[serde(default)]
    pub ready_after: Option<At<Dur>>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Name.
    pub name: At<String>,
    /// Image; kept and not looked at.
    #[serde(default)]
    pub image: Option<String>,
    /// Ports.
    #[serde(default)]
    pub ports: Vec<At<ContainerPort>>,
    /// Servers.
    #[serde(default)]
    pub listen: Vec<At<Listen>>,
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerPort {
    /// Name.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// The port.
    pub container_port: At<u16>,
    /// Port of the node that is led to it (the `portmap` plugin).
    #[serde(default)]
    pub host_port: Option<At<u16>>,
    /// Protocol.
    #[serde(default)]
    pub protocol: Option<At<Proto>>,
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Name.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// How many pods; 1.
    #[serde(default)]
    pub replicas: Option<At<u32>>,
    /// Labels of its pods; `app: NAME`.
    #[serde(default)]
    pub labels: Option<At<IndexMap<String, String>>>,
    /// The node they run on.
    #[serde(default)]
    pub node_name: Option<At<String>>,
    /// Whether they use their node's network namespace.
    #[serde(default)]
    pub host_network: Option<At<bool>>,
    /// Containers.
    #[serde(default)]
    pub containers: Vec<At<Container>>,
    /// Ports of their container.
    #[serde(default)]
    pub ports: Vec<At<ContainerPort>>,
    /// Servers in their container.
    #[serde(default)]
    pub listen: Vec<At<Listen>>,
    /// How long after its start a pod is ready; 1s.
    #[serde(default)]
    pub ready_after: Option<At<Dur>>,
}

/// Types of Services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum ServiceType {
    /// An address inside the cluster.
    #[default]
    ClusterIP,
    /// And a port of every node.
    NodePort,
    /// And an address of a load balancer.
    LoadBalancer,
    /// A name for a name.
    ExternalName,
}

/// `externalTrafficPolicy`, `internalTrafficPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TrafficPolicy {
    /// To all endpoints.
    Cluster,
    /// To those of the node.
    Local,
}

/// `sessionAffinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Affinity {
    /// Each connection draws.
    None,
    /// A client keeps its endpoint.
    ClientIP,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Name.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// Type; ClusterIP.
    #[serde(default, rename = "type")]
    pub kind: Option<At<ServiceType>>,
    /// Labels of the pods it selects; `app: NAME`.
    #[serde(default)]
    pub selector: Option<At<IndexMap<String, String>>>,
    /// Its address; the next that is free. `"None"` for a headless one.
    #[serde(default)]
    pub cluster_ip: Option<At<String>>,
    /// Ports.
    #[serde(default)]
    pub ports: Vec<At<ServicePort>>,
    /// `externalIPs`.
    #[serde(default)]
    pub external_ips: Vec<At<Addr>>,
    /// `externalName`.
    #[serde(default)]
    pub external_name: Option<At<String>>,
    /// `externalTrafficPolicy`.
    #[serde(default)]
    pub external_traffic_policy: Option<At<TrafficPolicy>>,
    /// `internalTrafficPolicy`.
    #[serde(default)]
    pub internal_traffic_policy: Option<At<TrafficPolicy>>,
    /// `sessionAffinity`.
    #[serde(default)]
    pub session_affinity: Option<At<Affinity>>,
    /// `loadBalancerIP`.
    #[serde(default)]
    pub load_balancer_ip: Option<At<Addr>>,
    /// `loadBalancerSourceRanges`.
    #[serde(default)]
    pub load_balancer_source_ranges: Vec<At<Cidr>>,
    /// `healthCheckNodePort`.
    #[serde(default)]
    pub health_check_node_port: Option<At<u16>>,
    /// `publishNotReadyAddresses`.
    #[serde(default)]
    pub publish_not_ready_addresses: Option<At<bool>>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePort {
    /// Name.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// Protocol.
    #[serde(default)]
    pub protocol: Option<At<Proto>>,
    /// The port.
    pub port: At<u16>,
    /// Port of the pods; the same.
    #[serde(default)]
    pub target_port: Option<At<PortRef>>,
    /// Port of the nodes.
    #[serde(default)]
    pub node_port: Option<At<u16>>,
}

/// Endpoints written by hand.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// Name: the Service's.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// Addresses.
    #[serde(default)]
    pub addresses: Vec<At<Addr>>,
    /// Ports.
    #[serde(default)]
    pub ports: Vec<At<ServicePort>>,
}

/// An Ingress.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// Name.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// `ingressClassName`.
    #[serde(default)]
    pub ingress_class_name: Option<At<String>>,
    /// Rules.
    #[serde(default)]
    pub rules: Vec<At<IngressRule>>,
    /// `defaultBackend`.
    #[serde(default)]
    pub default_backend: Option<At<IngressBackend>>,
}

/// A rule of an Ingress.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressRule {
    /// Host; all if none.
    #[serde(default)]
    pub host: Option<At<String>>,
    /// Paths.
    #[serde(default)]
    pub paths: Vec<At<IngressPath>>,
}

/// A path of an Ingress.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressPath {
    /// The path.
    pub path: At<String>,
    /// `pathType`.
    #[serde(default)]
    pub path_type: Option<At<PathType>>,
    /// Where it leads.
    pub backend: At<IngressBackend>,
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PathType {
    /// Letter by letter.
    Exact,
    /// Element by element.
    Prefix,
    /// As the class likes.
    ImplementationSpecific,
}

/// Where an Ingress leads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressBackend {
    /// The Service.
    pub service: At<String>,
    /// Its port.
    pub port: At<PortRef>,
}

/// A NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPolicy {
    /// Name.
    pub name: At<String>,
    /// Namespace; default.
    #[serde(default)]
    pub namespace: Option<At<String>>,
    /// The pods it is about; all of the namespace if empty.
    #[serde(default)]
    pub pod_selector: Option<At<Selector>>,
    /// `policyTypes`.
    #[serde(default)]
    pub policy_types: Vec<At<PolicyType>>,
    /// What may come in.
    #[serde(default)]
    pub ingress: Vec<At<PolicyIngress>>,
    /// What may go out.
    #[serde(default)]
    pub egress: Vec<At<PolicyEgress>>,
}

/// Directions of a NetworkPolicy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum PolicyType {
    /// In.
    Ingress,
    /// Out.
    Egress,
}

/// A label selector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// `matchLabels`.
    #[serde(default)]
    pub match_labels: IndexMap<String, String>,
    /// `matchExpressions`.
    #[serde(default)]
    pub match_expressions: Vec<MatchExpression>,
}

/// One requirement of a selector.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchExpression {
    /// Label.
    pub key: String,
    /// How it is compared.
    pub operator: SelectorOperator,
    /// With what.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum SelectorOperator {
    /// One of them.
    In,
    /// None of them.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// What may come in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyIngress {
    /// From whom; anybody if left out.
    #[serde(default)]
    pub from: Option<Vec<At<PolicyPeer>>>,
    /// To which ports; all if left out.
    #[serde(default)]
    pub ports: Option<Vec<At<PolicyPort>>>,
}

/// What may go out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEgress {
    /// To whom; anybody if left out.
    #[serde(default)]
    pub to: Option<Vec<At<PolicyPeer>>>,
    /// To which ports; all if left out.
    #[serde(default)]
    pub ports: Option<Vec<At<PolicyPort>>>,
}

/// The other end of what a policy allows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPeer {
    /// Pods.
    #[serde(default)]
    pub pod_selector: Option<Selector>,
    /// Of which namespaces.
    #[serde(default)]
    pub namespace_selector: Option<Selector>,
    /// Addresses.
    #[serde(default)]
    pub ip_block: Option<IpBlock>,
}

/// A range with holes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpBlock {
    /// The range.
    pub cidr: At<Cidr>,
    /// The holes.
    #[serde(default)]
    pub except: Vec<At<Cidr>>,
}

/// A port of a policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPort {
    /// Protocol.
    #[serde(default)]
    pub protocol: Option<At<Proto>>,
    /// Port; all if left out.
    #[serde(default)]
    pub port: Option<At<PortRef>>,
    /// Last port of a range.
    #[serde(default)]
    pub end_port: Option<At<u16>>,
}
