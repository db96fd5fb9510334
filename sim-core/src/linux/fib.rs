//! Route tables: longest prefix first.
//!
//! Models: net/ipv4/fib_trie.c fib_table_lookup, net/ipv4/fib_semantics.c struct fib_info.
//! Simplifies: the trie is another structure (`fib_store`); what it finds, and in which order, is the same.
//! Seen in: 02-hostgw-cross-node, 140-ipv6-router, 140-policy-rules, 16-no-route.
//!
//! A table may lie over a shared base: a full mesh of routes is stored once for all nodes,
//! and each node keeps only how it differs.

use super::device::Scope;
use super::fib_store::Store;
use super::id::{IfIndex, RowId, Source};
use crate::packet::{Address, Prefix};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a route does with a packet.
///
/// Models: include/uapi/linux/rtnetlink.h RTN_*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum RouteType {
    /// To a next hop or to the link.
    #[default]
    Unicast,
    /// To this host.
    Local,
    /// To everyone on the link, and to this host.
    Broadcast,
    /// To a group.
    Multicast,
    /// To the nearest of several (IPv6: the router of a subnet).
    Anycast,
    /// Swallowed silently.
    Blackhole,
    /// Refused: host unreachable.
    Unreachable,
    /// Refused: prohibited.
    Prohibit,
    /// As if the table had no route.
    Throw,
}

impl RouteType {
    /// The word that `ip route` uses.
    pub fn name(self) -> &'static str {
        match self {
            RouteType::Unicast => "unicast",
            RouteType::Local => "local",
            RouteType::Broadcast => "broadcast",
            RouteType::Multicast => "multicast",
            RouteType::Anycast => "anycast",
            RouteType::Blackhole => "blackhole",
            RouteType::Unreachable => "unreachable",
            RouteType::Prohibit => "prohibit",
            RouteType::Throw => "throw",
        }
    }
}

/// Who installed a route (`proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteProto(pub u8);

impl RouteProto {
    /// 2: the kernel.
    pub const KERNEL: RouteProto = RouteProto(2);
    /// 3: `ip route` without `proto`; not printed.
    pub const BOOT: RouteProto = RouteProto(3);
    /// 4: the administrator.
    pub const STATIC: RouteProto = RouteProto(4);
    /// 12: the BIRD daemon.
    pub const BIRD: RouteProto = RouteProto(12);
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NextHop<A> {
    /// The gateway; none if the destination is on the link.
    pub via: Option<A>,
    /// The device.
    pub dev: IfIndex,
    /// Share of the traffic among several, 1 and up.
    pub weight: u16,
    /// The gateway need not be on the link.
    pub onlink: bool,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route<A> {
    /// Row number.
    pub row: RowId,
    /// Destinations it is for.
    pub prefix: Prefix<A>,
    /// TOS it is for; 0 for any.
    pub tos: u8,
    /// `metric`: the lowest wins among equal prefixes.
    pub metric: u32,
    /// What it does.
    pub kind: RouteType,
    /// How far the destination is.
    pub scope: Scope,
    /// Who installed it.
    pub proto: RouteProto,
    /// Where it leads; empty for the refusing types.
    pub nexthops: SmallVec<[NextHop<A>; 1]>,
    /// Preferred source address of packets made here.
    pub src: Option<A>,
    /// MTU in bytes, if the route limits it.
    pub mtu: Option<u32>,
    /// What made it.
    pub source: Source,
}

impl<A: Address> Route<A> {
    /// The order among routes of one prefix.
    pub(super) fn rank(&self) -> (Reverse<u8>, u32) {
        (Reverse(self.tos), self.metric)
    }
}

/// Routes shared by the tables of several namespaces.
#[derive(Clone, Debug)]
pub struct FibBase<A>(Store<A>);

impl<A: Address> FibBase<A> {
    /// A base of these routes.
    pub fn new(routes: impl IntoIterator<Item = Route<A>>) -> Self {
        let mut store = Store::default();
        for r in routes {
            store.insert(r, false);
        }
        FibBase(store)
    }

    /// How many routes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The routes of exactly this prefix.
    pub fn at(&self, prefix: Prefix<A>) -> &[Route<A>] {
        self.0.at(prefix)
    }
}

/// One route table: its own routes over an optional shared base.
#[derive(Clone, Debug)]
pub struct FibTable<A> {
    own: Store<A>,
    base: Option<Arc<FibBase<A>>>,
    /// Rows of the base that are not in this table.
    hidden: Vec<RowId>,
}

impl<A: Address> Default for FibTable<A> {
    fn default() -> Self {
        FibTable { own: Store::default(), base: None, hidden: Vec::new() }
    }
}

impl<A: Address> FibTable<A> {
    /// Lays the table over `base`, without the rows `hidden`. Replaces an earlier base.
    pub fn set_base(&mut self, base: Arc<FibBase<A>>, hidden: Vec<RowId>) {
        self.base = Some(base);
        self.hidden = hidden;
    }

    /// Whether it lies over a base.
    pub fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// Adds a route behind those of equal prefix, TOS and metric.
    pub fn append(&mut self, route: Route<A>) {
        self.own.insert(route, false);
    }

    /// Adds a route before those of equal prefix, TOS and metric.
    pub fn prepend(&mut self, route: Route<A>) {
        self.own.insert(route, true);
    }

    /// Removes the row `row` of `prefix`.
    pub fn remove(&mut self, row: RowId, prefix: Prefix<A>) -> bool {
        if self.own.remove(row, prefix).is_some() {
            return true;
        }
        let in_base = self.base.as_ref().is_some_and(|b| b.0.at(prefix).iter().any(|r| r.row == row));
        if in_base && !self.hidden.contains(&row) {
            self.hidden.push(row);
            return true;
        }
        false
    }

    /// The routes of exactly this prefix, in order of lookup.
    pub fn at(&self, prefix: Prefix<A>) -> Vec<&Route<A>> {
        let mut found: Vec<&Route<A>> = self.own.at(prefix).iter().collect();
        if let Some(base) = &self.base {
            found.extend(base.0.at(prefix).iter().filter(|r| !self.hidden.contains(&r.row)));
            found.sort_by_key(|r| r.rank());
        }
        found
    }

    /// All routes, by prefix as `ip route show` lists them: by address, longer prefixes first, then metric.
    pub fn all(&self) -> Vec<&Route<A>> {
        let mut all: Vec<&Route<A>> = self.own.iter().collect();
        if let Some(base) = &self.base {
            all.extend(base.0.iter().filter(|r| !self.hidden.contains(&r.row)));
        }
        all.sort_by_key(|r| (r.prefix.addr(), Reverse(r.prefix.len()), r.rank()));
        all
    }

    /// Visits the routes that hold `dst`, longest prefix first, until `visit` breaks.
    #[inline]
    pub fn covering<'t, B>(&'t self, dst: A, mut visit: impl FnMut(&'t Route<A>) -> ControlFlow<B>) -> ControlFlow<B> {
        let Some(base) = &self.base else {
            if let Some(few) = self.own.few() {
                for r in few {
                    if r.prefix.contains(dst) {
                        visit(r)?;
                    }
                }
                return ControlFlow::Continue(());
            }
            for bucket in self.own.covering(dst) {
                for r in bucket {
                    visit(r)?;
                }
            }
            return ControlFlow::Continue(());
        };
        let (mut own, mut shared) = (self.own.covering(dst).peekable(), base.0.covering(dst).peekable());
        let prefix = |b: &&'t [Route<A>]| b.first().map(|r| r.prefix);
        loop {
            match (own.peek().and_then(prefix), shared.peek().and_then(prefix)) {
                (None, None) => return ControlFlow::Continue(()),
                (Some(p), Some(q)) if p == q => {
                    own.next();
                    shared.next();
                    for r in self.at(p) {
                        visit(r)?;
                    }
                }
                (Some(p), q) if q.is_none_or(|q| q.len() < p.len()) => {
                    for r in own.next().unwrap_or_default() {
                        visit(r)?;
                    }
                }
                _ => {
                    for r in shared.next().unwrap_or_default() {
                        if !self.hidden.contains(&r.row) {
                            visit(r)?;
                        }
                    }
                }
            }
        }
    }

    /// The first route that holds `dst` and that `fits` accepts.
    #[inline]
    pub fn lookup(&self, dst: A, mut fits: impl FnMut(&Route<A>) -> bool) -> Option<&Route<A>> {
        match self.covering(dst, |r| if fits(r) { ControlFlow::Break(r) } else { ControlFlow::Continue(()) }) {
            ControlFlow::Break(r) => Some(r),
            ControlFlow::Continue(()) => None,
        }
    }

    /// The row `row`, wherever it is.
    pub fn row(&self, row: RowId) -> Option<&Route<A>> {
        let shared = self.base.iter().flat_map(|b| b.0.iter()).filter(|r| !self.hidden.contains(&r.row));
        self.own.iter().chain(shared).find(|r| r.row == row)
    }
}

/// Number of a route table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub u32);

impl TableId {
    /// 255: this host's own addresses and broadcasts.
    pub const LOCAL: TableId = TableId(255);
    /// 254: where `ip route` works by default.
    pub const MAIN: TableId = TableId(254);
    /// 253: asked last.
    pub const DEFAULT: TableId = TableId(253);
}

impl std::fmt::Display for TableId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            255 => f.write_str("local"),
            254 => f.write_str("main"),
            253 => f.write_str("default"),
            n => write!(f, "{n}"),
        }
    }
}

/// The route tables of a namespace for one family, asked in the order of the policy rules:
/// local, main, default.
#[derive(Clone, Debug)]
pub struct Fib<A> {
    /// Which tables are asked for which packet.
    pub rules: super::rule::Rules<A>,
    /// `local`.
    pub local: FibTable<A>,
    /// `main`.
    pub main: FibTable<A>,
    /// Other tables, by number.
    pub others: Vec<(TableId, FibTable<A>)>,
}

impl<A: Address> Default for Fib<A> {
    fn default() -> Self {
        Fib { rules: super::rule::Rules::default(), local: FibTable::default(), main: FibTable::default(), others: Vec::new() }
    }
}

impl<A: Address> Fib<A> {
    /// The table `id`.
    pub fn table(&self, id: TableId) -> Option<&FibTable<A>> {
        match id {
            TableId::LOCAL => Some(&self.local),
            TableId::MAIN => Some(&self.main),
            _ => self.others.iter().find(|(t, _)| *t == id).map(|(_, t)| t),
        }
    }

    /// The table `id`, made if need be.
    pub fn table_mut(&mut self, id: TableId) -> &mut FibTable<A> {
        match id {
            TableId::LOCAL => &mut self.local,
            TableId::MAIN => &mut self.main,
            _ => {
                let at = match self.others.iter().position(|(t, _)| *t >= id) {
                    Some(i) if self.others[i].0 == id => i,
                    Some(i) => {
                        self.others.insert(i, (id, FibTable::default()));
                        i
                    }
                    None => {
                        self.others.push((id, FibTable::default()));
                        self.others.len() - 1
                    }
                };
                &mut self.others[at].1
            }
        }
    }

    /// The tables in the order in which a lookup asks them.
    pub fn asked(&self) -> impl Iterator<Item = (TableId, &FibTable<A>)> {
        [(TableId::LOCAL, &self.local), (TableId::MAIN, &self.main)]
            .into_iter()
            .chain(self.table(TableId::DEFAULT).map(|t| (TableId::DEFAULT, t)))
    }

    /// The first route that holds `dst` and that `fits` accepts, over the tables in order.
    #[inline]
    pub fn lookup(&self, dst: A, mut fits: impl FnMut(&Route<A>) -> bool) -> Option<(TableId, &Route<A>)> {
        if let Some(r) = self.local.lookup(dst, &mut fits).filter(|r| r.kind != RouteType::Throw) {
            return Some((TableId::LOCAL, r));
        }
        if let Some(r) = self.main.lookup(dst, &mut fits).filter(|r| r.kind != RouteType::Throw) {
            return Some((TableId::MAIN, r));
        }
        let t = self.table(TableId::DEFAULT)?;
        t.lookup(dst, fits).map(|r| (TableId::DEFAULT, r))
    }

    /// What `dst` is to this host (`inet_addr_type`): its own, a broadcast, or something on the way.
    pub fn addr_type(&self, dst: A) -> RouteType {
        if dst.is_multicast() {
            return RouteType::Multicast;
        }
        match self.local.lookup(dst, |_| true) {
            Some(r) => r.kind,
            None => RouteType::Unicast,
        }
    }
}
