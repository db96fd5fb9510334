//! Devices that stand on others, bridges that filter VLANs, and wires: what commands do to them, and which frames pass.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use sim_core::engine::build::NewNic;
use sim_core::engine::{Engine, LinkProps, World};
use sim_core::linux::NetnsId;
use sim_core::shell::exec;
use sim_core::trace::{Evidence, Recording};
use std::time::Duration;

struct Lab {
    engine: Engine<Recording>,
    root: NetnsId,
}

impl Lab {
    /// A host, and another at the other end of its eth0.
    fn new() -> Self {
        let mut world = World::new(1);
        let root = world.add_host("host");
        let far = world.add_host("far");
        let (root, far) = (world.hosts[root.0 as usize].root, world.hosts[far.0 as usize].root);
        let nic = NewNic { name: "eth0".into(), ..NewNic::default() };
        world.add_cable((root, &nic), (far, &nic), LinkProps::default()).unwrap();
        let mut lab = Lab { engine: Engine::new(world, Recording::default()), root };
        for ns in [root, far] {
            assert_eq!(exec::configure(&mut lab.engine, ns, "ip link set eth0 up", &"test".into()).stderr, "");
        }
        lab
    }

    /// Runs commands; none may fail.
    fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
            assert_eq!(self.said(line), "", "{line}");
        }
    }

    /// What a command complains of.
    fn said(&mut self, line: &str) -> String {
        exec::configure(&mut self.engine, self.root, line, &"test".into()).stderr.trim().to_owned()
    }

    /// What a question is answered.
    fn shown(&mut self, line: &str) -> String {
        exec::run(&mut self.engine, self.root, line, &"test".into(), sim_core::linux::FlowId(0)).unwrap().0.stdout
    }

    /// Whether a ping from one namespace reaches an address: how many steps of that kind a namespace sees.
    fn ping(&mut self, from: &str, to: &str) -> bool {
        let line = format!("ip netns exec {from} ping -c 1 -W 1 {to}");
        exec::run(&mut self.engine, self.root, &line, &"test".into(), sim_core::linux::FlowId(1)).unwrap().0.status == 0
    }
}

#[test]
fn a_vlan_follows_the_device_below() {
    let mut lab = Lab::new();
    lab.run("ip link add link eth0 name eth0.10 type vlan id 10\nip link set eth0.10 up");
    let up = |lab: &mut Lab| lab.shown("ip -br link show eth0.10").contains("<BROADCAST,MULTICAST,UP,LOWER_UP>");
    assert!(up(&mut lab));
    lab.run("ip link set eth0 mtu 1400\nip link set eth0 address 02:00:00:00:00:99");
    let shown = lab.shown("ip link show eth0.10");
    assert!(shown.contains("eth0.10@eth0: ") && shown.contains(" mtu 1400 ") && shown.contains("02:00:00:00:00:99"), "{shown}");
    // it goes down and comes up with the device below, unless it is bound loosely
    lab.run("ip link set eth0 down");
    assert!(!up(&mut lab));
    assert_eq!(lab.said("ip link set eth0.10 up"), "RTNETLINK answers: Network is down");
    lab.run("ip link set eth0 up");
    assert!(up(&mut lab));
    assert_eq!(lab.said("ip link add link eth0 name again type vlan id 10"), "Error: 8021q: VLAN device already exists.");
    assert_eq!(lab.said("ip link add link lo name v type vlan id 10"), "Error: 8021q: VLANs not supported on device.");
    assert_eq!(lab.said("ip link add link eth0 name v type vlan id 4095"), "Error: 8021q: Invalid VLAN id.");
}

#[test]
fn children_move_and_go_with_the_device_below() {
    let mut lab = Lab::new();
    lab.run(
        "ip netns add a
         ip link add link eth0 name mv0 type macvlan mode bridge
         ip link set mv0 netns a
         ip -n a link set mv0 up",
    );
    assert!(lab.shown("ip -n a link show mv0").contains("LOWER_UP"));
    lab.run("ip link set eth0 down");
    assert!(lab.shown("ip -n a link show mv0").contains("NO-CARRIER"));
    assert!(lab.shown("ip -d link show eth0").contains("promiscuity 1"));
    lab.run("ip link add v0 type veth peer name v1\nip link add link v0 name mv1 type macvlan mode vepa\nip link del v0");
    assert_eq!(lab.said("ip link show mv1"), "Device \"mv1\" does not exist.");
    assert_eq!(lab.said("ip link add link eth0 name p type macvlan mode passthru"), "RTNETLINK answers: Invalid argument");
}

#[test]
fn an_ipvlan_child_is_found_by_its_address() {
    for (mode, sibling) in [("l2", true), ("l2 private", false), ("l3", true), ("l3 private", false), ("l3s", true)] {
        let mut lab = Lab::new();
        lab.run(&format!(
            "ip netns add a
             ip netns add b
             ip addr add 10.0.0.1/24 dev eth0
             ip link add link eth0 name ia type ipvlan mode {mode}
             ip link add link eth0 name ib type ipvlan mode {mode}
             ip link set ia netns a
             ip link set ib netns b
             ip -n a addr add 10.0.0.11/24 dev ia
             ip -n b addr add 10.0.0.12/24 dev ib
             ip -n a link set ia up
             ip -n b link set ib up"
        ));
        assert_eq!(lab.ping("a", "10.0.0.12"), sibling, "{mode}");
        // never from a child to the address of the device below
        assert!(!lab.ping("a", "10.0.0.1"), "{mode}");
    }
}

#[test]
fn a_bridge_filters_vlans() {
    let mut lab = Lab::new();
    lab.run("ip link add br0 type bridge vlan_filtering 1\nip link set br0 up");
    for n in ["a", "b", "c"] {
        lab.run(&format!(
            "ip netns add {n}
             ip link add p{n} type veth peer name eth0 netns {n}
             ip link set p{n} master br0 up
             ip -n {n} link set eth0 up"
        ));
    }
    lab.run("ip -n a addr add 10.0.0.1/24 dev eth0\nip -n b addr add 10.0.0.2/24 dev eth0\nip -n c addr add 10.0.0.3/24 dev eth0");
    assert!(lab.ping("a", "10.0.0.2"), "all are in VLAN 1");
    lab.run("bridge vlan add dev pb vid 20 pvid untagged\nip -n a neigh flush all");
    // pb's own frames are of VLAN 20 now; those of VLAN 1 still leave by it
    assert!(!lab.ping("b", "10.0.0.1"));
    lab.run("bridge vlan add dev pc vid 20\nip -n c link add link eth0 name v20 type vlan id 20\nip -n c link set v20 up");
    lab.run("ip -n c addr flush dev eth0\nip -n c addr add 10.0.0.3/24 dev v20");
    assert!(lab.ping("b", "10.0.0.3"), "tagged on the trunk, untagged at the other port");
    assert_eq!(
        lab.shown("bridge vlan show"),
        "port              vlan-id  \nbr0               1 PVID Egress Untagged\npa                1 PVID Egress Untagged\n\
         pb                1 Egress Untagged\n                  20 PVID Egress Untagged\npc                1 PVID Egress Untagged\n\
         \x20                 20\n"
    );
    assert!(lab.shown("bridge fdb show br br0").contains(" vlan 20 "));
    assert_eq!(lab.said("bridge vlan add dev eth0 vid 5"), "RTNETLINK answers: Operation not supported");
    assert_eq!(lab.said("bridge vlan add dev pa vid 5-3"), "Invalid VLAN range \"5-3\"");
}

#[test]
fn a_pulled_plug_takes_the_carrier_at_both_ends() {
    let mut lab = Lab::new();
    let (root, far) = (lab.root, NetnsId(1));
    let carrier = |lab: &Lab, ns: NetnsId| lab.engine.world.ns(ns).unwrap().config.devices.by_name("eth0").unwrap().carrier;
    let dev = lab.engine.world.ns(root).unwrap().config.devices.by_name("eth0").unwrap().index;
    assert!(carrier(&lab, root) && carrier(&lab, far));
    assert!(lab.engine.plug(far, dev, false));
    assert!(!carrier(&lab, root) && !carrier(&lab, far));
    assert!(lab.engine.plug(far, dev, true));
    assert!(carrier(&lab, root) && carrier(&lab, far));
}

#[test]
fn too_many_neighbours_are_collected_and_then_refused() {
    let mut lab = Lab::new();
    lab.run(
        "sysctl -qw net.ipv4.neigh.default.gc_thresh1=2
         sysctl -qw net.ipv4.neigh.default.gc_thresh2=3
         sysctl -qw net.ipv4.neigh.default.gc_thresh3=4
         ip addr add 10.0.0.1/16 dev eth0",
    );
    for n in 1..8 {
        lab.run(&format!("ip neigh replace 10.0.1.{n} dev eth0 use"));
    }
    // those that are being asked for cannot be collected: there is room for four
    assert_eq!(lab.shown("ip neigh show nud incomplete").lines().count(), 4);
    let until = lab.engine.world.now + Duration::from_secs(60);
    lab.engine.run_until(until).unwrap();
    // all failed, and were collected until fewer than gc_thresh1 were left
    assert!(lab.shown("ip neigh show nud all").lines().count() < 2);
    let gone =
        |s: &sim_core::trace::Step| matches!(s.evidence, Evidence::NeighbourUpdate { to: sim_core::linux::neighbour::NudState::None, .. });
    assert!(lab.engine.trace.steps.iter().any(gone));
}
