//! What `iptables` and `iptables-restore` do to the tables.
//!
//! Models: iptables 1.8.9 (nf_tables variant) iptables/nft.c and xtables-restore.c, net/netfilter/nf_tables_api.c
//! (nf_tables_newrule, nf_tables_delchain, nft_table_validate).
//!
//! A built-in chain comes into being when a command first needs it (`-A`, `-I`, `-P`, `-F CHAIN`, a `:CHAIN` line), and only
//! then asks packets; `-L`, `-S` and iptables-save list all of a table's all the same.
//!
//! Two parties may refuse: iptables itself, at the line it reads, and then the kernel, which is handed all lines of a
//! table at its COMMIT. Tables committed earlier in a restore file stay.

pub use super::failed::{Touched, VERSION, XtError, XtFailed, program, restore_program};
use super::hook::Hook;
use super::matches::Match;
use super::spec::RuleSpec;
use super::state::Counter;
use super::targets::Target;
use super::xtables::{Chain, ChainId, Policy, Rule, Table, TableKind, Xtables};
use crate::linux::id::{RowId, Source};
use crate::linux::op::{Restore, RestoreLine, RestoreTable, XtCommand, XtOp};
use crate::packet::Family;
use std::collections::BTreeSet;
use std::sync::Arc;

const NO_CHAIN: XtError = XtError::Refused("No chain/target/match by that name");
const BAD_RULE: XtError = XtError::Refused("Bad rule (does a matching rule exist in that chain?)");
const EINVAL: &str = "Invalid argument";
const EMLINK: &str = "Too many links";
/// NFT_JUMP_STACK_SIZE: how many chains deep jumps may lead.
const MAX_DEPTH: usize = 16;

impl Xtables {
    /// Does what `op` says. `new_row` numbers new rules.
    ///
    /// # Errors
    /// In the words of iptables. A single command that fails changes nothing; a restore file keeps the tables before the
    /// one that failed.
    pub fn apply(
        &mut self,
        family: Family,
        op: &XtOp,
        source: Source,
        new_row: &mut impl FnMut() -> RowId,
        touched: &mut Touched,
    ) -> Result<(), XtFailed> {
        let done = self.carry_out(family, op, source, new_row, touched);
        if !touched.gone.is_empty() {
            touched.recent = Some(self.recent_lists());
        }
        done
    }

    fn carry_out(
        &mut self,
        family: Family,
        op: &XtOp,
        source: Source,
        new_row: &mut impl FnMut() -> RowId,
        touched: &mut Touched,
    ) -> Result<(), XtFailed> {
        match op {
            XtOp::Command { table, command } => {
                let lines = [(0, RestoreLine::Command(command.clone()))];
                self.commit(*table, &lines, 0, true, source, new_row, touched).map_err(|(error, _)| XtFailed { family, error, line: None })
            }
            XtOp::Restore(restore) => {
                restore.numbered().try_for_each(|(table, lines)| {
                    let commit = table.commit_line(lines);
                    self.commit(table.table, &table.lines, lines, restore.noflush, source, new_row, touched)
                        .map_err(|(error, line)| XtFailed { family, error, line: Some(line.unwrap_or(commit)) })
                })
            }
        }
    }

    /// The lists of `recent` that rules name.
    fn recent_lists(&self) -> BTreeSet<Arc<str>> {
        let rules = TableKind::ALL.into_iter().filter_map(|k| self.table(k)).flat_map(|t| t.chains().flat_map(|(_, c)| &c.rules));
        let names = rules.flat_map(|r| &r.spec.matches).filter_map(|m| match m {
            Match::Recent(m) => Some(m.name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// One table's lines as one transaction. The error comes with the line, none for that of COMMIT.
    #[allow(clippy::too_many_arguments, reason = "what a transaction needs, used in one place")]
    fn commit(
        &mut self,
        kind: TableKind,
        lines: &[(u32, RestoreLine)],
        first: u32,
        keep: bool,
        source: Source,
        new_row: &mut impl FnMut() -> RowId,
        touched: &mut Touched,
    ) -> Result<(), (XtError, Option<u32>)> {
        let start = || if keep { self.table(kind).map(|t| (**t).clone()) } else { None };
        let mut work = Transaction::new(kind, start(), source, false);
        work.run(lines, first, new_row)?;
        if work.table.as_ref().is_some_and(|t| validate(t).is_err()) {
            // Only now is it worth asking after each line, as the kernel does.
            work = Transaction::new(kind, start(), source, true);
            work.run(lines, first, new_row)?;
        }
        if !work.refused.is_empty() {
            return Err((XtError::Kernel(work.refused), None));
        }
        if !keep {
            touched.flushed.push(kind);
            let old = self.table(kind).map(|t| t.chains().flat_map(|(_, c)| c.rules.iter().map(|r| r.row)).collect::<Vec<_>>());
            touched.gone.extend(old.unwrap_or_default());
        }
        touched.rules.append(&mut work.touched.rules);
        touched.policies.append(&mut work.touched.policies);
        touched.gone.append(&mut work.touched.gone);
        let mut tables = self.all();
        tables[kind as usize] = work.table.map(Arc::new);
        self.replace(tables);
        Ok(())
    }
}

impl Restore {
    /// The tables, each with the number of its first line's predecessor (`*TABLE`) in the file as it is printed.
    fn numbered(&self) -> impl Iterator<Item = (&RestoreTable, u32)> {
        let mut at = 0u32;
        self.tables.iter().map(move |t| {
            let header = at + 1;
            at = header + u32::try_from(t.lines.len()).unwrap_or(u32::MAX - 2) + 1;
            (t, header)
        })
    }
}

impl RestoreTable {
    /// The number of the line COMMIT, for a table whose header stands at line `header` when printed.
    fn commit_line(&self, header: u32) -> u32 {
        if self.commit != 0 { self.commit } else { header + self.lines.len() as u32 + 1 }
    }
}

/// A table on its way from one state to the next.
struct Transaction {
    kind: TableKind,
    table: Option<Table>,
    source: Source,
    /// Whether the whole table is checked after each rule.
    strict: bool,
    /// Whether it is one command and no restore file.
    single: bool,
    refused: Vec<(u32, String)>,
    /// Rules that lead to a chain that is not there yet.
    loose: Vec<(ChainId, RowId, Arc<str>)>,
    touched: Touched,
    /// The counter of the rule that comes next.
    counter: Option<Counter>,
}

impl Transaction {
    fn new(kind: TableKind, table: Option<Table>, source: Source, strict: bool) -> Self {
        Transaction {
            kind,
            table,
            source,
            strict,
            single: false,
            refused: Vec::new(),
            loose: Vec::new(),
            touched: Touched::default(),
            counter: None,
        }
    }

    fn run(
        &mut self,
        lines: &[(u32, RestoreLine)],
        header: u32,
        new_row: &mut impl FnMut() -> RowId,
    ) -> Result<(), (XtError, Option<u32>)> {
        self.single = header == 0;
        for (i, (number, line)) in (1u32..).zip(lines) {
            let number = if *number != 0 { *number } else { header + i };
            let done = match line {
                RestoreLine::Chain(name, policy, counter) => {
                    if let (Some(c), Some(hook)) = (counter, self.hook(name)) {
                        self.touched.policies.push(((self.kind, hook), Some(*c)));
                    }
                    self.chain_line(name, *policy)
                }
                RestoreLine::Command(c) => self.command(c, number, new_row),
            };
            done.map_err(|e| (e, Some(number)))?;
        }
        self.tie()
    }

    /// Ties the last loose jumps to their chains.
    fn tie(&mut self) -> Result<(), (XtError, Option<u32>)> {
        for (chain, row, name) in std::mem::take(&mut self.loose) {
            let Some(table) = &mut self.table else { break };
            let place = table.chain(chain).and_then(|c| c.rules.iter().position(|r| r.row == row));
            let Some(at) = place else { continue };
            let Some(to) = table.id(&name) else {
                return Err((XtError::Parameter(format!("Chain '{name}' does not exist")), None));
            };
            if let Some(rule) = table.chain_mut(chain).and_then(|c| c.rules.get_mut(at)) {
                rule.to = Some(to);
            }
            if let Some(c) = table.chain_mut(to) {
                c.references += 1;
            }
        }
        Ok(())
    }

    fn table_mut(&mut self) -> &mut Table {
        let kind = self.kind;
        self.table.get_or_insert_with(|| Table::new(kind))
    }

    fn hook(&self, name: &str) -> Option<Hook> {
        self.kind.hooks().iter().copied().find(|h| h.chain() == name)
    }

    fn id(&self, name: &str) -> Option<ChainId> {
        self.table.as_ref()?.id(name)
    }

    /// The chain called `name`; a built-in one is made if need be.
    fn id_or_base(&mut self, name: &str) -> Result<ChainId, XtError> {
        if let Some(id) = self.id(name) {
            return Ok(id);
        }
        let hook = self.hook(name).ok_or(NO_CHAIN)?;
        let source = self.source;
        Ok(self.table_mut().add(Chain::new(hook.chain().into(), Some((hook, Policy::Accept)), source)))
    }

    /// `:CHAIN POLICY`.
    fn chain_line(&mut self, name: &Arc<str>, policy: Option<Policy>) -> Result<(), XtError> {
        if self.hook(name).is_some() {
            let id = self.id_or_base(name)?;
            if let (Some(p), Some(c)) = (policy, self.table_mut().chain_mut(id)) {
                c.base = c.base.map(|(hook, _)| (hook, p));
            }
            return Ok(());
        }
        match self.id(name) {
            Some(id) => self.flush(id),
            None => {
                let chain = Chain::new(name.clone(), None, self.source);
                self.table_mut().add(chain);
            }
        }
        Ok(())
    }

    fn command(&mut self, c: &XtCommand, number: u32, new_row: &mut impl FnMut() -> RowId) -> Result<(), XtError> {
        match c {
            XtCommand::NewChain(name) => {
                if self.hook(name).is_some() || self.id(name).is_some() {
                    return Err(XtError::Refused("Chain already exists"));
                }
                let chain = Chain::new(name.clone(), None, self.source);
                self.table_mut().add(chain);
                Ok(())
            }
            XtCommand::DeleteChain(Some(name)) => {
                let id = self.id(name).ok_or(NO_CHAIN)?;
                if self.table.as_ref().and_then(|t| t.chain(id)).is_some_and(is_kept_base) {
                    return Err(XtError::Refused("Directory not empty"));
                }
                self.delete_chain(id, number);
                Ok(())
            }
            XtCommand::DeleteChain(None) => {
                let Some(table) = &self.table else { return Ok(()) };
                let all: Vec<_> = table.chains().filter(|(_, c)| !is_kept_base(c)).map(|(id, _)| id).collect();
                for id in all {
                    self.delete_chain(id, number);
                    if !self.refused.is_empty() {
                        break;
                    }
                }
                Ok(())
            }
            XtCommand::RenameChain(from, to) => self.rename(from, to),
            XtCommand::Policy(name, policy) => {
                if self.hook(name).is_none() {
                    return Err(XtError::Refused("Bad built-in chain name"));
                }
                if self.kind == TableKind::Nat && *policy == Policy::Drop {
                    let text = "\nThe \"nat\" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n";
                    return Err(XtError::Parameter(text.to_owned()));
                }
                self.chain_line(name, Some(*policy))
            }
            XtCommand::Flush(Some(name)) => {
                let id = self.id_or_base(name)?;
                self.flush(id);
                Ok(())
            }
            XtCommand::Flush(None) => {
                let all: Vec<_> = self.table.iter().flat_map(|t| t.chains().map(|(id, _)| id).collect::<Vec<_>>()).collect();
                all.into_iter().for_each(|id| self.flush(id));
                Ok(())
            }
            XtCommand::Counted(counter, command) => {
                self.counter = Some(*counter);
                let done = self.command(command, number, new_row);
                self.counter = None;
                done
            }
            XtCommand::Zero(None, _) => {
                let all: Vec<_> = self.table.iter().flat_map(|t| t.chains().map(|(id, _)| id).collect::<Vec<_>>()).collect();
                all.into_iter().for_each(|id| self.zero(id));
                Ok(())
            }
            XtCommand::Zero(Some(name), None) => {
                let id = self.id(name).ok_or(NO_CHAIN)?;
                self.zero(id);
                Ok(())
            }
            XtCommand::Zero(Some(name), Some(at)) => {
                let id = self.id(name).ok_or(BAD_RULE)?;
                let row = self.table.as_ref().and_then(|t| t.rule(id, at.saturating_sub(1) as usize)).map(|r| r.row);
                self.touched.rules.extend(row.map(|r| (r, Counter::default())));
                Ok(())
            }
            XtCommand::Append(name, spec) => {
                self.target_exists(spec)?;
                let id = self.id_or_base(name)?;
                let end = self.len(id);
                self.insert(id, end, spec, "RULE_APPEND", number, new_row);
                Ok(())
            }
            XtCommand::Insert(name, at, spec) => {
                self.target_exists(spec)?;
                let at = at.saturating_sub(1) as usize;
                if at > 0 && at > self.id(name).map_or(0, |id| self.len(id)) {
                    return Err(if self.id(name).is_some() || self.hook(name).is_some() {
                        XtError::Refused("Index of insertion too big")
                    } else {
                        NO_CHAIN
                    });
                }
                let id = self.id_or_base(name)?;
                self.insert(id, at, spec, "RULE_INSERT", number, new_row);
                Ok(())
            }
            XtCommand::Replace(name, at, spec) => {
                self.target_exists(spec)?;
                let id = self.id(name).ok_or(NO_CHAIN)?;
                let at = at.saturating_sub(1) as usize;
                if at >= self.len(id) {
                    return Err(XtError::Refused("Index of replacement too big"));
                }
                self.remove(id, at);
                self.insert(id, at, spec, "RULE_REPLACE", number, new_row);
                Ok(())
            }
            XtCommand::Delete(name, spec) => {
                self.target_exists(spec)?;
                let (id, at) = self.find(name, spec).ok_or(BAD_RULE)?;
                self.remove(id, at);
                Ok(())
            }
            XtCommand::DeleteNumber(name, at) => {
                let id = self.id(name).ok_or(NO_CHAIN)?;
                let at = at.saturating_sub(1) as usize;
                if at >= self.len(id) {
                    return Err(XtError::Refused("Index of deletion too big"));
                }
                self.remove(id, at);
                Ok(())
            }
            XtCommand::Check(name, spec) => {
                self.target_exists(spec)?;
                self.find(name, spec).map(|_| ()).ok_or(BAD_RULE)
            }
        }
    }

    /// Sets the counters of a chain to zero.
    fn zero(&mut self, id: ChainId) {
        let Some(chain) = self.table.as_ref().and_then(|t| t.chain(id)) else { return };
        self.touched.rules.extend(chain.rules.iter().map(|r| (r.row, Counter::default())));
        self.touched.policies.extend(chain.base.map(|(hook, _)| ((self.kind, hook), None)));
    }

    fn len(&self, id: ChainId) -> usize {
        self.table.as_ref().and_then(|t| t.chain(id)).map_or(0, |c| c.rules.len())
    }

    fn find(&self, name: &str, spec: &RuleSpec) -> Option<(ChainId, usize)> {
        let id = self.id(name)?;
        let at = self.table.as_ref()?.chain(id)?.rules.iter().position(|r| *r.spec == *spec)?;
        Some((id, at))
    }

    /// A single command must not lead to a chain that is not there; in a restore file it may come later.
    fn target_exists(&self, spec: &RuleSpec) -> Result<(), XtError> {
        match spec.target.chain() {
            Some(name) if self.single && self.id(name).is_none() => Err(XtError::Parameter(format!("Chain '{name}' does not exist"))),
            _ => Ok(()),
        }
    }

    fn insert(&mut self, id: ChainId, at: usize, spec: &Arc<RuleSpec>, verb: &str, number: u32, new_row: &mut impl FnMut() -> RowId) {
        let (kind, source, strict) = (self.kind, self.source, self.strict);
        let table = self.table_mut();
        let base = table.chain(id).and_then(|c| c.base);
        let name = table.chain(id).map(|c| c.name.clone()).unwrap_or_default();
        let refuse = |errno: &str| (number, format!("{verb} failed ({errno}): rule in chain {name}"));
        if !spec.fits_table(kind) || base.is_some_and(|(hook, _)| !spec.fits_hook(hook)) {
            self.refused.push(refuse(EINVAL));
            return;
        }
        let to = spec.target.chain().and_then(|name| table.id(name));
        if to.and_then(|to| table.chain(to)).is_some_and(|c| c.base.is_some()) {
            // Nobody may jump to a built-in chain.
            self.refused.push(refuse("Operation not supported"));
            return;
        }
        let row = new_row();
        if let Some(c) = self.counter {
            self.touched.rules.push((row, c));
        }
        let table = self.table_mut();
        if let Some(c) = table.chain_mut(id) {
            let at = at.min(c.rules.len());
            c.rules.insert(at, Rule { row, source, spec: spec.clone(), to });
        }
        if let Some(c) = to.and_then(|to| table.chain_mut(to)) {
            c.references += 1;
        }
        if strict && let Err(errno) = validate(table) {
            self.refused.push(refuse(errno));
        }
        if let (Some(name), None) = (spec.target.chain(), to) {
            self.loose.push((id, row, name.clone()));
        }
    }

    fn remove(&mut self, id: ChainId, at: usize) {
        let Some(table) = &mut self.table else { return };
        let Some(rule) = table.chain_mut(id).filter(|c| at < c.rules.len()).map(|c| c.rules.remove(at)) else { return };
        self.touched.gone.insert(rule.row);
        if let Some(c) = rule.to.and_then(|to| table.chain_mut(to)) {
            c.references = c.references.saturating_sub(1);
        }
    }

    fn flush(&mut self, id: ChainId) {
        let Some(table) = &mut self.table else { return };
        if table.chain(id).is_none_or(|c| c.rules.is_empty()) {
            return;
        }
        let rules = table.chain_mut(id).map(|c| std::mem::take(&mut c.rules)).unwrap_or_default();
        self.touched.gone.extend(rules.iter().map(|r| r.row));
        for to in rules.into_iter().filter_map(|r| r.to) {
            if let Some(c) = table.chain_mut(to) {
                c.references = c.references.saturating_sub(1);
            }
        }
    }

    /// Deletes a chain; the kernel refuses if it has rules or a rule leads to it.
    fn delete_chain(&mut self, id: ChainId, number: u32) {
        let Some(table) = &mut self.table else { return };
        let Some(chain) = table.chain(id) else { return };
        if chain.rules.is_empty() && chain.references == 0 {
            table.take(id);
        } else {
            self.refused.push((number, format!("CHAIN_DEL failed (Device or resource busy): chain {}", chain.name)));
        }
    }

    fn rename(&mut self, from: &str, to: &Arc<str>) -> Result<(), XtError> {
        if self.hook(to).is_some() || self.id(to).is_some() {
            return Err(XtError::Refused("File exists"));
        }
        let id = self.id(from).filter(|_| self.hook(from).is_none()).ok_or(NO_CHAIN)?;
        let table = self.table_mut();
        table.rename(id, to.clone());
        let callers: Vec<ChainId> =
            table.chains().filter(|(_, c)| c.rules.iter().any(|r| r.to == Some(id))).map(|(caller, _)| caller).collect();
        for caller in callers {
            for rule in table.chain_mut(caller).into_iter().flat_map(|c| &mut c.rules).filter(|r| r.to == Some(id)) {
                let spec = Arc::make_mut(&mut rule.spec);
                spec.target = match spec.target {
                    Target::Goto(_) => Target::Goto(to.clone()),
                    _ => Target::Jump(to.clone()),
                };
            }
        }
        Ok(())
    }
}

/// Whether it is a built-in chain that `-X` leaves: one with rules, or with a policy of its own.
fn is_kept_base(c: &Chain) -> bool {
    c.base.is_some_and(|(_, policy)| policy == Policy::Drop || !c.rules.is_empty())
}

/// Checks what is reached from the built-in chains: no loop, not too deep, nothing that a hook does not allow.
fn validate(table: &Table) -> Result<(), &'static str> {
    let mut seen = vec![0u8; table.slot_count()];
    for (id, chain) in table.chains() {
        let Some((hook, _)) = chain.base else { continue };
        seen.fill(0);
        validate_chain(table, id, hook, 0, &mut seen)?;
    }
    Ok(())
}

/// `seen` keeps for each chain the deepest level, plus one, at which it was checked.
fn validate_chain(table: &Table, id: ChainId, hook: Hook, level: usize, seen: &mut [u8]) -> Result<(), &'static str> {
    if level == MAX_DEPTH {
        return Err(EMLINK);
    }
    match seen.get_mut(id as usize) {
        Some(s) if usize::from(*s) > level => return Ok(()),
        Some(s) => *s = level as u8 + 1,
        None => return Ok(()),
    }
    let Some(chain) = table.chain(id) else { return Ok(()) };
    for rule in &chain.rules {
        if !rule.spec.fits_hook(hook) {
            return Err(EINVAL);
        }
        if let Some(to) = rule.to {
            validate_chain(table, to, hook, level + 1, seen)?;
        }
    }
    Ok(())
}
