//! Scenario to world: addresses are given out, machines started, commands read, objects made.
//!
//! ```text
//!  networks, links ──► segments, cards, cables ─┐
//!  hosts ──► start, `run:` ─────────────────────┼─► Blueprint ──► Engine ──► settled world ──► flows with addresses
//!  cluster ──► machines, objects ───────────────┘                    ▲
//!                                                    controllers ────┘
//! ```

pub mod addresses;
pub mod cluster;
pub mod flows;
pub mod gateway;
pub mod machine;
pub mod resolved;
pub mod run;
pub mod url;

use crate::check::network::INTERNET;
use crate::commands;
use crate::schema::network::Network;
use crate::schema::{Listen, Proto, Scenario};
use addresses::{Addresses, addresses};
use sim_core::apps;
use sim_core::engine::LinkProps;
use sim_core::engine::blueprint::{Blueprint, CablePlan, HostPlan, NicPlan, OpPlan, Place, SegmentPlan, ServerPlan};
use sim_core::engine::build::NewNic;
use sim_core::linux::Op;
use sim_core::linux::socket::SocketKind;
use std::sync::Arc;
use std::time::Duration;

/// Time that a frame takes across a network of which nothing else is written.
pub const DEFAULT_LATENCY: Duration = Duration::from_micros(100);

/// A scenario's world, described.
#[derive(Clone, Debug, Default)]
pub struct Assembly {
    /// What there is before any controller runs.
    pub blueprint: Blueprint,
    /// The cluster, if there is one.
    pub cluster: Option<cluster::ClusterPlan>,
    /// Who has which address.
    pub addresses: Addresses,
    /// Commands of nodes, that come after the cluster has settled: node, line of the text, command line.
    pub after: Vec<(Arc<str>, usize, String)>,
}

/// Describes the world of a checked scenario.
pub fn assemble(world: &Scenario, seed: u64) -> Assembly {
    let addresses = addresses(world);
    let mut b = Blueprint { seed, ..Blueprint::default() };
    segments(world, &addresses, &mut b);
    let only = addresses.nets.iter().filter(|n| n.internet_gateway.is_some()).count() == 1;
    for n in world.cluster.iter().flat_map(|c| &c.nodes) {
        b.hosts.push(HostPlan { name: n.name.value.as_str().into(), is_node: true, ..HostPlan::default() });
    }
    for h in &world.hosts {
        let namespaces = h.namespaces.iter().map(|n| n.name.value.as_str().into()).collect();
        let etc_hosts = h.etc_hosts.iter().map(|(name, a)| (name.as_str().into(), a.value.0)).collect();
        b.hosts.push(HostPlan { name: h.name.value.as_str().into(), namespaces, etc_hosts, ..HostPlan::default() });
    }
    for m in addresses.nodes.iter().chain(&addresses.hosts) {
        card(&mut b, world, &m.host, "eth0", &m.network, None);
    }
    for h in &world.hosts {
        for i in &h.interfaces {
            card(&mut b, world, &h.name.value, &i.name.value, &i.network.value, i.mac.as_ref().map(|m| m.value.0));
        }
    }
    for l in &world.links {
        cable(&mut b, l);
    }
    for (i, net) in addresses.nets.iter().enumerate() {
        if let Some(inner) = net.internet_gateway {
            let name = gateway::name(&net.name, only);
            b.hosts.push(HostPlan { name: name.as_str().into(), ..HostPlan::default() });
            card(&mut b, world, &name, "eth0", &net.name, None);
            card(&mut b, world, &name, "eth1", INTERNET, None);
            let mapped = gateway::mapped(world, &addresses, &net.name);
            let script = gateway::script(inner, net.range.len(), gateway::outer(i), &mapped);
            run(&mut b, &name, &script, "internet gateway");
        }
    }
    for h in &world.hosts {
        host(&mut b, world, h, &addresses);
    }
    let mut after = Vec::new();
    for n in world.cluster.iter().flat_map(|c| &c.nodes) {
        let name: Arc<str> = n.name.value.as_str().into();
        for l in n.run.iter().flat_map(|r| commands::script(&r.value)) {
            after.push((name.clone(), l.line, l.text));
        }
    }
    let cluster = world.cluster.as_ref().map(|c| cluster::plan(c, &addresses));
    Assembly { blueprint: b, cluster, addresses, after }
}

fn segments(world: &Scenario, addresses: &Addresses, b: &mut Blueprint) {
    let props = |n: Option<&Network>| LinkProps {
        latency: n.and_then(|n| n.latency.as_ref()).map_or(DEFAULT_LATENCY, |l| l.value.0),
        jitter: n.and_then(|n| n.jitter.as_ref()).map_or(Duration::ZERO, |d| d.value.0),
        reorder: n.and_then(|n| n.reorder.as_ref()).is_some_and(|r| r.value),
        rate_bps: n.and_then(|n| n.rate.as_ref()).map_or(0, |r| r.value.0),
        queue: n.and_then(|n| n.queue.as_ref()).map_or(LinkProps::default().queue, |q| q.value),
        loss_ppm: n.and_then(|n| n.loss.as_ref()).map_or(0, |l| l.value.0),
        ..LinkProps::default()
    };
    for net in &addresses.nets {
        let n = world.networks.iter().find(|n| n.name.value == net.name);
        b.segments.push(SegmentPlan { name: net.name.as_str().into(), props: props(n.map(|n| &n.value)) });
    }
    b.segments.push(SegmentPlan { name: INTERNET.into(), props: props(None) });
}

/// A card on a network, with the network's MTU.
fn card(b: &mut Blueprint, world: &Scenario, host: &str, dev: &str, network: &str, mac: Option<sim_core::packet::Mac>) {
    let mtu = world.networks.iter().find(|n| n.name.value == network).and_then(|n| n.mtu.as_ref()).map(|m| m.value);
    b.nics.push(NicPlan { place: Place::host(host), nic: NewNic { name: dev.into(), mac, mtu }, segment: network.into() });
}

fn cable(b: &mut Blueprint, l: &crate::schema::LinkDef) {
    let end = |text: &str| {
        let (place, dev) = text.rsplit_once('/').unwrap_or((text, "eth0"));
        let place = match place.split_once('/') {
            Some((h, n)) => Place::netns(h, n),
            None => Place::host(place),
        };
        (place, NewNic { name: dev.into(), mac: None, mtu: l.mtu.as_ref().map(|m| m.value) })
    };
    let props = LinkProps {
        latency: l.latency.as_ref().map_or(Duration::ZERO, |d| d.value.0),
        jitter: l.jitter.as_ref().map_or(Duration::ZERO, |d| d.value.0),
        reorder: l.reorder.as_ref().is_some_and(|r| r.value),
        rate_bps: l.rate.as_ref().map_or(0, |r| r.value.0),
        queue: l.queue.as_ref().map_or(LinkProps::default().queue, |q| q.value),
        loss_ppm: l.loss.as_ref().map_or(0, |s| s.value.0),
        ..LinkProps::default()
    };
    b.cables.push(CablePlan { a: end(&l.a.value), b: end(&l.b.value), props });
}

fn push(b: &mut Blueprint, place: Place, op: Op, origin: &str) {
    b.ops.push(OpPlan { place, op: Arc::new(op), origin: origin.into() });
}

/// The commands of a text, at a host. What is no command was told by the checks.
fn run(b: &mut Blueprint, host: &str, text: &str, origin: &str) {
    for line in commands::script(text) {
        let origin: Arc<str> = format!("{origin} line {}", line.line).into();
        for o in line.ops() {
            let place = o.netns.as_ref().map_or_else(|| Place::host(host), |n| Place::netns(host, n.clone()));
            b.ops.push(OpPlan { place, op: Arc::new(o.op.clone()), origin: origin.clone() });
        }
    }
}

fn host(b: &mut Blueprint, world: &Scenario, h: &crate::schema::Host, addresses: &Addresses) {
    let name = h.name.value.as_str();
    let boot = |b: &mut Blueprint, op: Op| push(b, Place::host(name), op, "boot");
    match addresses.hosts.iter().find(|m| m.host == name) {
        Some(m) => machine::boot(m).into_iter().for_each(|op| boot(b, op)),
        None => boot(b, machine::up("lo")),
    }
    for i in &h.interfaces {
        boot(b, machine::up(&i.name.value));
        if let Some(ip) = &i.ip {
            let range = addresses.net(&i.network.value).map_or_else(|| sim_core::packet::Prefix::new(ip.value.0, 32), |n| n.range);
            boot(b, machine::addr(&i.name.value, ip.value.0, range));
        }
    }
    for l in &world.links {
        for end in [&l.a.value, &l.b.value] {
            let (place, dev) = end.rsplit_once('/').unwrap_or((end, "eth0"));
            match place.split_once('/') {
                None if place == name => boot(b, machine::up(dev)),
                Some((h, n)) if h == name => push(b, Place::netns(h, n), machine::up(dev), "boot"),
                _ => {}
            }
        }
    }
    for n in &h.namespaces {
        push(b, Place::netns(name, n.name.value.as_str()), machine::up("lo"), "boot");
    }
    if h.ipv6.as_ref().is_some_and(|v| v.value) {
        run(b, name, "sysctl -w net.ipv6.conf.all.disable_ipv6=0", "ipv6");
        for n in &h.namespaces {
            let line = format!("ip netns exec {} sysctl -w net.ipv6.conf.all.disable_ipv6=0", n.name.value);
            run(b, name, &line, "ipv6");
        }
    }
    if let Some(text) = &h.run {
        run(b, name, &text.value, "run");
    }
    servers(b, &Place::host(name), name, h.listen.iter().map(|l| &l.value));
    for n in &h.namespaces {
        servers(b, &Place::netns(name, n.name.value.as_str()), &format!("{name}/{}", n.name.value), n.listen.iter().map(|l| &l.value));
    }
}

fn servers<'a>(b: &mut Blueprint, place: &Place, name: &str, list: impl Iterator<Item = &'a Listen>) {
    for l in list {
        b.servers.push(ServerPlan { place: place.clone(), listen: listener(name, l) });
    }
}

/// A server of a host.
fn listener(name: &str, l: &Listen) -> apps::Listen {
    let mut out = match l.protocol {
        Proto::UDP => apps::Listen::udp(name, l.port),
        _ => apps::Listen::tcp(name, l.port),
    };
    out.kind = if l.protocol == Proto::UDP { SocketKind::Udp } else { SocketKind::Tcp };
    out.status = l.status.unwrap_or(200);
    out.delay = l.delay;
    out
}
