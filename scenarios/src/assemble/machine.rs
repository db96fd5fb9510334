//! The commands of a machine's start: what an installed Linux does before anybody logs in.

use super::addresses::Machine;
use sim_core::linux::Op;
use sim_core::linux::op::addr::Broadcast;
use sim_core::linux::op::route::HopSpec;
use sim_core::linux::op::{AddrOp, LinkOp, LinkSet, RouteOp, RouteSpec, RouteVerb};
use sim_core::packet::{Ipv4Addr, Prefix};

/// `ip link set DEV up`.
pub fn up(dev: &str) -> Op {
    Op::Link(LinkOp::Set { dev: dev.into(), set: LinkSet { up: Some(true), ..LinkSet::default() } })
}

/// `ip addr add LOCAL/LEN brd + dev DEV`.
pub fn addr(dev: &str, local: Ipv4Addr, range: Prefix<Ipv4Addr>) -> Op {
    let broadcast = (range.len() < 31).then_some(Broadcast::Computed);
    Op::Addr(AddrOp::Add {
        dev: dev.into(),
        local,
        prefix: range,
        peer: None,
        broadcast,
        scope: None,
        noprefixroute: false,
        replace: false,
    })
}

/// `ip route add PREFIX [via GATEWAY] dev DEV`.
pub fn route(prefix: Prefix<Ipv4Addr>, via: Option<Ipv4Addr>, dev: &str) -> Op {
    let mut spec = RouteSpec::to(prefix);
    spec.hops = vec![HopSpec { via, dev: Some(dev.into()), ..HopSpec::default() }];
    Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(spec) })
}

/// The start of a machine: `lo` and `eth0` up, the address, the default route. On the internet the whole world is on the link.
pub fn boot(m: &Machine) -> Vec<Op> {
    let mut ops = vec![up("lo"), up("eth0"), addr("eth0", m.ip, m.range)];
    match m.gateway {
        Some(g) => ops.push(route(Prefix::ALL, Some(g), "eth0")),
        None if m.range.len() == 32 => ops.push(route(Prefix::ALL, None, "eth0")),
        None => {}
    }
    ops
}
