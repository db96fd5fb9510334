//! Networks and links: ranges, gateways, MTUs.

use super::Subject;
use super::names::listed;
use crate::diag::Diagnostic;
use crate::schema::{At, Network, Scenario};
use crate::text::Span;
use sim_core::packet::{Ipv4Addr, Prefix};

/// The network that is there when none is written.
pub const DEFAULT_NETWORK: &str = "lan";
/// The network that is always there.
pub const INTERNET: &str = "internet";

/// Ranges of the networks in order: as written, or the next of 10.168.0.0/24, 10.168.1.0/24, …
pub fn subnets(world: &Scenario) -> Vec<(String, Prefix<Ipv4Addr>, Option<Span>)> {
    let default = |i: u8| Prefix::new(Ipv4Addr::new(10, 168, i, 0), 24);
    if world.networks.is_empty() {
        return vec![(DEFAULT_NETWORK.to_owned(), default(0), None)];
    }
    let mut out: Vec<(String, Prefix<Ipv4Addr>, Option<Span>)> = Vec::new();
    for n in &world.networks {
        let (range, span) = match &n.subnet {
            Some(c) => (c.value.0, Some(c.span)),
            None => {
                let taken = |p: Prefix<Ipv4Addr>| {
                    out.iter().any(|(_, q, _)| q.overlaps(p))
                        || world.networks.iter().any(|m| m.subnet.as_ref().is_some_and(|c| c.value.0.overlaps(p)))
                };
                let free = (0..=255).map(default).find(|p| !taken(*p)).unwrap_or_else(|| default(255));
                (free, None)
            }
        };
        out.push((n.name.value.clone(), range, span));
    }
    out
}

/// Whether `addr` may be a host's address on `range`: not the first, which names the range, nor the last, which is everybody.
pub fn usable(range: Prefix<Ipv4Addr>, addr: Ipv4Addr) -> bool {
    range.contains(addr) && (range.len() >= 31 || (addr != range.addr() && addr != range.last()))
}

pub(super) fn check(s: &mut Subject<'_>) {
    if s.world_elsewhere() {
        return;
    }
    let ranges = subnets(s.world);
    for (i, (name, range, span)) in ranges.iter().enumerate() {
        let Some(span) = span else { continue };
        for (other, other_range, other_span) in &ranges[..i] {
            if range.overlaps(*other_range) {
                let d = Diagnostic::error(*span, format!("the networks {other} and {name} overlap"))
                    .label(format!("{range} shares addresses with {other_range}"));
                let d = match other_span {
                    Some(o) => d.and(*o, format!("the range of {other}")),
                    None => d,
                };
                s.out.push(d.help("each network needs a range of its own"));
            }
        }
        if range.len() > 30 {
            s.out.push(Diagnostic::error(*span, format!("{range} holds no hosts")).label("a network needs a /30 or larger"));
        }
    }
    let world = s.world;
    for n in &world.networks {
        one(s, n, &ranges);
    }
    for l in &world.links {
        for (end, other) in [(&l.a, &l.b), (&l.b, &l.a)] {
            link_end(s, end, other);
        }
        if let Some(m) = &l.mtu {
            mtu(s, m);
        }
    }
}

fn mtu(s: &mut Subject<'_>, m: &At<u32>) {
    if !(68..=65_535).contains(&m.value) {
        s.say(
            Diagnostic::error(m.span, format!("an MTU of {} cannot be", m.value))
                .label("68 to 65535")
                .help("68 is the smallest that IPv4 allows"),
        );
    }
}

fn one(s: &mut Subject<'_>, n: &At<Network>, ranges: &[(String, Prefix<Ipv4Addr>, Option<Span>)]) {
    let Some((_, range, range_span)) = ranges.iter().find(|r| r.0 == n.name.value) else { return };
    for (field, gateway) in [("gateway", &n.gateway), ("internet_gateway", &n.internet_gateway)] {
        let Some(g) = gateway else { continue };
        if usable(*range, g.value.0) {
            continue;
        }
        let d = if range.contains(g.value.0) {
            Diagnostic::error(g.span, format!("network {}: {} cannot be a host's address", n.name.value, g.value.0))
                .label("the first and the last address of a range are no host's")
        } else {
            Diagnostic::error(g.span, format!("network {}: the {field} {} is off the link", n.name.value, g.value.0))
                .label(format!("not in {range}"))
        };
        let d = match range_span {
            Some(r) => d.and(*r, format!("the range of {}", n.name.value)),
            None => d,
        };
        s.say(d.help(format!("a gateway is a neighbour: take a free address of {range}")));
    }
    if let (Some(a), Some(b)) = (&n.gateway, &n.internet_gateway)
        && a.value == b.value
    {
        s.say(
            Diagnostic::error(b.span, format!("{} is the address of two gateways", b.value.0))
                .and(a.span, "a host of the scenario")
                .help("leave `gateway` out, and the internet gateway is the default gateway"),
        );
    }
    if let Some(m) = &n.mtu {
        mtu(s, m);
    }
}

fn link_end(s: &mut Subject<'_>, end: &At<String>, other: &At<String>) {
    let Some((place, dev)) = end.value.rsplit_once('/') else {
        s.say(
            Diagnostic::error(end.span, format!("`{}` is no end of a link", end.value))
                .label("a place and a device")
                .help("write \"host/eth0\" or \"host/netns/eth0\""),
        );
        return;
    };
    if dev.is_empty() || dev.len() > 15 {
        s.say(Diagnostic::error(end.span, format!("`{dev}` is no device name")).label("1 to 15 letters"));
    }
    if end.value == other.value && end.span < other.span {
        s.say(Diagnostic::error(end.span, "a link needs two different ends").and(other.span, "the same device"));
    }
    let (host, netns) = match place.split_once('/') {
        Some((h, n)) => (h, Some(n)),
        None => (place, None),
    };
    let names = s.names;
    let known = names.hosts.iter().chain(&names.nodes).any(|h| h.name == host);
    if !known {
        let hosts: Vec<&str> = names.hosts.iter().chain(&names.nodes).map(|h| h.name.as_str()).collect();
        s.say(
            Diagnostic::error(end.span, format!("there is no host `{host}`"))
                .near(host, hosts.iter().copied(), "this end hangs in the air")
                .help(format!("the hosts: {}", listed(&hosts))),
        );
    } else if let Some(n) = netns
        && !names.netns.iter().any(|x| x.of == host && x.name == n)
    {
        let all: Vec<&str> = names.netns.iter().filter(|x| x.of == host).map(|x| x.name.as_str()).collect();
        s.say(
            Diagnostic::error(end.span, format!("host {host} has no namespace `{n}`"))
                .near(n, all.iter().copied(), "not among its `namespaces`")
                .help(format!("its namespaces: {}", listed(&all))),
        );
    }
}

/// A reference to a network.
pub(super) fn reference(s: &mut Subject<'_>, name: &At<String>) -> bool {
    if name.value == INTERNET {
        return true;
    }
    let all: Vec<String> = if s.names.networks.is_empty() {
        vec![DEFAULT_NETWORK.to_owned()]
    } else {
        s.names.networks.iter().map(|n| n.name.clone()).collect()
    };
    if all.contains(&name.value) {
        return true;
    }
    s.say(
        Diagnostic::error(name.span, format!("there is no network `{}`", name.value))
            .near(&name.value, all.iter().map(String::as_str), "not among `networks`")
            .help(format!("the networks: {}, internet", listed(&all))),
    );
    false
}
