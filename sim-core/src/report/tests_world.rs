//! A small world for this floor's tests: two nodes on a segment, a pod on each, bridges and host-gw routes.
//!
//! ```text
//!  client ── vethc ─ cni0 │ node-a │ eth0 ──── lan ──── eth0 │ node-b │ cni0 ─ vethw ── web :80
//!  10.244.0.2   10.244.0.1          10.168.0.2    10.168.0.3            10.244.1.1      10.244.1.3
//! ```
#![allow(clippy::unwrap_used, reason = "tests")]

use super::ScenarioInfo;
use crate::apps::echo::Listen;
use crate::apps::{Echo, Outcome};
use crate::engine::build::NewNic;
use crate::engine::flow::SendOptions;
use crate::engine::flows::{Agenda, Commands};
use crate::engine::guard::Storm;
use crate::engine::{Engine, FlowKind, FlowSpec, LinkProps, Run, Start, World};
use crate::linux::netfilter::{Policy, RuleSpec, TableKind};
use crate::linux::op::route::HopSpec;
use crate::linux::op::xtables::{XtCommand, XtOp};
use crate::linux::op::{AddrOp, BridgeSet, LinkKind, LinkOp, LinkSet, NewLink, RouteOp, RouteSpec, RouteVerb};
use crate::linux::{FlowId, NetnsId, Op};
use crate::packet::{Bytes, Ipv4Addr, Mac, Prefix};
use crate::trace::Recording;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct NoCommands;

impl Commands<Recording> for NoCommands {
    fn run(&mut self, _: &mut Engine<Recording>, _: NetnsId, _: &str, _: FlowId) -> Result<Outcome, Storm> {
        unreachable!("no commands in these tests")
    }
}

pub(super) struct Lab {
    pub(super) engine: Engine<Recording>,
    pub(super) node_a: NetnsId,
    pub(super) node_b: NetnsId,
    pub(super) client: NetnsId,
    pub(super) flows: Vec<FlowSpec>,
}

pub(super) fn ip(s: &str) -> Ipv4Addr {
    s.parse().unwrap()
}

impl Lab {
    pub(super) fn new() -> Lab {
        let mut w = World::new(7);
        let (a, b) = (w.add_host("node-a"), w.add_host("node-b"));
        let (node_a, node_b) = (w.hosts[0].root, w.hosts[1].root);
        let client = w.add_netns(a, "client").unwrap();
        let web = w.add_netns(b, "web").unwrap();
        for (ns, label) in [(client, "client"), (web, "web")] {
            w.info[ns.0 as usize].label = label.into();
        }
        let lan = w.add_segment("lan", LinkProps { latency: Duration::from_micros(200), ..LinkProps::default() });
        for (ns, last) in [(node_a, 2), (node_b, 3)] {
            let nic = NewNic { name: "eth0".into(), mac: Some(Mac([0x52, 0x54, 0, 0, 0, last])), mtu: None };
            w.add_nic(ns, &nic, lan).unwrap();
        }
        let mut lab = Lab { engine: Engine::new(w, Recording::default()), node_a, node_b, client, flows: Vec::new() };
        for (node, pod, name, octet, host, address) in
            [(node_a, client, "client", 0, "10.168.0.2/24", "10.244.0.2/24"), (node_b, web, "web", 1, "10.168.0.3/24", "10.244.1.3/24")]
        {
            lab.sysctl(node, "net.ipv4.ip_forward", "1");
            lab.sysctl(node, "net.bridge.bridge-nf-call-iptables", "0");
            lab.up(node, "lo");
            lab.up(pod, "lo");
            lab.up(node, "eth0");
            lab.addr(node, "eth0", host);
            lab.link(node, "cni0", Some(Mac([0x0a, 0x58, 10, 244, octet, 1])), LinkKind::Bridge(BridgeSet::default()));
            lab.up(node, "cni0");
            lab.addr(node, "cni0", &format!("10.244.{octet}.1/24"));
            let port = format!("veth{}", &name[..1]);
            let last = if octet == 0 { 2 } else { 3 };
            let veth = LinkKind::Veth {
                peer: "eth0".into(),
                peer_mtu: None,
                peer_mac: Some(Mac([0x0a, 0x58, 10, 244, octet, last])),
                peer_netns: Some(name.into()),
            };
            lab.link(node, &port, Some(Mac([2, 0, 0, 0, octet, 9])), veth);
            lab.set(node, &port, LinkSet { master: Some(Some("cni0".into())), up: Some(true), ..LinkSet::default() });
            lab.up(pod, "eth0");
            lab.addr(pod, "eth0", address);
            lab.route(pod, "0.0.0.0/0", Some(&format!("10.244.{octet}.1")));
        }
        lab.engine.world.spawn(web, "nginx", FlowId::NONE, Box::new(Echo::new(Listen::tcp("nginx", 80))));
        let until = lab.engine.world.now + Duration::from_secs(1);
        lab.engine.run_until(until).unwrap();
        lab
    }

    /// The same with the routes of host-gw.
    pub(super) fn host_gw() -> Lab {
        let mut lab = Lab::new();
        let (a, b) = (lab.node_a, lab.node_b);
        lab.route(a, "10.244.1.0/24", Some("10.168.0.3"));
        lab.route(b, "10.244.0.0/24", Some("10.168.0.2"));
        lab.route(a, "0.0.0.0/0", Some("10.168.0.1"));
        lab
    }

    pub(super) fn op(&mut self, ns: NetnsId, op: Op, origin: &str) {
        self.engine.apply(ns, &Arc::new(op), &Arc::from(origin)).unwrap();
    }

    fn sysctl(&mut self, ns: NetnsId, key: &str, value: &str) {
        self.op(ns, Op::Sysctl { key: key.into(), value: value.into() }, "");
    }

    pub(super) fn set(&mut self, ns: NetnsId, dev: &str, set: LinkSet) {
        self.op(ns, Op::Link(LinkOp::Set { dev: dev.into(), set }), "");
    }

    fn up(&mut self, ns: NetnsId, dev: &str) {
        self.set(ns, dev, LinkSet { up: Some(true), ..LinkSet::default() });
    }

    fn link(&mut self, ns: NetnsId, name: &str, mac: Option<Mac>, kind: LinkKind) {
        self.op(ns, Op::Link(LinkOp::Add(NewLink { name: name.into(), mac, mtu: None, kind })), "bridge plugin");
    }

    fn addr(&mut self, ns: NetnsId, dev: &str, cidr: &str) {
        let (local, prefix) = Prefix::parse_interface(cidr).unwrap();
        let op =
            AddrOp::Add { dev: dev.into(), local, prefix, peer: None, broadcast: None, scope: None, noprefixroute: false, replace: false };
        self.op(ns, Op::Addr(op), "");
    }

    pub(super) fn route(&mut self, ns: NetnsId, prefix: &str, via: Option<&str>) {
        let hops = vec![HopSpec { via: via.map(ip), ..HopSpec::default() }];
        let route = Box::new(RouteSpec { hops, ..RouteSpec::to(prefix.parse().unwrap()) });
        self.op(ns, Op::Route(RouteOp::One { verb: RouteVerb::Add, route }), "flanneld");
    }

    pub(super) fn rule(&mut self, ns: NetnsId, table: TableKind, chain: &str, spec: RuleSpec) {
        let command = XtCommand::Append(chain.into(), Arc::new(spec));
        self.op(ns, Op::Xtables(crate::packet::Family::Inet, XtOp::Command { table, command }), "kube-proxy");
    }

    pub(super) fn policy(&mut self, ns: NetnsId, chain: &str, policy: Policy) {
        let command = XtCommand::Policy(chain.into(), policy);
        self.op(ns, Op::Xtables(crate::packet::Family::Inet, XtOp::Command { table: TableKind::Filter, command }), "admin");
    }

    fn flow(&mut self, name: &str, from: NetnsId, kind: FlowKind, options: SendOptions) {
        self.flows.push(FlowSpec { name: name.into(), from, start: Start::After(Duration::ZERO), kind, options });
    }

    pub(super) fn ping(&mut self, name: &str, from: NetnsId, to: &str) {
        let kind = FlowKind::Ping { to: ip(to).into(), count: 1, interval: Duration::from_secs(1), ident: Some(257), seq: 1 };
        self.flow(name, from, kind, SendOptions { size: Some(8), ..SendOptions::default() });
    }

    pub(super) fn tcp(&mut self, name: &str, from: NetnsId, to: &str, port: u16) {
        let kind = FlowKind::Tcp { to: ip(to).into(), port, data: Bytes::from("hello"), hold: false };
        self.flow(name, from, kind, SendOptions { sport: Some(41000), ..SendOptions::default() });
    }

    pub(super) fn run(mut self) -> Run {
        let agenda = Agenda { flows: std::mem::take(&mut self.flows), changes: Vec::new(), linger: Duration::from_millis(100) };
        self.engine.trace = Recording::default();
        self.engine.record(&agenda, &mut NoCommands)
    }
}

pub(super) fn info() -> ScenarioInfo {
    ScenarioInfo { id: "lab".into(), title: "A small lab".into(), cni: Some("flannel".into()), proxy: None, seed: 7 }
}
