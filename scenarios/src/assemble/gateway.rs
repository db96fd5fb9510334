//! The gateway to the internet: a Linux router that knows the addresses of machines and no others.
//!
//! Models: a cloud's internet gateway (one to one NAT between a machine's internal and external address). It is a host as
//! every other, configured with commands:
//!
//! - each external address stands on its outer card, so that it answers ARP for it;
//! - what comes in for an external address goes to the machine (DNAT), what a machine sends leaves under its external
//!   address (SNAT);
//! - everything else is not forwarded (policy DROP): it knows no pods, and no machine without an external address.

use crate::schema::Scenario;
use sim_core::packet::Ipv4Addr;
use std::fmt::Write as _;

/// Name of the gateway of a network; plain if there is one only.
pub fn name(network: &str, only: bool) -> String {
    if only { "internet-gateway".to_owned() } else { format!("{network}-internet-gateway") }
}

/// Address of its outer card: of a range that is kept for documentation, and no machine's.
pub fn outer(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(index + 1).unwrap_or(254))
}

/// The machines with an external address: internal, external.
pub fn mapped(world: &Scenario, addresses: &super::addresses::Addresses, network: &str) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let nodes = world.cluster.iter().flat_map(|c| &c.nodes);
    nodes
        .filter_map(|n| {
            Some((addresses.nodes.iter().find(|m| m.host == n.name.value && m.network == network)?.ip, n.external_ip.as_ref()?.value.0))
        })
        .collect()
}

/// Its commands.
pub fn script(inner: Ipv4Addr, len: u8, outer: Ipv4Addr, mapped: &[(Ipv4Addr, Ipv4Addr)]) -> String {
    let mut s = format!(
        "ip link set lo up\n\
         ip link set eth0 up\n\
         ip addr add {inner}/{len} dev eth0\n\
         ip link set eth1 up\n\
         ip addr add {outer}/32 dev eth1\n\
         ip route add default dev eth1\n\
         sysctl -w net.ipv4.ip_forward=1\n\
         iptables -P FORWARD DROP\n"
    );
    for (inside, outside) in mapped {
        let _ = write!(
            s,
            "ip addr add {outside}/32 dev eth1\n\
             iptables -t nat -A PREROUTING -i eth1 -d {outside} -j DNAT --to-destination {inside}\n\
             iptables -t nat -A POSTROUTING -s {inside} -o eth1 -j SNAT --to-source {outside}\n\
             iptables -A FORWARD -s {inside} -i eth0 -o eth1 -j ACCEPT\n\
             iptables -A FORWARD -d {inside} -i eth1 -o eth0 -j ACCEPT\n"
        );
    }
    s
}
