//! Locality-based least connections: a destination keeps its real server while that is not overloaded, as for caches.
//!
//! Models: net/netfilter/ipvs/ip_vs_lblc.c.
//! Simplifies: entries not used for `lblc_expiration` are forgotten when they are met, not by a timer; the table has no limit.

use super::{Call, Change, Data, Pool, Spec};
use crate::linux::id::RowId;
use std::collections::BTreeMap;

/// `lblc`.
pub static SPEC: Spec = Spec { name: "lblc", init, changed, schedule };

fn init(_: &Pool<'_>) -> Data {
    Data::Places(BTreeMap::new())
}

fn changed(_: &Pool<'_>, _: &mut Data, _: Change) {}

/// Whether a real server has more active connections than its weight while another has less than half (is_overloaded).
pub(super) fn is_overloaded(pool: &Pool<'_>, row: RowId) -> bool {
    let too_many = pool.dests.get(&row).is_some_and(|s| i64::from(s.active) > i64::from(s.spec.weight));
    too_many && pool.iter().any(|(_, s)| i64::from(s.active) * 2 < i64::from(s.spec.weight))
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let now = call.now;
    let limit = u64::from(call.expiration) * 1_000_000_000;
    let Data::Places(places) = &mut *call.data else { return None };
    if let Some((row, used)) = places.get_mut(&call.packet.dst)
        && now.0.saturating_sub(used.0) < limit
    {
        *used = now;
        let row = *row;
        let stays = call.pool.dests.get(&row).is_some_and(|s| s.available && s.spec.weight > 0);
        if stays && !is_overloaded(&call.pool, row) {
            return Some(row);
        }
    }
    let row = call.pool.least(|s| s.overhead())?;
    places.insert(call.packet.dst, (row, now));
    Some(row)
}
