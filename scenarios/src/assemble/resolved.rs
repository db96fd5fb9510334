//! A scenario's world with all defaults filled in, written as a scenario's section would be.

use super::addresses::{Machine, addresses};
use super::{DEFAULT_LATENCY, assemble};
use crate::schema::Scenario;
use crate::schema::value::print_duration;
use sim_core::kube::{Pod, PortProtocol};
use std::fmt::Write as _;

/// Writes a world. What is no string, list or struct there is not written either: nothing is made up.
pub fn print(world: &Scenario) -> String {
    let a = addresses(world);
    let plan = assemble(world, 0);
    let mut s = String::from("networks: [\n");
    for net in &a.nets {
        let written = world.networks.iter().find(|n| n.name.value == net.name);
        let latency = written.and_then(|n| n.latency.as_ref()).map_or(DEFAULT_LATENCY, |l| l.value.0);
        let mtu = written.and_then(|n| n.mtu.as_ref()).map_or(1500, |m| m.value);
        let loss = written.and_then(|n| n.loss.as_ref()).map_or(0, |l| l.value.0);
        let _ = write!(s, "    (name: {:?}, subnet: \"{}\"", net.name, net.range);
        match (net.internet_gateway, net.gateway) {
            (Some(g), _) => drop(write!(s, ", internet_gateway: \"{g}\"")),
            (None, Some(g)) => drop(write!(s, ", gateway: \"{g}\"")),
            (None, None) => {}
        }
        let _ = writeln!(s, ", latency: \"{}\", mtu: {mtu}, loss: \"{}.{:04}%\"),", print_duration(latency), loss / 10_000, loss % 10_000);
    }
    s.push_str("],\n");
    if !world.hosts.is_empty() {
        s.push_str("hosts: [\n");
        for h in &world.hosts {
            let _ = write!(s, "    (name: {:?}", h.name.value);
            if let Some(m) = a.hosts.iter().find(|m| m.host == h.name.value) {
                machine(&mut s, m, "ip");
            }
            s.push_str("),\n");
        }
        s.push_str("],\n");
    }
    if let Some(c) = &plan.cluster {
        let _ = write!(s, "cluster: (\n    pod_subnet: \"{}\",\n    nodes: [\n", c.pod_subnet);
        for (n, m) in c.nodes.iter().zip(&a.nodes) {
            let _ = write!(s, "        (name: {:?}", &**n.name());
            machine(&mut s, m, "internal_ip");
            if let Some(cidr) = n.pod_cidr {
                let _ = write!(s, ", pod_cidr: \"{cidr}\"");
            }
            s.push_str("),\n");
        }
        s.push_str("    ],\n    pods: [\n");
        for p in &c.pods {
            pod(&mut s, p);
        }
        s.push_str("    ],\n),\n");
    }
    s
}

fn machine(s: &mut String, m: &Machine, ip: &str) {
    let _ = write!(s, ", network: {:?}, {ip}: \"{}\"", m.network, m.ip);
    if let Some(g) = m.gateway {
        let _ = write!(s, "{}", if ip == "ip" { format!(", gateway: \"{g}\"") } else { format!(" /* default via {g} */") });
    }
}

fn pod(s: &mut String, p: &Pod) {
    let _ = write!(s, "        (name: {:?}, namespace: {:?}", &**p.meta.name(), &**p.meta.namespace());
    if let Some(n) = &p.spec.node_name {
        let _ = write!(s, ", node_name: {:?}", &**n);
    }
    let labels: Vec<String> = p.meta.labels.iter().map(|(k, v)| format!("{:?}: {:?}", &**k, &**v)).collect();
    let _ = write!(s, ", labels: {{{}}}", labels.join(", "));
    if let Some(ip) = p.spec.requested_ip {
        let _ = write!(s, ", pod_ip: \"{ip}\"");
    }
    if p.spec.host_network {
        s.push_str(", host_network: true");
    }
    let containers: Vec<String> = p
        .spec
        .containers
        .iter()
        .map(|c| {
            let listen: Vec<String> = c
                .listen
                .iter()
                .map(|l| match l.protocol {
                    PortProtocol::Udp => format!("\"{}/udp\"", l.port),
                    _ => l.port.to_string(),
                })
                .collect();
            format!("(name: {:?}, listen: [{}])", &*c.name, listen.join(", "))
        })
        .collect();
    let _ = writeln!(s, ", containers: [{}], ready_after: \"{}\"),", containers.join(", "), print_duration(p.spec.ready_after));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    #[test]
    fn what_is_printed_is_a_world_again() {
        let text = include_str!("../../examples/minimal.ron");
        let first = crate::read::text(text).scenario.unwrap();
        let printed = super::print(&first);
        let cni = printed.replace("cluster: (\n", "cluster: (\n    cni: Bridge(),\n");
        let again = crate::read::text(&format!("Scenario(format: 1, title: \"x\", {cni})"));
        assert_eq!(again.errors, [], "{printed}");
        assert_eq!(super::print(&again.scenario.unwrap()), printed);
        assert!(printed.contains("internal_ip: \"10.168.0.2\", pod_cidr: \"10.244.0.0/24\""), "{printed}");
    }
}
