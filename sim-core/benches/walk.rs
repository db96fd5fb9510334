//! How fast packets walk, and how small a large cluster is.
//!
//! W1: client - bridge - five routers in a row - bridge - server: four L2 segments and four point-to-point links of 1 us;
//! a 64-byte UDP echo every 50 us, 100,000 echoes, ARP included. A hop is one crossing of a link: 16 per echo.
//!
//! W2: 15,000 pods on 500 nodes: 30 pods each on a bridge, and a route per other node.
//!
//! `cargo bench` prints the figures; with `--quick` a tenth of the work.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures and prints"
)]

use sim_core::apps::{Event, Program, Syscalls};
use sim_core::engine::build::NewNic;
use sim_core::engine::{Engine, HostId, LinkProps, World};
use sim_core::linux::device::Scope;
use sim_core::linux::op::{AddrOp, LinkKind, LinkOp, LinkSet, NewLink, RouteBatch, RouteOp, RouteSpec, RouteVerb, route::HopSpec};
use sim_core::linux::socket::SocketKind;
use sim_core::linux::{FlowId, NetnsId, Op, SocketId, Time};
use sim_core::packet::{Bytes, Endpoint, Ipv4Addr, Prefix};
use sim_core::trace::{Keep, NoTrace, Recorder, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// Other work on the machine disturbs; the best of some rounds is the least disturbed one.
const ROUNDS: u32 = 3;

/// Nanoseconds of CPU time that this process has used.
fn cpu_ns() -> u64 {
    std::fs::read_to_string("/proc/self/schedstat").ok().and_then(|s| s.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| {
        use std::time::{SystemTime, UNIX_EPOCH};
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
    })
}

/// A figure of /proc/self/status in KiB.
fn status_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|l| l.starts_with(key)).and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Sends a datagram at every tick.
#[derive(Clone, Debug)]
struct Sender {
    socket: SocketId,
    to: Endpoint<Ipv4Addr>,
    left: u32,
    answered: u32,
    payload: Bytes,
}

impl Program for Sender {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => {
                self.socket = sys.socket(SocketKind::Udp);
                sys.connect(self.socket, self.to.into()).expect("a route to the server");
                sys.set_timer(Duration::from_micros(50), 0);
            }
            Event::Timer(_) => {
                sys.send(self.socket, &self.payload).expect("a datagram is sent");
                self.left -= 1;
                if self.left > 0 {
                    sys.set_timer(Duration::from_micros(50), 0);
                }
            }
            Event::Socket(s) => {
                while let Ok(d) = sys.recv_from(s) {
                    assert_eq!(d.data.len(), 64);
                    self.answered += 1;
                }
            }
            Event::Command => {}
        }
    }
    fn boxed_clone(&self) -> Box<dyn Program> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// Sends every datagram back.
#[derive(Clone, Debug)]
struct Reflector(SocketId);

impl Program for Reflector {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => {
                self.0 = sys.socket(SocketKind::Udp);
                sys.bind(self.0, Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), 7)).expect("port 7 is free");
            }
            Event::Socket(s) => {
                while let Ok(d) = sys.recv_from(s) {
                    sys.send_to(s, d.from, &d.data).expect("the answer is sent");
                }
            }
            Event::Timer(_) | Event::Command => {}
        }
    }
    fn boxed_clone(&self) -> Box<dyn Program> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

struct Builder<T: Tracer> {
    engine: Engine<T>,
    origin: Arc<str>,
}

impl<T: Tracer> Builder<T> {
    fn op(&mut self, ns: NetnsId, op: Op) {
        self.engine.apply(ns, &Arc::new(op), &self.origin).unwrap_or_else(|e| panic!("{e}"));
    }

    fn root(&self, host: HostId) -> NetnsId {
        self.engine.world.hosts[host.0 as usize].root
    }

    fn set(&mut self, ns: NetnsId, dev: &str, set: LinkSet) {
        self.op(ns, Op::Link(LinkOp::Set { dev: dev.into(), set }));
    }

    fn up(&mut self, ns: NetnsId, dev: &str) {
        self.set(ns, dev, LinkSet { up: Some(true), ..LinkSet::default() });
    }

    fn addr(&mut self, ns: NetnsId, dev: &str, text: &str) {
        let (local, prefix) = Prefix::parse_interface(text).expect("an address");
        self.op(
            ns,
            Op::Addr(AddrOp::Add {
                dev: dev.into(),
                local,
                prefix,
                peer: None,
                broadcast: None,
                scope: None::<Scope>,
                noprefixroute: false,
                replace: false,
            }),
        );
    }

    fn route(&mut self, ns: NetnsId, prefix: &str, via: &str) {
        let mut r = RouteSpec::to(prefix.parse().expect("a range"));
        r.hops = vec![HopSpec { via: Some(via.parse().expect("an address")), ..HopSpec::default() }];
        self.op(ns, Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(r) }));
    }

    fn host(&mut self, name: &str) -> NetnsId {
        let h = self.engine.world.add_host(name);
        let ns = self.root(h);
        self.up(ns, "lo");
        ns
    }

    fn cable(&mut self, a: (NetnsId, &str), b: (NetnsId, &str), latency: Duration) {
        let nic = |name: &str| NewNic { name: name.into(), ..NewNic::default() };
        self.engine.world.add_cable((a.0, &nic(a.1)), (b.0, &nic(b.1)), LinkProps { latency, ..LinkProps::default() }).expect("a cable");
        self.up(a.0, a.1);
        self.up(b.0, b.1);
    }

    fn bridge(&mut self, ns: NetnsId, name: &str, ports: &[&str]) {
        let link = NewLink { name: name.into(), mac: None, mtu: None, kind: LinkKind::Bridge(Default::default()) };
        self.op(ns, Op::Link(LinkOp::Add(link)));
        for p in ports {
            self.set(ns, p, LinkSet { master: Some(Some(name.into())), ..LinkSet::default() });
        }
        self.up(ns, name);
    }

    fn forward(&mut self, ns: NetnsId) {
        self.op(ns, Op::Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() });
    }
}

fn w1<T: Tracer>(trace: T, echoes: u32) -> (Engine<T>, u32) {
    let mut b = Builder { engine: Engine::new(World::new(1), trace), origin: "bench".into() };
    let us = Duration::from_micros(1);
    let (client, left, right, server) = (b.host("client"), b.host("left"), b.host("right"), b.host("server"));
    let routers: Vec<NetnsId> = (1..=5).map(|i| b.host(&format!("r{i}"))).collect();
    b.cable((client, "eth0"), (left, "p0"), us);
    b.cable((routers[0], "eth0"), (left, "p1"), us);
    for i in 0..4 {
        b.cable((routers[i], "eth1"), (routers[i + 1], "eth0"), us);
    }
    b.cable((routers[4], "eth1"), (right, "p0"), us);
    b.cable((server, "eth0"), (right, "p1"), us);
    b.bridge(left, "br0", &["p0", "p1"]);
    b.bridge(right, "br0", &["p0", "p1"]);
    b.addr(client, "eth0", "10.0.0.10/24");
    b.addr(server, "eth0", "10.0.9.10/24");
    for (i, r) in routers.iter().enumerate() {
        b.forward(*r);
        let west = if i == 0 { "10.0.0.1/24".to_owned() } else { format!("10.1.{i}.2/24") };
        let east = if i == 4 { "10.0.9.1/24".to_owned() } else { format!("10.1.{}.1/24", i + 1) };
        b.addr(*r, "eth0", &west);
        b.addr(*r, "eth1", &east);
    }
    for (i, r) in routers.iter().enumerate() {
        if i > 0 {
            b.route(*r, "10.0.0.0/24", &format!("10.1.{i}.1"));
        }
        if i < 4 {
            b.route(*r, "10.0.9.0/24", &format!("10.1.{}.2", i + 1));
        }
    }
    b.route(client, "0.0.0.0/0", "10.0.0.1");
    b.route(server, "0.0.0.0/0", "10.0.9.1");
    b.engine.world.spawn(server, "reflector", FlowId::NONE, Box::new(Reflector(SocketId::NONE)));
    let to = Endpoint::new(Ipv4Addr::new(10, 0, 9, 10), 7);
    let sender = Sender { socket: SocketId::NONE, to, left: echoes, answered: 0, payload: Bytes::filled(b'e', 64) };
    let program = b.engine.world.spawn(client, "sender", FlowId(1), Box::new(sender));
    b.engine.announce();
    (b.engine, program)
}

fn answered<T: Tracer>(engine: &Engine<T>, program: u32) -> u32 {
    engine.world.program(program).and_then(|s| s.program.as_ref()?.as_any().downcast_ref::<Sender>().map(|s| s.answered)).unwrap_or(0)
}

fn drive<T: Tracer>(mut engine: Engine<T>, program: u32, echoes: u32) -> (Engine<T>, f64) {
    let end = Time(u64::from(echoes) * 50_000 + 10_000_000);
    let before = cpu_ns();
    engine.run_until(end).expect("no loop");
    let used = cpu_ns() - before;
    assert_eq!(answered(&engine, program), echoes, "every echo is answered");
    (engine, used as f64 / (f64::from(echoes) * 16.0))
}

fn w2(nodes: u32, pods: u32) -> Engine<NoTrace> {
    let mut b = Builder { engine: Engine::new(World::new(1), NoTrace), origin: "bench".into() };
    let lan = b.engine.world.add_segment("lan", LinkProps::default());
    let node_ip = |n: u32| Ipv4Addr::from(0x0aa8_0002 + n);
    let pod_net = |n: u32| Prefix::new(Ipv4Addr::from(0x0af4_0000 + (n << 8)), 24);
    let routes = (0..nodes)
        .map(|n| {
            let mut r = RouteSpec::to(pod_net(n));
            r.hops = vec![HopSpec { via: Some(node_ip(n)), dev: Some("eth0".into()), ..HopSpec::default() }];
            r
        })
        .collect();
    let batch = Arc::new(RouteBatch::new(routes));
    for n in 0..nodes {
        let h = b.engine.world.add_host(&format!("node-{n}"));
        let ns = b.root(h);
        b.up(ns, "lo");
        b.engine.world.add_nic(ns, &NewNic { name: "eth0".into(), ..NewNic::default() }, lan).expect("a card");
        b.up(ns, "eth0");
        b.addr(ns, "eth0", &format!("{}/16", node_ip(n)));
        b.forward(ns);
        b.bridge(ns, "cni0", &[]);
        b.addr(ns, "cni0", &format!("{}/24", pod_net(n).nth(1).expect("a gateway")));
        b.op(ns, Op::Route(RouteOp::Batch { batch: batch.clone(), skip: Some(pod_net(n)) }));
        for p in 0..pods {
            let name = format!("pod-{p}");
            let pod = b.engine.world.add_netns(h, &name).expect("a new name");
            let veth = format!("veth{p}");
            let link = NewLink {
                name: veth.as_str().into(),
                mac: None,
                mtu: None,
                kind: LinkKind::Veth { peer: "eth0".into(), peer_mtu: None, peer_mac: None, peer_netns: Some(name.as_str().into()) },
            };
            b.op(ns, Op::Link(LinkOp::Add(link)));
            b.set(ns, &veth, LinkSet { master: Some(Some("cni0".into())), up: Some(true), ..LinkSet::default() });
            b.up(pod, "lo");
            b.addr(pod, "eth0", &format!("{}/24", pod_net(n).nth(u128::from(p) + 2).expect("an address")));
            b.up(pod, "eth0");
            b.route(pod, "0.0.0.0/0", &pod_net(n).nth(1).expect("a gateway").to_string());
        }
    }
    b.engine
}

/// Both, each in a process of its own: what one leaves in the allocator would count for the other.
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let quick = args.iter().any(|a| a == "--quick");
    match args.iter().find(|a| matches!(a.as_str(), "w1" | "w2")).map(String::as_str) {
        Some("w1") => print_w1(if quick { 10_000 } else { 100_000 }),
        Some(_) => print_w2(if quick { 50 } else { 500 }, 30),
        None => {
            let me = std::env::current_exe().expect("a path");
            for which in ["w1", "w2"] {
                let done = std::process::Command::new(&me).arg(which).args(quick.then_some("--quick")).status().expect("a process");
                assert!(done.success(), "{which}");
            }
        }
    }
}

fn print_w1(echoes: u32) {
    println!("W1: {echoes} echoes of 64 bytes, 16 hops each; best of {ROUNDS} rounds, in turns without and with a trace");
    let hops = f64::from(echoes) * 16.0;
    let (mut off, mut on, mut finish) = (f64::MAX, f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        let (engine, program) = w1(NoTrace, echoes);
        off = off.min(drive(engine, program, echoes).1);
        if round == 0 {
            println!("  peak memory, off     {:8} KiB", status_kib("VmHWM:"));
        }
        let (engine, program) = w1(Recorder::default(), echoes);
        let (engine, ns) = drive(engine, program, echoes);
        on = on.min(ns);
        let (steps, bytes) = (engine.trace.steps(), engine.trace.bytes_per_step());
        if round == 0 {
            println!("  peak memory, on      {:8} KiB", status_kib("VmHWM:"));
            println!("  steps                {steps:8}, {:.1} per hop", f64::from(steps) / hops);
            println!("  bytes per kept step  {bytes:8}");
        }
        let before = cpu_ns();
        let recording = engine.trace.finish();
        finish = finish.min((cpu_ns() - before) as f64 / hops);
        assert_eq!(recording.steps.len(), steps as usize);
    }
    println!("  tracing off          {off:8.1} ns per hop (CPU)");
    println!("  every step kept      {on:8.1} ns per hop (CPU), {:.2} times", on / off);
    println!("  made for readers in  {finish:8.1} ns per hop (CPU), when the run is over");
}

fn print_w2(nodes: u32, pods: u32) {
    println!("W2: {} pods on {nodes} nodes, {pods} each, a route per other node", nodes * pods);
    let (memory, before) = (status_kib("VmRSS:"), cpu_ns());
    let engine = w2(nodes, pods);
    let used = cpu_ns() - before;
    let count = u64::from(nodes * pods);
    println!("  to build             {:8.2} us per pod", used as f64 / 1000.0 / count as f64);
    println!("  memory               {:8} bytes per pod", (status_kib("VmRSS:").saturating_sub(memory)) * 1024 / count);
    let before = cpu_ns();
    let copy = engine.world.clone();
    let used = cpu_ns() - before;
    println!("  to clone the world   {:8.3} ms", used as f64 / 1e6);
    drop(copy);
}
