//! Gives each node its range of pod addresses.
//!
//! Models: kube-controller-manager pkg/controller/nodeipam/ipam/range_allocator.go, cidrset/cidr_set.go (1.36): the cluster's
//! range cut into pieces of equal size, the next free one to each node without.
//! Simplifies: the search begins at the first piece each time.

use crate::kube::{Node, ObjectKey, Store};
use crate::packet::{Ipv4Addr, Prefix};
use std::collections::BTreeSet;

/// Pieces of a cluster's range.
fn pieces(cluster: Prefix<Ipv4Addr>, len: u8) -> u64 {
    if len < cluster.len() || len > 32 { 0 } else { 1 << (len - cluster.len()) }
}

/// The pieces that `range` touches.
fn touched(cluster: Prefix<Ipv4Addr>, len: u8, range: Prefix<Ipv4Addr>) -> std::ops::Range<u64> {
    if !cluster.overlaps(range) || len > 32 {
        return 0..0;
    }
    let base = u64::from(u32::from(cluster.addr()));
    let place = |ip: Ipv4Addr| u64::from(u32::from(ip)).saturating_sub(base) >> (32 - len);
    let last = place(range.last()).min(pieces(cluster, len).saturating_sub(1));
    place(range.addr())..last + 1
}

/// Sets `spec.podCIDR` of the nodes that have none: a piece of `cluster` with the prefix length `len`. Returns the nodes
/// for which none is left.
pub fn allocate(store: &mut Store, cluster: Prefix<Ipv4Addr>, len: u8) -> Vec<ObjectKey> {
    let mut taken: BTreeSet<u64> = BTreeSet::new();
    let mut without = Vec::new();
    for node in store.list::<Node>() {
        match node.pod_cidr {
            Some(range) => taken.extend(touched(cluster, len, range)),
            None => without.push(node.meta.key.clone()),
        }
    }
    let mut next = 0;
    let mut left = Vec::new();
    for key in without {
        while taken.contains(&next) {
            next += 1;
        }
        if next >= pieces(cluster, len) {
            left.push(key);
            continue;
        }
        let offset = u128::from(next) << (32 - u32::from(len.min(32)));
        let range = cluster.nth(offset).map(|ip| Prefix::new(ip, len));
        next += 1;
        // The key was read from the store just now.
        let _ = store.modify::<Node>(&key, |n| n.pod_cidr = range);
    }
    left
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn cluster(cidrs: &[Option<&str>]) -> Store {
        let mut store = Store::default();
        for (i, c) in cidrs.iter().enumerate() {
            let mut node = Node::new(format!("n{i}"));
            node.pod_cidr = c.map(|c| c.parse().unwrap());
            store.create(node).unwrap();
        }
        store
    }

    fn cidrs(store: &Store) -> Vec<String> {
        store.list::<Node>().map(|n| n.pod_cidr.map(|c| c.to_string()).unwrap_or_default()).collect()
    }

    #[test]
    fn the_next_free_piece() {
        let mut s = cluster(&[None, Some("10.244.1.0/24"), None, Some("10.244.4.0/23"), None, None, None]);
        assert!(allocate(&mut s, "10.244.0.0/16".parse().unwrap(), 24).is_empty());
        assert_eq!(
            cidrs(&s),
            ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24", "10.244.4.0/23", "10.244.3.0/24", "10.244.6.0/24", "10.244.7.0/24"]
        );
    }

    #[test]
    fn no_piece_left() {
        let mut s = cluster(&[None, None, Some("192.168.0.0/24"), None]);
        let left = allocate(&mut s, "10.244.0.0/23".parse().unwrap(), 24);
        assert_eq!(left, [ObjectKey::cluster("n3")]);
        assert_eq!(cidrs(&s), ["10.244.0.0/24", "10.244.1.0/24", "192.168.0.0/24", ""]);
        let mut s = cluster(&[None, Some("10.0.0.0/8")]);
        assert_eq!(allocate(&mut s, "10.244.0.0/16".parse().unwrap(), 24), [ObjectKey::cluster("n0")], "all of it is taken");
        assert_eq!(allocate(&mut s, "10.244.0.0/16".parse().unwrap(), 8).len(), 1, "pieces larger than the whole");
        assert_eq!(allocate(&mut s, "10.244.0.0/16".parse().unwrap(), 255).len(), 1, "pieces smaller than an address");
    }
}
