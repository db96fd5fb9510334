//! Locality-based least connections with replication: a destination has a set of real servers, which grows under load.
//!
//! Models: net/netfilter/ipvs/ip_vs_lblcr.c.
//! Simplifies: entries not used for `lblcr_expiration` are forgotten when they are met, not by a timer; the table has no limit.

use super::lblc::is_overloaded;
use super::{Call, Change, Data, Pool, Spec};
use crate::linux::id::RowId;
use crate::linux::time::Time;
use std::collections::BTreeMap;

/// `lblcr`.
pub static SPEC: Spec = Spec { name: "lblcr", init, changed, schedule };

/// The real servers of a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// They, the one added last first.
    pub rows: Vec<RowId>,
    /// When the set changed last.
    pub changed: Time,
    /// When it was used last.
    pub used: Time,
}

impl Set {
    fn insert(&mut self, row: RowId, now: Time) {
        if !self.rows.contains(&row) {
            self.rows.insert(0, row);
            self.changed = now;
        }
    }

    /// The least loaded for its weight (ip_vs_dest_set_min).
    fn least(&self, pool: &Pool<'_>) -> Option<RowId> {
        let states = self.rows.iter().filter_map(|r| Some((*r, pool.dests.get(r)?))).filter(|(_, s)| !s.overload);
        let mut rest = states.skip_while(|(_, s)| !(s.spec.weight > 0 && s.available));
        let (mut least, mut state) = rest.next()?;
        for (row, s) in rest {
            let less = state.overhead() * i64::from(s.spec.weight) > s.overhead() * i64::from(state.spec.weight);
            if less && s.available {
                (least, state) = (row, s);
            }
        }
        Some(least)
    }

    /// The most loaded for its weight (ip_vs_dest_set_max).
    fn most(&self, pool: &Pool<'_>) -> Option<RowId> {
        let mut states = self.rows.iter().filter_map(|r| Some((*r, pool.dests.get(r)?))).filter(|(_, s)| s.spec.weight > 0);
        let (mut most, mut state) = states.next()?;
        for (row, s) in states {
            if state.overhead() * i64::from(s.spec.weight) < s.overhead() * i64::from(state.spec.weight) {
                (most, state) = (row, s);
            }
        }
        Some(most)
    }
}

fn init(_: &Pool<'_>) -> Data {
    Data::Sets(BTreeMap::new())
}

fn changed(_: &Pool<'_>, _: &mut Data, _: Change) {}

fn schedule(call: &mut Call<'_>) -> Option<RowId> {
    let now = call.now;
    let limit = u64::from(call.expiration) * 1_000_000_000;
    let Data::Sets(sets) = &mut *call.data else { return None };
    let known = sets.get_mut(&call.packet.dst).filter(|s| now.0.saturating_sub(s.used.0) < limit);
    let Some(set) = known else {
        let row = call.pool.least(|s| s.overhead())?;
        sets.insert(call.packet.dst, Set { rows: vec![row], changed: now, used: now });
        return Some(row);
    };
    set.used = now;
    let least = set.least(&call.pool);
    // a set that has not grown for long loses its most loaded
    if set.rows.len() > 1
        && now.0.saturating_sub(set.changed.0) > limit
        && let Some(most) = set.most(&call.pool)
    {
        set.rows.retain(|r| *r != most);
        set.changed = now;
    }
    if let Some(row) = least
        && !is_overloaded(&call.pool, row)
    {
        return Some(row);
    }
    let row = call.pool.least(|s| s.overhead())?;
    set.insert(row, now);
    Some(row)
}
