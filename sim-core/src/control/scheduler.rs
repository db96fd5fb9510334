//! Puts pods on nodes.
//!
//! Models: kube-scheduler pkg/scheduler/framework/plugins/{nodeunschedulable,noderesources}, as far as numbers of pods go.
//! Simplifies: instead of scores, the node with the fewest pods, then the first; no taints, affinity or resources.

use crate::kube::{Node, ObjectKey, Pod, PodCondition, Store};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;

/// What became of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheduled {
    /// It was put on a node.
    On(ObjectKey, Arc<str>),
    /// No node takes it, and why.
    Nowhere(ObjectKey, Arc<str>),
}

/// Gives a node to every pod that has none. A pod that found none before is told of again only if the reason differs.
pub fn schedule(store: &mut Store) -> Vec<Scheduled> {
    let waiting: Vec<ObjectKey> =
        store.list::<Pod>().filter(|p| p.spec.node_name.is_none() && !p.is_terminating()).map(|p| p.meta.key.clone()).collect();
    if waiting.is_empty() {
        return Vec::new();
    }
    let mut count: IndexMap<Arc<str>, (u32, u32), FxBuildHasher> = IndexMap::default();
    let (mut total, mut closed) = (0, 0);
    for node in store.list::<Node>() {
        total += 1;
        if node.unschedulable {
            closed += 1;
        } else {
            count.insert(node.name().clone(), (0, node.status.max_pods));
        }
    }
    for pod in store.list::<Pod>() {
        if let Some((n, _)) = pod.spec.node_name.as_ref().and_then(|name| count.get_mut(name)) {
            *n += 1;
        }
    }
    let mut done = Vec::new();
    for key in waiting {
        let best = count.iter_mut().filter(|(_, (n, max))| n < max).min_by_key(|(_, (n, _))| *n);
        let Some((node, (n, _))) = best else {
            let why = unschedulable(total, closed, count.len());
            let told = store.get::<Pod>(&key).is_some_and(|p| p.status.message.as_deref() == Some(&*why));
            if !told {
                let _ = store.modify::<Pod>(&key, |p| {
                    p.status.reason = Some("Unschedulable".into());
                    p.status.message = Some(why.clone());
                });
                done.push(Scheduled::Nowhere(key, why));
            }
            continue;
        };
        *n += 1;
        let node = node.clone();
        let _ = store.modify::<Pod>(&key, |p| {
            p.spec_mut().node_name = Some(node.clone());
            p.status.conditions.set(PodCondition::PodScheduled, true);
            (p.status.reason, p.status.message) = (None, None);
        });
        done.push(Scheduled::On(key, node));
    }
    done
}

fn unschedulable(total: usize, closed: usize, full: usize) -> Arc<str> {
    if total == 0 {
        return "no nodes available to schedule pods".into();
    }
    let mut reasons = Vec::new();
    if full > 0 {
        reasons.push(format!("{full} Too many pods"));
    }
    if closed > 0 {
        reasons.push(format!("{closed} node(s) were unschedulable"));
    }
    format!("0/{total} nodes are available: {}.", reasons.join(", ")).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pod(store: &mut Store, name: &str, node: Option<&str>) {
        let mut p = Pod::new(ObjectKey::new("default", name));
        p.spec_mut().node_name = node.map(Into::into);
        store.create(p).unwrap();
    }

    fn places(store: &Store) -> Vec<String> {
        store.list::<Pod>().map(|p| format!("{}@{}", p.meta.name(), p.spec.node_name.as_deref().unwrap_or("-"))).collect()
    }

    #[test]
    fn the_node_with_fewest_pods_then_the_first() {
        let mut s = Store::default();
        for n in ["a", "b", "c"] {
            s.create(Node::new(n)).unwrap();
        }
        pod(&mut s, "pinned", Some("a"));
        for p in ["p1", "p2", "p3"] {
            pod(&mut s, p, None);
        }
        assert_eq!(schedule(&mut s).len(), 3);
        assert_eq!(places(&s), ["pinned@a", "p1@b", "p2@c", "p3@a"]);
        assert!(schedule(&mut s).is_empty());
    }

    #[test]
    fn nowhere_is_told_once() {
        let mut s = Store::default();
        pod(&mut s, "p", None);
        let why = |s: &mut Store| match schedule(s).as_slice() {
            [Scheduled::Nowhere(_, why)] => why.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(why(&mut s), "no nodes available to schedule pods");
        let mut full = Node::new("full");
        full.status.max_pods = 0;
        s.create(full).unwrap();
        let mut closed = Node::new("closed");
        closed.unschedulable = true;
        s.create(closed).unwrap();
        assert_eq!(why(&mut s), "0/2 nodes are available: 1 Too many pods, 1 node(s) were unschedulable.");
        assert_eq!(why(&mut s), "[]");
    }
}
