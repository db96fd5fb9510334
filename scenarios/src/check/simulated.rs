//! What is right and not simulated yet: it is named, and the scenario is not run.

use super::Subject;
use super::patterns::LATER_KINDS;
use crate::diag::Diagnostic;
use crate::schema::cluster::FlannelBackend;
use crate::schema::{At, Cni, Expect, Flow, Ref, Target};
use crate::text::Span;

pub(super) fn check(s: &mut Subject<'_>) {
    let mut found: Vec<(Span, String)> = Vec::new();
    let sc = s.scenario;
    if !s.world_elsewhere()
        && let Some(c) = &sc.cluster
    {
        match &c.cni.value {
            Cni::Bridge(_) => {}
            Cni::Flannel(f) => match &f.backend {
                Some(b) if b.value == FlannelBackend::host_gw => {}
                Some(b) => found.push((b.span, "this backend of Flannel; `host_gw` is".to_owned())),
                None => found.push((c.cni.span, "Flannel's default backend, vxlan; `backend: host_gw` is".to_owned())),
            },
            other => {
                let name = match other {
                    Cni::Calico(_) => "Calico",
                    Cni::Cilium(_) => "Cilium",
                    Cni::Macvlan(_) => "the macvlan plugin",
                    _ => "the ipvlan plugin",
                };
                found.push((c.cni.span, name.to_owned()));
            }
        }
        let mut add = |span: Option<Span>, what: &str| found.extend(span.map(|s| (s, what.to_owned())));
        add(c.kube_proxy.as_ref().map(|x| x.span), "kube-proxy");
        add(c.dns.as_ref().map(|x| x.span), "cluster DNS");
        add(c.load_balancer.as_ref().map(|x| x.span), "load balancers");
        add(c.deployments.first().map(|x| x.span), "Deployments");
        add(c.services.first().map(|x| x.span), "Services");
        add(c.endpoints.first().map(|x| x.span), "Endpoints");
        add(c.ingresses.first().map(|x| x.span), "Ingresses");
        add(c.network_policies.first().map(|x| x.span), "NetworkPolicies");
        add(c.manifests.first().map(|x| x.span), "manifests");
        for p in &c.pods {
            let host_ports = p.ports.iter().chain(p.containers.iter().flat_map(|k| &k.ports)).find_map(|x| x.host_port.as_ref());
            add(host_ports.map(|h| h.span), "`host_port`");
        }
    }
    for t in &sc.timeline {
        if let Some(p) = &t.pod {
            found.push((p.span, "a pod's readiness in the timeline".to_owned()));
        }
    }
    let checks: Vec<&At<Flow>> = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.flow.as_ref()).collect();
    for f in sc.flows.iter().chain(checks) {
        if let Flow::Dns(_) = &f.value {
            found.push((f.span, "`Dns` flows".to_owned()));
        }
        if let Some(At { value: Target::Ref(Ref::Service(..)), span }) = f.common().to {
            found.push((*span, "traffic to Services".to_owned()));
        }
        if let Some(b) = f.common().backend {
            found.push((b.span, "`backend`".to_owned()));
        }
    }
    let patterns = sc.story.iter().map(|e| &e.when.value).chain(sc.expect.iter().filter_map(|e| match &e.value {
        Expect::Passes(p) | Expect::Avoids(p) => Some(p),
        _ => None,
    }));
    for p in patterns {
        if let Some(k) = &p.kind
            && LATER_KINDS.contains(&k.value.0.as_str())
        {
            found.push((k.span, format!("steps of kind {}", k.value.0)));
        }
    }
    for e in &sc.expect {
        match &e.value {
            Expect::Rules(r) if r.made_by.is_some() => found.push((e.span, "`Rules` with `made_by`".to_owned())),
            Expect::Rules(r) => found.extend(r.at.as_ref().map(|a| (a.span, "`Rules` at a time; at the end is".to_owned()))),
            Expect::Conntrack(c) => found.extend(c.at.as_ref().map(|a| (a.span, "`Conntrack` at a time; at the end is".to_owned()))),
            Expect::Output(o) => found.extend(o.at.as_ref().map(|a| (a.span, "`Output` at a time; at the end is".to_owned()))),
            _ => {}
        }
    }
    for (span, what) in found {
        s.say(Diagnostic::not_yet(span, what));
    }
}
