//! nftables: tables of chains of rules, and of sets and maps.
//!
//! Models: net/netfilter/nf_tables_api.c (tables, chains, rules, sets, objects and their handles).
//! Simplifies: no flowtables, no netdev family; of objects counters, quotas and limits.
//!
//! ```text
//!  Nftables ── NftTable ─┬─ NftChain ── NftRule ── Stmt ─┬─ Expr       what is asked of the packet
//!                        │                               └─ Rhs        what it is held against
//!                        ├─ Set      elements, by value or by range    datatype.rs: the types
//!                        └─ Object   counters and their like           field.rs: fields of headers
//!
//!  text/    the language of nft, read and printed        apply.rs   a transaction
//!  eval.rs  a rule held against a packet, for the walk and for the report
//! ```

pub mod apply;
pub mod datatype;
pub mod eval;
pub mod expr;
pub mod field;
pub mod set;
pub mod state;
pub mod stmt;
pub mod text;
mod validate;

pub use datatype::{Data, DataType};
pub use expr::{CtKey, Expr, FibExpr, FibResult, MetaKey};
pub use field::{Field, Proto};
pub use set::{ElemData, Element, ObjKind, ObjRef, Set, SetData, SetFlags, SetLink, SetRef, SetType};
pub use state::NftState;
pub use stmt::{ChainTo, DynOp, Limit, Log, Nat, NatKind, NatTo, NftVerdict, RejectKind, RelOp, Rhs, Stmt};

use super::hook::{Hook, NfFamily};
use super::hooks::{BaseChains, HookFn};
use super::xtables::Policy;
use crate::linux::hot::HotMap;
use crate::linux::id::{RowId, Source};
use std::sync::Arc;

/// A chain of nftables: its table and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainRef {
    /// The table, by its handle.
    pub table: u32,
    /// The chain, by its slot in the table.
    pub chain: u32,
}

/// The family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NftFamily {
    /// `ip`.
    Ip,
    /// `ip6`.
    Ip6,
    /// `inet`: both.
    Inet,
    /// `arp`: kept, but no packet asks it.
    Arp,
    /// `bridge`.
    Bridge,
}

impl NftFamily {
    /// The family of that name.
    pub fn by_name(name: &str) -> Option<NftFamily> {
        [NftFamily::Ip, NftFamily::Ip6, NftFamily::Inet, NftFamily::Arp, NftFamily::Bridge].into_iter().find(|f| f.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            NftFamily::Ip => "ip",
            NftFamily::Ip6 => "ip6",
            NftFamily::Inet => "inet",
            NftFamily::Arp => "arp",
            NftFamily::Bridge => "bridge",
        }
    }

    /// The families at whose hooks its chains stand.
    pub fn hook_families(self) -> &'static [NfFamily] {
        match self {
            NftFamily::Ip => &[NfFamily::Ip],
            NftFamily::Ip6 => &[NfFamily::Ip6],
            NftFamily::Inet => &[NfFamily::Ip, NfFamily::Ip6],
            NftFamily::Arp => &[],
            NftFamily::Bridge => &[NfFamily::Bridge],
        }
    }
}

/// The type of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChainType {
    /// `filter`.
    Filter,
    /// `nat`: asked for the first packet of a flow only.
    Nat,
    /// `route`: a packet of this host is routed again when what its route depends on changed.
    Route,
}

impl ChainType {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            ChainType::Filter => "filter",
            ChainType::Nat => "nat",
            ChainType::Route => "route",
        }
    }
}

/// What makes a chain a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// `type`.
    pub kind: ChainType,
    /// `hook`.
    pub hook: Hook,
    /// `priority`.
    pub priority: i32,
    /// `policy`.
    pub policy: Policy,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftRule {
    /// Its handle in its table.
    pub handle: u32,
    /// Row number.
    pub row: RowId,
    /// What made it.
    pub source: Source,
    /// What it says.
    pub stmts: Arc<[Stmt]>,
    /// `comment`.
    pub comment: Option<Arc<str>>,
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftChain {
    /// Name.
    pub name: Arc<str>,
    /// Its handle in its table.
    pub handle: u32,
    /// Hook, priority and policy of a base chain.
    pub base: Option<Base>,
    /// `comment`.
    pub comment: Option<Arc<str>>,
    /// The rules.
    pub rules: Vec<NftRule>,
}

/// A named counter, quota or limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Name.
    pub name: Arc<str>,
    /// Its handle in its table.
    pub handle: u32,
    /// What it is: a statement of the same kind.
    pub body: Stmt,
    /// `comment`.
    pub comment: Option<Arc<str>>,
}

impl Object {
    /// Its kind.
    pub fn kind(&self) -> ObjKind {
        match self.body {
            Stmt::Quota(..) => ObjKind::Quota,
            Stmt::Limit(_) => ObjKind::Limit,
            _ => ObjKind::Counter,
        }
    }
}

/// Things with names that keep their slot while they live.
#[derive(Clone, Debug)]
pub struct Slots<T> {
    slots: Vec<Option<Arc<T>>>,
    order: Vec<u32>,
    names: HotMap<Arc<str>, u32>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { slots: Vec::new(), order: Vec::new(), names: HotMap::default(), free: Vec::new() }
    }
}

impl<T: PartialEq> PartialEq for Slots<T> {
    fn eq(&self, o: &Self) -> bool {
        self.slots == o.slots && self.order == o.order
    }
}

impl<T: Eq> Eq for Slots<T> {}

impl<T: Clone> Slots<T> {
    /// What is in that slot.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.as_deref()
    }

    /// The slot of that name.
    pub fn slot(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// What has that name.
    pub fn by_name(&self, name: &str) -> Option<&T> {
        self.get(self.slot(name)?)
    }

    /// All, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.order.iter().filter_map(|s| Some((*s, self.get(*s)?)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.as_mut().map(Arc::make_mut)
    }

    pub(crate) fn add(&mut self, name: Arc<str>, it: T) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(Arc::new(it));
        }
        self.names.insert(name, slot);
        self.order.push(slot);
        slot
    }

    pub(crate) fn remove(&mut self, name: &Arc<str>) -> Option<Arc<T>> {
        let slot = self.names.remove(name)?;
        self.order.retain(|s| *s != slot);
        self.free.push(slot);
        self.slots.get_mut(slot as usize)?.take()
    }

    pub(crate) fn rename(&mut self, from: &Arc<str>, to: Arc<str>) {
        if let Some(slot) = self.names.remove(from) {
            self.names.insert(to, slot);
        }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftTable {
    /// Family.
    pub family: NftFamily,
    /// Name.
    pub name: Arc<str>,
    /// Its handle, which no other table of the namespace ever had.
    pub handle: u32,
    /// `comment`.
    pub comment: Option<Arc<str>>,
    /// `flags dormant`: its chains are not asked.
    pub dormant: bool,
    /// Chains.
    pub chains: Slots<NftChain>,
    /// Sets and maps.
    pub sets: Slots<Set>,
    /// Named objects, in the order in which they came.
    pub objects: Vec<Object>,
    /// The last handle that was given to something in it.
    pub last_handle: u32,
    /// Whether a rule of it needs connection tracking.
    pub tracks: bool,
}

impl NftTable {
    /// The rule of that place.
    pub fn rule(&self, chain: u32, at: usize) -> Option<&NftRule> {
        self.chains.get(chain)?.rules.get(at)
    }

    pub(crate) fn new_handle(&mut self) -> u32 {
        self.last_handle += 1;
        self.last_handle
    }
}

/// The nftables of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nftables {
    /// The tables in the order in which they came.
    pub tables: Vec<Arc<NftTable>>,
    /// The last handle that was given to a table.
    pub last_table: u32,
}

impl Nftables {
    /// The table of that family and name.
    pub fn find(&self, family: NftFamily, name: &str) -> Option<&Arc<NftTable>> {
        self.tables.iter().find(|t| t.family == family && &*t.name == name)
    }

    /// The table of that handle.
    #[inline]
    pub fn table(&self, handle: u32) -> Option<&Arc<NftTable>> {
        self.tables.iter().find(|t| t.handle == handle)
    }

    /// The rule with that row number: its table, chain and place.
    pub fn row(&self, row: RowId) -> Option<(&NftTable, u32, usize)> {
        self.tables
            .iter()
            .find_map(|t| t.chains.iter().find_map(|(slot, c)| c.rules.iter().position(|r| r.row == row).map(|i| (&**t, slot, i))))
    }

    /// Its base chains, in the order in which they came.
    pub fn base_chains(&self, out: &mut BaseChains) {
        for t in self.tables.iter().filter(|t| !t.dormant) {
            for (slot, c) in t.chains.iter() {
                let Some(base) = c.base else { continue };
                for family in t.family.hook_families() {
                    let func = HookFn::Nft(ChainRef { table: t.handle, chain: slot });
                    out.push((*family, base.hook, base.priority, base.kind == ChainType::Nat, func));
                }
            }
        }
    }

    /// For each family of hooks whether a rule needs connection tracking.
    pub fn tracks(&self) -> [bool; 3] {
        let mut out = [false; 3];
        for t in self.tables.iter().filter(|t| t.tracks) {
            for family in t.family.hook_families() {
                out[*family as usize] = true;
            }
        }
        out
    }
}
