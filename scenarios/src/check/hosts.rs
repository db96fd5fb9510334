//! Addresses of hosts, nodes and their devices.

use super::Subject;
use super::network::{INTERNET, reference, subnets, usable};
use crate::diag::Diagnostic;
use crate::schema::{Addr, At, Listen};
use crate::text::Span;
use sim_core::packet::{Ipv4Addr, Prefix};

pub(super) fn check(s: &mut Subject<'_>) {
    if s.world_elsewhere() {
        return;
    }
    let ranges = subnets(s.world);
    let first = ranges.first().map(|r| r.0.clone()).unwrap_or_default();
    let mut taken: Vec<(Ipv4Addr, Span, String)> = Vec::new();
    let world = s.world;
    for n in &world.networks {
        for g in [&n.internet_gateway].into_iter().flatten() {
            taken.push((g.value.0, g.span, "the internet gateway".to_owned()));
        }
    }
    for h in &world.hosts {
        let network = h.network.as_ref().map_or(first.clone(), |n| n.value.clone());
        let known = h.network.as_ref().is_none_or(|n| reference(s, n));
        if let (Some(ip), true) = (&h.ip, known) {
            address(s, ip, &network, &ranges, &format!("host {}", h.name.value), &mut taken);
        }
        if network == INTERNET && h.ip.is_none() && known {
            s.say(
                Diagnostic::error(h.name.span, format!("host {} needs `ip`", h.name.value))
                    .label("on the internet no address is given by itself")
                    .help("public addresses for examples: 198.51.100.0/24, 203.0.113.0/24"),
            );
        }
        if let (Some(g), true) = (&h.gateway, known) {
            gateway(s, g, &network, &ranges);
        }
        for i in &h.interfaces {
            if !reference(s, &i.network) {
                continue;
            }
            if i.name.value == "eth0"
                || i.name.value == "lo"
                || h.interfaces.iter().any(|j| j.name.span < i.name.span && j.name.value == i.name.value)
            {
                s.say(
                    Diagnostic::error(i.name.span, format!("host {} has a device {} already", h.name.value, i.name.value))
                        .label("choose another name"),
                );
            }
            if let Some(ip) = &i.ip {
                address(s, ip, &i.network.value, &ranges, &format!("host {}", h.name.value), &mut taken);
            }
        }
        listeners(s, &h.listen);
        for n in &h.namespaces {
            listeners(s, &n.listen);
        }
    }
    for n in world.cluster.iter().flat_map(|c| &c.nodes) {
        let network = n.network.as_ref().map_or(first.clone(), |x| x.value.clone());
        let known = n.network.as_ref().is_none_or(|x| reference(s, x));
        if let (Some(ip), true) = (&n.internal_ip, known) {
            address(s, ip, &network, &ranges, &format!("node {}", n.name.value), &mut taken);
        }
        if let Some(e) = &n.external_ip {
            if let Some((_, span, who)) = taken.iter().find(|t| t.0 == e.value.0) {
                let d =
                    Diagnostic::error(e.span, format!("{} is taken", e.value.0)).label("given twice").and(*span, format!("{who} has it"));
                s.out.push(d);
            } else {
                taken.push((e.value.0, e.span, format!("node {}", n.name.value)));
            }
        }
    }
}

fn address(
    s: &mut Subject<'_>,
    ip: &At<Addr>,
    network: &str,
    ranges: &[(String, Prefix<Ipv4Addr>, Option<Span>)],
    who: &str,
    taken: &mut Vec<(Ipv4Addr, Span, String)>,
) {
    let addr = ip.value.0;
    if let Some((_, range, span)) = ranges.iter().find(|r| r.0 == network)
        && !usable(*range, addr)
    {
        let d = if range.contains(addr) {
            Diagnostic::error(ip.span, format!("{who}: {addr} cannot be a host's address"))
                .label("the first and the last address of a range are no host's")
        } else {
            Diagnostic::error(ip.span, format!("{who}: {addr} is outside network {network}'s range {range}")).label("not in the range")
        };
        let d = match span {
            Some(sp) => d.and(*sp, format!("the range of {network}")),
            None => d,
        };
        s.say(d.help(format!("take a free address of {range}, or put it on another network")));
        return;
    }
    if network == INTERNET
        && (addr.is_private()
            || addr.is_loopback()
            || addr.is_link_local()
            || addr.is_multicast()
            || addr.is_broadcast()
            || addr.is_unspecified())
    {
        s.say(
            Diagnostic::error(ip.span, format!("{who}: {addr} is no public address"))
                .label("the internet carries public addresses only")
                .help("public addresses for examples: 198.51.100.0/24, 203.0.113.0/24"),
        );
        return;
    }
    if let Some((_, span, other)) = taken.iter().find(|t| t.0 == addr) {
        let d = Diagnostic::error(ip.span, format!("{addr} is taken"))
            .label("given twice")
            .and(*span, format!("{other} has it"))
            .help("each host needs an address of its own");
        s.out.push(d);
        return;
    }
    taken.push((addr, ip.span, who.to_owned()));
}

fn gateway(s: &mut Subject<'_>, g: &At<Addr>, network: &str, ranges: &[(String, Prefix<Ipv4Addr>, Option<Span>)]) {
    if let Some((_, range, _)) = ranges.iter().find(|r| r.0 == network)
        && !usable(*range, g.value.0)
    {
        s.say(
            Diagnostic::error(g.span, format!("the gateway {} is off the link", g.value.0))
                .label(format!("not in {network}'s range {range}"))
                .help(format!("a gateway is a neighbour: take an address of {range}")),
        );
    }
}

/// Two servers of one process cannot have one port; those of different containers may try.
pub(super) fn listeners(s: &mut Subject<'_>, list: &[At<Listen>]) {
    for (i, l) in list.iter().enumerate() {
        if let Some(first) = list[..i].iter().find(|f| f.value.port == l.value.port && f.value.protocol == l.value.protocol) {
            s.say(
                Diagnostic::error(l.span, format!("port {} is listened on twice", l.value.port))
                    .label("second time")
                    .and(first.span, "first time")
                    .help("keep one of the two"),
            );
        }
        if l.value.status.is_some_and(|c| !(100..=599).contains(&c)) {
            s.say(Diagnostic::error(l.span, "this is no HTTP status").label("100 to 599"));
        }
    }
}
