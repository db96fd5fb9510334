//! Round robin: one after the other, whatever its weight, as long as it has any.
//!
//! Models: net/netfilter/ipvs/ip_vs_rr.c.

use super::{Call, Change, Data, Pool, Spec};
use crate::linux::id::RowId;

/// `rr`.
pub static SPEC: Spec = Spec { name: "rr", init, changed, schedule };

fn init(_: &Pool<'_>) -> Data {
    Data::Last(None)
}

fn changed(_: &Pool<'_>, data: &mut Data, change: Change) {
    // the one before a deleted real server was then chosen last
    if let (Data::Last(last), Change::Removed { row, before }) = (data, change)
        && *last == Some(row)
    {
        *last = before;
    }
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let Data::Last(last) = &mut *call.data else { return None };
    let list = call.pool.list;
    let next = match last {
        Some(row) => list.iter().position(|d| d.row == *row).map_or(0, |i| i + 1),
        None => 0,
    };
    let takes = |row: RowId| call.pool.dests.get(&row).is_some_and(|s| s.spec.weight > 0 && !s.overload);
    let (before, after) = list.split_at(next.min(list.len()));
    let chosen = after.iter().chain(before).map(|d| d.row).find(|row| takes(*row))?;
    *last = Some(chosen);
    Some(chosen)
}
