//! Failover: the first with the greatest weight.
//!
//! Models: net/netfilter/ipvs/ip_vs_fo.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `fo`.
pub static SPEC: Spec = Spec { name: "fo", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let mut best: Option<(RowId, i32)> = None;
    for (d, s) in call.pool.usable() {
        if best.is_none_or(|(_, w)| s.spec.weight > w) {
            best = Some((d.row, s.spec.weight));
        }
    }
    best.map(|(row, _)| row)
}
