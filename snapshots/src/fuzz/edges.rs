//! What stands at the edge of a network: a plain host, containers behind a bridge, containers with routes of their own, macvlan.

use super::draw::Draw;
use super::topology::{Edge, End, Network, quick_device};
use std::net::Ipv4Addr;

/// Servers that every end runs.
fn servers() -> Vec<String> {
    vec!["80".to_owned(), "8080".to_owned(), "\"53/udp\"".to_owned()]
}

/// Makes an edge on `host`, whose own address is `own` on `dev`; `side` is 0 or 1.
pub fn edge(net: &mut Network, d: &mut Draw, host: usize, dev: &str, side: u8, own: Ipv4Addr) -> Edge {
    let name = net.case.hosts[host].name.clone();
    net.case.hosts[host].listen = servers();
    net.ends.push(End { place: name, addr: own });
    let mut edge = Edge { host, behind: Vec::new(), dev: dev.to_owned() };
    match d.below(10) {
        0..=2 => {}
        3..=6 => bridged(net, d, host, side, &mut edge),
        7 | 8 => routed(net, d, host, side, &mut edge),
        _ => macvlan(net, d, host, dev, own),
    }
    edge
}

fn netns(net: &mut Network, host: usize, name: &str, addr: Ipv4Addr) {
    net.case.hosts[host].namespaces.push((name.to_owned(), servers()));
    let place = format!("{}/{name}", net.case.hosts[host].name);
    net.ends.push(End { place, addr });
}

/// Containers in a bridge that has an address.
fn bridged(net: &mut Network, d: &mut Draw, host: usize, side: u8, edge: &mut Edge) {
    net.has("device bridge");
    let net_octet = 16 + side;
    let vlan = d.percent(15);
    if !(vlan && net.feature(host, "ip link add br0 type bridge vlan_filtering 1", "bridge vlan_filtering")) {
        net.run(host, "ip link add br0 type bridge");
    }
    quick_device(net, host, None, "br0");
    net.run(host, format!("ip addr add 172.{net_octet}.0.1/24 dev br0"));
    net.run(host, "ip link set br0 up");
    net.devices[host].push("br0".to_owned());
    for n in 0..d.between(1, 3) {
        let (ns, port) = (format!("c{n}"), format!("veth{n}"));
        let addr = Ipv4Addr::new(172, net_octet, 0, 10 + n as u8);
        netns(net, host, &ns, addr);
        net.run(host, format!("ip link add {port} type veth peer name eth0 netns {ns}"));
        net.run(host, format!("ip link set {port} master br0 up"));
        quick_device(net, host, Some(&ns), "eth0");
        net.run_in(host, &ns, &format!("ip addr add {addr}/24 dev eth0"));
        net.run_in(host, &ns, "ip link set eth0 up");
        net.run_in(host, &ns, "ip link set lo up");
        net.run_in(host, &ns, &format!("ip route add default via 172.{net_octet}.0.1"));
        if d.percent(30) {
            let what = *d.one(&["hairpin on", "isolated on", "learning off", "flood off"]);
            net.feature(host, format!("bridge link set dev {port} {what}"), format!("port {what}"));
        }
        net.devices[host].push(port);
    }
    if d.percent(60) {
        let value = d.below(2);
        let line = format!("net.bridge.bridge-nf-call-iptables={value}");
        net.feature(host, format!("sysctl -w {line}"), format!("sysctl {line}"));
    }
    net.forward(host);
    edge.behind.push(format!("172.{net_octet}.0.0/24"));
}

/// Containers with a route of their own each, and a host that answers for their gateway.
fn routed(net: &mut Network, d: &mut Draw, host: usize, side: u8, edge: &mut Edge) {
    net.has("veth with routes");
    let octet = 20 + side;
    for n in 0..d.between(1, 2) {
        let (ns, port) = (format!("c{n}"), format!("cali{n}"));
        let addr = Ipv4Addr::new(172, octet, 0, 10 + n as u8);
        netns(net, host, &ns, addr);
        net.run(host, format!("ip link add {port} type veth peer name eth0 netns {ns}"));
        net.run(host, format!("ip link set {port} up"));
        net.run(host, format!("sysctl -w net.ipv4.conf.{port}.proxy_arp=1"));
        net.run(host, format!("sysctl -w net.ipv4.neigh.{port}.proxy_delay=0"));
        net.run(host, format!("ip route add {addr}/32 dev {port} scope link"));
        quick_device(net, host, Some(&ns), "eth0");
        quick_device(net, host, None, &port);
        net.run_in(host, &ns, &format!("ip addr add {addr}/32 dev eth0"));
        net.run_in(host, &ns, "ip link set eth0 up");
        net.run_in(host, &ns, "ip link set lo up");
        net.run_in(host, &ns, "ip route add 169.254.1.1 dev eth0 scope link");
        net.run_in(host, &ns, "ip route add default via 169.254.1.1 dev eth0");
        net.devices[host].push(port);
    }
    net.has("sysctl net.ipv4.conf.DEV.proxy_arp");
    net.forward(host);
    edge.behind.push(format!("172.{octet}.0.0/24"));
}

/// Containers on the host's own link.
fn macvlan(net: &mut Network, d: &mut Draw, host: usize, dev: &str, own: Ipv4Addr) {
    net.has("device macvlan");
    let mode = *d.one(&["bridge", "bridge", "private", "vepa"]);
    net.has(format!("macvlan {mode}"));
    let [a, b, c, last] = own.octets();
    let gateway = Ipv4Addr::new(a, b, c, if last == 1 { 2 } else { 1 });
    for n in 0..d.between(1, 2) {
        let ns = format!("c{n}");
        let addr = Ipv4Addr::new(a, b, c, 10 * last + n as u8);
        netns(net, host, &ns, addr);
        net.run(host, format!("ip link add link {dev} name mv{n} type macvlan mode {mode}"));
        net.run(host, format!("ip link set mv{n} netns {ns}"));
        quick_device(net, host, Some(&ns), &format!("mv{n}"));
        net.run_in(host, &ns, &format!("ip addr add {addr}/24 dev mv{n}"));
        net.run_in(host, &ns, &format!("ip link set mv{n} up"));
        net.run_in(host, &ns, "ip link set lo up");
        net.run_in(host, &ns, &format!("ip route add default via {gateway}"));
    }
}
