//! The end of storms: a budget of events, and the name of the loop that ate it.
//!
//! Frames that circle between bridges never age. When too many events happen at one instant, or in one run, the
//! frames that moved last are looked at: the places that they can go round and round between are the loop.

use crate::linux::{IfIndex, NetnsId, PacketId, Time};
use indexmap::IndexMap;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// Events at one instant before the run is stopped.
pub const PER_INSTANT: u64 = 200_000;
/// Events in one run before it is stopped, unless the caller allows more.
pub const PER_RUN: u64 = 50_000_000;
/// Frames between two instants of a storm that are remembered.
const REMEMBERED: usize = 4096;

/// One crossing of a frame from one namespace's device to another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The frame, or the first one of which it is a copy.
    pub origin: PacketId,
    /// From where.
    pub from: (NetnsId, IfIndex),
    /// To where.
    pub to: (NetnsId, IfIndex),
}

/// Why a run was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// When.
    pub at: Time,
    /// The devices of the loop, in order of first visit; empty if no loop was found.
    pub ring: Vec<(NetnsId, IfIndex)>,
}

/// Counts events and remembers crossings.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    instant: Time,
    at_instant: u64,
    in_run: u64,
    /// Events that the run may take; 0 for the default.
    pub allowed: u64,
    /// Events that one instant may take; 0 for the default.
    pub per_instant: u64,
    crossings: Vec<Crossing>,
    next: usize,
}

impl Guard {
    #[inline]
    fn instant_limit(&self) -> u64 {
        if self.per_instant == 0 { PER_INSTANT } else { self.per_instant }
    }

    /// Counts an event; false when the budget is spent.
    #[inline]
    pub fn count(&mut self, now: Time) -> bool {
        if now == self.instant {
            self.at_instant += 1;
        } else {
            self.instant = now;
            self.at_instant = 1;
        }
        self.in_run += 1;
        let allowed = if self.allowed == 0 { PER_RUN } else { self.allowed };
        self.at_instant <= self.instant_limit() && self.in_run <= allowed
    }

    /// Whether crossings are worth remembering: something unusual is going on.
    #[inline]
    pub fn watching(&self) -> bool {
        let allowed = if self.allowed == 0 { PER_RUN } else { self.allowed };
        self.at_instant + REMEMBERED as u64 > self.instant_limit() || self.in_run + REMEMBERED as u64 > allowed
    }

    /// Remembers a crossing.
    pub fn cross(&mut self, c: Crossing) {
        if self.crossings.len() < REMEMBERED {
            self.crossings.push(c);
        } else {
            self.crossings[self.next] = c;
            self.next = (self.next + 1) % REMEMBERED;
        }
    }

    /// The loop that the remembered frames go round in.
    pub fn storm(&self, at: Time) -> Storm {
        let mut graph: DiGraph<u32, ()> = DiGraph::new();
        let mut nodes: IndexMap<u32, NodeIndex> = IndexMap::new();
        for c in &self.crossings {
            let [a, b] = [c.from.0.0, c.to.0.0].map(|n| *nodes.entry(n).or_insert_with(|| graph.add_node(n)));
            graph.update_edge(a, b, ());
        }
        let mut loops: Vec<Vec<u32>> = tarjan_scc(&graph)
            .into_iter()
            .filter(|s| s.len() > 1 || s.iter().any(|n| graph.contains_edge(*n, *n)))
            .map(|s| s.into_iter().map(|n| graph[n]).collect())
            .collect();
        // the one that most frames go round in
        loops.sort_by_key(|members| {
            let inside = |n: NetnsId| members.contains(&n.0);
            std::cmp::Reverse(self.crossings.iter().filter(|c| inside(c.from.0) && inside(c.to.0)).count())
        });
        let mut ring = Vec::new();
        if let Some(members) = loops.first() {
            let inside = |n: NetnsId| members.contains(&n.0);
            for c in self.crossings.iter().filter(|c| inside(c.from.0) && inside(c.to.0)) {
                // both ends of a wire of the loop carry frames: a leaf only receives
                let back = self.crossings.iter().any(|d| d.from.0 == c.to.0 && inside(d.to.0));
                for place in [c.from, c.to] {
                    if back && !ring.contains(&place) {
                        ring.push(place);
                    }
                }
            }
        }
        Storm { at, ring }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_is_named_and_the_leaf_is_not() {
        let mut g = Guard::default();
        let place = |n: u32, d: u32| (NetnsId(n), IfIndex(d));
        for _ in 0..3 {
            g.cross(Crossing { origin: PacketId(1), from: place(1, 2), to: place(2, 2) });
            g.cross(Crossing { origin: PacketId(1), from: place(2, 3), to: place(1, 3) });
            g.cross(Crossing { origin: PacketId(1), from: place(1, 4), to: place(9, 2) });
        }
        assert_eq!(g.storm(Time(5)).ring, [place(1, 2), place(2, 2), place(2, 3), place(1, 3)]);
    }

    #[test]
    fn the_budget_is_per_instant() {
        let mut g = Guard::default();
        for t in 0..3 {
            for _ in 0..PER_INSTANT {
                assert!(g.count(Time(t)));
            }
        }
        assert!(!g.count(Time(2)));
    }
}
