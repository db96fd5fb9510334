//! Two nodes with host-gw routes, a pod on each, built command by command: something to look at without a scenario file.

use sim_core::apps::Outcome;
use sim_core::apps::echo::Listen;
use sim_core::apps::{Echo, Ending};
use sim_core::engine::build::NewNic;
use sim_core::engine::{Agenda, Commands, Engine, FlowKind, FlowSpec, LinkProps, Run, SendOptions, Start, Storm, World};
use sim_core::linux::op::route::HopSpec;
use sim_core::linux::op::{AddrOp, LinkKind, LinkOp, LinkSet, NewLink, RouteOp, RouteSpec, RouteVerb};
use sim_core::linux::{FlowId, NetnsId, Op};
use sim_core::packet::{Bytes, Prefix};
use sim_core::trace::Recording;
use std::sync::Arc;
use std::time::Duration;

struct NoCommands;

impl Commands<Recording> for NoCommands {
    fn run(&mut self, _: &mut Engine<Recording>, _: NetnsId, _: &str, _: FlowId) -> Result<Outcome, Storm> {
        Ok(Outcome::of(Ending::Exited(0)))
    }
}

struct Maker {
    engine: Engine<Recording>,
    origin: Arc<str>,
}

impl Maker {
    fn op(&mut self, ns: NetnsId, op: Op) {
        self.engine.apply(ns, &Arc::new(op), &self.origin).unwrap_or_else(|e| panic!("{e}"));
    }

    fn set(&mut self, ns: NetnsId, dev: &str, set: LinkSet) {
        self.op(ns, Op::Link(LinkOp::Set { dev: dev.into(), set }));
    }

    fn up(&mut self, ns: NetnsId, dev: &str) {
        self.set(ns, dev, LinkSet { up: Some(true), ..LinkSet::default() });
    }

    fn addr(&mut self, ns: NetnsId, dev: &str, text: &str) {
        let (local, prefix) = Prefix::parse_interface(text).expect("an address");
        let add =
            AddrOp::Add { dev: dev.into(), local, prefix, peer: None, broadcast: None, scope: None, noprefixroute: false, replace: false };
        self.op(ns, Op::Addr(add));
    }

    fn route(&mut self, ns: NetnsId, prefix: &str, via: &str) {
        let mut r = RouteSpec::to(prefix.parse().expect("a range"));
        r.hops = vec![HopSpec { via: Some(via.parse().expect("an address")), ..HopSpec::default() }];
        self.op(ns, Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(r) }));
    }

    /// A node with its bridge and one pod.
    fn node(&mut self, name: &str, nic: &str, subnet: u8, pod: &str, veth: &str, host: u8) -> (NetnsId, NetnsId) {
        let w = &mut self.engine.world;
        let h = w.add_host(name);
        let root = w.hosts[h.0 as usize].root;
        let netns = w.add_netns(h, pod).expect("a new namespace");
        w.info[netns.0 as usize].label = pod.into();
        w.info[netns.0 as usize].pod = Some(format!("default/{pod}").into());
        let lan = w.segment_or_new();
        w.add_nic(root, &NewNic { name: "eth0".into(), ..NewNic::default() }, lan).expect("a card");
        self.up(root, "lo");
        self.up(netns, "lo");
        self.up(root, "eth0");
        self.addr(root, "eth0", nic);
        self.op(
            root,
            Op::Link(LinkOp::Add(NewLink { name: "cni0".into(), mac: None, mtu: None, kind: LinkKind::Bridge(Default::default()) })),
        );
        let kind = LinkKind::Veth { peer: "eth0".into(), peer_mtu: None, peer_mac: None, peer_netns: Some(pod.into()) };
        self.op(root, Op::Link(LinkOp::Add(NewLink { name: veth.into(), mac: None, mtu: None, kind })));
        self.set(root, veth, LinkSet { master: Some(Some("cni0".into())), ..LinkSet::default() });
        self.up(root, "cni0");
        self.up(root, veth);
        self.up(netns, "eth0");
        self.addr(root, "cni0", &format!("10.244.{subnet}.1/24"));
        self.addr(netns, "eth0", &format!("10.244.{subnet}.{host}/24"));
        self.route(netns, "0.0.0.0/0", &format!("10.244.{subnet}.1"));
        self.op(root, Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() });
        (root, netns)
    }
}

trait Lan {
    fn segment_or_new(&mut self) -> sim_core::engine::SegmentId;
}

impl Lan for World {
    fn segment_or_new(&mut self) -> sim_core::engine::SegmentId {
        let props = LinkProps { latency: Duration::from_micros(200), ..LinkProps::default() };
        self.wires.segment_by_name("lan").unwrap_or_else(|| self.add_segment("lan", props))
    }
}

/// A ping and a TCP connection from `client` on node-a to `web` on node-b, and a ping that fails.
pub(crate) fn two_nodes() -> Run {
    let mut m = Maker { engine: Engine::new(World::new(7), Recording::default()), origin: "by hand".into() };
    let (a, client) = m.node("node-a", "10.168.0.2/24", 0, "client", "vetha1f0", 2);
    let (b, web) = m.node("node-b", "10.168.0.3/24", 1, "web", "vethb7d3", 3);
    m.route(a, "10.244.1.0/24", "10.168.0.3");
    m.route(b, "10.244.0.0/24", "10.168.0.2");
    m.engine.world.spawn(web, "web", FlowId::NONE, Box::new(Echo::new(Listen::tcp("web", 80))));
    m.engine.run_until(sim_core::linux::Time::ZERO + Duration::from_secs(1)).expect("no storm");
    m.engine.trace = Recording::default();
    let flow = |name: &str, kind: FlowKind| FlowSpec {
        name: name.into(),
        from: client,
        start: Start::After(Duration::from_millis(1)),
        kind,
        options: SendOptions::default(),
    };
    let ping = |to: [u8; 4]| FlowKind::Ping { to: to.into(), count: 1, interval: Duration::from_secs(1), ident: Some(1), seq: 1 };
    let agenda = Agenda {
        flows: vec![
            flow("ping", ping([10, 244, 1, 3])),
            flow("tcp", FlowKind::Tcp { to: [10, 244, 1, 3].into(), port: 80, data: Bytes::from(&b"hello"[..]), hold: false }),
            flow("astray", ping([10, 9, 9, 9])),
        ],
        changes: Vec::new(),
        linger: Duration::ZERO,
    };
    m.engine.record(&agenda, &mut NoCommands)
}

/// The lesson of that world.
pub(crate) fn lesson() -> tui::LessonInput {
    let run = two_nodes();
    let report = sim_core::report::Report::new(&run);
    let story = report
        .steps()
        .find(|v| v.netns == "node-a" && v.kind == sim_core::report::Kind::RouteLookup)
        .map(|v| {
            let text = "node-a knows its own pod range and node-b's. The longest prefix that holds 10.244.1.3 wins.";
            (sim_core::trace::StepId(v.n - 1), text.to_owned())
        })
        .into_iter()
        .collect();
    drop(report);
    tui::LessonInput { id: "two-nodes".to_owned(), title: "Pod to pod across two nodes".to_owned(), number: Some((2, 6)), run, story }
}
