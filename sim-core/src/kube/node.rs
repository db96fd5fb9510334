//! Nodes.
//!
//! Models: k8s.io/api/core/v1 types.go Node.

use super::meta::{Object, ObjectKey, ObjectMeta};
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::Arc;

/// How many pods a node takes (the kubelet's `maxPods`).
pub const DEFAULT_MAX_PODS: u32 = 110;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name, labels, annotations.
    pub meta: ObjectMeta,
    /// `spec.podCIDR`; the controller manager gives the next range if none is set.
    pub pod_cidr: Option<Prefix<Ipv4Addr>>,
    /// `spec.unschedulable`: no further pods are put here.
    pub unschedulable: bool,
    /// `status`.
    pub status: NodeStatus,
}

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// The address of type InternalIP.
    pub internal_ip: Option<Ipv4Addr>,
    /// `allocatable.pods`.
    pub max_pods: u32,
    /// The condition Ready, as its kubelet last said; none before it has.
    pub ready: Option<NodeReady>,
}

/// The condition Ready of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReady {
    /// True or False.
    pub ready: bool,
    /// `KubeletReady`, `KubeletNotReady`.
    pub reason: Arc<str>,
    /// In words.
    pub message: Arc<str>,
}

impl Node {
    /// A node of which only the name is known.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Node {
            meta: ObjectMeta::new(ObjectKey::cluster(name)),
            pod_cidr: None,
            unschedulable: false,
            status: NodeStatus { internal_ip: None, max_pods: DEFAULT_MAX_PODS, ready: None },
        }
    }

    /// Name.
    pub fn name(&self) -> &Arc<str> {
        self.meta.name()
    }

    /// Whether its kubelet says that it is ready.
    pub fn is_ready(&self) -> bool {
        self.status.ready.as_ref().is_some_and(|r| r.ready)
    }
}

impl Object for Node {
    const KIND: &'static str = "Node";
    const PLURAL: &'static str = "nodes";
    const SINGULAR: &'static str = "node";
    const NAMESPACED: bool = false;

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
