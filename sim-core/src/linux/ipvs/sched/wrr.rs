//! Weighted round robin: rounds for falling weights, from the greatest down by the greatest common divisor.
//!
//! Models: net/netfilter/ipvs/ip_vs_wrr.c.

use super::{Call, Change, Data, Pool, Spec};
use crate::linux::id::RowId;

/// `wrr`.
pub static SPEC: Spec = Spec { name: "wrr", init, changed, schedule };

/// Where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// `cl`: the real server chosen last; none at the head of the list.
    pub last: Option<RowId>,
    /// `cw`: the weight that the round asks for.
    pub current: i32,
    /// `mw`: what the first round asks for.
    pub max: i32,
    /// `di`: how much less the next round asks for.
    pub step: i32,
}

fn gcd(a: i32, b: i32) -> i32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Step and greatest weight asked for; the last round asks for 1.
fn bounds(pool: &Pool<'_>) -> (i32, i32) {
    let weights = || pool.iter().map(|(_, s)| s.spec.weight);
    let step = weights().filter(|w| *w > 0).fold(0, gcd).max(1);
    (step, weights().max().unwrap_or(0).max(0) - (step - 1))
}

fn init(pool: &Pool<'_>) -> Data {
    let (step, max) = bounds(pool);
    Data::Weights(Mark { last: None, current: max, max, step })
}

fn changed(pool: &Pool<'_>, data: &mut Data, _: Change) {
    let Data::Weights(mark) = data else { return };
    mark.last = None;
    (mark.step, mark.max) = bounds(pool);
    if mark.current > mark.max || mark.current == 0 {
        mark.current = mark.max;
    } else if mark.step > 1 {
        mark.current = (mark.current / mark.step) * mark.step + 1;
    }
}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let Data::Weights(mark) = &mut *call.data else { return None };
    if mark.max == 0 {
        return None;
    }
    let rows: Vec<RowId> = call.pool.list.iter().map(|d| d.row).collect();
    let start = mark.last.and_then(|row| rows.iter().position(|r| *r == row));
    let mut from = start.map_or(0, |i| i + 1);
    let (mut last_pass, mut restarted, mut stop) = (false, false, None);
    // rounds that ask for more than anybody has are not walked one by one
    let most = call.pool.iter().filter(|(_, s)| !s.overload).map(|(_, s)| s.spec.weight).max().unwrap_or(0).max(1);
    loop {
        for (i, row) in rows.iter().enumerate().skip(from) {
            let takes = call.pool.dests.get(row).is_some_and(|s| !s.overload && s.spec.weight >= mark.current);
            if takes {
                mark.last = Some(*row);
                return Some(*row);
            }
            if stop == Some(i) {
                mark.last = Some(*row);
                return None;
            }
        }
        from = 0;
        mark.current -= mark.step;
        if mark.current <= 0 {
            mark.current = mark.max;
            // all were asked for a weight of 1 and nobody took it
            if last_pass || start.is_none() {
                mark.last = None;
                return None;
            }
            restarted = true;
        }
        if mark.current > most {
            mark.current -= ((mark.current - most - 1) / mark.step + 1) * mark.step;
            if mark.current <= 0 {
                mark.current += mark.step;
            }
        }
        last_pass = mark.current <= mark.step;
        if last_pass && restarted {
            stop = start;
        }
    }
}
