//! The cluster: pod ranges, pods, references between objects.

use super::Subject;
use super::hosts::listeners;
use super::names::listed;
use super::network::subnets;
use crate::diag::Diagnostic;
use crate::schema::objects::Container;
use crate::schema::{At, Cluster, Node};
use crate::text::Span;
use indexmap::IndexMap;
use sim_core::packet::{Ipv4Addr, Prefix};

/// Range of all pods, as written or 10.244.0.0/16.
pub fn pod_subnet(c: &Cluster) -> Prefix<Ipv4Addr> {
    c.pod_subnet.as_ref().map_or_else(|| Prefix::new(Ipv4Addr::new(10, 244, 0, 0), 16), |s| s.value.0)
}

/// Range of ClusterIPs, as written or 10.96.0.0/12.
pub fn service_subnet(c: &Cluster) -> Prefix<Ipv4Addr> {
    c.service_subnet.as_ref().map_or_else(|| Prefix::new(Ipv4Addr::new(10, 96, 0, 0), 12), |s| s.value.0)
}

/// Pod ranges of the nodes in order: as written, or the next free /24 (or the whole, if it is smaller) of the pod range.
pub fn pod_cidrs(c: &Cluster) -> Vec<Option<Prefix<Ipv4Addr>>> {
    let whole = pod_subnet(c);
    let written: Vec<Prefix<Ipv4Addr>> = c.nodes.iter().filter_map(|n| n.pod_cidr.as_ref().map(|p| p.value.0)).collect();
    let len = whole.len().max(24);
    let mut given = written.clone();
    let mut next: u128 = 0;
    c.nodes
        .iter()
        .map(|n| {
            if let Some(p) = &n.pod_cidr {
                return Some(p.value.0);
            }
            loop {
                let addr = whole.nth(next << (32 - u32::from(len)))?;
                next += 1;
                let range = Prefix::new(addr, len);
                if !given.iter().any(|g| g.overlaps(range)) {
                    given.push(range);
                    return Some(range);
                }
            }
        })
        .collect()
}

pub(super) fn check(s: &mut Subject<'_>) {
    if s.world_elsewhere() {
        return;
    }
    let Some(c) = &s.world.cluster else { return };
    if c.nodes.is_empty() && s.names.nodes.is_empty() {
        s.say(
            Diagnostic::error(c.cni.span, "a cluster needs nodes")
                .label("this plugin has nowhere to run")
                .help("write `nodes: [(name: \"node-a\")]`"),
        );
    }
    ranges(s, c);
    pods(s, c);
    services(s, c);
}

fn ranges(s: &mut Subject<'_>, c: &Cluster) {
    let whole = pod_subnet(c);
    let cidrs = pod_cidrs(c);
    let networks = subnets(s.world);
    let span_of = |n: &Node| n.pod_cidr.as_ref().map_or(n.name.span, |p| p.span);
    for (i, (n, range)) in c.nodes.iter().zip(&cidrs).enumerate() {
        let Some(range) = range else {
            s.say(
                Diagnostic::error(n.name.span, format!("no pod range is left for node {}", n.name.value))
                    .label(format!("{whole} is used up"))
                    .help("give the cluster a larger `pod_subnet`"),
            );
            continue;
        };
        let span = span_of(n);
        for (m, other) in c.nodes[..i].iter().zip(&cidrs) {
            if let Some(o) = other
                && o.overlaps(*range)
            {
                s.say(
                    Diagnostic::error(span, format!("the pod ranges of {} and {} overlap", m.name.value, n.name.value))
                        .label(format!("{range} shares addresses with {o}"))
                        .and(span_of(m), format!("the range of {}", m.name.value))
                        .help("each node needs a range of its own"),
                );
            }
        }
        if n.pod_cidr.is_some() && !whole.covers(*range) {
            let d = Diagnostic::warning(span, format!("node {}'s pod range {range} is outside the cluster's {whole}", n.name.value))
                .label("not in `pod_subnet`");
            let d = match &c.pod_subnet {
                Some(p) => d.and(p.span, "the range of all pods"),
                None => d.help(format!("write `pod_subnet: \"…\"` in the cluster; left out it is {whole}")),
            };
            s.say(d);
        }
        if n.pod_cidr.is_some() && range.len() > 29 {
            s.say(Diagnostic::error(span, format!("{range} holds no pods")).label("a node needs a /29 or larger"));
        }
    }
    let service = service_subnet(c);
    let whole_span = c.pod_subnet.as_ref().map(|p| p.span);
    let service_span = c.service_subnet.as_ref().map(|p| p.span);
    if let Some(at) = whole_span.or(service_span)
        && whole.overlaps(service)
    {
        s.say(
            Diagnostic::error(at, "the ranges of pods and of Services overlap")
                .label(format!("pods {whole}, Services {service}"))
                .help("an address must mean one thing"),
        );
    }
    for (name, range, span) in &networks {
        for (what, other, other_span) in [("pods", whole, whole_span), ("Services", service, service_span)] {
            if range.overlaps(other)
                && let Some(at) = span.or(other_span)
            {
                let d = Diagnostic::error(at, format!("network {name} and the range of {what} overlap"))
                    .label(format!("{range} shares addresses with {other}"));
                let d = match other_span {
                    Some(o) if o != at => d.and(o, format!("the range of {what}")),
                    _ => d,
                };
                s.say(d.help("nodes could not tell a neighbour from a pod"));
            }
        }
    }
}

fn pods(s: &mut Subject<'_>, c: &Cluster) {
    let cidrs = pod_cidrs(c);
    let mut taken: Vec<(Ipv4Addr, Span)> = Vec::new();
    for d in &c.deployments {
        if let Some(n) = &d.node_name {
            node_reference(s, n);
        }
        containers(s, &d.containers, !d.listen.is_empty() || !d.ports.is_empty());
        listeners(s, &d.listen);
    }
    for p in &c.pods {
        if let Some(n) = &p.node_name {
            node_reference(s, n);
        }
        containers(s, &p.containers, !p.listen.is_empty() || !p.ports.is_empty());
        listeners(s, &p.listen);
        let Some(ip) = &p.pod_ip else { continue };
        let addr = ip.value.0;
        if p.host_network.as_ref().is_some_and(|h| h.value) {
            s.say(
                Diagnostic::error(ip.span, format!("pod {}: a pod of the host network has its node's address", p.name.value))
                    .label("leave it out"),
            );
            continue;
        }
        let on = |name: &str| c.nodes.iter().zip(&cidrs).find(|(n, _)| n.name.value == name);
        let home = c.nodes.iter().zip(&cidrs).find(|(_, r)| r.is_some_and(|r| r.contains(addr)));
        match p.node_name.as_ref().and_then(|n| on(&n.value)) {
            Some((node, Some(range))) if !range.contains(addr) => {
                let d =
                    Diagnostic::error(ip.span, format!("pod {}: {addr} is outside {}'s pod range {range}", p.name.value, node.name.value))
                        .label("not in the range");
                let d = match &node.pod_cidr {
                    Some(cidr) => d.and(cidr.span, format!("the range of {}", node.name.value)),
                    None => d.and(node.name.span, format!("{} has {range}", node.name.value)),
                };
                let help = match home {
                    Some((n, _)) => format!("put the pod on {}, or take a free address of {range}", n.name.value),
                    None => format!("take a free address of {range}"),
                };
                s.say(d.help(help));
            }
            None if p.node_name.is_none() && home.is_none() => {
                s.say(
                    Diagnostic::error(ip.span, format!("pod {}: {addr} is in no node's pod range", p.name.value))
                        .label("no node has it")
                        .help(format!("the ranges: {}", listed(&cidrs.iter().flatten().map(ToString::to_string).collect::<Vec<_>>()))),
                );
            }
            _ => {}
        }
        if let Some((_, Some(range))) = home {
            if range.nth(1) == Some(addr) {
                s.say(
                    Diagnostic::error(ip.span, format!("pod {}: {addr} is the bridge's own", p.name.value))
                        .label("the first address of the range is the pods' gateway")
                        .help(format!("take a free address of {range} from .2 on")),
                );
            } else if addr == range.addr() || addr == range.last() {
                s.say(
                    Diagnostic::error(ip.span, format!("pod {}: {addr} cannot be a pod's address", p.name.value))
                        .label("the first and the last address of a range are nobody's"),
                );
            }
        }
        if let Some((_, first)) = taken.iter().find(|t| t.0 == addr) {
            let d = Diagnostic::error(ip.span, format!("{addr} is asked for by two pods"))
                .label("second time")
                .and(*first, "first time")
                .help("each pod needs an address of its own");
            s.out.push(d);
        } else {
            taken.push((addr, ip.span));
        }
    }
}

fn containers(s: &mut Subject<'_>, list: &[At<Container>], own: bool) {
    for (i, c) in list.iter().enumerate() {
        if let Some(first) = list[..i].iter().find(|f| f.name.value == c.name.value) {
            s.say(
                Diagnostic::error(c.name.span, format!("the name `{}` is given to two containers", c.name.value))
                    .label("second time")
                    .and(first.name.span, "first time"),
            );
        }
        listeners(s, &c.listen);
    }
    if let (Some(first), true) = (list.first(), own) {
        s.say(
            Diagnostic::error(first.span, "`containers` beside `listen` or `ports`")
                .label("these have their own")
                .help("with `containers`, write `listen` and `ports` in each of them"),
        );
    }
}

fn node_reference(s: &mut Subject<'_>, name: &At<String>) {
    let nodes: Vec<&str> = s.names.nodes.iter().map(|n| n.name.as_str()).collect();
    if !nodes.contains(&name.value.as_str()) {
        let d = Diagnostic::error(name.span, format!("there is no node `{}`", name.value))
            .near(&name.value, nodes.iter().copied(), "not among `nodes`")
            .help(format!("the nodes: {}", listed(&nodes)));
        s.out.push(d);
    }
}

fn services(s: &mut Subject<'_>, c: &Cluster) {
    let range = service_subnet(c);
    let mut labelled: Vec<(String, String, Vec<(String, String)>, Span)> = Vec::new();
    for p in &c.pods {
        let (labels, span) = match &p.labels {
            Some(l) => (l.value.clone(), l.span),
            None => (IndexMap::from([("run".to_owned(), p.name.value.clone())]), p.name.span),
        };
        labelled.push((
            p.namespace.as_ref().map_or("default".into(), |n| n.value.clone()),
            format!("pod {}", p.name.value),
            labels.into_iter().collect(),
            span,
        ));
    }
    for d in &c.deployments {
        let (labels, span) = match &d.labels {
            Some(l) => (l.value.clone(), l.span),
            None => (IndexMap::from([("app".to_owned(), d.name.value.clone())]), d.name.span),
        };
        labelled.push((
            d.namespace.as_ref().map_or("default".into(), |n| n.value.clone()),
            format!("Deployment {}", d.name.value),
            labels.into_iter().collect(),
            span,
        ));
    }
    for svc in &c.services {
        if let Some(ip) = &svc.cluster_ip {
            match ip.value.parse::<Ipv4Addr>() {
                Ok(a) if !range.contains(a) => {
                    let d = Diagnostic::error(ip.span, format!("Service {}: {a} is outside the range of Services {range}", svc.name.value))
                        .label("not in the range");
                    s.out.push(match &c.service_subnet {
                        Some(r) => d.and(r.span, "the range of Services"),
                        None => d,
                    });
                }
                Err(_) if ip.value != "None" => s.say(
                    Diagnostic::error(ip.span, format!("`{}` is no address", ip.value))
                        .label("an address of the range of Services, or \"None\""),
                ),
                _ => {}
            }
        }
        let namespace = svc.namespace.as_ref().map_or("default", |n| n.value.as_str());
        let has_endpoints = c.endpoints.iter().any(|e| e.name.value == svc.name.value);
        if s.names.open || has_endpoints || svc.external_name.is_some() {
            continue;
        }
        let wanted: Vec<(String, String)> = match &svc.selector {
            Some(sel) => sel.value.clone().into_iter().collect(),
            None => vec![("app".to_owned(), svc.name.value.clone())],
        };
        let fits = labelled.iter().any(|(ns, _, labels, _)| ns == namespace && wanted.iter().all(|w| labels.contains(w)));
        if fits {
            continue;
        }
        let text = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
        let (span, label) = match &svc.selector {
            Some(sel) => (sel.span, format!("it asks for {text}")),
            None => (svc.name.span, format!("without selector it asks for {text}")),
        };
        let mut d = Diagnostic::warning(span, format!("Service {} selects no pod", svc.name.value)).label(label);
        let like = |same_key: bool| {
            labelled.iter().find(|(ns, _, labels, _)| {
                ns == namespace
                    && wanted.iter().any(|(k, v)| labels.iter().any(|(lk, lv)| (same_key && lk == k) || lv.eq_ignore_ascii_case(v)))
            })
        };
        let near = like(false).or_else(|| like(true));
        if let Some((_, who, labels, at)) = near {
            let has = labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
            d = d.and(*at, format!("{who} has {has}"));
        }
        s.say(d.help("labels are compared letter by letter; as it stands, every connection is refused"));
    }
}
