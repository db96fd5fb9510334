//! The rules that were looked at and did not match, found again by the walk's own evaluator.
//!
//! The rule steps of one table at one hook say which way the evaluation took: it is gone through once more up to the
//! step in question, and every rule that it passed over is asked where it does not fit.

use super::losers::Loser;
use super::rows;
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::netfilter::eval::Recorded;
use crate::linux::netfilter::xtables::{ChainId, Table};
use crate::linux::netfilter::{CtTuples, Hook, MatchAt, MatchCx, NfFamily, TableKind};
use crate::linux::{IfIndex, PktType};
use crate::packet::{Family, Ipv4Addr, Net, Tuple};
use crate::trace::evidence::{RuleAt, Verdict};
use crate::trace::{Evidence, Step, StepId};

/// A rule step, as far as the way through the chains needs it.
#[derive(Clone, Copy)]
struct Hit {
    n: u32,
    chain: ChainId,
    at: RuleAt,
    verdict: Verdict,
    mark: u32,
}

impl Report<'_> {
    /// The rules that were looked at between the rule step before and this one, and missed.
    pub(super) fn missed_rules(&self, id: StepId) -> Vec<Loser> {
        self.find_missed(id).unwrap_or_default()
    }

    /// How many rules of its chain the kernel has held the packet against up to this rule step, since the step before.
    pub(super) fn scanned(&self, id: StepId) -> Option<u32> {
        let step = self.raw(id)?;
        let Evidence::Rule { table, at, .. } = step.evidence else { return None };
        let entered = self.index.hook_of(id.0)?;
        let Evidence::Hook { family, hook, .. } = self.raw(StepId(entered))?.evidence else { return None };
        let config = self.config(step.netns, id.0)?;
        let tables = config.xtables(if family == NfFamily::Ip6 { Family::Inet6 } else { Family::Inet }).table(table)?;
        let steps = self.index.steps_at(self.index.packet_of(id.0)?);
        let from = steps.partition_point(|n| *n < entered);
        let inside = steps[from..].iter().take_while(|n| **n <= id.0).filter(|n| self.index.hook_of(**n) == Some(entered));
        let hits: Vec<Hit> = inside.filter_map(|n| hit(*n, self.raw(StepId(*n))?, table)).collect();
        let (_, range) = passed_over(tables, hook, &hits)?;
        Some(range.len() as u32 + u32::from(matches!(at, RuleAt::Rule(_))))
    }

    fn find_missed(&self, id: StepId) -> Option<Vec<Loser>> {
        let step = self.raw(id)?;
        let Evidence::Rule { table, .. } = step.evidence else { return None };
        let entered = self.index.hook_of(id.0)?;
        let Evidence::Hook { family, hook, iif, oif, mark, .. } = self.raw(StepId(entered))?.evidence else { return None };
        let config = self.config(step.netns, id.0)?;
        let tables = config.xtables(if family == NfFamily::Ip6 { Family::Inet6 } else { Family::Inet }).table(table)?;
        let steps = self.index.steps_at(self.index.packet_of(id.0)?);
        let from = steps.partition_point(|n| *n < entered);
        let inside = || steps[from..].iter().take_while(|n| **n <= id.0).filter(|n| self.index.hook_of(**n) == Some(entered));
        let hits: Vec<Hit> = inside().filter_map(|n| hit(*n, self.raw(StepId(*n))?, table)).collect();
        let (chain, range) = passed_over(tables, hook, &hits)?;
        // what was drawn since the step before
        let since = hits.len().checked_sub(2).map_or(entered, |i| hits[i].n);
        let draws: Vec<(MatchAt, bool, u32)> = inside()
            .filter(|n| **n > since)
            .filter_map(|n| match self.raw(StepId(*n))?.evidence {
                Evidence::StatefulMatch { row, at, matched, value } => Some(((row, at), matched, value)),
                _ => None,
            })
            .collect();
        let frame = self.frame(self.index.recorded(id.0))?;
        let packet = match &frame.net {
            Net::Ipv4(ip) => MatchCx::new(ip, hook),
            Net::Ipv6(ip) => MatchCx::new6(ip, hook),
            _ => return None,
        };
        let ports = self.ports_of_bridge(config, steps, id.0);
        let Evidence::Rule { ct, .. } = step.evidence else { return None };
        let (iif, oif) = (IfIndex(u32::from(iif)), IfIndex(u32::from(oif)));
        let mut cx = MatchCx {
            iif: config.devices.name(iif),
            oif: config.devices.name(oif),
            iif_index: iif,
            oif_index: oif,
            ct: ct.into(),
            ct_tuples: self.tuples(steps, entered, id.0).map(|(o, r)| CtTuples::V4(o, r)),
            ct_mark: self.flow_mark(steps, entered, id.0),
            pkt_type: self.pkt_type(steps, id.0),
            now: step.at,
            mark: hits.len().checked_sub(2).map_or(mark, |i| hits[i].mark),
            phys: ports,
            mac_source: (hook != Hook::Output).then_some(frame.eth.src),
            fib: Some(&config.fib),
            fib6: Some(&config.fib6),
            sets: Some(&config.ipsets),
            ..packet
        };
        let rules = tables.chain(chain)?;
        let mut out = Vec::new();
        for i in range {
            let Some(rule) = rules.rules.get(i) else { break };
            cx.memory_seen = draws.iter().find(|((r, _), _, _)| *r == rule.row).map(|(_, _, v)| *v);
            let Err(miss) = rule.eval(&cx, &mut Recorded(&draws)) else { continue };
            let (wanted, seen) = rule.spec.explain(miss, &cx);
            out.push(Loser {
                table: format!("{} {}", table.name(), rules.name),
                number: i as u32 + 1,
                row: rows::rule(config, tables, rules, rule),
                field: miss.field,
                wanted,
                seen,
                made_by: self.provenance(config, rule.source).text,
                reached: true,
            });
        }
        let Evidence::Rule { at: RuleAt::Rule(won), verdict, .. } = step.evidence else { return Some(out) };
        if matches!(verdict, Verdict::Continue | Verdict::Jump) {
            return Some(out);
        }
        for (i, rule) in rules.rules.iter().enumerate().skip(won as usize + 1) {
            out.push(Loser {
                table: format!("{} {}", table.name(), rules.name),
                number: i as u32 + 1,
                row: rows::rule(config, tables, rules, rule),
                field: "order",
                wanted: "reached".to_owned(),
                seen: format!("rule {} decided", won + 1),
                made_by: self.provenance(config, rule.source).text,
                reached: false,
            });
        }
        Some(out)
    }

    /// Original and reply tuple of the packet's flow.
    fn tuples(&self, steps: &[u32], entered: u32, n: u32) -> Option<(Tuple<Ipv4Addr>, Tuple<Ipv4Addr>)> {
        let entry = self.flow_entry(steps, entered, n)?;
        Some((entry.original, entry.reply))
    }

    /// The mark of the packet's flow.
    fn flow_mark(&self, steps: &[u32], entered: u32, n: u32) -> Option<u32> {
        self.flow_entry(steps, entered, n).map(|e| e.mark)
    }

    /// Whom the packet's frame was for, from where it was received last.
    fn pkt_type(&self, steps: &[u32], n: u32) -> PktType {
        let before = steps.iter().rev().filter(|s| **s < n).filter_map(|s| self.raw(StepId(*s)));
        let mut types = before.filter_map(|s| match s.evidence {
            Evidence::Receive { pkttype, .. } => Some(pkttype),
            _ => None,
        });
        types.next().unwrap_or_default()
    }

    fn flow_entry(&self, steps: &[u32], entered: u32, n: u32) -> Option<&crate::linux::conntrack::CtSnapshot> {
        let netns = self.raw(StepId(entered))?.netns;
        let entry = steps.iter().rev().filter(|s| **s <= n).filter_map(|s| self.raw(StepId(*s))).find_map(|s| match s.evidence {
            Evidence::ConntrackLookup { id, .. } if s.netns == netns => Some(id),
            _ => None,
        })??;
        self.ct_entry(netns, entry, n)
    }

    /// The bridge ports that a bridged packet came in by and will leave by, as far as its steps tell.
    fn ports_of_bridge<'c>(&self, config: &'c Config, steps: &[u32], n: u32) -> Option<(&'c str, &'c str)> {
        let netns = self.raw(StepId(n))?.netns;
        let before = steps.iter().rev().filter(|s| **s < n).filter_map(|s| self.raw(StepId(*s))).take_while(|s| s.netns == netns);
        let came: Option<&Step> = before.into_iter().find(|s| matches!(s.evidence, Evidence::Receive { .. }));
        let port = came.map(|s| s.dev).filter(|d| config.devices.get(*d).is_some_and(|d| d.master.is_some()))?;
        Some((config.devices.name(port), ""))
    }
}

fn hit(n: u32, step: &Step, wanted: TableKind) -> Option<Hit> {
    match step.evidence {
        Evidence::Rule { table, chain, at, verdict, mark, .. } if table == wanted => Some(Hit { n, chain, at, verdict, mark }),
        _ => None,
    }
}

/// The chain and the rules in it that were looked at just before the last hit.
fn passed_over(table: &Table, hook: Hook, hits: &[Hit]) -> Option<(ChainId, std::ops::Range<usize>)> {
    let base = hook as ChainId;
    let mut at = (base, 0usize);
    let mut stack: Vec<(ChainId, usize)> = Vec::new();
    let done = (base, usize::MAX);
    for (i, h) in hits.iter().enumerate() {
        let len = table.chain(h.chain).map_or(0, |c| c.rules.len());
        let until = match h.at {
            RuleAt::Rule(r) => r as usize,
            RuleAt::Policy | RuleAt::End => len,
        };
        if i + 1 == hits.len() {
            let from = if at.0 == h.chain { at.1.min(until) } else { until };
            return Some((h.chain, from..until));
        }
        at = match (h.at, h.verdict) {
            (RuleAt::Rule(r), Verdict::Jump | Verdict::Goto) => {
                let r = r as usize;
                if h.verdict == Verdict::Jump {
                    stack.push((h.chain, r + 1));
                }
                (table.rule(h.chain, r).and_then(|r| r.to)?, 0)
            }
            (RuleAt::Rule(r), Verdict::Continue) => (h.chain, r as usize + 1),
            (RuleAt::Rule(_), Verdict::Return) | (RuleAt::End, _) => stack.pop().unwrap_or(done),
            (RuleAt::Rule(_), Verdict::Accept | Verdict::Drop | Verdict::Stolen) | (RuleAt::Policy, _) => done,
        };
    }
    None
}
