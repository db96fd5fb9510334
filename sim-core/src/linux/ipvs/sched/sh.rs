//! Source hashing: a client always meets the same real server.
//!
//! Models: net/netfilter/ipvs/ip_vs_sh.c, with a table of 256.

use super::{Call, Change, Data, Pool, Spec, fold, hash_32};
use crate::linux::id::RowId;
use std::net::IpAddr;

/// `sh`.
pub static SPEC: Spec = Spec { name: "sh", init, changed, schedule };

/// IP_VS_SH_TAB_BITS.
const BITS: u32 = 8;
/// Slots of the table.
pub(super) const SIZE: u32 = 1 << BITS;

/// The table: each real server in turn, as often as its weight says.
fn assign(pool: &Pool<'_>) -> Data {
    let mut slots = Vec::with_capacity(SIZE as usize);
    while !pool.list.is_empty() && slots.len() < SIZE as usize {
        for (d, s) in pool.iter() {
            let times = s.spec.weight.max(1) as usize;
            slots.extend(std::iter::repeat_n(d.row, times.min(SIZE as usize - slots.len())));
        }
    }
    Data::Table(slots.into())
}

fn init(pool: &Pool<'_>) -> Data {
    assign(pool)
}

fn changed(pool: &Pool<'_>, data: &mut Data, _: Change) {
    *data = assign(pool);
}

fn hash(addr: IpAddr, port: u16, offset: u32) -> usize {
    ((offset + hash_32(u32::from(port).wrapping_add(fold(addr)), BITS)) & (SIZE - 1)) as usize
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let Data::Table(table) = &*call.data else { return None };
    let takes = |row: &RowId| call.pool.dests.get(row).is_some_and(|s| s.spec.weight > 0 && !s.overload);
    let port = if call.flags.port() { call.packet.sport } else { 0 };
    let own = hash(call.packet.src, port, 0);
    let first = *table.get(own)?;
    if takes(&first) {
        return Some(first);
    }
    if !call.flags.fallback() {
        return None;
    }
    (0..SIZE).find_map(|n| {
        let slot = hash(call.packet.src, port, (n + own as u32) % SIZE);
        table.get(slot).copied().filter(takes)
    })
}
