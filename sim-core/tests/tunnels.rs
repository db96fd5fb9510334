//! Tunnels between two hosts that one cable joins, set up by commands as people type them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use sim_core::apps::udp_tunnel::FLANNEL_PORT;
use sim_core::apps::{UdpTunnel, UdpTunnelOptions};
use sim_core::engine::build::NewNic;
use sim_core::engine::{Engine, LinkProps, World};
use sim_core::linux::{FlowId, NetnsId};
use sim_core::packet::{Body, Endpoint, Frame, IpAddr, Ipv4Addr};
use sim_core::shell::exec;
use sim_core::trace::evidence::Tunnel;
use sim_core::trace::{DropReason, Evidence, Recording};

struct Lab {
    engine: Engine<Recording>,
    hosts: [NetnsId; 2],
}

impl Lab {
    fn new() -> Self {
        let mut world = World::new(7);
        let hosts = ["a", "b"].map(|name| {
            let host = world.add_host(name);
            world.hosts[host.0 as usize].root
        });
        let nic = NewNic { name: "eth0".into(), ..NewNic::default() };
        world.add_cable((hosts[0], &nic), (hosts[1], &nic), LinkProps::default()).unwrap();
        let mut lab = Lab { engine: Engine::new(world, Recording::default()), hosts };
        for n in 0..2 {
            lab.run(n, &format!("ip link set lo up && ip link set eth0 up && ip addr add 10.0.0.{}/24 dev eth0", n + 1));
        }
        lab
    }

    /// Both hosts run the commands; `@o` is the host's own last byte, `@p` its peer's.
    fn both(&mut self, script: &str) {
        for n in 0..2 {
            let script = script.replace("@o", &(n + 1).to_string()).replace("@p", &(2 - n).to_string());
            for line in script.lines().map(str::trim).filter(|l| !l.is_empty()) {
                self.run(n, line);
            }
        }
    }

    fn run(&mut self, host: usize, line: &str) -> String {
        let (a, _) = exec::run(&mut self.engine, self.hosts[host], line, &"test".into(), FlowId::NONE).unwrap();
        assert_eq!((a.status, a.stderr.as_str()), (0, ""), "{line}: {}", a.stdout);
        a.stdout
    }

    /// What a command that fails prints, and its status.
    fn fails(&mut self, host: usize, line: &str) -> (String, u8) {
        let (a, _) = exec::run(&mut self.engine, self.hosts[host], line, &"test".into(), FlowId::NONE).unwrap();
        assert_ne!(a.status, 0, "{line}");
        (format!("{}{}", a.stdout, a.stderr).trim().to_owned(), a.status)
    }

    /// The outer packets that left `eth0` of the first host since the last call.
    fn sent(&mut self) -> Vec<Frame> {
        let run = std::mem::take(&mut self.engine.trace);
        let out = |s: &&sim_core::trace::Step| s.netns == self.hosts[0] && matches!(s.evidence, Evidence::Transmit { .. });
        let eth0 = self.engine.world.ns(self.hosts[0]).unwrap().config.devices.by_name("eth0").unwrap().index;
        let frames = run.steps.iter().filter(out).filter(|s| s.dev == eth0).filter_map(|s| run.frame(s.version));
        frames.filter(|f| f.encapsulated().is_some()).collect()
    }

    fn drops(&mut self) -> Vec<DropReason> {
        let run = std::mem::take(&mut self.engine.trace);
        let reason = |s: &sim_core::trace::Step| match s.evidence {
            Evidence::Drop { reason } => Some(reason),
            _ => None,
        };
        run.steps.iter().filter_map(reason).collect()
    }
}

const PING: &str = "ping -c 1 -W 1 192.168.9.2 | grep -c '1 received'";

#[test]
fn ipip_takes_ttl_and_df_from_the_packet_inside() {
    let mut lab = Lab::new();
    lab.both(
        "ip tunnel add t0 mode ipip remote 10.0.0.@p local 10.0.0.@o
         ip addr add 192.168.9.@o/24 dev t0
         ip link set t0 up",
    );
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    let sent = lab.sent();
    assert_eq!(sent.len(), 1);
    let outer = sent[0].ipv4().unwrap();
    assert_eq!((outer.header.ttl, outer.header.dont_fragment, outer.len()), (64, true, 20 + 84));
    assert_eq!(sent[0].innermost().ipv4().unwrap().header.dst.to_string(), "192.168.9.2");
    let shown = lab.run(0, "ip -d link show t0");
    assert!(shown.contains("t0@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1480"), "{shown}");
    assert!(shown.contains("link/ipip 10.0.0.1 peer 10.0.0.2"), "{shown}");
    assert!(shown.contains("ipip ipip remote 10.0.0.2 local 10.0.0.1 ttl inherit pmtudisc"), "{shown}");
    assert_eq!(lab.run(0, "ip tunnel show t0"), "t0: ip/ip remote 10.0.0.2 local 10.0.0.1 ttl inherit\n");
    assert_eq!(lab.run(0, "ip route get 192.168.9.2 | grep -c 'mtu 1480'"), "1\n");
    assert_eq!(lab.fails(0, "ip link del tunl0"), ("RTNETLINK answers: Operation not permitted".to_owned(), 2));
    assert_eq!(lab.fails(0, "ip tunnel add t1 mode ipip remote 10.0.0.2 local 10.0.0.1").0, "RTNETLINK answers: File exists");
}

#[test]
fn a_tunnel_without_a_remote_end_sends_to_the_gateway() {
    let mut lab = Lab::new();
    lab.both(
        "ip link add tunl0 type ipip
         ip link set tunl0 up
         ip addr add 192.168.9.@o/32 dev tunl0
         ip route add 192.168.9.@p/32 via 10.0.0.@p dev tunl0 onlink",
    );
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    assert_eq!(lab.sent()[0].ipv4().unwrap().header.dst.to_string(), "10.0.0.2");
    // what nobody's tunnel takes is told as a port that is not there
    lab.run(1, "ip link set tunl0 down");
    lab.drops();
    lab.fails(0, PING);
    assert!(lab.drops().contains(&DropReason::IpNoProto));
}

#[test]
fn gre_carries_keys_sums_and_numbers() {
    let mut lab = Lab::new();
    lab.both(
        "ip link add g0 type gre remote 10.0.0.@p local 10.0.0.@o key 7 csum seq ttl 9
         ip addr add 192.168.9.@o/24 dev g0
         ip link set g0 up",
    );
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    assert_eq!(lab.run(0, PING), "1\n");
    let sent = lab.sent();
    let heads: Vec<Vec<u8>> = sent
        .iter()
        .map(|f| match &f.ipv4().unwrap().body {
            Body::Other { bytes, .. } => bytes[..16].to_vec(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(&heads[0][..4], &[0xb0, 0, 8, 0]);
    assert_eq!((&heads[0][8..16], &heads[1][8..16]), (&[0, 0, 0, 7, 0, 0, 0, 0][..], &[0, 0, 0, 7, 0, 0, 0, 1][..]));
    assert_eq!((sent[0].ipv4().unwrap().header.ttl, sent[0].ipv4().unwrap().len()), (9, 20 + 16 + 84));
    let shown = lab.run(0, "ip link show g0");
    assert!(shown.contains("mtu 1464"), "{shown}");
    // another key is another tunnel
    lab.run(1, "ip link del g0");
    lab.run(1, "ip link add g0 type gre remote 10.0.0.1 local 10.0.0.2 key 8");
    lab.run(1, "ip addr add 192.168.9.2/24 dev g0; ip link set g0 up");
    lab.fails(0, PING);
}

#[test]
fn gretap_is_a_wire_and_may_be_a_port_of_a_bridge() {
    let mut lab = Lab::new();
    lab.both(
        "ip link add t0 type gretap remote 10.0.0.@p local 10.0.0.@o
         ip link add br0 type bridge
         ip link set t0 master br0 up
         ip addr add 192.168.9.@o/24 dev br0
         ip link set br0 up",
    );
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    // ARP and the echo both went through
    assert_eq!(lab.sent().len(), 2);
    assert!(lab.run(0, "ip link show t0").contains("mtu 1462"));
}

#[test]
fn vxlan_floods_learns_and_keeps_the_sender_informed() {
    let mut lab = Lab::new();
    lab.both(
        "ip link add vx0 type vxlan id 42 dev eth0 remote 10.0.0.@p dstport 4789
         ip addr add 192.168.9.@o/24 dev vx0
         ip link set vx0 up",
    );
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    let sent = lab.sent();
    let outer: Vec<(String, u32)> =
        sent.iter().map(|f| (f.ipv4().unwrap().header.dst.to_string(), f.field("outer.vxlan.vni").map_or(0, |_| 42))).collect();
    assert_eq!(outer, [("10.0.0.2".to_owned(), 42), ("10.0.0.2".to_owned(), 42)]);
    assert_eq!(lab.run(0, "bridge fdb show dev vx0 | awk '$1 != \"00:00:00:00:00:00\" {print $2, $3}'"), "dst 10.0.0.2\n");
    assert_eq!(lab.run(0, "ss -lun | grep -c 4789 || true").trim().len(), 1);
    assert_eq!(lab.fails(0, "ip link set vx0 mtu 1451"), ("RTNETLINK answers: Invalid argument".to_owned(), 2));
    assert_eq!(
        lab.fails(0, "ip link add vx1 type vxlan id 42 dstport 4789").0,
        "Error: A VXLAN device with the specified VNI already exists."
    );
    assert_eq!(
        lab.fails(0, "bridge fdb replace 00:00:00:00:00:00 dev vx0 dst 10.0.0.9").0,
        "Error: Cannot replace non-unicast fdb entries."
    );
    // the underlay shrinks: the next large packet is refused where it is sent
    lab.run(0, "ip link set eth0 mtu 1400");
    assert_eq!(lab.run(0, "ping -c 1 -W 1 -s 1400 -M dont 192.168.9.2 | grep -c '1 received'"), "1\n");
    assert_eq!(lab.run(0, "ip route get 192.168.9.2 | grep -o 'mtu 1350'"), "mtu 1350\n");
    // and one that is switched off takes nothing
    lab.run(1, "ip link set vx0 down");
    lab.drops();
    lab.fails(0, PING);
    assert!(lab.drops().contains(&DropReason::NoSocket));
}

#[test]
fn tunnels_through_each_other_end() {
    let mut lab = Lab::new();
    lab.run(0, "ip link add x0 type vxlan id 1 remote 192.168.8.9 dstport 4789");
    lab.run(0, "ip link add x1 type vxlan id 2 remote 192.168.7.9 dstport 4789");
    for line in ["ip addr add 192.168.7.1/24 dev x0", "ip addr add 192.168.8.1/24 dev x1", "ip link set x0 up", "ip link set x1 up"] {
        lab.run(0, line);
    }
    for (net, mac) in [(7, 1), (8, 2)] {
        lab.run(0, &format!("ip neigh add 192.168.{net}.9 lladdr 02:00:00:00:00:0{mac} dev x{}", net - 7));
    }
    lab.drops();
    lab.fails(0, "ping -c 1 -W 1 192.168.7.9");
    assert!(lab.drops().contains(&DropReason::RecursionLimit));
}

#[test]
fn each_tunnel_is_told_as_what_it_is() {
    let mut lab = Lab::new();
    lab.both(
        "ip link add g0 type gre remote 10.0.0.@p local 10.0.0.@o
         ip addr add 192.168.9.@o/24 dev g0
         ip link set g0 up",
    );
    lab.sent();
    lab.run(0, PING);
    let run = std::mem::take(&mut lab.engine.trace);
    let told: Vec<(bool, Tunnel)> = run
        .steps
        .iter()
        .filter_map(|s| match s.evidence {
            Evidence::Encap { tunnel, .. } => Some((true, tunnel)),
            Evidence::Decap { tunnel, .. } => Some((false, tunnel)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(true, Tunnel::Gre), (false, Tunnel::Gre), (true, Tunnel::Gre), (false, Tunnel::Gre)]);
}

#[test]
fn a_daemon_carries_packets_between_tun_devices_in_udp() {
    let mut lab = Lab::new();
    lab.both(
        "ip tuntap add dev flannel0 mode tun
         ip link set flannel0 mtu 1472 up
         ip addr add 192.168.9.@o/24 dev flannel0",
    );
    assert!(
        lab.run(0, "ip link show flannel0").contains("<NO-CARRIER,POINTOPOINT,MULTICAST,NOARP,UP> mtu 1472 qdisc pfifo_fast state DOWN")
    );
    assert_eq!(lab.run(0, "ip tuntap"), "flannel0: tun persist\n");
    assert_eq!(lab.fails(0, "ip tuntap add dev flannel0 mode tun").0, "ioctl(TUNSETIFF): Device or resource busy");
    let addr = |n: usize| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n as u8 + 1));
    for n in 0..2 {
        let local = Endpoint::new(addr(n), FLANNEL_PORT);
        let routes = vec![("192.168.9.0/24".parse().unwrap(), addr(1 - n))];
        let options = UdpTunnelOptions { device: "flannel0".into(), local, routes, port: FLANNEL_PORT };
        lab.engine.world.spawn(lab.hosts[n], "flanneld", FlowId::NONE, Box::new(UdpTunnel::new(options)));
    }
    let now = lab.engine.world.now;
    lab.engine.run_until(now).unwrap();
    lab.sent();
    assert_eq!(lab.run(0, PING), "1\n");
    assert!(lab.run(0, "ip link show flannel0").contains("<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP>"));
    let run = std::mem::take(&mut lab.engine.trace);
    let own = |s: &&sim_core::trace::Step| s.netns == lab.hosts[0] && matches!(s.evidence, Evidence::Transmit { .. });
    let inner: Vec<u8> = run
        .steps
        .iter()
        .filter(own)
        .filter_map(|s| run.frame(s.version))
        .filter_map(|f| match &f.ipv4()?.body {
            Body::Udp(u) => u.payload.get(8).copied(),
            _ => None,
        })
        .collect();
    // the daemon is a hop: it takes one off the TTL of the packet that it carries
    assert_eq!(inner, [63]);
    assert!(!lab.run(0, "ss -una | grep -c :8285").starts_with('0'));
}
