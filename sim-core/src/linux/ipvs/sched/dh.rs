//! Destination hashing: an address always leads to the same real server, as for a cluster of caches.
//!
//! Models: net/netfilter/ipvs/ip_vs_dh.c, with a table of 256.

use super::{Call, Change, Data, Pool, Spec, fold, hash_32};
use crate::linux::id::RowId;

/// `dh`.
pub static SPEC: Spec = Spec { name: "dh", init, changed, schedule };

/// IP_VS_DH_TAB_BITS.
const BITS: u32 = 8;

fn assign(pool: &Pool<'_>) -> Data {
    let rows: Vec<RowId> = pool.list.iter().map(|d| d.row).collect();
    Data::Table(rows.iter().copied().cycle().take(if rows.is_empty() { 0 } else { 1 << BITS }).collect())
}

fn init(pool: &Pool<'_>) -> Data {
    assign(pool)
}

fn changed(pool: &Pool<'_>, data: &mut Data, change: Change) {
    // weights do not count here
    if change != Change::Updated {
        *data = assign(pool);
    }
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let Data::Table(table) = &*call.data else { return None };
    let row = *table.get(hash_32(fold(call.packet.dst), BITS) as usize)?;
    call.pool.dests.get(&row).filter(|s| s.spec.weight > 0 && !s.overload).map(|_| row)
}
