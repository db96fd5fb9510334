//! Maglev hashing: a client keeps its real server as far as possible when others come and go.
//!
//! Models: net/netfilter/ipvs/ip_vs_mh.c, with a table of 4093; lib/siphash.c hsiphash_1u32 of 64-bit machines.
//! Spec: Eisenbud et al., Maglev (NSDI 2016), section 3.4.

use super::{Call, Change, Data, Pool, Spec, fold};
use crate::linux::id::RowId;
use std::net::IpAddr;

/// `mh`.
pub static SPEC: Spec = Spec { name: "mh", init, changed, schedule };

/// IP_VS_MH_TAB_SIZE with the default index of 12.
const SIZE: u32 = 4093;
/// IP_VS_MH_TAB_BITS: what the greatest weight may take, in bits.
const BITS: u32 = 6;
/// The keys of the two hashes.
const KEY1: u64 = 2_654_435_761;
const KEY2: u64 = 2_654_446_892;

/// SipHash with one round for the word and three at the end, in 32 bits.
fn hsiphash(word: u32, key: u64) -> u32 {
    let mut v = [0x736f_6d65_7073_6575_u64 ^ key, 0x646f_7261_6e64_6f6d ^ key, 0x6c79_6765_6e65_7261 ^ key, 0x7465_6462_7974_6573 ^ key];
    let round = |v: &mut [u64; 4]| {
        v[0] = v[0].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(13) ^ v[0];
        v[0] = v[0].rotate_left(32);
        v[2] = v[2].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(16) ^ v[2];
        v[0] = v[0].wrapping_add(v[3]);
        v[3] = v[3].rotate_left(21) ^ v[0];
        v[2] = v[2].wrapping_add(v[1]);
        v[1] = v[1].rotate_left(17) ^ v[2];
        v[2] = v[2].rotate_left(32);
    };
    let b = 4_u64 << 56 | u64::from(word);
    v[3] ^= b;
    round(&mut v);
    v[0] ^= b;
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

fn hash(addr: IpAddr, port: u16, key: u64, offset: u32) -> u32 {
    hsiphash(offset.wrapping_add(u32::from(port)).wrapping_add(fold(addr)), key)
}

/// A real server's way through the table, and how many places it takes at a time.
struct Turn {
    row: RowId,
    place: u32,
    skip: u32,
    turns: i32,
}

fn turns(pool: &Pool<'_>) -> Vec<Turn> {
    let weights = || pool.list.iter().map(|d| d.last_weight);
    let gcd = weights().filter(|w| *w > 0).fold(0, gcd);
    if gcd < 1 {
        return Vec::new();
    }
    let most = weights().max().unwrap_or(0).max(0) / gcd;
    let shift = (32 - most.leading_zeros()).saturating_sub(BITS);
    pool.list
        .iter()
        .map(|d| {
            let share = (d.last_weight / gcd) >> shift;
            Turn {
                row: d.row,
                place: hash(d.addr, d.port, KEY1, 0) % SIZE,
                skip: hash(d.addr, d.port, KEY2, 0) % (SIZE - 1) + 1,
                turns: if share != 0 { share } else { i32::from(d.last_weight != 0) },
            }
        })
        .collect()
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The table: each real server in turn takes the next free place of its own way.
fn populate(pool: &Pool<'_>) -> Data {
    let mut all = turns(pool);
    let mut slots = vec![RowId::NONE; SIZE as usize];
    let mut left = if all.is_empty() { 0 } else { SIZE };
    'full: while left > 0 {
        for t in all.iter_mut().filter(|t| t.turns > 0) {
            for _ in 0..t.turns {
                while slots[t.place as usize].is_some() {
                    t.place = (t.place + t.skip) % SIZE;
                }
                slots[t.place as usize] = t.row;
                left -= 1;
                if left == 0 {
                    break 'full;
                }
            }
        }
    }
    Data::Table(slots.into())
}

fn init(pool: &Pool<'_>) -> Data {
    populate(pool)
}

fn changed(pool: &Pool<'_>, data: &mut Data, _: Change) {
    *data = populate(pool);
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let Data::Table(table) = &*call.data else { return None };
    let takes = |row: RowId| call.pool.dests.get(&row).is_some_and(|s| s.spec.weight > 0 && !s.overload);
    let port = if call.flags.port() { call.packet.sport } else { 0 };
    let own = hash(call.packet.src, port, KEY1, 0) % SIZE;
    let first = table.get(own as usize).copied().filter(|r| r.is_some())?;
    if takes(first) {
        return Some(first);
    }
    if !call.flags.fallback() {
        return None;
    }
    for n in 0..SIZE {
        let slot = hash(call.packet.src, port, KEY1, (n + own) % SIZE) % SIZE;
        match table.get(slot as usize).copied() {
            Some(row) if row.is_some() && takes(row) => return Some(row),
            Some(row) if row.is_some() => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{KEY1, hsiphash};

    /// Values of an independent implementation; those with a key of zeros are also what CPython's `hash(bytes)` makes.
    #[test]
    fn the_hash_is_siphash_1_3() {
        let seen: Vec<u32> = [0, 1, 0x0a00_0001, u32::MAX].into_iter().map(|w| hsiphash(w, KEY1)).collect();
        assert_eq!(seen, [0x1d5a_77c2, 0x16ec_66b2, 0x0308_0ce4, 0x22c5_d719]);
        let seen: Vec<u32> = [0, 1, 0x0a00_0001, u32::MAX].into_iter().map(|w| hsiphash(w, 0)).collect();
        assert_eq!(seen, [0x9ac4_8af0, 0xc37b_7090, 0x3d66_7eda, 0x74ca_d6e2]);
    }
}
