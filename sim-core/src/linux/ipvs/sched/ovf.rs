//! Overflow: the greatest weight whose active connections do not exceed it yet.
//!
//! Models: net/netfilter/ipvs/ip_vs_ovf.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `ovf`.
pub static SPEC: Spec = Spec { name: "ovf", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let mut best: Option<(RowId, i32)> = None;
    for (d, s) in call.pool.usable() {
        let full = i64::from(s.active) > i64::from(s.spec.weight);
        if !full && best.is_none_or(|(_, w)| s.spec.weight > w) {
            best = Some((d.row, s.spec.weight));
        }
    }
    best.map(|(row, _)| row)
}
