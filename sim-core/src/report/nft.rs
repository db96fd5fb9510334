//! Rules of nftables in a report: what a step says, and the rules that were looked at and missed.

use super::losers::Loser;
use super::value::Fields;
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::netfilter::nft::eval::{Asking, CtSeen, NftCx, NftMemory};
use crate::linux::netfilter::nft::expr::Numgen;
use crate::linux::netfilter::nft::text::Style;
use crate::linux::netfilter::nft::{Data, Expr, Limit, NftRule, NftTable, Rhs, Stmt};
use crate::linux::skb::PktType;
use crate::linux::{IfIndex, RowId, Source};
use crate::trace::evidence::{RuleAt, Verdict};
use crate::trace::{Evidence, StateDelta, Step, StepId};

/// The table that a step names.
pub(super) fn table_of(config: &Config, handle: u16) -> Option<&NftTable> {
    config.nft.table(u32::from(handle)).map(|t| &**t)
}

/// A rule as nft lists it, without counters.
pub fn rule_text(config: &Config, t: &NftTable, rule: &NftRule) -> String {
    let name = |i: u32| Some(config.devices.name(IfIndex(i)).to_owned()).filter(|n| !n.is_empty());
    Style { stateless: true, handles: false, device: &name }.rule(rule, t.family)
}

/// The rule of that row number, as nft lists it, and what made it.
pub(super) fn by_row(config: &Config, row: RowId) -> Option<(String, Source)> {
    let (t, chain, at) = config.nft.row(row)?;
    let rule = t.rule(chain, at)?;
    Some((format!("{} {} {}: {}", t.family.name(), t.name, t.chains.get(chain)?.name, rule_text(config, t, rule)), rule.source))
}

/// What a step about a rule says: fields, verdict, text, and what made the rule.
pub(super) struct Said {
    pub(super) fields: Fields,
    pub(super) verdict: String,
    pub(super) text: Option<String>,
    pub(super) source: Option<Source>,
}

/// Tells of a rule, of a chain's end or of a policy.
pub(super) fn said(config: Option<&Config>, step: &Step) -> Option<Said> {
    let Evidence::NftRule { table, chain, at, verdict, row, mark, to, .. } = step.evidence else { return None };
    let t = config.and_then(|c| table_of(c, table));
    let name = |slot: u32| t.and_then(|t| t.chains.get(slot)).map(|c| c.name.to_string()).unwrap_or_default();
    let rule = match at {
        RuleAt::Rule(i) => t.and_then(|t| t.rule(chain, i as usize)).filter(|r| r.row == row),
        RuleAt::Policy | RuleAt::End => None,
    };
    let word = super::names::verdict_word(verdict);
    let (number, text) = match at {
        RuleAt::Rule(i) => {
            let text = match (config, t, rule) {
                (Some(c), Some(t), Some(r)) => Some(rule_text(c, t, r)),
                _ => None,
            };
            (super::value::Value::from(i + 1), text)
        }
        RuleAt::Policy => ("policy".into(), Some(format!("policy {}", word.to_lowercase()))),
        RuleAt::End => ("end".into(), None),
    };
    let target = (to != u32::MAX).then(|| name(to));
    let verdict = match (verdict, &target) {
        (Verdict::Jump, Some(c)) => format!("jump {c}"),
        (Verdict::Goto, Some(c)) => format!("goto {c}"),
        _ => word.to_owned(),
    };
    let mut fields: Fields = vec![
        ("family", t.map_or("", |t| t.family.name()).into()),
        ("table", t.map(|t| t.name.to_string()).unwrap_or_default().into()),
        ("chain", name(chain).into()),
        ("rule", number),
        ("text", text.clone().into()),
    ];
    fields.extend(rule.map(|r| ("handle", r.handle.into())));
    fields.extend((mark != 0).then(|| ("mark", mark.into())));
    fields.extend(target.map(|t| ("target", t.into())));
    Some(Said { fields, verdict, text, source: rule.map(|r| r.source) })
}

/// Answers of `numgen`, `limit` and sets as they were recorded.
struct Recorded<'a> {
    draws: &'a [(RowId, bool, u32)],
    used: usize,
    /// Elements that packets had written by then, and were alive.
    elements: &'a dyn Fn(u32, u32, &[u8]) -> bool,
}

impl Recorded<'_> {
    fn next(&mut self, row: RowId) -> Option<(bool, u32)> {
        let rest = self.draws.get(self.used..)?;
        let i = rest.iter().position(|(r, _, _)| *r == row)?;
        self.used += i + 1;
        rest.get(i).map(|(_, m, v)| (*m, *v))
    }
}

impl NftMemory for Recorded<'_> {
    fn number(&mut self, row: RowId, _: u32, _: &Numgen) -> u32 {
        self.next(row).map_or(0, |(_, v)| v)
    }

    fn random(&mut self, row: RowId, _: u32) -> u32 {
        self.next(row).map_or(0, |(_, v)| v)
    }

    fn within(&mut self, row: RowId, _: u32, _: &Limit, _: u32) -> bool {
        self.next(row).is_none_or(|(m, _)| m)
    }

    fn written(&mut self, table: u32, set: u32, key: &[u8]) -> Option<Option<Data>> {
        (self.elements)(table, set, key).then_some(None)
    }
}

/// The first statement in which a rule did not fit: what it asks, what it wanted and what was there.
fn why(config: &Config, t: &NftTable, s: &Stmt, seen: Option<&Data>) -> (&'static str, String, String) {
    let name = |i: u32| Some(config.devices.name(IfIndex(i)).to_owned()).filter(|n| !n.is_empty());
    let style = Style { stateless: true, handles: false, device: &name };
    let text = style.stmts(std::slice::from_ref(s), t.family);
    let shown = |left: &Expr| {
        let mut out = String::new();
        match seen {
            Some(v) => style.values(&left.types(), v, &mut out),
            None => out.push_str("not in this packet"),
        }
        out
    };
    match s {
        Stmt::Match { left, right, .. } => {
            let mut asked = String::new();
            style.expr(left, &mut asked);
            let wanted = text.strip_prefix(&asked).unwrap_or(&text).trim().to_owned();
            let field = match right {
                Rhs::Set(_) => "set",
                _ => "match",
            };
            (field, format!("{asked} {wanted}"), shown(left))
        }
        Stmt::Vmap(key, _) => ("vmap", text, shown(key)),
        Stmt::Limit(_) => ("limit", text, "the rate is reached".to_owned()),
        _ => ("statement", text, "does not apply".to_owned()),
    }
}

/// A rule step, as far as the way through the chains needs it.
#[derive(Clone, Copy)]
struct Hit {
    n: u32,
    chain: u32,
    at: RuleAt,
    verdict: Verdict,
    mark: u32,
    to: u32,
}

/// The chain, and where in it the last hit's search began.
fn began(table: &NftTable, hits: &[Hit]) -> Option<(u32, usize)> {
    let last = hits.last()?;
    let mut at: Option<(u32, usize)> = None;
    let mut stack: Vec<(u32, usize)> = Vec::new();
    for h in &hits[..hits.len() - 1] {
        at = match (h.at, h.verdict) {
            (RuleAt::Rule(r), Verdict::Jump) => {
                stack.push((h.chain, r as usize + 1));
                Some((h.to, 0))
            }
            (RuleAt::Rule(_), Verdict::Goto) => Some((h.to, 0)),
            (RuleAt::Rule(r), Verdict::Continue) => Some((h.chain, r as usize + 1)),
            (RuleAt::Rule(_), Verdict::Return) | (RuleAt::End, _) => stack.pop(),
            (RuleAt::Rule(_), Verdict::Accept | Verdict::Drop | Verdict::Stolen) | (RuleAt::Policy, _) => None,
        };
    }
    let _ = table;
    Some(match at {
        Some((chain, from)) if chain == last.chain => (chain, from),
        _ => (last.chain, 0),
    })
}

impl Report<'_> {
    /// The rules that were looked at between the rule step before and this one, and missed; then those not reached.
    pub(super) fn missed_nft(&self, id: StepId) -> Vec<Loser> {
        self.find_missed_nft(id).unwrap_or_default()
    }

    fn find_missed_nft(&self, id: StepId) -> Option<Vec<Loser>> {
        let step = self.raw(id)?;
        let Evidence::NftRule { table: handle, chain: own, at, verdict, ct, .. } = step.evidence else { return None };
        let entered = self.index.hook_of(id.0)?;
        let Evidence::Hook { hook, iif, oif, mark, .. } = self.raw(StepId(entered))?.evidence else { return None };
        let config = self.config(step.netns, id.0)?;
        let table = table_of(config, handle)?;
        let steps = self.index.steps_at(self.index.packet_of(id.0)?);
        let from = steps.partition_point(|n| *n < entered);
        let inside = || steps[from..].iter().take_while(|n| **n <= id.0).filter(|n| self.index.hook_of(**n) == Some(entered));
        // the way since the base chain was entered: behind the last policy or final verdict
        let mut hits: Vec<Hit> = Vec::new();
        for n in inside() {
            let Evidence::NftRule { table, chain, at, verdict, mark, to, .. } = self.raw(StepId(*n))?.evidence else { continue };
            if table != handle {
                hits.clear();
                continue;
            }
            let over = hits
                .last()
                .is_some_and(|h| h.at == RuleAt::Policy || matches!(h.verdict, Verdict::Accept | Verdict::Drop | Verdict::Stolen));
            if over {
                hits.clear();
            }
            hits.push(Hit { n: *n, chain, at, verdict, mark, to });
        }
        let (chain, first) = began(table, &hits)?;
        let before = hits.len().checked_sub(2).map(|i| hits[i]);
        let since = before.map_or(entered, |h| h.n);
        let draws: Vec<(RowId, bool, u32)> = inside()
            .filter(|n| **n > since)
            .filter_map(|n| match self.raw(StepId(*n))?.evidence {
                Evidence::StatefulMatch { row, matched, value, .. } => Some((row, matched, value)),
                _ => None,
            })
            .collect();
        let frame = self.frame(self.index.recorded(id.0))?;
        let netns = step.netns;
        let now = step.at;
        let alive = |t: u32, set: u32, key: &[u8]| self.nft_element_at(netns, (t, set, key), id.0, now);
        let mut memory = Recorded { draws: &draws, used: 0, elements: &alive };
        let entry = self.flow_of(steps, entered, id.0);
        let cx = NftCx {
            config,
            table,
            frame: &frame,
            hook,
            iif: IfIndex(u32::from(iif)),
            oif: IfIndex(u32::from(oif)),
            ct: CtSeen {
                view: ct.into(),
                mark: entry.map_or(0, |e| e.mark),
                tuples: entry.map(|e| (e.original, e.reply)),
                expires: entry.map(|e| e.expires),
                untracked: false,
            },
            mark: before.map_or(mark, |h| h.mark),
            pkt_type: PktType::Host,
            socket: hook == crate::linux::netfilter::Hook::Output,
            now,
        };
        let rules = &table.chains.get(chain)?.rules;
        let until = match at {
            RuleAt::Rule(r) => r as usize,
            RuleAt::Policy | RuleAt::End => rules.len(),
        };
        let loser = |i: usize, rule: &NftRule, (field, wanted, seen): (&'static str, String, String), reached| Loser {
            table: format!("{} {} {}", table.family.name(), table.name, table.chains.get(chain).map_or("", |c| &c.name)),
            number: i as u32 + 1,
            row: rule_text(config, table, rule),
            field,
            wanted,
            seen,
            made_by: self.provenance(config, rule.source).text,
            reached,
        };
        let mut out = Vec::new();
        for (i, rule) in rules.iter().enumerate().take(until).skip(first) {
            let mut asking = Asking::new(rule.row, &mut memory);
            let Some(s) = rule.stmts.iter().find(|s| !asking.passes(s, &cx)) else { continue };
            let left = match s {
                Stmt::Match { left, .. } => Some(left),
                Stmt::Vmap(key, _) => Some(key),
                _ => None,
            };
            let seen = left.and_then(|e| {
                let mut v = Data::new();
                Asking::new(rule.row, &mut Recorded { draws: &draws, used: 0, elements: &alive }).value(e, &cx, &mut v).then_some(v)
            });
            out.push(loser(i, rule, why(config, table, s, seen.as_ref()), true));
        }
        let RuleAt::Rule(won) = at else { return Some(out) };
        if own != chain || matches!(verdict, Verdict::Continue | Verdict::Jump) {
            return Some(out);
        }
        for (i, rule) in rules.iter().enumerate().skip(won as usize + 1) {
            out.push(loser(i, rule, ("order", "reached".to_owned(), format!("rule {} decided", won + 1)), false));
        }
        Some(out)
    }

    /// The packet's flow as it was.
    fn flow_of(&self, steps: &[u32], entered: u32, n: u32) -> Option<&crate::linux::conntrack::CtSnapshot> {
        let netns = self.raw(StepId(entered))?.netns;
        let entry = steps.iter().rev().filter(|s| **s <= n).filter_map(|s| self.raw(StepId(*s))).find_map(|s| match s.evidence {
            Evidence::ConntrackLookup { id, .. } if s.netns == netns => Some(id),
            _ => None,
        })??;
        self.ct_entry(netns, entry, n)
    }

    /// Whether a packet had written an element by step `n`, and it lived.
    fn nft_element_at(&self, netns: crate::linux::NetnsId, of: (u32, u32, &[u8]), n: u32, now: crate::linux::Time) -> bool {
        let start = || self.run.start.ns(netns).is_some_and(|ns| ns.nft.find(of.0, of.1, of.2, now).is_some());
        let last =
            self.run.recording.deltas.iter().take_while(|d| d.step <= n).filter(|d| d.netns == netns).filter_map(|d| match &d.delta {
                StateDelta::NftElement { table, set, key, expires } if (*table, *set) == (of.0, of.1) && key[..] == *of.2 => Some(*expires),
                _ => None,
            });
        match last.last() {
            Some(Some(expires)) => expires.is_none_or(|t| t > now),
            Some(None) => false,
            None => start(),
        }
    }
}
