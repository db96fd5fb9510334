//! Never queue: the first that is idle, else the shortest expected delay.
//!
//! Models: net/netfilter/ipvs/ip_vs_nq.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `nq`.
pub static SPEC: Spec = Spec { name: "nq", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    match call.pool.usable().find(|(_, s)| s.active == 0) {
        Some((idle, _)) => Some(idle.row),
        None => call.pool.least(|s| i64::from(s.active) + 1),
    }
}
