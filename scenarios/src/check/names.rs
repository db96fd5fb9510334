//! Who is called what. Names are taken from the tree, so that an entry with an error still has its name.

use super::Subject;
use crate::diag::Diagnostic;
use crate::schema::{Cni, Scenario};
use crate::text::{Kind, Node, Span};

/// A name and where it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Namespace (of pods and Services), or host (of network namespaces); empty for the rest.
    pub of: String,
    /// The name.
    pub name: String,
    /// Where; none if in another file.
    pub span: Option<Span>,
}

/// All names of a scenario and of the world it is based on.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Networks.
    pub networks: Vec<Name>,
    /// Hosts.
    pub hosts: Vec<Name>,
    /// Nodes.
    pub nodes: Vec<Name>,
    /// Gateways to the internet, which are hosts that nobody writes down.
    pub gateways: Vec<String>,
    /// Network namespaces of hosts.
    pub netns: Vec<Name>,
    /// Pods.
    pub pods: Vec<Name>,
    /// Deployments; their pods are NAME-1, NAME-2, …
    pub deployments: Vec<Name>,
    /// Services.
    pub services: Vec<Name>,
    /// Flows.
    pub flows: Vec<Name>,
    /// Names of hosts that some `etc_hosts` knows.
    pub host_names: Vec<String>,
    /// Objects come from manifests too, which are not looked at.
    pub open: bool,
    /// There is a load balancer, which is a place.
    pub load_balancer: bool,
}

/// A place that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A host or node, its own namespace.
    Host(String),
    /// A namespace of a host.
    Netns(String, String),
    /// A pod: namespace, name.
    Pod(String, String),
    /// The load balancer.
    LoadBalancer,
}

impl Place {
    /// What a reader calls it, as the world's labels do: `node-a`, `docker/web`, `web`, `shop/web`.
    pub fn label(&self) -> String {
        match self {
            Place::Host(h) => h.clone(),
            Place::Netns(h, n) => format!("{h}/{n}"),
            Place::Pod(ns, n) if ns == "default" => n.clone(),
            Place::Pod(ns, n) => format!("{ns}/{n}"),
            Place::LoadBalancer => "load-balancer".to_owned(),
        }
    }
}

/// Why a place was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// Nothing is called so.
    Unknown,
    /// More than one is.
    Ambiguous(Vec<String>),
}

impl Names {
    /// Adds the names of a tree; `here` if it is the file at hand.
    pub fn add(&mut self, root: &Node, here: bool) {
        let list = |path: &[&str]| -> Vec<Node> {
            let mut at = Some(root);
            for p in path {
                at = at.and_then(|n| n.get(p));
            }
            at.map(|n| n.items().to_vec()).unwrap_or_default()
        };
        let named = |nodes: Vec<Node>| -> Vec<Name> {
            nodes
                .iter()
                .filter_map(|n| {
                    let name = n.get("name")?;
                    let of = n.get("namespace").and_then(Node::as_str).unwrap_or("default");
                    Some(Name { of: of.to_owned(), name: name.as_str()?.to_owned(), span: here.then_some(name.span) })
                })
                .collect()
        };
        let plain = |nodes: Vec<Node>| named(nodes).into_iter().map(|n| Name { of: String::new(), ..n }).collect::<Vec<_>>();
        self.networks.extend(plain(list(&["networks"])));
        self.hosts.extend(plain(list(&["hosts"])));
        self.nodes.extend(plain(list(&["cluster", "nodes"])));
        self.pods.extend(named(list(&["cluster", "pods"])));
        self.deployments.extend(named(list(&["cluster", "deployments"])));
        self.services.extend(named(list(&["cluster", "services"])));
        for host in list(&["hosts"]) {
            let of = host.get("name").and_then(Node::as_str).unwrap_or_default().to_owned();
            for n in host.get("namespaces").map(Node::items).unwrap_or_default() {
                if let Some(name) = n.get("name").and_then(|x| x.as_str().map(|s| (s, x.span))) {
                    self.netns.push(Name { of: of.clone(), name: name.0.to_owned(), span: here.then_some(name.1) });
                }
            }
            if let Some(Kind::Map(pairs)) = host.get("etc_hosts").map(|n| &n.kind) {
                self.host_names.extend(pairs.iter().filter_map(|(k, _)| Some(k.as_str()?.to_owned())));
            }
        }
        let networks = list(&["networks"]);
        let with: Vec<&Node> = networks.iter().filter(|n| n.get("internet_gateway").is_some()).collect();
        for n in &with {
            let network = n.get("name").and_then(Node::as_str).unwrap_or_default();
            self.gateways.push(crate::assemble::gateway::name(network, with.len() == 1));
        }
        self.open |= !list(&["cluster", "manifests"]).is_empty();
        self.load_balancer |= root.get("cluster").and_then(|c| c.get("load_balancer")).is_some();
        if here {
            let checks = list(&["challenge", "checks"]);
            let flows = list(&["flows"]);
            for f in flows.iter().chain(checks.iter().filter_map(|c| c.get("flow"))) {
                let Some(kind) = f.word() else { continue };
                let (name, span) = match f.get("name") {
                    Some(n) => (n.as_str().unwrap_or_default().to_owned(), n.span),
                    None => (kind.to_lowercase(), Span::new(f.span.start, f.span.start + kind.len())),
                };
                self.flows.push(Name { of: String::new(), name, span: Some(span) });
            }
        }
    }

    /// Whether a pod of that name is, or may come to be.
    pub fn has_pod(&self, namespace: &str, name: &str) -> bool {
        self.pods.iter().any(|p| p.of == namespace && p.name == name)
            || self.deployments.iter().any(|d| {
                d.of == namespace
                    && name
                        .strip_prefix(d.name.as_str())
                        .and_then(|r| r.strip_prefix('-'))
                        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            })
    }

    fn has_host(&self, name: &str) -> bool {
        self.hosts.iter().chain(&self.nodes).any(|h| h.name == name) || self.gateways.iter().any(|g| g == name)
    }

    /// The place that `text` names.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn place(&self, text: &str) -> Result<Place, NoPlace> {
        let mut found = Vec::new();
        if let Some((kind, rest)) = text.split_once('/') {
            match kind {
                "pod" => {
                    let (ns, name) = rest.split_once('/').unwrap_or(("default", rest));
                    if self.has_pod(ns, name) {
                        found.push(Place::Pod(ns.to_owned(), name.to_owned()));
                    }
                }
                "node" | "host" if self.has_host(rest) => found.push(Place::Host(rest.to_owned())),
                _ => {}
            }
            if found.is_empty() {
                if self.netns.iter().any(|n| n.of == kind && n.name == rest) {
                    found.push(Place::Netns(kind.to_owned(), rest.to_owned()));
                }
                if self.has_pod(kind, rest) {
                    found.push(Place::Pod(kind.to_owned(), rest.to_owned()));
                }
                if found.is_empty() && self.open {
                    found.push(Place::Pod(kind.to_owned(), rest.to_owned()));
                }
            }
        } else {
            if self.has_host(text) {
                found.push(Place::Host(text.to_owned()));
            }
            if self.has_pod("default", text) {
                found.push(Place::Pod("default".to_owned(), text.to_owned()));
            }
            if found.is_empty() && text == "load-balancer" && self.load_balancer {
                found.push(Place::LoadBalancer);
            }
            if found.is_empty() && self.open {
                found.push(Place::Pod("default".to_owned(), text.to_owned()));
            }
        }
        match found.len() {
            0 => Err(NoPlace::Unknown),
            1 => Ok(found.remove(0)),
            _ => Err(NoPlace::Ambiguous(
                found
                    .iter()
                    .map(|p| match p {
                        Place::Host(h) => format!("host/{h}"),
                        Place::Pod(ns, n) if ns == "default" => format!("pod/{n}"),
                        Place::Pod(ns, n) => format!("pod/{ns}/{n}"),
                        other => other.label(),
                    })
                    .collect(),
            )),
        }
    }

    /// Everything that may stand for a place.
    pub fn places(&self) -> Vec<String> {
        let mut out: Vec<String> = self.hosts.iter().chain(&self.nodes).map(|n| n.name.clone()).collect();
        out.extend(self.gateways.iter().cloned());
        out.extend(self.netns.iter().map(|n| format!("{}/{}", n.of, n.name)));
        out.extend(self.pods.iter().map(|p| Place::Pod(p.of.clone(), p.name.clone()).label()));
        out.extend(self.deployments.iter().map(|d| Place::Pod(d.of.clone(), format!("{}-1", d.name)).label()));
        out
    }
}

/// A complaint about a place that does not exist.
pub fn no_place(names: &Names, text: &str, span: Span, why: &NoPlace) -> Diagnostic {
    match why {
        NoPlace::Unknown => {
            let places = names.places();
            Diagnostic::error(span, format!("there is no place `{text}`"))
                .near(text, places.iter().map(String::as_str), "neither host, node, namespace nor pod")
                .help(format!("the places: {}", listed(&places)))
        }
        NoPlace::Ambiguous(all) => {
            Diagnostic::error(span, format!("`{text}` is the name of more than one place")).label(format!("write {}", all.join(" or ")))
        }
    }
}

/// Names with commas, not too many of them.
pub fn listed<S: AsRef<str>>(all: &[S]) -> String {
    let mut text = all.iter().take(12).map(|s| s.as_ref()).collect::<Vec<_>>().join(", ");
    if all.len() > 12 {
        text.push_str(&format!(", … ({} in all)", all.len()));
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

pub(super) fn check(s: &mut Subject<'_>) {
    let n = s.names;
    let gateways = n.gateways.iter().map(|g| Name { of: String::new(), name: g.clone(), span: None });
    let machines: Vec<Name> = gateways.chain(n.hosts.iter().chain(&n.nodes).cloned()).collect();
    for (what, list) in [
        ("network", n.networks.clone()),
        ("host", machines),
        ("namespace", n.netns.clone()),
        ("pod", n.pods.clone()),
        ("Deployment", n.deployments.clone()),
        ("Service", n.services.clone()),
        ("flow", n.flows.clone()),
    ] {
        for (i, name) in list.iter().enumerate() {
            let Some(span) = name.span else { continue };
            let first = list[..i].iter().find(|f| f.name == name.name && f.of == name.of);
            if let Some(Name { span: None, .. }) = first
                && n.gateways.contains(&name.name)
            {
                s.out.push(Diagnostic::error(span, format!("`{}` is the gateway to the internet", name.name)).label("choose another name"));
            }
            if let Some(Name { span: Some(first), .. }) = first {
                s.out.push(
                    Diagnostic::error(span, format!("the name `{}` is given to two {what}s", name.name))
                        .label("second time")
                        .and(*first, "first time")
                        .help(if what == "flow" {
                            "a flow without `name` is called by its kind in lower case; give one of the two a name of its own"
                        } else {
                            "each needs a name of its own"
                        }),
                );
            }
            let valid = !name.name.is_empty()
                && name.name.len() <= 63
                && name.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
            let loose = matches!(what, "flow" | "network") && !name.name.is_empty();
            if !valid && !loose {
                s.out.push(
                    Diagnostic::error(span, format!("`{}` cannot be the name of a {what}", name.name))
                        .label("small letters, digits, - and .")
                        .help("names follow RFC 1123, as in Kubernetes"),
                );
            }
            if what == "network" && name.name == "internet" {
                s.out.push(Diagnostic::error(span, "the network `internet` is always there").label("choose another name"));
            }
        }
    }
}

/// Whether the CNI is one that makes no pod network of its own, as far as names go.
pub fn cni_word(scenario: &Scenario) -> Option<&'static str> {
    Some(match &scenario.cluster.as_ref()?.cni.value {
        Cni::Bridge(_) => "bridge",
        Cni::Flannel(_) => "flannel",
        Cni::Calico(_) => "calico",
        Cni::Cilium(_) => "cilium",
        Cni::Macvlan(_) => "macvlan",
        Cni::Ipvlan(_) => "ipvlan",
    })
}
