//! Least connections, whatever the weight.
//!
//! Models: net/netfilter/ipvs/ip_vs_lc.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `lc`.
pub static SPEC: Spec = Spec { name: "lc", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    // of equals the first is returned
    call.pool.usable().min_by_key(|(_, s)| s.overhead()).map(|(d, _)| d.row)
}
