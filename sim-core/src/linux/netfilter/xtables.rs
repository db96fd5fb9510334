//! iptables: tables of chains of rules.
//!
//! Models: net/netfilter/x_tables.c, and what iptables (nf_tables variant, 1.8.9) lets one write.
//! Simplifies: counters are not kept.
//!
//! A namespace tracks connections while some rule of some chain has a match or a target that needs it (`-m conntrack`,
//! `-m state`, NAT targets, CONNMARK); a nat table whose rules do not is never asked. Seen on Linux 6.18.

use super::eval::MatchCx;
use super::hook::Hook;
use super::index::{self, Index};
use super::spec::RuleSpec;
use crate::linux::hot::HotMap;
use crate::linux::id::{RowId, Source};
use std::sync::{Arc, OnceLock};

/// The five tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// Before conntrack.
    Raw = 0,
    /// Marks and header fields.
    Mangle = 1,
    /// Address translation; asked for the first packet of a flow only.
    Nat = 2,
    /// Accept or drop.
    Filter = 3,
    /// After filter.
    Security = 4,
}

impl TableKind {
    /// All, by number.
    pub const ALL: [TableKind; 5] = [TableKind::Raw, TableKind::Mangle, TableKind::Nat, TableKind::Filter, TableKind::Security];

    /// The table of that name.
    pub fn by_name(name: &str) -> Option<TableKind> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// The name after `-t`.
    pub fn name(self) -> &'static str {
        match self {
            TableKind::Raw => "raw",
            TableKind::Mangle => "mangle",
            TableKind::Nat => "nat",
            TableKind::Filter => "filter",
            TableKind::Security => "security",
        }
    }

    /// The hooks at which its built-in chains stand.
    pub fn hooks(self) -> &'static [Hook] {
        use Hook::{Forward, Input, Output, Postrouting, Prerouting};
        match self {
            TableKind::Raw => &[Prerouting, Output],
            TableKind::Mangle => &[Prerouting, Input, Forward, Output, Postrouting],
            TableKind::Nat => &[Prerouting, Input, Output, Postrouting],
            TableKind::Filter | TableKind::Security => &[Input, Forward, Output],
        }
    }
}

/// What happens at the end of a built-in chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// The packet goes on.
    #[default]
    Accept,
    /// The packet is dropped.
    Drop,
}

impl Policy {
    /// `ACCEPT`, `DROP`.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Accept => "ACCEPT",
            Policy::Drop => "DROP",
        }
    }
}

/// A chain, by its slot in its table: built-in chains at their hook's number, user chains behind. A slot stays
/// with its chain as long as the chain lives.
pub type ChainId = u32;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Row number.
    pub row: RowId,
    /// What made it.
    pub source: Source,
    /// What it says.
    pub spec: Arc<RuleSpec>,
    /// The chain that its jump or goto leads to.
    pub to: Option<ChainId>,
}

/// A chain: rules in order.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Name.
    pub name: Arc<str>,
    /// Hook and policy of a built-in chain; none for a user chain.
    pub base: Option<(Hook, Policy)>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// How many rules lead here.
    pub references: u32,
    /// What made it.
    pub source: Source,
    /// Made when a packet first needs it.
    index: OnceLock<Index>,
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        (&self.name, self.base, &self.rules, self.references, self.source)
            == (&other.name, other.base, &other.rules, other.references, other.source)
    }
}

impl Eq for Chain {}

impl Chain {
    /// An empty chain.
    pub fn new(name: Arc<str>, base: Option<(Hook, Policy)>, source: Source) -> Chain {
        Chain { name, base, rules: Vec::new(), references: 0, source, index: OnceLock::new() }
    }

    /// The first rule at `from` or behind it for which `fits` holds. Rules that name another address, device, protocol or port
    /// than the packet's are not asked: they could not fit.
    #[inline]
    pub fn find(&self, from: usize, cx: &MatchCx<'_>, mut fits: impl FnMut(&Rule) -> bool) -> Option<(usize, &Rule)> {
        if self.rules.len() < index::FROM {
            return self.rules.iter().enumerate().skip(from).find(|(_, r)| fits(r));
        }
        let index = self.index.get_or_init(|| Index::of(&self.rules));
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        let at = index.find(from, cx, |at| self.rules.get(at as usize).is_some_and(&mut fits))? as usize;
        Some((at, self.rules.get(at)?))
    }
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which table.
    pub kind: TableKind,
    slots: Vec<Option<Arc<Chain>>>,
    names: HotMap<Arc<str>, ChainId>,
    free: Vec<ChainId>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.kind == other.kind && self.slots == other.slots
    }
}

impl Eq for Table {}

const BASES: usize = Hook::ALL.len();

impl Table {
    /// A table without chains.
    pub fn new(kind: TableKind) -> Table {
        Table { kind, slots: vec![None; BASES], names: HotMap::default(), free: Vec::new() }
    }

    /// The chain in that slot.
    #[inline]
    pub fn chain(&self, id: ChainId) -> Option<&Chain> {
        self.slots.get(id as usize)?.as_deref()
    }

    /// The built-in chain of a hook. iptables makes it only when it is first needed.
    #[inline]
    pub fn base(&self, hook: Hook) -> Option<&Chain> {
        self.chain(hook as ChainId)
    }

    /// The slot of the chain called `name`.
    pub fn id(&self, name: &str) -> Option<ChainId> {
        self.names.get(name).copied()
    }

    /// The chain called `name`.
    pub fn by_name(&self, name: &str) -> Option<&Chain> {
        self.chain(self.id(name)?)
    }

    /// All chains as iptables-save lists them: built-in ones by hook, then user chains by name.
    pub fn chains(&self) -> impl Iterator<Item = (ChainId, &Chain)> {
        let base = self.slots[..BASES].iter().enumerate().filter_map(|(i, c)| Some((i as ChainId, c.as_deref()?)));
        let mut user: Vec<_> =
            self.slots[BASES..].iter().enumerate().filter_map(|(i, c)| Some(((i + BASES) as ChainId, c.as_deref()?))).collect();
        user.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        base.chain(user)
    }

    /// The rule at that place.
    #[inline]
    pub fn rule(&self, chain: ChainId, at: usize) -> Option<&Rule> {
        self.chain(chain)?.rules.get(at)
    }

    /// The chain in that slot, to be changed.
    pub(crate) fn chain_mut(&mut self, id: ChainId) -> Option<&mut Chain> {
        let chain = self.slots.get_mut(id as usize)?.as_mut().map(Arc::make_mut)?;
        chain.index.take();
        Some(chain)
    }

    /// Puts a new chain into a slot: a built-in one into its hook's, another into the first free one.
    pub(crate) fn add(&mut self, chain: Chain) -> ChainId {
        let at = match (chain.base, self.free.pop()) {
            (Some((hook, _)), free) => {
                self.free.extend(free);
                hook as ChainId
            }
            (None, Some(free)) => free,
            (None, None) => {
                self.slots.push(None);
                (self.slots.len() - 1) as ChainId
            }
        };
        self.names.insert(chain.name.clone(), at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(Arc::new(chain));
        }
        at
    }

    /// Takes a chain out.
    pub(crate) fn take(&mut self, id: ChainId) -> Option<Arc<Chain>> {
        let chain = self.slots.get_mut(id as usize)?.take()?;
        self.names.remove(&chain.name);
        if id as usize >= BASES {
            self.free.push(id);
        }
        Some(chain)
    }

    /// How many slots there are, free ones included.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether a rule needs connection tracking.
    fn tracks(&self) -> bool {
        let needs = |r: &Rule| r.spec.target.needs_conntrack() || r.spec.matches.iter().any(super::Match::needs_conntrack);
        self.slots.iter().flatten().any(|c| c.rules.iter().any(needs))
    }

    /// Gives a chain another name.
    pub(crate) fn rename(&mut self, id: ChainId, name: Arc<str>) {
        if let Some(chain) = self.slots.get_mut(id as usize).and_then(Option::as_mut) {
            self.names.remove(&chain.name);
            Arc::make_mut(chain).name = name.clone();
            self.names.insert(name, id);
        }
    }
}

/// The iptables of a namespace; a table that nobody touched is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xtables {
    tables: [Option<Arc<Table>>; 5],
    /// Whether a rule of any chain needs connection tracking.
    tracks: bool,
}

impl Xtables {
    /// The table, if it is there.
    #[inline]
    pub fn table(&self, kind: TableKind) -> Option<&Arc<Table>> {
        self.tables[kind as usize].as_ref()
    }

    /// Whether there is no table at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(Option::is_none)
    }

    /// Whether the namespace tracks connections.
    ///
    /// It does as long as some rule of some chain, reached or not, has a match or a target that needs it; an empty nat
    /// table, built-in chains of it and a rule in it with ACCEPT alone do not switch it on, and then the nat table is
    /// never asked. (Seen on Linux 6.18: nf_ct_netns_get is called by the extensions, not by the chain type.)
    #[inline]
    pub fn needs_conntrack(&self) -> bool {
        self.tracks
    }

    /// Puts tables in place of the old ones.
    pub(crate) fn replace(&mut self, tables: [Option<Arc<Table>>; 5]) {
        self.tables = tables;
        self.tracks = self.tables.iter().flatten().any(|t| t.tracks());
    }

    /// All tables, to be changed and put back.
    pub(crate) fn all(&self) -> [Option<Arc<Table>>; 5] {
        self.tables.clone()
    }
}
