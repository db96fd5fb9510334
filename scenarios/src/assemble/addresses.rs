//! Which machine has which address, on which network, behind which gateway.

use crate::check::cluster::pod_cidrs;
use crate::check::network::{INTERNET, subnets, usable};
use crate::schema::{Network, Scenario};
use sim_core::packet::{Ipv4Addr, Prefix};

/// One network with its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    /// Name.
    pub name: String,
    /// Range.
    pub range: Prefix<Ipv4Addr>,
    /// Where hosts on it send by default.
    pub gateway: Option<Ipv4Addr>,
    /// The gateway to the internet that stands on it.
    pub internet_gateway: Option<Ipv4Addr>,
}

/// The `eth0` of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Host or node.
    pub host: String,
    /// The network.
    pub network: String,
    /// The address.
    pub ip: Ipv4Addr,
    /// The range on the link; of length 32 on the internet, where nobody is a neighbour by range.
    pub range: Prefix<Ipv4Addr>,
    /// Where the default route leads.
    pub gateway: Option<Ipv4Addr>,
}

/// All that has an address before anything runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Networks, in order; the internet is not among them.
    pub nets: Vec<Net>,
    /// Nodes, in order.
    pub nodes: Vec<Machine>,
    /// Hosts that have an `eth0` on a network, in order.
    pub hosts: Vec<Machine>,
    /// Pod ranges of the nodes.
    pub pod_cidrs: Vec<Option<Prefix<Ipv4Addr>>>,
}

impl Addresses {
    /// The address of a host or node.
    pub fn of(&self, host: &str) -> Option<Ipv4Addr> {
        self.nodes.iter().chain(&self.hosts).find(|m| m.host == host).map(|m| m.ip)
    }

    /// The network of that name.
    pub fn net(&self, name: &str) -> Option<&Net> {
        self.nets.iter().find(|n| n.name == name)
    }
}

/// Whether a host has an `eth0` on a network: not if it says nothing of one and hangs on links.
pub fn has_card(world: &Scenario, host: &crate::schema::Host) -> bool {
    if host.network.is_some() || host.ip.is_some() {
        return true;
    }
    let on_links =
        world.links.iter().flat_map(|l| [&l.a.value, &l.b.value]).any(|end| end.split('/').next() == Some(host.name.value.as_str()));
    !on_links
}

/// Gives out the addresses: those that are written, then the next free ones from .2, nodes first.
pub fn addresses(world: &Scenario) -> Addresses {
    let written = |n: &Network| (n.gateway.as_ref().map(|g| g.value.0), n.internet_gateway.as_ref().map(|g| g.value.0));
    let nets: Vec<Net> = subnets(world)
        .into_iter()
        .map(|(name, range, _)| {
            let (gateway, internet_gateway) = world.networks.iter().find(|n| n.name.value == name).map_or((None, None), |n| written(n));
            Net { name, range, gateway: gateway.or(internet_gateway), internet_gateway }
        })
        .collect();
    let first = nets.first().map(|n| n.name.clone()).unwrap_or_default();
    let mut taken: Vec<Ipv4Addr> = nets.iter().flat_map(|n| [n.gateway, n.internet_gateway]).flatten().collect();
    for h in &world.hosts {
        taken.extend(h.ip.as_ref().map(|a| a.value.0));
        taken.extend(h.interfaces.iter().filter_map(|i| i.ip.as_ref()).map(|a| a.value.0));
    }
    let nodes = world.cluster.iter().flat_map(|c| &c.nodes);
    taken.extend(nodes.clone().filter_map(|n| n.internal_ip.as_ref()).map(|a| a.value.0));
    let mut place = |host: &str, network: Option<&str>, ip: Option<Ipv4Addr>, gateway: Option<Ipv4Addr>| -> Option<Machine> {
        let network = network.unwrap_or(&first);
        if network == INTERNET {
            let ip = ip?;
            return Some(Machine { host: host.to_owned(), network: network.to_owned(), ip, range: Prefix::new(ip, 32), gateway });
        }
        let net = nets.iter().find(|n| n.name == network)?;
        let ip = ip.or_else(|| {
            let mut n = 2;
            loop {
                let a = net.range.nth(n)?;
                if usable(net.range, a) && !taken.contains(&a) {
                    return Some(a);
                }
                n += 1;
            }
        })?;
        taken.push(ip);
        let gateway = gateway.or(net.gateway).filter(|g| *g != ip);
        Some(Machine { host: host.to_owned(), network: net.name.clone(), ip, range: net.range, gateway })
    };
    let node_machines: Vec<Machine> = nodes
        .filter_map(|n| place(&n.name.value, n.network.as_ref().map(|x| x.value.as_str()), n.internal_ip.as_ref().map(|a| a.value.0), None))
        .collect();
    let host_machines: Vec<Machine> = world
        .hosts
        .iter()
        .filter(|h| has_card(world, h))
        .filter_map(|h| {
            place(
                &h.name.value,
                h.network.as_ref().map(|x| x.value.as_str()),
                h.ip.as_ref().map(|a| a.value.0),
                h.gateway.as_ref().map(|g| g.value.0),
            )
        })
        .collect();
    let pod_cidrs = world.cluster.as_ref().map(|c| pod_cidrs(c)).unwrap_or_default();
    Addresses { nets, nodes: node_machines, hosts: host_machines, pod_cidrs }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(text: &str) -> Addresses {
        let read = crate::read::text(text);
        assert_eq!(read.errors, []);
        addresses(&read.scenario.unwrap())
    }

    #[test]
    fn nodes_first_then_hosts_from_two() {
        let a = of(
            "Scenario(format: 1, title: \"x\", cluster: (cni: Bridge(), nodes: [(name: \"a\"), (name: \"b\", internal_ip: \"10.168.0.2\")]), hosts: [(name: \"h\"), (name: \"i\", ip: \"10.168.0.4\"), (name: \"j\")])",
        );
        let ips: Vec<String> = a.nodes.iter().chain(&a.hosts).map(|m| format!("{} {}", m.host, m.ip)).collect();
        assert_eq!(ips, ["a 10.168.0.3", "b 10.168.0.2", "h 10.168.0.5", "i 10.168.0.4", "j 10.168.0.6"]);
        let cidrs: Vec<String> = a.pod_cidrs.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(cidrs, ["10.244.0.0/24", "10.244.1.0/24"]);
    }

    #[test]
    fn a_router_has_no_gateway_and_a_host_on_cables_no_card() {
        let a = of("Scenario(format: 1, title: \"x\", networks: [(name: \"l\", gateway: \"10.168.0.1\")], \
                    hosts: [(name: \"r\", ip: \"10.168.0.1\"), (name: \"h\"), (name: \"c\"), (name: \"d\", network: \"internet\", ip: \"198.51.100.7\")], links: [(a: \"c/eth0\", b: \"h/eth1\")])");
        assert_eq!(a.hosts.iter().map(|m| m.host.as_str()).collect::<Vec<_>>(), ["r", "d"]);
        assert_eq!(a.hosts[0].gateway, None);
        assert_eq!(a.hosts[1].range.len(), 32);
    }
}
