//! What a few commands do, as a real kernel (6.18) did it. The shell's tests compare whole listings.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::linux::device::{DeviceKind, Scope};
use crate::linux::fib::{RouteType, TableId};
use crate::linux::id::{NetnsId, OpId, RowId};
use crate::linux::op::route::HopSpec;
use crate::linux::op::{AddrOp, LinkKind, LinkOp, NewLink, RouteBatch, RouteOp, RouteSpec, RouteVerb};
use crate::packet::{Ipv4Addr, Mac, Prefix};

fn new_ns() -> Netns {
    let mut ns = Netns::empty(NetnsId(0));
    loopback(&mut ns);
    ns
}

fn run(ns: &mut Netns, op: Op) -> Result<Applied, OpError> {
    apply(ns, &op, Time::ZERO, Source::Op(OpId(7)))
}

fn up(ns: &mut Netns, dev: &str, on: bool) {
    run(ns, Op::Link(LinkOp::Set { dev: dev.into(), set: LinkSet { up: Some(on), ..LinkSet::default() } })).unwrap();
}

fn master(ns: &mut Netns, dev: &str, of: Option<&str>) {
    let set = LinkSet { master: Some(of.map(Into::into)), ..LinkSet::default() };
    run(ns, Op::Link(LinkOp::Set { dev: dev.into(), set })).unwrap();
}

fn link(name: &str, kind: LinkKind) -> Op {
    Op::Link(LinkOp::Add(NewLink { name: name.into(), mac: None, mtu: None, kind }))
}

fn veth(name: &str, peer: &str, netns: Option<&str>) -> Op {
    link(name, LinkKind::Veth { peer: peer.into(), peer_mtu: None, peer_mac: None, peer_netns: netns.map(Into::into) })
}

fn addr(ns: &mut Netns, dev: &str, a: &str) -> Result<Applied, OpError> {
    let (local, prefix) = Prefix::parse_interface(a).unwrap();
    let (peer, broadcast, scope) = (None, None, None);
    run(ns, Op::Addr(AddrOp::Add { dev: dev.into(), local, prefix, peer, broadcast, scope, noprefixroute: false, replace: false }))
}

fn via(prefix: &str, gw: &str, dev: &str) -> RouteSpec {
    let hop = HopSpec { via: Some(gw.parse().unwrap()), dev: Some(dev.into()), ..HopSpec::default() };
    RouteSpec { hops: vec![hop], ..RouteSpec::to(prefix.parse().unwrap()) }
}

fn add(route: RouteSpec) -> Op {
    Op::Route(RouteOp::One { verb: RouteVerb::Add, route: Box::new(route) })
}

fn rows(ns: &Netns, table: TableId) -> Vec<String> {
    let words = |r: &crate::linux::fib::Route<Ipv4Addr>| {
        let src = r.src.map(|s| format!(" src {s}")).unwrap_or_default();
        let via = r.nexthops.first().and_then(|n| n.via).map(|v| format!(" via {v}")).unwrap_or_default();
        let dev = r.nexthops.first().map(|n| format!(" dev {}", ns.config.devices.name(n.dev))).unwrap_or_default();
        format!("{} {}{via}{dev}{src}", r.kind.name(), r.prefix)
    };
    ns.config.fib.table(table).map(|t| t.all().into_iter().map(words).collect()).unwrap_or_default()
}

#[test]
fn lo_gets_its_address_when_it_comes_up_and_keeps_the_local_routes_when_it_goes_down() {
    let mut ns = new_ns();
    assert!(rows(&ns, TableId::LOCAL).is_empty());
    up(&mut ns, "lo", true);
    let local = ["local 127.0.0.0/8 dev lo src 127.0.0.1", "local 127.0.0.1/32 dev lo src 127.0.0.1"];
    let brd = "broadcast 127.255.255.255/32 dev lo src 127.0.0.1";
    assert_eq!(rows(&ns, TableId::LOCAL), [local[0], local[1], brd]);
    up(&mut ns, "lo", false);
    assert_eq!(rows(&ns, TableId::LOCAL), local);
    up(&mut ns, "lo", true);
    assert_eq!(rows(&ns, TableId::LOCAL), [local[0], local[1], brd]);
}

#[test]
fn a_veth_pair_has_carrier_while_both_ends_are_up() {
    let mut ns = new_ns();
    run(&mut ns, veth("d0", "p0", None)).unwrap();
    assert_eq!(ns.config.devices.by_name("p0").unwrap().index, IfIndex(2), "the peer is made first");
    up(&mut ns, "d0", true);
    assert!(!ns.config.devices.by_name("d0").unwrap().carrier);
    up(&mut ns, "p0", true);
    assert!(ns.config.devices.by_name("d0").unwrap().is_running());
    up(&mut ns, "p0", false);
    assert!(!ns.config.devices.by_name("d0").unwrap().carrier);
    run(&mut ns, Op::Link(LinkOp::Del { dev: "d0".into() })).unwrap();
    assert!(ns.config.devices.by_name("p0").is_none(), "the other end goes too");
}

#[test]
fn what_spans_namespaces_is_asked_of_the_engine() {
    let mut ns = new_ns();
    let made = run(&mut ns, veth("veth0", "eth0", Some("web"))).unwrap();
    let [Request::MakePeer { dev, netns, peer }] = made.requests.as_slice() else { panic!("{made:?}") };
    assert_eq!((*dev, &**netns, &*peer.name), (IfIndex(2), "web", "eth0"));
    let mut web = Netns::empty(NetnsId(1));
    loopback(&mut web);
    let far = add_device(&mut web, peer.clone(), Source::Kernel).unwrap();
    link::attach(&mut web, far, Attach::Veth { netns: NetnsId(0), index: *dev });
    link::attach(&mut ns, *dev, Attach::Veth { netns: NetnsId(1), index: far });
    let set = LinkSet { up: Some(true), ..LinkSet::default() };
    let done = run(&mut ns, Op::Link(LinkOp::Set { dev: "veth0".into(), set })).unwrap();
    assert!(matches!(done.requests.as_slice(), [Request::Carrier { dev: IfIndex(2) }]));
    let gone = run(&mut ns, Op::Link(LinkOp::Del { dev: "veth0".into() })).unwrap();
    assert!(matches!(gone.requests.as_slice(), [Request::Gone { attach: Attach::Veth { netns: NetnsId(1), .. } }]));
}

#[test]
fn a_moved_device_arrives_bare() {
    let mut ns = new_ns();
    run(&mut ns, veth("d0", "p0", None)).unwrap();
    up(&mut ns, "d0", true);
    addr(&mut ns, "d0", "10.0.0.1/24").unwrap();
    let set = LinkSet { netns: Some("web".into()), name: Some("eth0".into()), ..LinkSet::default() };
    let asked = run(&mut ns, Op::Link(LinkOp::Set { dev: "d0".into(), set })).unwrap();
    let [Request::MoveDevice { dev, rest, .. }] = asked.requests.as_slice() else { panic!("{asked:?}") };
    let (device, _) = take_device(&mut ns, *dev, Time::ZERO);
    assert!(rows(&ns, TableId::LOCAL).is_empty() && rows(&ns, TableId::MAIN).is_empty());
    let mut web = Netns::empty(NetnsId(1));
    loopback(&mut web);
    let index = put_device(&mut web, device.unwrap(), rest.name.clone()).unwrap();
    let d = web.config.devices.get(index).unwrap();
    assert_eq!((&*d.name, d.up, d.addrs.len()), ("eth0", false, 0));
}

#[test]
fn a_bridge_takes_mac_mtu_and_carrier_from_its_ports() {
    let mut ns = new_ns();
    run(&mut ns, link("br0", LinkKind::Bridge(crate::linux::op::BridgeSet::default()))).unwrap();
    for (name, mac, mtu) in [("v0", 5, 1500), ("v1", 3, 1400)] {
        let mac = Some(Mac([2, 0, 0, 0, 0, mac]));
        let new = NewLink { name: name.into(), mac, mtu: Some(mtu), kind: LinkKind::Dummy };
        run(&mut ns, Op::Link(LinkOp::Add(new))).unwrap();
    }
    up(&mut ns, "br0", true);
    let br = |ns: &Netns| ns.config.devices.by_name("br0").unwrap().clone();
    assert!(br(&ns).is_running(), "a bridge that never had a port has carrier");
    master(&mut ns, "v0", Some("br0"));
    assert!(!br(&ns).carrier);
    master(&mut ns, "v1", Some("br0"));
    let DeviceKind::Bridge(b) = br(&ns).kind else { panic!() };
    assert_eq!(b.ports, [IfIndex(4), IfIndex(3)], "the port added last stands first");
    assert_eq!((br(&ns).mac, br(&ns).mtu), (Mac([2, 0, 0, 0, 0, 3]), 1400));
    up(&mut ns, "v0", true);
    assert!(br(&ns).is_running());
    master(&mut ns, "v1", None);
    assert_eq!((br(&ns).mac, br(&ns).mtu), (Mac([2, 0, 0, 0, 0, 5]), 1500));
    master(&mut ns, "v0", None);
    assert_eq!(br(&ns).mac, Mac::ZERO);
    assert!(!br(&ns).carrier);
    assert!(ns.fdb.get(&IfIndex(2)).unwrap().sorted().is_empty());
}

#[test]
fn rows_know_what_made_them() {
    let mut ns = new_ns();
    run(&mut ns, link("d0", LinkKind::Dummy)).unwrap();
    up(&mut ns, "d0", true);
    addr(&mut ns, "d0", "10.0.0.1/24").unwrap();
    let a = &ns.config.devices.by_name("d0").unwrap().addrs[0];
    assert_eq!((a.source, a.scope), (Source::Op(OpId(7)), Scope::Universe));
    let main = ns.config.fib.main.all();
    assert_eq!((main[0].source, main[0].kind), (Source::Row(a.row), RouteType::Unicast));
    assert_ne!(a.row, RowId::NONE);
}

#[test]
fn a_batch_is_stored_once_for_all_namespaces() {
    let batch = Arc::new(RouteBatch::new((0..200u8).map(|n| via(&format!("10.244.{n}.0/24"), &format!("10.0.{}.2", n), "d0")).collect()));
    let node = |n: u8| {
        let mut ns = new_ns();
        run(&mut ns, link("d0", LinkKind::Dummy)).unwrap();
        up(&mut ns, "d0", true);
        addr(&mut ns, "d0", &format!("10.0.{n}.2/16")).unwrap();
        let skip = Some(format!("10.244.{n}.0/24").parse().unwrap());
        run(&mut ns, Op::Route(RouteOp::Batch { batch: batch.clone(), skip })).unwrap();
        ns
    };
    let (a, b) = (node(1), node(2));
    for (ns, own) in [(&a, "10.244.1.0/24"), (&b, "10.244.2.0/24")] {
        assert_eq!(ns.config.fib.main.all().len(), 200, "199 of the batch and the connected one");
        assert!(ns.config.fib.main.at(own.parse().unwrap()).is_empty());
    }
    let row = |ns: &Netns| ns.config.fib.main.at("10.244.9.0/24".parse().unwrap())[0].row;
    assert_eq!((row(&a), row(&b)), (RowId(route::BATCH_ROWS + 9), RowId(route::BATCH_ROWS + 9)));
    let mut c = a.clone();
    assert_eq!(run(&mut c, add(via("10.244.9.0/24", "10.0.0.9", "d0"))).unwrap_err().errno, Errno::EEXIST);
    let unreachable = Arc::new(RouteBatch::new(vec![via("10.9.0.0/16", "172.16.0.1", "d0")]));
    let mut d = node(3);
    let e = run(&mut d, Op::Route(RouteOp::Batch { batch: unreachable, skip: None })).unwrap_err();
    assert_eq!(e.to_string(), "Error: Nexthop has invalid gateway.");
}

#[test]
fn a_refused_command_leaves_no_trace() {
    let mut ns = new_ns();
    run(&mut ns, link("d0", LinkKind::Dummy)).unwrap();
    let generation = ns.generation;
    assert_eq!(addr(&mut ns, "d9", "10.0.0.1/24").unwrap_err().to_string(), "Cannot find device \"d9\"");
    assert_eq!(run(&mut ns, add(via("0.0.0.0/0", "10.0.0.9", "d0"))).unwrap_err().to_string(), "Error: Nexthop has invalid gateway.");
    assert_eq!(sysctl::set(&mut ns, "net.ipv4.ip_forward", "x", &mut Vec::new()).unwrap_err().errno, Errno::EINVAL);
    assert_eq!(run(&mut ns, link("d0", LinkKind::Dummy)).unwrap_err().to_string(), "RTNETLINK answers: File exists");
    assert_eq!(ns.generation, generation);
}
