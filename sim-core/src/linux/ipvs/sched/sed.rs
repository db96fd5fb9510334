//! Shortest expected delay: the fewest active connections, the new one included, for its weight.
//!
//! Models: net/netfilter/ipvs/ip_vs_sed.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `sed`.
pub static SPEC: Spec = Spec { name: "sed", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    call.pool.least(|s| i64::from(s.active) + 1)
}
