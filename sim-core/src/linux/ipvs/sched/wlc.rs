//! Weighted least connections: the fewest for its weight.
//!
//! Models: net/netfilter/ipvs/ip_vs_wlc.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `wlc`.
pub static SPEC: Spec = Spec { name: "wlc", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    call.pool.least(|s| s.overhead())
}
