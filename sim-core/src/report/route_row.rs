//! The route that a step names, of either family, in words that do not depend on it.

use super::rows;
use crate::linux::fib::{Fib, Route, TableId};
use crate::linux::{Config, IfIndex, RowId, Source};
use crate::packet::{Address, IpAddr};

/// What a reader wants to know of the route.
#[derive(Clone, Debug)]
pub(super) struct RouteRow {
    /// The table that it stands in.
    pub(super) table: TableId,
    /// As `ip route` prints it.
    pub(super) text: String,
    /// What made it.
    pub(super) source: Source,
    /// The gateway by the device that was taken.
    pub(super) via: Option<IpAddr>,
}

/// The route of that row, if it is in a table and holds `dst`.
pub(super) fn of(config: &Config, row: RowId, dst: IpAddr, oif: IfIndex) -> Option<RouteRow> {
    match dst {
        IpAddr::V4(dst) => {
            let (table, r) = super::losers::find_covering(config, row, dst)?;
            Some(RouteRow { table, text: rows::route(config, r), source: r.source, via: via(r, oif) })
        }
        IpAddr::V6(dst) => {
            let (table, r) = find6(&config.fib6, row, dst)?;
            Some(RouteRow { table, text: rows::route(config, r), source: r.source, via: via(r, oif) })
        }
    }
}

fn via<A: Address>(r: &Route<A>, oif: IfIndex) -> Option<IpAddr> {
    r.nexthops.iter().find(|h| h.dev == oif)?.via.map(Into::into)
}

/// The route of that row among those that hold `dst`.
pub(super) fn find6<A: Address>(fib: &Fib<A>, row: RowId, dst: A) -> Option<(TableId, &Route<A>)> {
    let tables = [(TableId::LOCAL, &fib.local), (TableId::MAIN, &fib.main)].into_iter().chain(fib.others.iter().map(|(id, t)| (*id, t)));
    tables.into_iter().find_map(|(id, t)| t.all().into_iter().find(|r| r.row == row && r.prefix.contains(dst)).map(|r| (id, r)))
}
