//! A transaction: changes that hold together or not at all.
//!
//! Models: net/netfilter/nf_tables_api.c (nf_tables_newtable, newchain, newrule, newset, newsetelem and their opposites,
//! nft_chain_validate, nf_tables_check_loops), nft 1.0.6 src/rule.c nft_cmd_expand.
//! Simplifies: counters and quotas are not counted, so resetting them changes nothing; generations are not told.

use super::set::SetData;
use super::stmt::{NftVerdict, Stmt};
use super::text::element::{insert, is_catchall, merge};
use super::text::{Refused, Span};
use super::validate::validate;
use super::{Base, ChainType, ElemData, Element, NftChain, NftFamily, NftRule, NftTable, Nftables, Object, Set, SetLink};
use crate::linux::id::{RowId, Source};
use crate::linux::netfilter::hook::Hook;
use crate::linux::netfilter::xtables::Policy;
use crate::linux::time::Time;
use std::sync::Arc;

const ENOENT: &str = "No such file or directory";
const EEXIST: &str = "File exists";
const EBUSY: &str = "Device or resource busy";
const EOPNOTSUPP: &str = "Operation not supported";

/// Where a rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the end.
    End,
    /// To the beginning.
    Start,
    /// Before the rule at that place.
    Before(usize),
    /// Behind the rule at that place.
    After(usize),
    /// In the place of that rule.
    Instead(usize),
}

/// What came of a transaction.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Sets whose elements written by packets are gone: table and slot.
    pub forgotten: Vec<(u32, u32)>,
    /// Elements written by packets that are gone.
    pub deleted: Vec<super::state::Key>,
}

/// Changes under way.
#[expect(missing_debug_implementations, reason = "it holds functions")]
pub struct Transaction<'a> {
    /// The tables as they are now.
    pub nft: Nftables,
    source: Source,
    now: Time,
    new_row: &'a mut dyn FnMut() -> RowId,
    touched: Vec<(u32, u32)>,
    fresh: Vec<(u32, u32)>,
    outcome: Outcome,
    changed: Vec<u32>,
    last_rule: Span,
}

type Done<T = ()> = Result<T, Refused>;

impl<'a> Transaction<'a> {
    /// Changes that begin at `nft`.
    pub fn new(nft: Nftables, source: Source, now: Time, new_row: &'a mut dyn FnMut() -> RowId) -> Self {
        Transaction {
            nft,
            source,
            now,
            new_row,
            touched: Vec::new(),
            fresh: Vec::new(),
            outcome: Outcome::default(),
            changed: Vec::new(),
            last_rule: Span::default(),
        }
    }

    /// The table, to be changed.
    pub fn table_mut(&mut self, handle: u32) -> Option<&mut NftTable> {
        if !self.changed.contains(&handle) {
            self.changed.push(handle);
        }
        self.nft.tables.iter_mut().find(|t| t.handle == handle).map(Arc::make_mut)
    }

    /// The handle of a table.
    ///
    /// # Errors
    /// When it is not there.
    pub fn table(&self, family: NftFamily, name: &str, at: Span, by_nft: bool) -> Done<u32> {
        self.nft.find(family, name).map(|t| t.handle).ok_or_else(|| missing(at, by_nft))
    }

    /// Makes a table, or changes its flag.
    ///
    /// # Errors
    /// With `create` when it is there.
    pub fn add_table(
        &mut self,
        family: NftFamily,
        name: &str,
        comment: Option<Arc<str>>,
        dormant: bool,
        create: bool,
        at: Span,
    ) -> Done<u32> {
        if let Some(t) = self.nft.find(family, name) {
            let handle = t.handle;
            if create {
                return Err(Refused::kernel(at, EEXIST));
            }
            if let Some(t) = self.table_mut(handle) {
                t.dormant = dormant;
            }
            return Ok(handle);
        }
        self.nft.last_table += 1;
        let handle = self.nft.last_table;
        self.changed.push(handle);
        self.nft.tables.push(Arc::new(NftTable {
            family,
            name: name.into(),
            handle,
            comment,
            dormant,
            chains: super::Slots::default(),
            sets: super::Slots::default(),
            objects: Vec::new(),
            last_handle: 0,
            tracks: false,
        }));
        Ok(handle)
    }

    /// Takes a table away with all that is in it.
    pub fn delete_table(&mut self, handle: u32) {
        if let Some(t) = self.nft.table(handle) {
            let sets: Vec<u32> = t.sets.iter().map(|(s, _)| s).collect();
            self.outcome.forgotten.extend(sets.into_iter().map(|s| (handle, s)));
        }
        self.nft.tables.retain(|t| t.handle != handle);
    }

    /// Makes a chain, or changes the policy of one that is there.
    ///
    /// # Errors
    /// When a chain of that name is there and is another kind of chain, or is there at all with `create`.
    pub fn add_chain(
        &mut self,
        table: u32,
        name: &str,
        base: Option<Base>,
        policy: Option<(Policy, Span)>,
        comment: Option<Arc<str>>,
        create: bool,
        at: (Span, Span),
    ) -> Done<u32> {
        let (name_at, command) = at;
        if let Some(b) = &base {
            let fits = match b.kind {
                ChainType::Filter => true,
                ChainType::Nat => b.hook != Hook::Forward && b.priority > -200,
                ChainType::Route => b.hook == Hook::Output,
            };
            if !fits {
                return Err(Refused::kernel(command, EOPNOTSUPP));
            }
        }
        let Some(t) = self.table_mut(table) else { return Err(missing(name_at, true)) };
        if t.family == NftFamily::Bridge && base.is_some_and(|b| b.kind != ChainType::Filter) {
            return Err(Refused::kernel(command, ENOENT));
        }
        if let Some(slot) = t.chains.slot(name) {
            let Some(c) = t.chains.get_mut(slot) else { return Ok(slot) };
            if create {
                return Err(Refused::kernel(name_at, EEXIST));
            }
            match (&mut c.base, base, policy) {
                (None, None, Some((_, at))) => return Err(Refused::kernel(at, EOPNOTSUPP)),
                (None, None, None) => {}
                (Some(own), None, Some((p, _))) => own.policy = p,
                (Some(_), None, None) => {}
                (Some(own), Some(b), p) if (own.kind, own.hook, own.priority) == (b.kind, b.hook, b.priority) => {
                    if let Some((p, _)) = p {
                        own.policy = p;
                    }
                }
                (Some(_), Some(_), _) | (None, Some(_), _) => return Err(Refused::kernel(command, EEXIST)),
            }
            return Ok(slot);
        }
        if let (None, Some((_, at))) = (&base, policy) {
            return Err(Refused::kernel(at, EOPNOTSUPP));
        }
        let base = base.map(|b| Base { policy: policy.map_or(Policy::Accept, |p| p.0), ..b });
        let handle = t.new_handle();
        let chain = NftChain { name: name.into(), handle, base, comment, rules: Vec::new() };
        Ok(t.chains.add(name.into(), chain))
    }

    /// The slot of a chain.
    ///
    /// # Errors
    /// When it is not there.
    pub fn chain(&self, table: u32, name: &str, at: Span, by_nft: bool) -> Done<u32> {
        self.nft.table(table).and_then(|t| t.chains.slot(name)).ok_or_else(|| missing(at, by_nft))
    }

    /// How many rules and elements lead to a chain.
    fn references(&self, table: u32, slot: u32) -> usize {
        let Some(t) = self.nft.table(table) else { return 0 };
        let leads = |v: &NftVerdict| v.chain().is_some_and(|c| c.slot == slot);
        let in_set = |s: &Set| s.elems.iter().chain(&s.catchall).filter(|e| matches!(&e.data, ElemData::Verdict(v) if leads(v))).count();
        let rules = t.chains.iter().flat_map(|(_, c)| &c.rules).flat_map(|r| r.stmts.iter()).map(|s| match s {
            Stmt::Verdict(v) => usize::from(leads(v)),
            s => s.links().into_iter().map(|l| if let SetLink::Anonymous(set) = l { in_set(set) } else { 0 }).sum(),
        });
        rules.sum::<usize>() + t.sets.iter().map(|(_, s)| if s.of.data == SetData::Verdict { in_set(s) } else { 0 }).sum::<usize>()
    }

    /// Takes a chain away with its rules.
    ///
    /// # Errors
    /// When something leads to it.
    pub fn delete_chain(&mut self, table: u32, slot: u32, at: Span) -> Done {
        let name = self.nft.table(table).and_then(|t| t.chains.get(slot)).map(|c| c.name.clone());
        let Some(name) = name else { return Err(missing(at, false)) };
        // its own rules go first
        if let Some(c) = self.table_mut(table).and_then(|t| t.chains.get_mut(slot)) {
            c.rules.clear();
        }
        if self.references(table, slot) > 0 {
            return Err(Refused::kernel(at, EBUSY));
        }
        if let Some(t) = self.table_mut(table) {
            t.chains.remove(&name);
        }
        Ok(())
    }

    /// Gives a chain another name.
    ///
    /// # Errors
    /// When a chain has that name.
    pub fn rename_chain(&mut self, table: u32, slot: u32, to: &str, command: Span) -> Done {
        let Some(t) = self.table_mut(table) else { return Ok(()) };
        if t.chains.slot(to).is_some() {
            return Err(Refused::kernel(command, EEXIST));
        }
        let Some(from) = t.chains.get(slot).map(|c| c.name.clone()) else { return Ok(()) };
        t.chains.rename(&from, to.into());
        if let Some(c) = t.chains.get_mut(slot) {
            c.name = to.into();
        }
        // what leads to it says its new name
        let name: Arc<str> = to.into();
        let slots: Vec<u32> = t.chains.iter().map(|(s, _)| s).collect();
        for s in slots {
            let Some(c) = t.chains.get_mut(s) else { continue };
            for r in &mut c.rules {
                if r.stmts.iter().any(|s| stmt_leads(s, slot)) {
                    let stmts: Vec<Stmt> = r.stmts.iter().map(|s| renamed(s, slot, &name)).collect();
                    r.stmts = stmts.into();
                }
            }
        }
        let sets: Vec<u32> = t.sets.iter().filter(|(_, s)| s.of.data == SetData::Verdict).map(|(s, _)| s).collect();
        for s in sets {
            if let Some(set) = t.sets.get_mut(s) {
                rename_in(set, slot, &name);
            }
        }
        Ok(())
    }

    /// The place of a rule with that handle.
    pub fn find_rule(&self, table: u32, chain: u32, handle: u32) -> Option<usize> {
        self.nft.table(table)?.chains.get(chain)?.rules.iter().position(|r| r.handle == handle)
    }

    /// How many rules a chain has.
    pub fn rule_count(&self, table: u32, chain: u32) -> usize {
        self.nft.table(table).and_then(|t| t.chains.get(chain)).map_or(0, |c| c.rules.len())
    }

    /// Puts a rule into a chain.
    ///
    /// # Errors
    /// When an object that it names is not there.
    pub fn add_rule(&mut self, table: u32, chain: u32, place: Place, text: (Vec<Stmt>, Option<Arc<str>>), at: Span) -> Done {
        let (stmts, comment) = text;
        self.last_rule = at;
        let row = (self.new_row)();
        let source = self.source;
        let fresh = self.fresh.clone();
        let Some(t) = self.table_mut(table) else { return Ok(()) };
        for s in &stmts {
            if let Stmt::Object(o) = s
                && !t.objects.iter().any(|x| x.name == o.name && x.kind() == o.kind)
            {
                return Err(Refused::kernel(at, ENOENT));
            }
        }
        // each anonymous set is made before the rule
        let anonymous = stmts.iter().flat_map(Stmt::links).filter(|l| matches!(l, SetLink::Anonymous(_))).count();
        (0..anonymous).for_each(|_| {
            t.new_handle();
        });
        let handle = t.new_handle();
        t.tracks |= stmts.iter().any(Stmt::needs_conntrack);
        // a set that packets write to says so, and how large it may grow
        for s in &stmts {
            if let Stmt::Dyn { set: r, .. } = s
                && let Some(set) = t.sets.get_mut(r.slot)
            {
                // one that was there before does not say it
                set.flags.dynamic |= fresh.contains(&(table, r.slot));
                set.size.get_or_insert(65_535);
            }
        }
        let Some(c) = t.chains.get_mut(chain) else { return Ok(()) };
        let rule = NftRule { handle, row, source, stmts: stmts.into(), comment };
        match place {
            Place::End => c.rules.push(rule),
            Place::Start => c.rules.insert(0, rule),
            Place::Before(i) => c.rules.insert(i.min(c.rules.len()), rule),
            Place::After(i) => c.rules.insert((i + 1).min(c.rules.len()), rule),
            Place::Instead(i) => {
                if let Some(old) = c.rules.get_mut(i) {
                    *old = rule;
                }
            }
        }
        Ok(())
    }

    /// Takes a rule out.
    pub fn delete_rule(&mut self, table: u32, chain: u32, place: usize) {
        if let Some(c) = self.table_mut(table).and_then(|t| t.chains.get_mut(chain))
            && place < c.rules.len()
        {
            c.rules.remove(place);
        }
    }

    /// Takes all rules out of a chain.
    pub fn flush_chain(&mut self, table: u32, chain: u32) {
        if let Some(c) = self.table_mut(table).and_then(|t| t.chains.get_mut(chain)) {
            c.rules.clear();
        }
    }

    /// Takes all rules out of all chains of a table.
    pub fn flush_table(&mut self, table: u32) {
        let slots: Vec<u32> = self.nft.table(table).map(|t| t.chains.iter().map(|(s, _)| s).collect()).unwrap_or_default();
        slots.into_iter().for_each(|s| self.flush_chain(table, s));
    }

    /// Makes a set or a map.
    ///
    /// # Errors
    /// When one of that name is there and has other types, or is there at all with `create`.
    pub fn add_set(&mut self, table: u32, mut set: Set, create: bool, at: Span) -> Done<u32> {
        let Some(t) = self.table_mut(table) else { return Err(missing(at, true)) };
        if let Some(slot) = t.sets.slot(&set.name) {
            let same = t.sets.get(slot).is_some_and(|s| s.of == set.of && s.flags == set.flags);
            return if create || !same { Err(Refused::kernel(at, EEXIST)) } else { Ok(slot) };
        }
        set.handle = t.new_handle();
        let slot = t.sets.add(set.name.clone(), set);
        self.fresh.push((table, slot));
        Ok(slot)
    }

    /// Takes a set away.
    ///
    /// # Errors
    /// When a rule uses it.
    pub fn delete_set(&mut self, table: u32, slot: u32, at: Span) -> Done {
        let Some(t) = self.nft.table(table) else { return Ok(()) };
        let used = t.chains.iter().flat_map(|(_, c)| &c.rules).flat_map(|r| r.stmts.iter()).any(|s| {
            matches!(s, Stmt::Dyn { set, .. } if set.slot == slot)
                || s.links().into_iter().any(|l| matches!(l, SetLink::Named(r, _) if r.slot == slot))
        });
        if used {
            return Err(Refused::kernel(at, EBUSY));
        }
        let Some(name) = t.sets.get(slot).map(|s| s.name.clone()) else { return Ok(()) };
        if let Some(t) = self.table_mut(table) {
            t.sets.remove(&name);
        }
        self.outcome.forgotten.push((table, slot));
        Ok(())
    }

    /// Takes all elements out of a set.
    pub fn flush_set(&mut self, table: u32, slot: u32) {
        if let Some(s) = self.table_mut(table).and_then(|t| t.sets.get_mut(slot)) {
            s.elems.clear();
            s.catchall = None;
            s.reindex();
        }
        self.outcome.forgotten.push((table, slot));
    }

    /// Puts elements into a set.
    ///
    /// # Errors
    /// When one is there and leads elsewhere, or overlaps with one that is there.
    pub fn add_elements(&mut self, table: u32, slot: u32, elems: Vec<(Element, Span)>, create: bool, at: Span) -> Done {
        let now = self.now;
        let Some(set) = self.table_mut(table).and_then(|t| t.sets.get_mut(slot)) else { return Ok(()) };
        if set.flags.constant && !set.elems.is_empty() {
            return Err(Refused::kernel(at, EBUSY));
        }
        let before = set.elems.len();
        for (mut e, at) in elems {
            if let Some(t) = e.timeout.or(set.timeout).filter(|_| set.flags.timeout || set.timeout.is_some()) {
                e.expires = Some(now + e.left.unwrap_or(t));
            } else if e.timeout.is_some() {
                return Err(Refused::kernel(at, "Invalid argument"));
            }
            e.left = None;
            if e.timeout == set.timeout {
                e.timeout = None;
            }
            if is_catchall(&e) {
                set.catchall = Some(Element { lo: super::Data::new(), hi: super::Data::new(), ..e });
                continue;
            }
            if set
                .elems
                .get(..before)
                .is_some_and(|old| set.flags.interval && set.of.key.len() == 1 && !set.auto_merge && overlaps(old, &e))
            {
                return Err(Refused { by_kernel: true, ..Refused::new(at, "interval overlaps with an existing one") });
            }
            insert(set, e, at, create)?;
            if set.size.is_some_and(|n| set.elems.len() > n as usize) {
                return Err(Refused::kernel(at, "Too many open files in system"));
            }
        }
        merge(set);
        self.touched.push((table, slot));
        Ok(())
    }

    /// Takes elements out of a set.
    ///
    /// # Errors
    /// When one is not there.
    pub fn delete_elements(&mut self, table: u32, slot: u32, elems: Vec<(Element, Span)>) -> Done {
        let keys = elems.iter().map(|(e, _)| (table, slot, e.lo.clone()));
        self.outcome.deleted.extend(keys);
        let Some(set) = self.table_mut(table).and_then(|t| t.sets.get_mut(slot)) else { return Ok(()) };
        for (e, at) in elems {
            if is_catchall(&e) {
                if set.catchall.take().is_none() {
                    return Err(Refused::kernel(at, ENOENT));
                }
                continue;
            }
            match set.position(&e.lo, &e.hi) {
                Some(i) => {
                    set.elems.remove(i);
                    set.reindex();
                }
                // packets may have written it
                None if set.flags.dynamic => {}
                None => return Err(Refused::kernel(at, ENOENT)),
            }
        }
        self.touched.push((table, slot));
        Ok(())
    }

    /// Makes a named object.
    ///
    /// # Errors
    /// With `create` when one of that name is there.
    pub fn add_object(&mut self, table: u32, name: &str, body: Stmt, comment: Option<Arc<str>>, create: bool, at: Span) -> Done {
        let Some(t) = self.table_mut(table) else { return Err(missing(at, true)) };
        let object = Object { name: name.into(), handle: 0, body, comment };
        if t.objects.iter().any(|o| o.name == object.name && o.kind() == object.kind()) {
            return if create { Err(Refused::kernel(at, EEXIST)) } else { Ok(()) };
        }
        let handle = t.new_handle();
        t.objects.push(Object { handle, ..object });
        Ok(())
    }

    /// Takes a named object away.
    ///
    /// # Errors
    /// When it is not there, or a rule uses it.
    pub fn delete_object(&mut self, table: u32, kind: super::ObjKind, name: &str, at: Span) -> Done {
        let Some(t) = self.table_mut(table) else { return Err(missing(at, false)) };
        let Some(i) = t.objects.iter().position(|o| &*o.name == name && o.kind() == kind) else { return Err(missing(at, false)) };
        let used = t
            .chains
            .iter()
            .flat_map(|(_, c)| &c.rules)
            .flat_map(|r| r.stmts.iter())
            .any(|s| matches!(s, Stmt::Object(o) if o.kind == kind && &*o.name == name));
        if used {
            return Err(Refused::kernel(at, EBUSY));
        }
        t.objects.remove(i);
        Ok(())
    }

    /// The tables with all changes, and the sets whose elements written by packets are gone.
    ///
    /// # Errors
    /// When a chain leads in a circle, or a rule stands where its statement may not.
    pub fn finish(mut self) -> Done<(Nftables, Outcome)> {
        self.touched.sort_unstable();
        self.touched.dedup();
        for (table, slot) in std::mem::take(&mut self.touched) {
            if let Some(s) = self.table_mut(table).and_then(|t| t.sets.get_mut(slot)) {
                s.reindex();
            }
        }
        for handle in std::mem::take(&mut self.changed) {
            let Some(t) = self.nft.tables.iter_mut().find(|t| t.handle == handle).map(Arc::make_mut) else { continue };
            t.tracks = t.chains.iter().flat_map(|(_, c)| &c.rules).flat_map(|r| r.stmts.iter()).any(Stmt::needs_conntrack);
            for (slot, c) in t.chains.iter() {
                let Some(base) = c.base else { continue };
                let mut seen = Vec::new();
                validate(t, slot, &base, 0, &mut seen).map_err(|errno| Refused::kernel(self.last_rule, errno))?;
            }
        }
        Ok((self.nft, self.outcome))
    }
}

fn missing(at: Span, by_nft: bool) -> Refused {
    if by_nft { Refused::missing(at, ENOENT) } else { Refused::kernel(at, ENOENT) }
}

fn overlaps(old: &[Element], e: &Element) -> bool {
    old.iter().any(|x| x.lo <= e.hi && e.lo <= x.hi && (x.lo != e.lo || x.hi != e.hi))
}

fn stmt_leads(s: &Stmt, slot: u32) -> bool {
    let leads = |v: &NftVerdict| v.chain().is_some_and(|c| c.slot == slot);
    match s {
        Stmt::Verdict(v) => leads(v),
        s => s.links().into_iter().any(|l| {
            matches!(l, SetLink::Anonymous(set) if set.elems.iter().chain(&set.catchall).any(|e| matches!(&e.data, ElemData::Verdict(v) if leads(v))))
        }),
    }
}

fn rename_in(set: &mut Set, slot: u32, name: &Arc<str>) {
    for e in set.elems.iter_mut().chain(&mut set.catchall) {
        if let ElemData::Verdict(v) = &mut e.data
            && let Some(c) = v.chain_mut().filter(|c| c.slot == slot)
        {
            c.name = name.clone();
        }
    }
}

fn renamed(s: &Stmt, slot: u32, name: &Arc<str>) -> Stmt {
    let mut s = s.clone();
    match &mut s {
        Stmt::Verdict(v) => {
            if let Some(c) = v.chain_mut().filter(|c| c.slot == slot) {
                c.name = name.clone();
            }
        }
        Stmt::Vmap(_, SetLink::Anonymous(set)) => rename_in(Arc::make_mut(set), slot, name),
        _ => {}
    }
    s
}
