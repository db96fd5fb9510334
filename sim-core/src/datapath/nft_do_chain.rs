//! The evaluation of a base chain of nftables.
//!
//! Models: net/netfilter/nf_tables_core.c nft_do_chain with its trace (nft_trace_packet); nft_meta.c nft_meta_set_eval, nft_ct.c
//! nft_ct_set_eval, nft_payload.c nft_payload_set_eval, nft_dynset.c nft_dynset_eval, nft_reject_inet.c nft_reject_inet_eval.
//! Simplifies: what is counted and logged goes nowhere; a queue has no listener; a priority that is set is forgotten.
//!
//! ```text
//!   base chain ──► rule: statements one by one ──┬─ one does not fit     next rule
//!        │  ▲                                    ├─ accept, drop         done
//!        │  └─ end ◄── chain ◄── jump            ├─ jump, goto           on in that chain
//!        ▼                                       └─ all done             next rule
//!      policy
//! ```
//!
//! A step is recorded for each rule that fits to its end, for the end of each chain that is reached, and for the policy.

use super::hook::{HookState, NfVerdict};
use super::nft_nat::nft_nat;
use super::reject::{nf_send_reset, nf_send_unreach};
use super::walk::Walk;
use crate::linux::conntrack::{CtView, Dir};
use crate::linux::netfilter::Policy;
use crate::linux::netfilter::nft::eval::{Asking, CtSeen, NftCx, NftMemory};
use crate::linux::netfilter::nft::expr::Numgen;
use crate::linux::netfilter::nft::{
    ChainRef, CtKey, Data, DynOp, Expr, Limit, MetaKey, NftRule, NftTable, NftVerdict, RejectKind, SetRef, Stmt,
};
use crate::linux::rng::Draw;
use crate::linux::skb::{PktType, Skb};
use crate::linux::{Config, IfIndex, RowId};
use crate::packet::Net;
use crate::trace::evidence::{CtCode, RuleAt, Verdict};
use crate::trace::{Evidence, StateDelta, StepId, Tracer};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// Where a rule stands.
#[derive(Clone, Copy)]
struct Spot {
    chain: u32,
    at: RuleAt,
    row: RowId,
}

/// What a rule says about the way on.
pub(super) enum Said {
    /// It did not fit.
    Break,
    /// The next rule is asked.
    Continue,
    /// The base chain is done.
    Verdict(NfVerdict),
    /// Back to the calling chain.
    Return,
    /// To that chain, and whether its end leads back.
    To(u32, bool),
}

pub(super) struct ChainWalk<'a> {
    pub config: &'a Config,
    pub table: &'a NftTable,
    pub state: &'a HookState,
    pub ct: CtSeen,
    pub dev: IfIndex,
}

/// Asks a base chain (nft_do_chain).
pub fn nft_do_chain<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, base: ChainRef, state: &HookState) -> NfVerdict {
    let config = Arc::clone(&w.ns.config);
    let Some(table) = config.nft.table(base.table) else { return NfVerdict::Accept };
    let walk =
        ChainWalk { config: &config, table, state, ct: ct_seen(w, skb), dev: if state.iif.is_some() { state.iif } else { state.oif } };
    walk.run(w, skb, base.chain)
}

/// What rules may see of the packet's flow.
fn ct_seen<T: Tracer>(w: &Walk<'_, T>, skb: &Skb) -> CtSeen {
    let view: CtView = w.ns.conntrack.view(skb.ct);
    let entry = skb.ct.and_then(|r| w.ns.conntrack.get(r.id));
    CtSeen {
        view,
        mark: entry.map_or(0, |e| e.mark),
        tuples: entry.map(|e| (*e.tuple(Dir::Original), *e.tuple(Dir::Reply))),
        expires: entry.filter(|e| e.is_confirmed()).map(|e| e.expires),
        untracked: skb.untracked,
    }
}

impl ChainWalk<'_> {
    fn run<T: Tracer>(mut self, w: &mut Walk<'_, T>, skb: &mut Skb, base: u32) -> NfVerdict {
        let table = self.table;
        let mut at: (u32, usize) = (base, 0);
        let mut stack: SmallVec<[(u32, usize); 8]> = SmallVec::new();
        loop {
            let Some(chain) = table.chains.get(at.0) else { return NfVerdict::Accept };
            let mut said = Said::Break;
            while let Some(rule) = chain.rules.get(at.1) {
                let spot = Spot { chain: at.0, at: RuleAt::Rule(u32::try_from(at.1).unwrap_or(u32::MAX)), row: rule.row };
                said = self.rule(w, skb, spot, rule);
                at.1 += 1;
                if !matches!(said, Said::Break | Said::Continue) {
                    break;
                }
            }
            match said {
                Said::Verdict(v) => return v,
                Said::To(chain, back) => {
                    if back {
                        stack.push(at);
                    }
                    at = (chain, 0);
                    continue;
                }
                Said::Return => {}
                Said::Break | Said::Continue => {
                    let end = Spot { chain: at.0, at: RuleAt::End, row: RowId::NONE };
                    self.record(w, skb, end, Verdict::Return, None);
                }
            }
            match stack.pop() {
                Some(back) => at = back,
                None => return self.policy(w, skb, base),
            }
        }
    }

    fn policy<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, base: u32) -> NfVerdict {
        let drop = self.table.chains.get(base).and_then(|c| c.base).is_some_and(|b| b.policy == Policy::Drop);
        let spot = Spot { chain: base, at: RuleAt::Policy, row: RowId::NONE };
        self.record(w, skb, spot, if drop { Verdict::Drop } else { Verdict::Accept }, None);
        if drop { NfVerdict::Drop } else { NfVerdict::Accept }
    }

    fn record<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, spot: Spot, verdict: Verdict, to: Option<u32>) -> StepId {
        let evidence = Evidence::NftRule {
            table: u16::try_from(self.table.handle).unwrap_or(u16::MAX),
            chain: spot.chain,
            at: spot.at,
            verdict,
            row: spot.row,
            mark: skb.mark,
            ct: CtCode::from(self.ct.view),
            to: to.unwrap_or(u32::MAX),
        };
        w.step(skb, self.dev, evidence)
    }

    /// What rules may see of the packet now.
    pub(super) fn cx<'a>(&'a self, skb: &'a Skb, now: crate::linux::Time) -> NftCx<'a> {
        NftCx {
            config: self.config,
            table: self.table,
            frame: &skb.frame,
            hook: self.state.hook,
            iif: self.state.iif,
            oif: self.state.oif,
            ct: self.ct,
            mark: skb.mark,
            pkt_type: skb.pkt_type,
            socket: skb.socket.is_some(),
            now,
        }
    }

    /// One rule, statement by statement.
    fn rule<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &mut Skb, spot: Spot, rule: &NftRule) -> Said {
        let mut draws = 0;
        for s in rule.stmts.iter() {
            match s {
                Stmt::Match { left, op, right } => {
                    let (holds, n) = self.ask(w, skb, rule.row, draws, |a, cx| a.holds(left, *op, right, cx));
                    draws = n;
                    if !holds {
                        return Said::Break;
                    }
                }
                Stmt::Limit(l) => {
                    let (passes, n) = self.ask(w, skb, rule.row, draws, |a, cx| a.limited(l, cx));
                    draws = n;
                    if !passes {
                        return Said::Break;
                    }
                }
                Stmt::Vmap(key, link) => {
                    let (found, n) = self.ask(w, skb, rule.row, draws, |a, cx| a.verdict(key, link, cx).cloned());
                    draws = n;
                    match found {
                        None => return Said::Break,
                        // a map may say to go on with the rule
                        Some(NftVerdict::Continue) => {}
                        Some(v) => return self.verdict(w, skb, spot, &v),
                    }
                }
                Stmt::Verdict(NftVerdict::Continue) => {}
                Stmt::Verdict(v) => return self.verdict(w, skb, spot, v),
                Stmt::Reject(kind) => return self.reject(w, skb, spot, *kind),
                Stmt::Nat(n) => {
                    let Some(said) =
                        nft_nat(self, w, skb, n, rule.row, &mut draws, |walk, w, skb| walk.record(w, skb, spot, Verdict::Accept, None))
                    else {
                        return Said::Break;
                    };
                    return Said::Verdict(said);
                }
                Stmt::MetaSet(k, e) => {
                    let (v, n) = self.value(w, skb, rule.row, draws, e);
                    draws = n;
                    let Some(v) = v else { return Said::Break };
                    match k {
                        MetaKey::Mark => skb.mark = crate::linux::netfilter::nft::datatype::number(&v) as u32,
                        MetaKey::Pkttype => set_pkttype(skb, &v),
                        _ => {}
                    }
                }
                Stmt::CtSet(k, e) => {
                    let (v, n) = self.value(w, skb, rule.row, draws, e);
                    draws = n;
                    let Some(v) = v else { return Said::Break };
                    if *k == CtKey::Mark {
                        self.set_ct_mark(w, skb, crate::linux::netfilter::nft::datatype::number(&v) as u32);
                    }
                }
                Stmt::FieldSet(f, e) => {
                    let (v, n) = self.value(w, skb, rule.row, draws, e);
                    draws = n;
                    let Some(v) = v else { return Said::Break };
                    if super::nft_payload::set(skb, *f, &v) {
                        w.rewritten(skb);
                    }
                }
                Stmt::Dyn { op, set, key, timeout, data, .. } => {
                    let (k, n) = self.value(w, skb, rule.row, draws, key);
                    draws = n;
                    let Some(k) = k else { return Said::Break };
                    let d = match data {
                        Some(e) => {
                            let (v, n) = self.value(w, skb, rule.row, draws, e);
                            draws = n;
                            let Some(v) = v else { return Said::Break };
                            Some(v)
                        }
                        None => None,
                    };
                    if !self.dynset(w, *op, set, k, *timeout, d) {
                        return Said::Break;
                    }
                }
                Stmt::Queue(_, _, bypass, _) => {
                    // nobody listens
                    let (verdict, said) = if *bypass { (Verdict::Accept, NfVerdict::Accept) } else { (Verdict::Drop, NfVerdict::Drop) };
                    self.record(w, skb, spot, verdict, None);
                    return Said::Verdict(said);
                }
                Stmt::Notrack => {
                    skb.untracked |= skb.ct.is_none();
                    self.ct.untracked = skb.untracked;
                }
                Stmt::Counter(..) | Stmt::Object(_) | Stmt::Quota(..) | Stmt::Log(_) | Stmt::Tproxy(..) => {}
            }
        }
        self.record(w, skb, spot, Verdict::Continue, None);
        Said::Continue
    }

    /// Asks about the packet with the walk's own memory; also how many numbers the rule has drawn by then.
    #[inline]
    fn ask<T: Tracer, R>(
        &self,
        w: &mut Walk<'_, T>,
        skb: &Skb,
        row: RowId,
        draws: u32,
        f: impl FnOnce(&mut Asking<'_, Live<'_, '_, T>>, &NftCx<'_>) -> R,
    ) -> (R, u32) {
        let now = w.now;
        let mut memory = Live { w, skb, dev: self.dev };
        let mut asking = Asking { row, draws, memory: &mut memory };
        let cx = self.cx(skb, now);
        let r = f(&mut asking, &cx);
        (r, asking.draws)
    }

    /// The value of an expression; none where the packet has none.
    pub(super) fn value<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, row: RowId, draws: u32, e: &Expr) -> (Option<Data>, u32) {
        if let Expr::Value(_, v) = e {
            return (Some(v.clone()), draws);
        }
        self.ask(w, skb, row, draws, |a, cx| {
            let mut out = Data::new();
            a.value(e, cx, &mut out).then_some(out)
        })
    }

    fn verdict<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, spot: Spot, v: &NftVerdict) -> Said {
        let (told, to, said) = match v {
            NftVerdict::Accept => (Verdict::Accept, None, Said::Verdict(NfVerdict::Accept)),
            NftVerdict::Drop => (Verdict::Drop, None, Said::Verdict(NfVerdict::Drop)),
            NftVerdict::Continue => (Verdict::Continue, None, Said::Continue),
            NftVerdict::Return => (Verdict::Return, None, Said::Return),
            NftVerdict::Jump(c) => (Verdict::Jump, Some(c.slot), Said::To(c.slot, true)),
            NftVerdict::Goto(c) => (Verdict::Goto, Some(c.slot), Said::To(c.slot, false)),
        };
        self.record(w, skb, spot, told, to);
        said
    }

    fn reject<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &mut Skb, spot: Spot, kind: RejectKind) -> Said {
        let v6 = matches!(skb.frame.net, Net::Ipv6(_));
        let code = match (kind, v6) {
            (RejectKind::TcpReset, _) => None,
            (RejectKind::Icmp(c), false) | (RejectKind::Icmpv6(c), true) => Some(c),
            (RejectKind::Icmp(_) | RejectKind::Icmpv6(_), _) => return Said::Break,
            // nft_reject_icmp_code, nft_reject_icmpv6_code
            (RejectKind::Icmpx(c), false) => Some([0, 3, 1, 13].get(usize::from(c)).copied().unwrap_or(0)),
            (RejectKind::Icmpx(c), true) => Some([0, 4, 3, 1].get(usize::from(c)).copied().unwrap_or(0)),
        };
        self.record(w, skb, spot, Verdict::Drop, None);
        match code {
            Some(code) => nf_send_unreach(w, skb, self.state, code),
            None => nf_send_reset(w, skb, self.state),
        }
        Said::Verdict(NfVerdict::Drop)
    }

    fn set_ct_mark<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &Skb, mark: u32) {
        let Some(ct) = skb.ct else { return };
        let Some(e) = w.ns.conntrack.get_mut(ct.id) else { return };
        let changed = e.mark != mark;
        let confirmed = e.is_confirmed();
        e.mark = mark;
        self.ct.mark = mark;
        if changed && confirmed {
            w.ct_delta(ct.id);
        }
    }

    /// Writes an element; false where that cannot be (nft_dynset_eval).
    fn dynset<T: Tracer>(
        &self,
        w: &mut Walk<'_, T>,
        op: DynOp,
        set: &SetRef,
        key: Data,
        timeout: Option<Duration>,
        data: Option<Data>,
    ) -> bool {
        let Some(s) = self.table.sets.get(set.slot) else { return false };
        let (table, slot, now) = (self.table.handle, set.slot, w.now);
        let place = (table, slot, key);
        let life = timeout.or(s.timeout);
        let expires = life.map(|t| now + t);
        let living = w.ns.nft.find(table, slot, &place.2, now).is_some();
        let configured = !living && s.lookup(&place.2, now).is_some_and(|e| !e.is_range());
        let done = match op {
            DynOp::Delete => w.ns.nft.remove(&place),
            // what is there stays as it is
            DynOp::Add if living || configured => return true,
            // an element that a command added and that has no end stays without
            DynOp::Update if configured && expires.is_none() => return true,
            DynOp::Add | DynOp::Update => {
                let room = s.size.unwrap_or(u32::MAX).saturating_sub(s.elems.len() as u32);
                w.ns.nft.write(place.clone(), expires, timeout, data, room, now)
            }
        };
        if done && T::ON {
            let expires = (op != DynOp::Delete).then_some(expires);
            w.trace.delta(w.ns.id, StateDelta::NftElement { table, set: slot, key: Box::new(place.2), expires });
        }
        done || op == DynOp::Delete
    }
}

fn set_pkttype(skb: &mut Skb, v: &[u8]) {
    skb.pkt_type = match v.first() {
        Some(0) => PktType::Host,
        Some(1) => PktType::Broadcast,
        Some(2) => PktType::Multicast,
        Some(3) => PktType::OtherHost,
        _ => return,
    };
}

/// Draws, counts and remembers, and says so to the tracer.
struct Live<'a, 'w, T: Tracer> {
    w: &'a mut Walk<'w, T>,
    skb: &'a Skb,
    dev: IfIndex,
}

impl<T: Tracer> Live<'_, '_, T> {
    fn told(&mut self, row: RowId, at: u32, matched: bool, value: u32) {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        self.w.step(self.skb, self.dev, Evidence::StatefulMatch { row, at, matched, value });
    }
}

impl<T: Tracer> NftMemory for Live<'_, '_, T> {
    fn number(&mut self, row: RowId, at: u32, n: &Numgen) -> u32 {
        let v = if n.random { self.w.rng.below(Draw::Statistic, n.modulus) } else { self.w.ns.nft.next_number(row, at, n.modulus) };
        self.told(row, at, true, v);
        v
    }

    fn random(&mut self, row: RowId, at: u32) -> u32 {
        let v = self.w.rng.next_u32(Draw::Statistic);
        self.told(row, at, true, v);
        v
    }

    fn within(&mut self, row: RowId, at: u32, l: &Limit, len: u32) -> bool {
        let now = self.w.now;
        let within = self.w.ns.nft.within(row, at, l, len, now);
        self.told(row, at, within, 0);
        within
    }

    fn written(&mut self, table: u32, set: u32, key: &[u8]) -> Option<Option<Data>> {
        let now = self.w.now;
        self.w.ns.nft.find(table, set, key, now).map(|w| w.data.clone())
    }
}
