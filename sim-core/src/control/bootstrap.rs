//! What a node has before its agents start.
//!
//! Models: a machine prepared as kubernetes.io/docs/setup/production-environment/container-runtimes ("Forwarding IPv4 and
//! letting iptables see bridged traffic") asks for before `kubeadm init`: the modules overlay and br_netfilter, and
//! /etc/sysctl.d/k8s.conf with the three sysctls below.

use crate::linux::Op;
use crate::linux::op::addr::Broadcast;
use crate::linux::op::route::HopSpec;
use crate::linux::op::{AddrOp, LinkOp, LinkSet, RouteOp, RouteSpec, RouteVerb};
use crate::packet::{Ipv4Addr, Prefix};
use std::sync::Arc;

/// A machine of the cluster: the card by which it hangs on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Name of the host and of the node.
    pub host: Arc<str>,
    /// The card.
    pub dev: Arc<str>,
    /// Its address: the node's InternalIP.
    pub ip: Ipv4Addr,
    /// The range on its link.
    pub range: Prefix<Ipv4Addr>,
    /// Where the default route leads, if there is one.
    pub gateway: Option<Ipv4Addr>,
}

/// The commands of a machine's start, in order.
pub fn boot(m: &Machine) -> Vec<Op> {
    let dev = m.dev.clone();
    let set = LinkSet { up: Some(true), ..LinkSet::default() };
    let broadcast = (m.range.len() < 31).then_some(Broadcast::Computed);
    let mut ops = vec![
        Op::Link(LinkOp::Set { dev: "lo".into(), set: set.clone() }),
        Op::Link(LinkOp::Set { dev: dev.clone(), set }),
        Op::Addr(AddrOp::Add {
            dev: dev.clone(),
            local: m.ip,
            prefix: m.range,
            peer: None,
            broadcast,
            scope: None,
            noprefixroute: false,
            replace: false,
        }),
    ];
    if let Some(gw) = m.gateway {
        let mut route = RouteSpec::to(Prefix::ALL);
        route.hops = vec![HopSpec { via: Some(gw), dev: Some(dev), ..HopSpec::default() }];
        ops.push(Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(route) }));
    }
    for key in ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables", "net.ipv4.ip_forward"] {
        ops.push(Op::Sysctl { key: key.into(), value: "1".into() });
    }
    ops
}
