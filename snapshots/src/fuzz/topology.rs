//! Networks: two edges, and routers between them.
//!
//! ```text
//!  edge a ── 10.0.0.0/24 ── r1 ── 10.1.0.0/24 ── r2 ── … ── edge b
//! ```

use super::case::{Case, HostCase};
use super::draw::Draw;
use super::edges;
use std::net::Ipv4Addr;

/// Somewhere that traffic can start and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The place as flows name it.
    pub place: String,
    /// Its address.
    pub addr: Ipv4Addr,
}

/// A host at an edge, with what stands behind it.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Index of its host.
    pub host: usize,
    /// Ranges behind it that routers must know.
    pub behind: Vec<String>,
    /// The device that faces the routers.
    pub dev: String,
}

/// A network while it is made.
#[derive(Debug, Default)]
pub struct Network {
    /// The case.
    pub case: Case,
    /// Where traffic may start and end.
    pub ends: Vec<End>,
    /// Addresses of routers.
    pub routers: Vec<Ipv4Addr>,
    /// Hosts that forward, by index.
    pub forwards: Vec<usize>,
    /// Devices of each host.
    pub devices: Vec<Vec<String>>,
    /// An address that a rule translates, with its ports.
    pub virtual_ip: Option<Ipv4Addr>,
}

impl Network {
    /// Says what the case has.
    pub fn has(&mut self, feature: impl Into<String>) {
        self.case.features.insert(feature.into());
    }

    /// A host; its index.
    pub fn host(&mut self, name: &str) -> usize {
        self.case.hosts.push(HostCase { name: name.to_owned(), ..HostCase::default() });
        self.devices.push(Vec::new());
        self.case.hosts.len() - 1
    }

    /// A command of a host; left out, and false, if it is not simulated.
    pub fn run(&mut self, host: usize, line: impl Into<String>) -> bool {
        let line = line.into();
        let known = sim_core::shell::parse(&line).err().is_none_or(|e| !e.not_simulated);
        if known {
            self.case.hosts[host].run.push(line);
        }
        known
    }

    /// A command of a host that is what makes a feature.
    pub fn feature(&mut self, host: usize, line: impl Into<String>, feature: impl Into<String>) -> bool {
        let done = self.run(host, line);
        if done {
            self.has(feature);
        }
        done
    }

    /// A command in a namespace of a host.
    pub fn run_in(&mut self, host: usize, netns: &str, line: &str) {
        let line = match line.split_once(' ') {
            Some((tool @ ("ip" | "bridge"), rest)) => format!("{tool} -n {netns} {rest}"),
            _ => format!("ip netns exec {netns} {line}"),
        };
        self.run(host, line);
    }

    /// The host forwards.
    pub fn forward(&mut self, host: usize) {
        self.feature(host, "sysctl -w net.ipv4.ip_forward=1", "sysctl net.ipv4.ip_forward");
        self.forwards.push(host);
    }
}

/// Neighbours of a device that do not answer fail at once, and are not asked again while the case runs.
pub fn quick_device(net: &mut Network, host: usize, netns: Option<&str>, dev: &str) {
    for (key, value) in [("retrans_time_ms", 120), ("mcast_solicit", 1), ("delay_first_probe_time", 60)] {
        let line = format!("sysctl -w net.ipv4.neigh.{dev}.{key}={value}");
        match netns {
            Some(n) => net.run_in(host, n, &line),
            None => drop(net.run(host, line)),
        }
    }
}

/// A random network.
pub fn network(d: &mut Draw) -> Network {
    let mut net = Network::default();
    let routers = *d.one(&[0, 1, 1, 1, 2]);
    let tagged = d.percent(20);
    let mtu = if d.percent(30) { Some(*d.one(&[1280, 1400, 1492, 9000])) } else { None };
    let names: Vec<String> =
        std::iter::once("a".to_owned()).chain((1..=routers).map(|n| format!("r{n}"))).chain(std::iter::once("b".to_owned())).collect();
    for n in &names {
        net.host(n);
    }
    // cables: on each the left host has .1 and the right host .2
    let mut left_dev = vec![String::new(); names.len()];
    let mut right_dev = vec![String::new(); names.len()];
    for k in 0..names.len() - 1 {
        let (l, r) = (k, k + 1);
        let dl = if l == 0 { "eth0" } else { "eth1" };
        let slow = mtu.filter(|_| k == 0 || d.percent(40));
        let mtu_text = slow.map_or_else(String::new, |m| format!(", mtu: {m}"));
        if let Some(m) = slow {
            net.has(format!("link mtu {m}"));
        }
        net.case.links.push(format!("(a: \"{}/{dl}\", b: \"{}/eth0\"{mtu_text})", names[l], names[r]));
        let on = |net: &mut Network, host: usize, dev: &str, addr: &str, tag: bool| -> String {
            quick_device(net, host, None, dev);
            let mut used = dev.to_owned();
            if tag {
                used = "vlan10".to_owned();
                net.feature(host, format!("ip link add link {dev} name {used} type vlan id 10"), "device vlan");
                net.run(host, format!("ip link set {used} up"));
                quick_device(net, host, None, &used);
            }
            net.run(host, format!("ip addr add {addr} dev {used}"));
            net.devices[host].push(used.clone());
            used
        };
        let tag = tagged && k == 0;
        left_dev[l] = on(&mut net, l, dl, &format!("10.{k}.0.1/24"), tag);
        right_dev[r] = on(&mut net, r, "eth0", &format!("10.{k}.0.2/24"), tag);
    }
    net.has("device veth");
    let last = names.len() - 1;
    let a = edges::edge(&mut net, d, 0, &left_dev[0].clone(), 0, Ipv4Addr::new(10, 0, 0, 1));
    let far = (last - 1) as u8;
    let b = edges::edge(&mut net, d, last, &right_dev[last].clone(), 1, Ipv4Addr::new(10, far, 0, 2));
    routes(&mut net, d, &a, &b, last);
    for h in 1..last {
        net.forward(h);
        net.routers.push(Ipv4Addr::new(10, (h - 1) as u8, 0, 2));
        oddities(&mut net, d, h);
    }
    for h in [0, last] {
        if d.percent(30) {
            oddities(&mut net, d, h);
        }
    }
    net
}

/// Routes to what is not on the link.
fn routes(net: &mut Network, d: &mut Draw, a: &Edge, b: &Edge, last: usize) {
    // to the left: what is behind a, and the cables before; to the right likewise
    for h in 0..=last {
        let via_left = (h > 0).then(|| format!("10.{}.0.1", h - 1));
        let via_right = (h < last).then(|| format!("10.{h}.0.2"));
        if h == 0 || h == last {
            let via = if h == 0 { &via_right } else { &via_left };
            if last == 1 {
                let behind = if h == 0 { &b.behind } else { &a.behind };
                for range in behind {
                    if let Some(v) = via {
                        net.run(h, format!("ip route add {range} via {v}"));
                    }
                }
            } else if let Some(v) = via {
                net.run(h, format!("ip route add default via {v}"));
            }
            continue;
        }
        for (behind, cables, via) in [(&a.behind, 0..h - 1, &via_left), (&b.behind, h + 1..last, &via_right)] {
            let Some(v) = via else { continue };
            for range in behind.iter().cloned().chain(cables.map(|k| format!("10.{k}.0.0/24"))) {
                match d.below(8) {
                    0 => {
                        net.feature(h, format!("ip route add {range} via {v} metric 100"), "route metric");
                    }
                    1 => {
                        let table = format!("ip rule add to {range} table 100 priority {}", 1000 + d.below(50));
                        let table = if net.feature(h, table, "rule to") { " table 100" } else { "" };
                        net.run(h, format!("ip route add {range} via {v}{table}"));
                    }
                    2 => {
                        net.feature(h, format!("ip route add {range} via {v} mtu {}", d.one(&[1300, 1400])), "route mtu");
                    }
                    _ => drop(net.run(h, format!("ip route add {range} via {v}"))),
                }
            }
        }
    }
}

/// Routes of other kinds, and switches, on a host.
fn oddities(net: &mut Network, d: &mut Draw, h: usize) {
    if d.percent(40) {
        let kind = *d.one(&["blackhole", "unreachable", "prohibit", "throw"]);
        net.feature(h, format!("ip route add {kind} 203.0.113.0/24"), format!("route {kind}"));
    }
    if d.percent(25) {
        let mark = d.between(1, 3);
        net.feature(h, format!("ip rule add fwmark {mark} table 200 priority 900"), "rule fwmark");
        net.run(h, "ip route add prohibit default table 200");
    }
    if d.percent(10) {
        net.feature(h, "ip rule add from 10.0.0.0/24 to 203.0.113.0/24 blackhole priority 800", "rule blackhole");
    }
    let dev = match net.devices[h].is_empty() {
        true => return,
        false => d.one(&net.devices[h]).clone(),
    };
    for _ in 0..d.below(3) {
        let (key, value): (String, usize) = match d.below(13) {
            0 => (format!("conf.{dev}.rp_filter"), d.below(3)),
            1 => ("conf.all.rp_filter".to_owned(), d.below(3)),
            2 => (format!("conf.{dev}.accept_local"), d.below(2)),
            3 => (format!("conf.{dev}.arp_ignore"), d.below(3)),
            4 => (format!("conf.{dev}.arp_announce"), d.below(3)),
            5 => (format!("conf.{dev}.send_redirects"), d.below(2)),
            6 => (format!("conf.{dev}.forwarding"), d.below(2)),
            7 => ("icmp_echo_ignore_all".to_owned(), d.below(2)),
            8 => ("ip_default_ttl".to_owned(), *d.one(&[1, 3, 32, 64, 128])),
            9 => ("ip_no_pmtu_disc".to_owned(), d.below(2)),
            10 => (format!("conf.{dev}.proxy_arp"), d.below(2)),
            11 => ("icmp_errors_use_inbound_ifaddr".to_owned(), d.below(2)),
            _ => (format!("conf.{dev}.route_localnet"), d.below(2)),
        };
        let name = key.replace(&format!(".{dev}."), ".DEV.");
        net.feature(h, format!("sysctl -w net.ipv4.{key}={value}"), format!("sysctl net.ipv4.{name}"));
    }
}
