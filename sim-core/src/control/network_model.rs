//! The three requirements of the Kubernetes network model, as probes and a judgement of what came of them.
//!
//! Models: kubernetes.io/docs/concepts/services-networking, "The Kubernetes network model": every pod has an address of its
//! own; pods reach all other pods, on the same node or another, without NAT; agents on a node reach all pods of that node.
//!
//! ```text
//!  Store ──probes()──► from, to, the source address that must be seen ──engine──► Seen ──judge()──► Report
//! ```

use crate::kube::{Node, ObjectKey, Pod, PodPhase, Store};
use crate::packet::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a probe stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requirement {
    /// Pods reach pods without NAT: the address that a pod has itself is the one that others see.
    PodToPod,
    /// The agents of a node reach its own pods.
    NodeToOwnPod,
    /// Pods reach nodes. The model does not ask that the node sees the pod's own address.
    PodToNode,
}

impl Requirement {
    /// All, in order.
    pub const ALL: [Requirement; 3] = [Requirement::PodToPod, Requirement::NodeToOwnPod, Requirement::PodToNode];

    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Requirement::PodToPod => "pods reach all pods without NAT, and see them by the address that they have",
            Requirement::NodeToOwnPod => "a node reaches its own pods",
            Requirement::PodToNode => "pods reach all nodes",
        }
    }
}

/// One end of a probe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A pod, and its node.
    Pod(ObjectKey, Arc<str>),
    /// A node.
    Node(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Pod(key, _) => write!(f, "pod/{}", if &*key.namespace == "default" { key.name.to_string() } else { key.to_string() }),
            Place::Node(name) => write!(f, "node/{name}"),
        }
    }
}

/// A packet exchange to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What it stands for.
    pub requirement: Requirement,
    /// Who begins.
    pub from: Place,
    /// Who is to be reached.
    pub to: Place,
    /// At which address.
    pub dst: Ipv4Addr,
    /// The source address that must be seen there; any if none is given.
    pub source: Option<Ipv4Addr>,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It arrived, with this source address, and an answer came back.
    Replied(Ipv4Addr),
    /// It arrived, with this source address; no answer came back.
    NoReply(Ipv4Addr),
    /// It did not arrive; why, in the words of the outcome and the reason of the drop.
    Lost(Arc<str>),
}

/// A pod that is up, and a place to start probes from.
fn pods(store: &Store) -> Vec<(Place, Ipv4Addr, bool)> {
    let up = store.list::<Pod>().filter(|p| p.status.phase == PodPhase::Running && !p.is_terminating());
    up.filter_map(|p| match (p.status.pod_ip, &p.spec.node_name) {
        (Some(IpAddr::V4(ip)), Some(node)) => Some((Place::Pod(p.meta.key.clone(), node.clone()), ip, p.spec.host_network)),
        _ => None,
    })
    .collect()
}

/// All probes for the pods and nodes as they are now: each pod to each other pod, each node to its own pods, each pod to
/// each node. Pods with `hostNetwork` stand for their nodes and are left out.
pub fn probes(store: &Store) -> Vec<Probe> {
    let pods: Vec<_> = pods(store).into_iter().filter(|(_, _, host)| !host).collect();
    let nodes: Vec<_> = store.list::<Node>().filter_map(|n| Some((Place::Node(n.name().clone()), n.status.internal_ip?))).collect();
    let mut all = Vec::new();
    for (from, own, _) in &pods {
        for (to, dst, _) in pods.iter().filter(|(to, _, _)| to != from) {
            let (from, to) = (from.clone(), to.clone());
            all.push(Probe { requirement: Requirement::PodToPod, from, to, dst: *dst, source: Some(*own) });
        }
    }
    for (node, _) in &nodes {
        for (to, dst, _) in pods.iter().filter(|(p, _, _)| matches!((p, node), (Place::Pod(_, on), Place::Node(n)) if on == n)) {
            let (from, to) = (node.clone(), to.clone());
            all.push(Probe { requirement: Requirement::NodeToOwnPod, from, to, dst: *dst, source: None });
        }
    }
    for (from, _, _) in &pods {
        for (to, dst) in &nodes {
            let (from, to) = (from.clone(), to.clone());
            all.push(Probe { requirement: Requirement::PodToNode, from, to, dst: *dst, source: None });
        }
    }
    all
}

/// How a requirement is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two pods have the same address.
    SharedAddress {
        /// The address.
        ip: Ipv4Addr,
        /// Who has it.
        pods: Vec<Place>,
    },
    /// A probe did not get through.
    Unreachable {
        /// The probe.
        probe: Probe,
        /// Why.
        why: Arc<str>,
    },
    /// A probe arrived with another source address.
    Translated {
        /// The probe.
        probe: Probe,
        /// The address that was seen.
        seen: Ipv4Addr,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::SharedAddress { ip, pods } => {
                let names: Vec<String> = pods.iter().map(ToString::to_string).collect();
                write!(f, "{ip} belongs to {}", names.join(" and "))
            }
            Violation::Unreachable { probe, why } => write!(f, "{} does not reach {} ({}): {why}", probe.from, probe.to, probe.dst),
            Violation::Translated { probe, seen } => {
                let own = probe.source.map_or_else(String::new, |s| format!(" instead of {s}"));
                write!(f, "{} is seen by {} as {seen}{own}", probe.from, probe.to)
            }
        }
    }
}

/// The judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Probes made, by requirement.
    pub tried: BTreeMap<Requirement, usize>,
    /// What is broken, in order of the probes.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether all requirements hold.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many probes of a requirement were tried, and how many of them broke it.
    pub fn count(&self, r: Requirement) -> (usize, usize) {
        let broken = self.violations.iter().filter(|v| match v {
            Violation::SharedAddress { .. } => false,
            Violation::Unreachable { probe, .. } | Violation::Translated { probe, .. } => probe.requirement == r,
        });
        (self.tried.get(&r).copied().unwrap_or(0), broken.count())
    }
}

/// Judges what came of the probes, and whether each pod has an address of its own.
pub fn judge(store: &Store, results: impl IntoIterator<Item = (Probe, Seen)>) -> Report {
    let mut report = Report::default();
    let mut owners: BTreeMap<Ipv4Addr, Vec<Place>> = BTreeMap::new();
    for (pod, ip, _) in pods(store).into_iter().filter(|(_, _, host)| !host) {
        owners.entry(ip).or_default().push(pod);
    }
    let shared = owners.into_iter().filter(|(_, pods)| pods.len() > 1);
    report.violations.extend(shared.map(|(ip, pods)| Violation::SharedAddress { ip, pods }));
    for (probe, seen) in results {
        *report.tried.entry(probe.requirement).or_insert(0) += 1;
        match seen {
            Seen::Replied(src) | Seen::NoReply(src) if probe.source.is_some_and(|own| own != src) => {
                report.violations.push(Violation::Translated { probe, seen: src });
            }
            Seen::Replied(_) => {}
            Seen::NoReply(_) => report.violations.push(Violation::Unreachable { probe, why: "no reply".into() }),
            Seen::Lost(why) => report.violations.push(Violation::Unreachable { probe, why }),
        }
    }
    report
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn cluster() -> Store {
        let mut s = Store::default();
        for (name, ip) in [("a", "10.168.0.2"), ("b", "10.168.0.3")] {
            let mut n = Node::new(name);
            n.status.internal_ip = Some(ip.parse().unwrap());
            s.create(n).unwrap();
        }
        for (name, node, ip) in [("client", "a", "10.244.0.2"), ("web", "b", "10.244.1.3"), ("agent", "b", "10.168.0.3")] {
            let mut p = Pod::new(ObjectKey::new("default", name));
            p.spec_mut().node_name = Some(node.into());
            p.spec_mut().host_network = name == "agent";
            p.status.pod_ip = Some(ip.parse().unwrap());
            p.status.phase = PodPhase::Running;
            s.create(p).unwrap();
        }
        s
    }

    fn shown(p: &Probe) -> String {
        format!("{} -> {} {} from {}", p.from, p.to, p.dst, p.source.map_or("any".to_owned(), |s| s.to_string()))
    }

    #[test]
    fn every_pair_is_probed_once_in_each_direction() {
        let all: Vec<String> = probes(&cluster()).iter().map(shown).collect();
        assert_eq!(
            all,
            [
                "pod/client -> pod/web 10.244.1.3 from 10.244.0.2",
                "pod/web -> pod/client 10.244.0.2 from 10.244.1.3",
                "node/a -> pod/client 10.244.0.2 from any",
                "node/b -> pod/web 10.244.1.3 from any",
                "pod/client -> node/a 10.168.0.2 from any",
                "pod/client -> node/b 10.168.0.3 from any",
                "pod/web -> node/a 10.168.0.2 from any",
                "pod/web -> node/b 10.168.0.3 from any",
            ]
        );
    }

    #[test]
    fn the_address_seen_at_the_other_end_counts() {
        let store = cluster();
        let node_b: Ipv4Addr = "10.168.0.3".parse().unwrap();
        let answer = |p: &Probe| match (p.requirement, p.to.to_string().as_str()) {
            (Requirement::PodToPod, "pod/web") => Seen::Replied(node_b),
            (Requirement::PodToPod, _) => Seen::Lost("network unreachable".into()),
            // A node may see a pod under another address.
            (Requirement::PodToNode, _) => Seen::Replied(node_b),
            _ => Seen::Replied(p.dst),
        };
        let report = judge(&store, probes(&store).into_iter().map(|p| (p.clone(), answer(&p))));
        let said: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "pod/client is seen by pod/web as 10.168.0.3 instead of 10.244.0.2",
                "pod/web does not reach pod/client (10.244.0.2): network unreachable",
            ]
        );
        assert!(!report.holds());
        assert_eq!(Requirement::ALL.map(|r| report.count(r)), [(2, 2), (2, 0), (4, 0)]);
    }

    #[test]
    fn each_pod_has_an_address_of_its_own() {
        let mut store = cluster();
        store.modify::<Pod>(&ObjectKey::new("default", "web"), |p| p.status.pod_ip = Some("10.244.0.2".parse().unwrap())).unwrap();
        let report = judge(&store, []);
        assert_eq!(report.violations[0].to_string(), "10.244.0.2 belongs to pod/client and pod/web");
        assert_eq!(report.violations.len(), 1);
    }
}
