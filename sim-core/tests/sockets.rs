//! Programs on the sockets of two hosts that one cable joins: what they see, and what a capture sees.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use sim_core::apps::{
    Command, Echo, Ending, Event, HttpClient, Listen, Options, Origin, Outcome, Ping, Program, Raw, Request, Syscalls, TcpClient, UdpClient,
};
use sim_core::engine::build::NewNic;
use sim_core::engine::{Engine, LinkProps, World};
use sim_core::linux::device::Scope;
use sim_core::linux::op::{AddrOp, LinkOp, LinkSet};
use sim_core::linux::socket::{PmtuDisc, SocketKind};
use sim_core::linux::{Errno, FlowId, NetnsId, Op, SocketId, Time};
use sim_core::packet::{Body, Bytes, Endpoint, IpAddr, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Prefix, Tcp, TcpFlags};
use sim_core::trace::{DropReason, Evidence, Recording};
use std::sync::Arc;
use std::time::Duration;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

struct Lab {
    engine: Engine<Recording>,
    client: NetnsId,
    server: NetnsId,
    flows: u32,
}

impl Lab {
    fn new() -> Self {
        let mut world = World::new(7);
        let roots = ["client", "server"].map(|name| {
            let host = world.add_host(name);
            world.hosts[host.0 as usize].root
        });
        let nic = NewNic { name: "eth0".into(), ..NewNic::default() };
        world.add_cable((roots[0], &nic), (roots[1], &nic), LinkProps::default()).unwrap();
        let mut lab = Lab { engine: Engine::new(world, Recording::default()), client: roots[0], server: roots[1], flows: 0 };
        for (ns, addr) in [(lab.client, CLIENT), (lab.server, SERVER)] {
            for dev in ["lo", "eth0"] {
                let set = LinkSet { up: Some(true), ..LinkSet::default() };
                lab.op(ns, Op::Link(LinkOp::Set { dev: dev.into(), set }));
            }
            let (local, prefix) = Prefix::parse_interface(&format!("{addr}/24")).unwrap();
            let (peer, broadcast, scope) = (None, None, None::<Scope>);
            let add = AddrOp::Add { dev: "eth0".into(), local, prefix, peer, broadcast, scope, noprefixroute: false, replace: false };
            lab.op(ns, Op::Addr(add));
        }
        lab
    }

    fn op(&mut self, ns: NetnsId, op: Op) {
        self.engine.apply(ns, &Arc::new(op), &Arc::from("test")).unwrap();
    }

    fn spawn(&mut self, ns: NetnsId, program: Box<dyn Program>) -> u32 {
        self.flows += 1;
        let id = self.engine.world.spawn(ns, "program", FlowId(self.flows), program);
        self.settle();
        id
    }

    fn serve(&mut self, listen: Listen) -> u32 {
        self.spawn(self.server, Box::new(Echo::new(listen)))
    }

    /// Lets all happen that happens within a microsecond.
    fn settle(&mut self) {
        let until = self.engine.world.now + Duration::from_micros(1);
        self.engine.run_until(until).unwrap();
    }

    fn run(&mut self, seconds: u64) {
        let until = self.engine.world.now + Duration::from_secs(seconds);
        self.engine.run_until(until).unwrap();
    }

    fn program<P: Program + 'static>(&self, id: u32) -> &P {
        self.engine.world.program(id).unwrap().program.as_ref().unwrap().as_any().downcast_ref().unwrap()
    }

    /// Runs a client program on the client host until it has an outcome.
    fn outcome(&mut self, program: impl Program + 'static) -> Outcome {
        let id = self.spawn(self.client, Box::new(program));
        let limit = self.engine.world.now + Duration::from_secs(300);
        loop {
            if let Some(o) = self.engine.world.program(id).unwrap().program.as_ref().unwrap().outcome() {
                return o.clone();
            }
            assert!(self.engine.step_event(limit).unwrap(), "no outcome");
        }
    }

    /// IPv4 packets that went out of or came in by the client's eth0, in order.
    fn capture(&self) -> Vec<(bool, Ipv4Packet)> {
        let rec = &self.engine.trace;
        let mut seen = Vec::new();
        for s in &rec.steps {
            let out = match s.evidence {
                Evidence::Transmit { .. } => true,
                Evidence::Receive { .. } => false,
                _ => continue,
            };
            let frame = rec.frame(s.version).unwrap();
            if let (true, Net::Ipv4(p)) = (s.netns == self.client && s.dev.0 == 2, frame.net) {
                seen.push((out, p));
            }
        }
        seen
    }

    fn segments(&self) -> Vec<Tcp> {
        let tcp = |p: &Ipv4Packet| match &p.body {
            Body::Tcp(t) => Some(t.clone()),
            _ => None,
        };
        self.capture().iter().filter_map(|(_, p)| tcp(p)).collect()
    }

    fn flags(&self) -> String {
        self.segments().iter().map(|t| t.flags.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn probe(&mut self, f: fn(&mut dyn Syscalls) -> Vec<String>) -> Vec<String> {
        let id = self.spawn(self.client, Box::new(Probe { f, said: Vec::new() }));
        self.program::<Probe>(id).said.clone()
    }
}

/// Makes some system calls and tells what they answered.
#[derive(Clone, Debug)]
struct Probe {
    f: fn(&mut dyn Syscalls) -> Vec<String>,
    said: Vec<String>,
}

impl Program for Probe {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        if event == Event::Start {
            self.said = (self.f)(sys);
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

fn at(addr: Ipv4Addr, port: u16) -> Endpoint<IpAddr> {
    Endpoint::new(addr.into(), port)
}

fn tcp(to: Ipv4Addr, port: u16, options: Options) -> TcpClient {
    TcpClient::new(at(to, port), Bytes::from("hello"), false, options)
}

fn udp(to: Ipv4Addr, port: u16, size: usize, options: Options) -> UdpClient {
    UdpClient::new(at(to, port), Bytes::filled(b'x', size), false, options)
}

fn ping(to: Ipv4Addr, count: u32) -> Ping {
    Ping::new(to, count, Duration::from_secs(1), Some(0x101), 1, 8, Options::default())
}

fn said(r: Result<(), Errno>) -> String {
    r.map_or_else(|e| e.name().into(), |()| "ok".into())
}

#[test]
fn a_tcp_connection_looks_as_in_a_capture() {
    let mut lab = Lab::new();
    let server = lab.serve(Listen::tcp("web", 80));
    let o = lab.outcome(tcp(SERVER, 80, Options::default()));
    lab.settle();
    assert_eq!(lab.flags(), "S S. . P. . P. . F. . F. .");
    let (own, peer) = o.client_saw.unwrap();
    assert_eq!((o.ending, o.errno, o.sent, o.received), (Ending::Connected, None, 5, 8));
    assert_eq!((own.addr, peer), (CLIENT.into(), at(SERVER, 80)));
    assert!((32_768..61_000).contains(&own.port) && own.port % 2 == 0, "connect(2) takes even ports: {}", own.port);
    let seen = lab.program::<Echo>(server).seen();
    assert_eq!((seen.len(), seen[0].client, seen[0].local, seen[0].bytes), (1, own, at(SERVER, 80), 5));
    for (_, p) in lab.capture() {
        assert!(p.header.dont_fragment && p.header.ttl == 64, "{p:?}");
    }
    // nothing is left but the client's TIME_WAIT
    assert_eq!(lab.engine.world.ns(lab.server).unwrap().sockets.sorted().len(), 1);
    assert_eq!(lab.engine.world.ns(lab.client).unwrap().sockets.sorted().len(), 1);
    lab.run(61);
    assert_eq!(lab.engine.world.ns(lab.client).unwrap().sockets.sorted().len(), 0);
    assert_eq!(lab.flags().split(' ').count(), 11);
}

#[test]
fn a_closed_port_refuses() {
    let mut lab = Lab::new();
    let o = lab.outcome(tcp(SERVER, 81, Options::default()));
    assert_eq!((o.ending, o.errno, o.immediate, o.origin), (Ending::Refused, Some(Errno::ECONNREFUSED), false, None));
    assert_eq!(lab.flags(), "S R.");
    let (_, reset) = lab.capture().pop().unwrap();
    let seg = lab.segments();
    assert_eq!((reset.header.id, reset.header.dont_fragment, reset.header.ttl), (0, true, 64));
    assert_eq!((seg[1].seq, seg[1].ack, seg[1].window), (0, seg[0].seq.wrapping_add(1), 0));
    let o = lab.outcome(udp(SERVER, 82, 5, Options::default()));
    assert_eq!((o.ending, o.errno, o.immediate), (Ending::Refused, Some(Errno::ECONNREFUSED), false));
    assert_eq!((o.origin, o.icmp, o.offender), (Some(Origin::Icmp), Some((3, 3)), Some(SERVER.into())));
}

#[test]
fn udp_is_answered() {
    let mut lab = Lab::new();
    let server = lab.serve(Listen::udp("dns", 53));
    let o = lab.outcome(udp(SERVER, 53, 30, Options { sport: Some(5353), ..Options::default() }));
    assert_eq!((o.ending, o.sent, o.received), (Ending::Replied, 30, 8));
    assert_eq!(o.client_saw, Some((at(CLIENT, 5353), at(SERVER, 53))));
    let seen = lab.program::<Echo>(server).seen();
    assert_eq!((seen[0].client, seen[0].bytes, seen[0].flow), (at(CLIENT, 5353), 30, FlowId(2)));
}

#[test]
fn too_long_for_the_link_is_an_error_of_this_host() {
    let mut lab = Lab::new();
    lab.serve(Listen::udp("dns", 53));
    let must_not_be_cut = Options { pmtudisc: Some(PmtuDisc::Do), ..Options::default() };
    let o = lab.outcome(udp(SERVER, 53, 1473, must_not_be_cut.clone()));
    assert_eq!((o.ending, o.immediate, o.origin, o.icmp, o.info), (Ending::MessageTooLong, true, Some(Origin::Local), None, 1500));
    assert_eq!(lab.outcome(udp(SERVER, 53, 1472, must_not_be_cut)).ending, Ending::Replied);
    let o = lab.outcome(udp(SERVER, 53, 65_508, Options::default()));
    assert_eq!((o.ending, o.origin), (Ending::MessageTooLong, None), "no IPv4 packet is that long");
    let may = Options { pmtudisc: Some(PmtuDisc::Dont), ..Options::default() };
    assert!(!lab.outcome(udp(SERVER, 53, 1473, may)).immediate);
    let parts = lab.capture().iter().filter(|(out, p)| *out && p.is_fragment() && !p.header.dont_fragment).count();
    assert_eq!(parts, 2, "without DF the sender cuts it");
}

#[test]
fn silence_and_errors_of_ping() {
    let mut lab = Lab::new();
    let o = lab.outcome(ping(SERVER, 3));
    assert_eq!((o.ending, o.answer, o.sent, o.received), (Ending::Replied, Some((SERVER.into(), 64)), 48, 48));
    assert_eq!(lab.engine.world.now.0 / 1_000_000_000, 2, "three requests, a second apart");
    let began = lab.engine.world.now;
    let o = lab.outcome(ping(NOBODY, 1));
    assert_eq!((o.ending, o.immediate, o.origin), (Ending::HostUnreachable, false, Some(Origin::Icmp)));
    assert_eq!((o.icmp, o.offender), (Some((3, 1)), Some(CLIENT.into())));
    assert_eq!(lab.engine.world.now.since(began).as_secs(), 3);
    let o = lab.outcome(ping(Ipv4Addr::new(192, 0, 2, 1), 1));
    assert_eq!((o.ending, o.immediate, o.errno, o.origin), (Ending::NetworkUnreachable, true, Some(Errno::ENETUNREACH), None));
    // somebody who does not answer
    lab.op(lab.server, Op::Sysctl { key: "net.ipv4.icmp_echo_ignore_all".into(), value: "1".into() });
    let began = lab.engine.world.now;
    assert_eq!(lab.outcome(ping(SERVER, 1)).ending, Ending::NoReply);
    assert_eq!(lab.engine.world.now.since(began), Duration::from_secs(10));
}

#[test]
fn a_host_that_is_not_there() {
    let mut lab = Lab::new();
    let o = lab.outcome(tcp(NOBODY, 80, Options::default()));
    assert_eq!((o.ending, o.errno, o.immediate), (Ending::HostUnreachable, Some(Errno::EHOSTUNREACH), false));
    assert_eq!((o.icmp, o.offender), (Some((3, 1)), Some(CLIENT.into())));
    let o = lab.outcome(tcp(NOBODY, 80, Options { timeout: Some(Duration::from_millis(800)), ..Options::default() }));
    assert_eq!((o.ending, o.errno), (Ending::TimedOut, None), "its own patience, not the kernel's");
    let o = lab.outcome(tcp(Ipv4Addr::new(192, 0, 2, 1), 80, Options::default()));
    assert_eq!((o.ending, o.immediate), (Ending::NetworkUnreachable, true));
    let o = lab.outcome(tcp(Ipv4Addr::new(10, 0, 0, 255), 80, Options::default()));
    assert_eq!((o.ending, o.immediate), (Ending::NetworkUnreachable, true));
    let o = lab.outcome(udp(Ipv4Addr::new(10, 0, 0, 255), 80, 5, Options::default()));
    assert_eq!((o.ending, o.errno), (Ending::PermissionDenied, Some(Errno::EACCES)));
}

#[test]
fn http_is_answered_in_http() {
    let mut lab = Lab::new();
    lab.serve(Listen::tcp("shop", 80));
    lab.serve(Listen { status: 503, delay: Duration::from_secs(2), ..Listen::tcp("slow", 81) });
    let get = |port| Request {
        to: at(SERVER, port),
        method: "GET".into(),
        path: "/cart".into(),
        host: "shop.example.com".into(),
        headers: vec![],
        agent: "curl/8.14.1".into(),
    };
    let id = lab.spawn(lab.client, Box::new(HttpClient::new(get(80), Options::default())));
    let c = lab.program::<HttpClient>(id);
    assert_eq!(c.outcome().unwrap().ending, Ending::Status(200));
    let r = c.response().unwrap();
    assert_eq!((&r.body[..], r.header("content-length")), (&b"hello from shop\n"[..], Some("16")));
    let began = lab.engine.world.now;
    let o = lab.outcome(HttpClient::new(get(81), Options::default()));
    assert_eq!((o.ending, lab.engine.world.now.since(began).as_secs()), (Ending::Status(503), 2));
    let o = lab.outcome(HttpClient::new(get(81), Options { timeout: Some(Duration::from_secs(1)), ..Options::default() }));
    assert_eq!(o.ending, Ending::TimedOut);
    assert_eq!(lab.outcome(HttpClient::new(get(82), Options::default())).ending, Ending::Refused);
}

#[test]
fn a_held_connection_does_what_it_is_told() {
    let mut lab = Lab::new();
    let server = lab.serve(Listen::tcp("web", 80));
    let hold = TcpClient::new(at(SERVER, 80), Bytes::EMPTY, true, Options::default());
    let id = lab.spawn(lab.client, Box::new(hold));
    assert_eq!(lab.flags(), "S S. .");
    assert_eq!(lab.program::<TcpClient>(id).outcomes()[0].ending, Ending::Connected);
    lab.run(100);
    let tell = |lab: &mut Lab, c: Command| {
        let world = &mut lab.engine.world;
        world.command(id, |p| p.as_any_mut().downcast_mut::<TcpClient>().unwrap().push(c));
        lab.settle();
    };
    tell(&mut lab, Command::Send { data: "more".into(), flow: FlowId(8), timeout: None });
    assert_eq!(lab.flags(), "S S. . P. . P. .");
    let o = lab.program::<TcpClient>(id).outcomes()[1].clone();
    assert_eq!((o.ending, o.flow, o.sent, o.received), (Ending::Replied, FlowId(8), 4, 7));
    // the answer belongs to what it answers
    let last = lab.engine.trace.packets.last().unwrap();
    assert_eq!(last.flow, FlowId(8));
    assert!(lab.engine.trace.packets.iter().rev().take(4).all(|p| p.flow == FlowId(8)));
    tell(&mut lab, Command::Close { flow: FlowId(9) });
    assert_eq!(lab.flags(), "S S. . P. . P. . F. . F. .");
    tell(&mut lab, Command::Send { data: "too late".into(), flow: FlowId(10), timeout: None });
    let o = lab.program::<TcpClient>(id).outcomes();
    assert_eq!((o.len(), o[3].ending, o[3].immediate), (4, Ending::Reset, true));
    assert_eq!(lab.program::<Echo>(server).seen().len(), 1);
}

#[test]
fn addresses_conflict_as_in_the_kernel() {
    let mut lab = Lab::new();
    let answers = lab.probe(|sys| {
        let mut bind = |kind, addr, port| {
            let s = sys.socket(kind);
            said(sys.bind(s, at(addr, port)))
        };
        let (any, lo) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST);
        use SocketKind::{Tcp, Udp};
        vec![
            bind(Tcp, any, 80),
            bind(Tcp, lo, 80),
            bind(Udp, lo, 80),
            bind(Udp, any, 80),
            bind(Tcp, lo, 81),
            bind(Tcp, CLIENT, 81),
            bind(Tcp, any, 81),
            bind(Tcp, SERVER, 82),
        ]
    });
    assert_eq!(answers, ["ok", "EADDRINUSE", "ok", "EADDRINUSE", "ok", "ok", "EADDRINUSE", "EADDRNOTAVAIL"]);
    let answers = lab.probe(|sys| {
        let s = sys.socket(SocketKind::Tcp);
        let first = said(sys.bind(s, at(CLIENT, 0)));
        let port = sys.local(s).unwrap().port;
        let second = said(sys.bind(s, at(CLIENT, 99)));
        let listen = said(sys.listen(s));
        let u = sys.socket(SocketKind::Udp);
        let unconnected = sys.send(u, b"x").unwrap_err().name().to_owned();
        let t = sys.socket(SocketKind::Tcp);
        let unread = sys.recv(t).unwrap_err().name().to_owned();
        let listening_udp = said(sys.listen(u));
        vec![first, (port % 2 == 1 && port >= 32_768).to_string(), second, listen, unconnected, unread, listening_udp]
    });
    assert_eq!(answers, ["ok", "true", "EINVAL", "ok", "ENOTCONN", "ENOTCONN", "EOPNOTSUPP"]);
}

#[test]
fn a_connection_exists_once() {
    let mut lab = Lab::new();
    lab.serve(Listen::tcp("web", 80));
    let from = |port| Options { sport: Some(port), ..Options::default() };
    assert_eq!(lab.outcome(tcp(SERVER, 80, from(40_001))).ending, Ending::Connected);
    let o = lab.outcome(tcp(SERVER, 80, from(40_001)));
    assert_eq!(o.errno, Some(Errno::EADDRNOTAVAIL), "TIME_WAIT still has these ends");
    assert_eq!(lab.outcome(tcp(SERVER, 80, from(40_003))).ending, Ending::Connected);
    lab.run(61);
    assert_eq!(lab.outcome(tcp(SERVER, 80, from(40_001))).ending, Ending::Connected);
    let taken = Echo::new(Listen::tcp("second", 80));
    let id = lab.spawn(lab.server, Box::new(taken));
    assert_eq!(lab.program::<Echo>(id).outcome().unwrap().ending, Ending::AddressInUse);
}

#[test]
fn ports_run_out() {
    let mut lab = Lab::new();
    lab.op(lab.client, Op::Sysctl { key: "net.ipv4.ip_local_port_range".into(), value: "50000 50002".into() });
    let answers = lab.probe(|sys| {
        let mut open = || {
            let s = sys.socket(SocketKind::Tcp);
            said(sys.connect(s, at(SERVER, 9)))
        };
        vec![open(), open(), open()]
    });
    assert_eq!(answers, ["EINPROGRESS", "EINPROGRESS", "EADDRNOTAVAIL"], "the kernel too uses an even number of ports");
}

#[test]
fn a_program_talks_to_its_own_host() {
    let mut lab = Lab::new();
    lab.spawn(lab.client, Box::new(Echo::new(Listen::tcp("local", 80))));
    for to in [Ipv4Addr::LOCALHOST, CLIENT] {
        let o = lab.outcome(tcp(to, 80, Options::default()));
        assert_eq!((o.ending, o.received, o.client_saw.unwrap().0.addr), (Ending::Connected, 8, IpAddr::V4(to)));
    }
    assert!(lab.segments().is_empty(), "nothing of it is on the wire");
}

/// Listens and never accepts; closes after a second.
#[derive(Clone, Debug)]
struct Rude(SocketId);

impl Program for Rude {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => {
                self.0 = sys.socket(SocketKind::Tcp);
                sys.bind(self.0, at(Ipv4Addr::UNSPECIFIED, 80)).unwrap();
                sys.listen(self.0).unwrap();
                sys.set_timer(Duration::from_secs(1), 1);
            }
            Event::Timer(_) => sys.close(self.0),
            _ => {}
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

#[test]
fn who_was_never_accepted_is_reset_when_the_listener_closes() {
    let mut lab = Lab::new();
    lab.spawn(lab.server, Box::new(Rude(SocketId::NONE)));
    let wait = Options { timeout: Some(Duration::from_secs(5)), ..Options::default() };
    let o = lab.outcome(tcp(SERVER, 80, wait));
    assert_eq!((o.ending, o.errno), (Ending::Reset, Some(Errno::ECONNRESET)));
    assert!(o.client_saw.is_some(), "the kernel had made the connection");
    assert_eq!(lab.flags(), "S S. . P. . R.");
    assert!(lab.engine.world.ns(lab.server).unwrap().sockets.sorted().is_empty());
}

#[test]
fn a_listener_whose_queue_is_full_drops_syns() {
    let mut lab = Lab::new();
    let rude = lab.spawn(lab.server, Box::new(Rude(SocketId::NONE)));
    let listener = lab.program::<Rude>(rude).0;
    let ns = Arc::make_mut(&mut lab.engine.world.netns[lab.server.0 as usize]);
    ns.sockets.get_mut(listener).unwrap().tcp.as_mut().unwrap().listener.backlog = 0;
    let open = |lab: &mut Lab| lab.spawn(lab.client, Box::new(tcp(SERVER, 80, Options::default())));
    open(&mut lab);
    let before = lab.engine.trace.steps.len();
    open(&mut lab);
    let dropped = lab.engine.trace.steps[before..].iter().find_map(|s| match s.evidence {
        Evidence::Drop { reason } => Some(reason),
        _ => None,
    });
    assert_eq!(dropped, Some(DropReason::TcpListenOverflow));
    assert_eq!(lab.flags(), "S S. . P. . S", "one more than the backlog gets in");
}

#[test]
fn a_packet_begins_and_ends_at_a_socket() {
    let mut lab = Lab::new();
    lab.serve(Listen::udp("dns", 53));
    lab.outcome(udp(SERVER, 53, 30, Options::default()));
    let lens = lab.engine.trace.steps.iter().filter_map(|s| match s.evidence {
        Evidence::SocketSend { len, .. } => Some(("send", len)),
        Evidence::Deliver { len, .. } => Some(("deliver", len)),
        _ => None,
    });
    assert_eq!(lens.collect::<Vec<_>>(), [("send", 30), ("deliver", 30), ("send", 8), ("deliver", 8)]);
}

fn raw_syn(dst: Ipv4Addr, flags: TcpFlags, checksum_error: u16) -> Vec<u8> {
    let header = Ipv4Header {
        tos: 0,
        id: 777,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: Ipv4Addr::UNSPECIFIED,
        dst,
        checksum_error: 0x1111,
    };
    let body = Body::Tcp(Tcp {
        src_port: 1234,
        dst_port: 80,
        seq: 1000,
        ack: 0,
        flags,
        window: 1024,
        urgent: 0,
        checksum_error,
        options: Default::default(),
        payload: Bytes::EMPTY,
    });
    Ipv4Packet { header: Ipv4Header { src: CLIENT, ..header }, body }.encode()
}

#[test]
fn raw_packets_go_out_as_they_are() {
    let mut lab = Lab::new();
    lab.serve(Listen::tcp("web", 80));
    let o = lab.outcome(Raw::new(raw_syn(SERVER, TcpFlags::SYN, 0).into(), FlowId(5)));
    assert_eq!(o.ending, Ending::Sent);
    lab.settle();
    // nobody here knows of the connection that the server answers
    assert_eq!(lab.flags(), "S S. R");
    let (_, first) = lab.capture().remove(0);
    assert_eq!((first.header.id, first.header.checksum_error), (777, 0), "the kernel fills in the checksum");
    let o = lab.outcome(Raw::new(raw_syn(SERVER, TcpFlags::SYN, 0x5555).into(), FlowId(5)));
    assert_eq!(o.ending, Ending::Sent);
    lab.run(1);
    assert_eq!(lab.flags(), "S S. R S", "a wrong checksum is not answered");
    let o = lab.outcome(Raw::new(vec![0x45, 0, 0].into(), FlowId(5)));
    assert_eq!((o.ending, o.immediate), (Ending::InvalidArgument, true));
    let o = lab.outcome(Raw::new(raw_syn(Ipv4Addr::new(192, 0, 2, 1), TcpFlags::SYN, 0).into(), FlowId(5)));
    assert_eq!((o.ending, o.immediate), (Ending::NetworkUnreachable, true));
}

#[test]
fn a_cable_that_is_cut_times_out() {
    let mut lab = Lab::new();
    lab.serve(Listen::tcp("web", 80));
    let hold = TcpClient::new(at(SERVER, 80), Bytes::EMPTY, true, Options::default());
    let id = lab.spawn(lab.client, Box::new(hold));
    let down = LinkSet { up: Some(false), ..LinkSet::default() };
    lab.op(lab.server, Op::Link(LinkOp::Set { dev: "eth0".into(), set: down }));
    let hour = Some(Duration::from_secs(3600));
    let send = Command::Send { data: "lost".into(), flow: FlowId(3), timeout: hour };
    lab.engine.world.command(id, |p| p.as_any_mut().downcast_mut::<TcpClient>().unwrap().push(send));
    lab.run(3600);
    let o = &lab.program::<TcpClient>(id).outcomes()[1];
    assert!(matches!(o.ending, Ending::TimedOut | Ending::HostUnreachable), "{o:?}");
    assert!(lab.engine.world.now > Time::ZERO);
}

#[test]
fn large_data_comes_back_whole() {
    let mut lab = Lab::new();
    lab.serve(Listen::tcp("web", 80));
    let data: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
    let big = TcpClient::new(at(SERVER, 80), data.clone().into(), false, Options::default());
    let id = lab.spawn(lab.client, Box::new(big));
    lab.run(10);
    let c = lab.program::<TcpClient>(id);
    assert_eq!(c.outcome().unwrap().ending, Ending::Connected);
    let without_ok: usize = c.received().len() - data.len();
    assert!(without_ok >= 3 && without_ok.is_multiple_of(3), "each chunk came back with `-ok`: {without_ok}");
    assert!(lab.segments().iter().all(|t| t.len() + 20 <= 1500));
}
