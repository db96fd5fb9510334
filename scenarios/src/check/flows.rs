//! Flows and the timeline: where traffic starts, where it goes, when.

use super::Subject;
use super::names::{Names, Place, listed, no_place};
use crate::diag::Diagnostic;
use crate::schema::{At, Flow, Ref, Target};
use crate::text::Span;

pub(super) fn check(s: &mut Subject<'_>) {
    let sc = s.scenario;
    let checks: Vec<&At<Flow>> = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.flow.as_ref()).collect();
    let all: Vec<&At<Flow>> = sc.flows.iter().chain(checks).collect();
    for (i, f) in all.iter().enumerate() {
        one(s, f, &all[..i]);
    }
    for t in &sc.timeline {
        match (&t.run, &t.pod, &t.ready) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            (None, Some(p), None) => {
                s.say(Diagnostic::error(p.span, "what becomes of the pod?").label("no `ready`").help("write `ready: false`"))
            }
            (None, None, Some(r)) => s.say(Diagnostic::error(r.span, "which pod?").label("no `pod`").help("write `pod: \"web-1\"`")),
            (None, None, None) => s.say(
                Diagnostic::error(t.span, "nothing happens here")
                    .label("neither `run` nor `pod`")
                    .help("write `run: \"…\"`, or `pod: \"…\", ready: false`"),
            ),
            (Some(r), _, _) => {
                s.say(Diagnostic::error(r.span, "a command and a pod's readiness in one entry").help("make two entries of it"))
            }
        }
        if let Some(p) = &t.pod {
            pod(s, &p.value, p.span);
        }
    }
}

fn one(s: &mut Subject<'_>, f: &At<Flow>, before: &[&At<Flow>]) {
    let c = f.common();
    if let Some(from) = c.from {
        match s.names.place(&from.value) {
            Err(why) => {
                let d = no_place(s.names, &from.value, from.span, &why);
                s.say(d);
            }
            Ok(Place::LoadBalancer) => {
                s.say(Diagnostic::error(from.span, "no traffic starts at the load balancer").label("it passes on what others send"))
            }
            Ok(_) => {}
        }
    }
    if let Some(to) = c.to {
        target(s, to);
    }
    if let (Some(at), Some(wait)) = (c.at, c.wait) {
        s.say(Diagnostic::error(wait.span, "a flow starts `at` a time or after a `wait`, not both").label("this").and(at.span, "or this"));
    }
    if let Some(b) = c.backend {
        pod(s, &b.value, b.span);
    }
    let opened = |name: &At<String>, kinds: &[&str], s: &mut Subject<'_>| {
        let found = before.iter().find(|g| g.name() == name.value);
        match found {
            None => {
                let names: Vec<String> = before.iter().filter(|g| kinds.contains(&g.common().kind)).map(|g| g.name()).collect();
                s.say(
                    Diagnostic::error(name.span, format!("no flow `{}` stands before this one", name.value))
                        .near(&name.value, names.iter().map(String::as_str), "not opened")
                        .help(format!("flows that could be meant: {}", listed(&names))),
                );
            }
            Some(g) => {
                let held = match &g.value {
                    Flow::Tcp(t) => t.hold.as_ref().is_some_and(|h| h.value),
                    Flow::Udp(u) => u.hold.as_ref().is_some_and(|h| h.value),
                    _ => false,
                };
                if !held || !kinds.contains(&g.common().kind) {
                    s.say(
                        Diagnostic::error(name.span, format!("the flow `{}` is over when this one starts", name.value))
                            .label("not held open")
                            .and(g.span, "this one")
                            .help("write `hold: true` in it"),
                    );
                }
            }
        }
    };
    match &f.value {
        Flow::Send(x) => opened(&x.on, &["Tcp"], s),
        Flow::Close(x) => opened(&x.on, &["Tcp", "Udp"], s),
        Flow::Udp(x) => {
            if let Some(r) = &x.reuse {
                opened(r, &["Udp"], s);
            }
        }
        Flow::Http(x) => {
            if let Err((from, to, what)) = crate::assemble::url::parse(&x.url.value) {
                let at = x.url.span.start + 1;
                s.say(
                    Diagnostic::error(Span::new(at + from, (at + to).min(x.url.span.end)), what)
                        .help("addresses are written http://HOST[:PORT]/PATH"),
                );
            }
        }
        Flow::Raw(x) => {
            let digits: String = x.bytes.value.chars().filter(|c| !c.is_whitespace()).collect();
            if !digits.len().is_multiple_of(2) || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                s.say(
                    Diagnostic::error(x.bytes.span, "these are no bytes")
                        .label("pairs of hexadecimal digits")
                        .help("the IP packet with its header: \"45000054 …\""),
                );
            }
        }
        Flow::Ping(x) => {
            if let Some(n) = &x.count
                && !(1..=1000).contains(&n.value)
            {
                s.say(Diagnostic::error(n.span, "so many pings cannot be sent").label("1 to 1000"));
            }
            size(s, x.size.as_ref(), 65_507);
        }
        Flow::Tcp(x) => {
            port(s, &x.port);
            size(s, x.size.as_ref(), 10_000_000);
        }
        _ => {}
    }
    if let Flow::Udp(x) = &f.value {
        port(s, &x.port);
        size(s, x.size.as_ref(), 65_507);
    }
}

fn port(s: &mut Subject<'_>, p: &At<u16>) {
    if p.value == 0 {
        s.say(Diagnostic::error(p.span, "0 is no port").label("ports are 1 to 65535"));
    }
}

fn size(s: &mut Subject<'_>, n: Option<&At<u32>>, most: u32) {
    if let Some(n) = n
        && n.value > most
    {
        s.say(Diagnostic::error(n.span, format!("{} bytes are too many", n.value)).label(format!("at most {most}")));
    }
}

fn pod(s: &mut Subject<'_>, name: &str, span: Span) {
    let (ns, plain) =
        name.strip_prefix("pod/").unwrap_or(name).split_once('/').unwrap_or(("default", name.strip_prefix("pod/").unwrap_or(name)));
    if !s.names.open && !s.names.has_pod(ns, plain) {
        let d = no_pod(s.names, ns, plain, span);
        s.say(d);
    }
}

fn no_pod(names: &Names, ns: &str, name: &str, span: Span) -> Diagnostic {
    let pods: Vec<String> = names
        .pods
        .iter()
        .filter(|p| p.of == ns)
        .map(|p| p.name.clone())
        .chain(names.deployments.iter().filter(|d| d.of == ns).map(|d| format!("{}-1", d.name)))
        .collect();
    let place = if ns == "default" { String::new() } else { format!(" in namespace {ns}") };
    Diagnostic::error(span, format!("there is no pod `{name}`{place}"))
        .near(name, pods.iter().map(String::as_str), "not among `pods`")
        .help(format!("the pods: {}", listed(&pods)))
}

/// A destination or an address that is compared.
pub(super) fn target(s: &mut Subject<'_>, t: &At<Target>) {
    let names = s.names;
    match &t.value {
        Target::Addr(_) => {}
        Target::Ref(Ref::Pod(ns, name)) => {
            if !names.open && !names.has_pod(ns, name) {
                s.say(no_pod(names, ns, name, t.span));
            }
        }
        Target::Ref(Ref::Service(ns, name)) => {
            if !names.open && !names.services.iter().any(|x| x.of == *ns && x.name == *name) {
                let all: Vec<&str> = names.services.iter().map(|x| x.name.as_str()).collect();
                s.say(
                    Diagnostic::error(t.span, format!("there is no Service `{name}`"))
                        .near(name, all.iter().copied(), "not among `services`")
                        .help(format!("the Services: {}", listed(&all))),
                );
            }
        }
        Target::Ref(Ref::Node(name)) => {
            if !names.nodes.iter().any(|x| x.name == *name) {
                let all: Vec<&str> = names.nodes.iter().map(|x| x.name.as_str()).collect();
                s.say(
                    Diagnostic::error(t.span, format!("there is no node `{name}`"))
                        .near(name, all.iter().copied(), "not among `nodes`")
                        .help(format!("the nodes: {}", listed(&all))),
                );
            }
        }
        Target::Ref(Ref::Host(name)) => {
            let known = match name.split_once('/') {
                Some((h, n)) => names.netns.iter().any(|x| x.of == h && x.name == n),
                None => names.hosts.iter().chain(&names.nodes).any(|x| x.name == *name),
            };
            if !known {
                let all: Vec<&str> = names.hosts.iter().map(|x| x.name.as_str()).collect();
                s.say(
                    Diagnostic::error(t.span, format!("there is no host `{name}`"))
                        .near(name, all.iter().copied(), "not among `hosts`")
                        .help(format!("the hosts: {}", listed(&all))),
                );
            }
        }
        Target::Name(name) => {
            // A word that is the name of a place is hardly meant as a host name.
            if names.host_names.contains(name) {
                return;
            }
            if let Ok(place) = names.place(name)
                && !names.open
            {
                let reference = match place {
                    Place::Pod(ns, n) if ns == "default" => format!("pod/{n}"),
                    Place::Pod(ns, n) => format!("pod/{ns}/{n}"),
                    Place::Host(h) if names.nodes.iter().any(|x| x.name == h) => format!("node/{h}"),
                    other => format!("host/{}", other.label()),
                };
                s.say(
                    Diagnostic::error(t.span, format!("`{name}` is a host name that nobody resolves"))
                        .label(format!("did you mean \"{reference}\"?"))
                        .help("an address, a reference such as \"pod/web\", or a name that the client's etc_hosts or DNS knows"),
                );
            } else if !names.open && s.world.cluster.as_ref().is_none_or(|c| c.dns.is_none()) {
                s.say(Diagnostic::warning(t.span, format!("nobody resolves `{name}`")).label("neither in etc_hosts nor in DNS"));
            }
        }
    }
}
