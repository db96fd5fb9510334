//! Power of two choices: two are drawn by weight, and the less loaded of them takes the connection.
//!
//! Models: net/netfilter/ipvs/ip_vs_twos.c.

use super::{Call, Spec, nothing, unmoved};
use crate::linux::id::RowId;

/// `twos`.
pub static SPEC: Spec = Spec { name: "twos", init: nothing, changed: unmoved, schedule };

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let total = call.pool.usable().map(|(_, s)| i64::from(s.spec.weight)).sum::<i64>();
    // where neither draw hits, the last one is left
    let mut choice = call.pool.usable().last().map(|(d, _)| d.row)?;
    let below = u32::try_from(total + 1).unwrap_or(u32::MAX);
    let mut left = [i64::from((call.draw)(below)), i64::from((call.draw)(below))];
    let mut drawn: [Option<(RowId, i64, i64)>; 2] = [None, None];
    for (d, s) in call.pool.usable() {
        let weight = i64::from(s.spec.weight);
        for (rest, hit) in left.iter_mut().zip(&mut drawn) {
            *rest -= weight;
            if *rest <= 0 && hit.is_none() {
                *hit = Some((d.row, weight, s.overhead()));
            }
        }
    }
    let [first, second] = drawn;
    if let Some((row, ..)) = first {
        choice = row;
    }
    if let (Some((_, w1, o1)), Some((row, w2, o2))) = (first, second)
        && w2 * o1 > w1 * o2
    {
        choice = row;
    }
    Some(choice)
}
