//! The evaluation of one iptables table at one hook.
//!
//! Models: net/netfilter/nf_tables_core.c nft_do_chain with its trace (nft_trace_packet), for the rules that
//! iptables-nft makes; what rules do is that of net/ipv4/netfilter/ip_tables.c ipt_do_table.
//! Simplifies: policies have no counters, as in iptables-nft.
//! Seen in: 06-clusterip-remote-pod, 106-services-mixed, 107-statistic-nth, 13-no-endpoints-reject.
//!
//! ```text
//!   built-in chain ──► rule fits ──► verdict: ACCEPT, DROP            done
//!        │  ▲             │
//!        │  └─ end ◄── user chain ◄── jump                            a goto leaves no way back
//!        ▼
//!      policy
//! ```
//!
//! A step is recorded for each rule that fits, for each user chain whose end is reached, and for the policy.

use super::hook::{HookState, NfVerdict};
use super::nat::{nf_nat_masquerade, nf_nat_setup_info};
use super::reject::{nf_send_reset, nf_send_unreach};
use super::walk::Walk;
use super::xt_memory::Live;
use crate::linux::conntrack::{CtView, Dir, Manip, NatRange};
use crate::linux::device::Scope;
use crate::linux::ipset::IpSets;
use crate::linux::netfilter::targets::dnat::range_of;
use crate::linux::netfilter::targets::reject::RejectWith;
use crate::linux::netfilter::xtables::ChainId;
use crate::linux::netfilter::{Chain, CtTuples, Hook, MatchCx, Policy, Rule, TableKind, Target};
use crate::linux::skb::Skb;
use crate::linux::{Config, IfIndex, RowId, Time};
use crate::packet::{Address, Family, IpAddr, Ipv4Addr, Net};
use crate::trace::evidence::{CtCode, RuleAt, Verdict};
use crate::trace::{Evidence, StepId, Tracer};
use smallvec::SmallVec;
use std::sync::Arc;

/// Asks the built-in chain of `table` at the hook (ipt_do_table).
pub fn ipt_do_table<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, table: TableKind, state: &HookState) -> NfVerdict {
    let family = if matches!(skb.frame.net, Net::Ipv6(_)) { Family::Inet6 } else { Family::Inet };
    let Some(base) = w.ns.config.xtables(family).table(table).and_then(|t| t.base(state.hook)) else { return NfVerdict::Accept };
    if base.rules.is_empty() && !T::ON && w.ns.xt_state.policies.is_empty() {
        return policy_of(base);
    }
    let config = Arc::clone(&w.ns.config);
    let Some(table) = config.xtables(family).table(table) else { return NfVerdict::Accept };
    let ct = w.ns.conntrack.view(skb.ct);
    let entry = skb.ct.filter(|_| family == Family::Inet).and_then(|r| w.ns.conntrack.get(r.id));
    let entry_mark = entry.map(|e| e.mark);
    let ct_tuples = entry.map(|e| CtTuples::V4(*e.tuple(Dir::Original), *e.tuple(Dir::Reply)));
    let mut walk = TableWalk {
        config: &config,
        sets: Arc::clone(&config.ipsets),
        state,
        ct,
        ct_tuples,
        ct_mark: entry_mark,
        len: skb.frame.net.len() as u32,
        dev: if state.iif.is_some() { state.iif } else { state.oif },
        family,
        table: table.kind,
    };
    let mut at: (ChainId, usize) = (state.hook as ChainId, 0);
    let mut stack: SmallVec<[(ChainId, usize); 8]> = SmallVec::new();
    loop {
        let Some(chain) = table.chain(at.0) else { return NfVerdict::Accept };
        let Some((i, rule)) = walk.next(w, skb, chain, at.1) else {
            // The chain's end.
            if chain.base.is_none() {
                walk.record(w, skb, at.0, RuleAt::End, Verdict::Return, RowId::NONE);
            }
            match stack.pop() {
                Some(back) => at = back,
                None => return walk.policy(w, skb, table.kind, state.hook),
            }
            continue;
        };
        let place = RuleAt::Rule(u32::try_from(i).unwrap_or(u32::MAX));
        w.ns.xt_state.count(rule.row, walk.len);
        match walk.target(w, skb, at.0, place, rule) {
            Said::Verdict(v) => return v,
            Said::Next => at.1 = i + 1,
            Said::Return => match stack.pop() {
                Some(back) => at = back,
                None => return walk.policy(w, skb, table.kind, state.hook),
            },
            Said::To(chain, back) => {
                if back {
                    stack.push((at.0, i + 1));
                }
                at = (chain, 0);
            }
        }
    }
}

fn policy_of(chain: &Chain) -> NfVerdict {
    match chain.base {
        Some((_, Policy::Drop)) => NfVerdict::Drop,
        _ => NfVerdict::Accept,
    }
}

/// What a rule's target says about the way on.
enum Said {
    Verdict(NfVerdict),
    Next,
    Return,
    /// To that chain, and whether its end leads back.
    To(ChainId, bool),
}

pub(super) struct TableWalk<'a> {
    config: &'a Config,
    /// The sets as they are now: a rule may change them.
    pub(super) sets: Arc<IpSets>,
    pub(super) state: &'a HookState,
    ct: CtView,
    ct_tuples: Option<CtTuples>,
    pub(super) ct_mark: Option<u32>,
    len: u32,
    dev: IfIndex,
    family: Family,
    table: TableKind,
}

impl TableWalk<'_> {
    /// What rules may see of the packet.
    #[inline]
    pub(super) fn cx<'s>(&'s self, skb: &'s Skb, now: Time) -> Option<MatchCx<'s>> {
        let packet = match &skb.frame.net {
            Net::Ipv4(ip) => MatchCx::new(ip, self.state.hook),
            Net::Ipv6(ip) => MatchCx::new6(ip, self.state.hook),
            _ => return None,
        };
        let devices = &self.config.devices;
        Some(MatchCx {
            iif: devices.name(self.state.iif),
            oif: devices.name(self.state.oif),
            iif_index: self.state.iif,
            oif_index: self.state.oif,
            ct: self.ct,
            ct_tuples: self.ct_tuples,
            mark: skb.mark,
            ct_mark: self.ct_mark,
            pkt_type: skb.pkt_type,
            now,
            phys: skb.bridge.as_ref().map(|b| (devices.name(b.physin), devices.name(b.physout))),
            mac_source: (skb.iif.is_some() && self.state.hook != Hook::Output).then_some(skb.frame.eth.src),
            fib: Some(&self.config.fib),
            fib6: Some(&self.config.fib6),
            untracked: skb.untracked,
            sets: Some(&self.sets),
            ..packet
        })
    }

    /// The next rule that fits.
    #[inline]
    fn next<'c, T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, chain: &'c Chain, from: usize) -> Option<(usize, &'c Rule)> {
        let cx = self.cx(skb, w.now)?;
        let mut memory = Live { w, skb, dev: self.dev };
        chain.find(from, &cx, |rule| rule.eval(&cx, &mut memory).is_ok())
    }

    #[inline]
    fn record<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, chain: ChainId, at: RuleAt, verdict: Verdict, row: RowId) -> StepId {
        let evidence = Evidence::Rule { table: self.table, chain, at, verdict, row, mark: skb.mark, ct: CtCode::from(self.ct) };
        w.step(skb, self.dev, evidence)
    }

    fn policy<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &Skb, table: TableKind, hook: Hook) -> NfVerdict {
        let said = match self.config.xtables(self.family).table(table).and_then(|t| t.base(hook)) {
            Some(base) => policy_of(base),
            None => NfVerdict::Accept,
        };
        let verdict = if said == NfVerdict::Drop { Verdict::Drop } else { Verdict::Accept };
        w.ns.xt_state.count_policy((self.family, table, hook), self.len);
        self.record(w, skb, hook as ChainId, RuleAt::Policy, verdict, RowId::NONE);
        said
    }

    /// Does what the rule says.
    fn target<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &mut Skb, chain: ChainId, at: RuleAt, rule: &Rule) -> Said {
        match &rule.spec.target {
            Target::Accept => {
                self.record(w, skb, chain, at, Verdict::Accept, rule.row);
                Said::Verdict(NfVerdict::Accept)
            }
            Target::Drop => {
                self.record(w, skb, chain, at, Verdict::Drop, rule.row);
                Said::Verdict(NfVerdict::Drop)
            }
            Target::Return => {
                self.record(w, skb, chain, at, Verdict::Return, rule.row);
                Said::Return
            }
            Target::Jump(_) | Target::Goto(_) => {
                let back = matches!(rule.spec.target, Target::Jump(_));
                self.record(w, skb, chain, at, if back { Verdict::Jump } else { Verdict::Goto }, rule.row);
                rule.to.map_or(Said::Next, |to| Said::To(to, back))
            }
            Target::Mark(m) => {
                skb.mark = m.apply(skb.mark);
                self.record(w, skb, chain, at, Verdict::Continue, rule.row);
                Said::Next
            }
            Target::None | Target::Checksum(_) | Target::Classify(_) | Target::Log(_) | Target::Nflog(_) | Target::Trace(_) => {
                self.record(w, skb, chain, at, Verdict::Continue, rule.row);
                Said::Next
            }
            Target::Connmark(_)
            | Target::Ct(_)
            | Target::Notrack(_)
            | Target::Dscp(_)
            | Target::Ecn(_)
            | Target::Hl(_)
            | Target::Set(_)
            | Target::Tcpmss(_)
            | Target::Tos(_)
            | Target::Ttl(_) => {
                self.mangle(w, skb, &rule.spec.target);
                self.record(w, skb, chain, at, Verdict::Continue, rule.row);
                Said::Next
            }
            // no transparent socket waits for it
            Target::Tproxy(_) => {
                self.record(w, skb, chain, at, Verdict::Drop, rule.row);
                Said::Verdict(NfVerdict::Drop)
            }
            // no program listens at the queue
            Target::Nfqueue(t) if t.bypass => {
                self.record(w, skb, chain, at, Verdict::Accept, rule.row);
                Said::Verdict(NfVerdict::Accept)
            }
            Target::Nfqueue(_) => {
                self.record(w, skb, chain, at, Verdict::Drop, rule.row);
                Said::Verdict(NfVerdict::Drop)
            }
            Target::Netmap(t) => {
                let manip = super::nat::manip_of(self.state.hook);
                let Some(cx) = self.cx(skb, w.now) else { return Said::Next };
                let range = t.range(if manip == Manip::Src { cx.src } else { cx.dst });
                self.translate(w, skb, chain, at, rule, &range, manip)
            }
            Target::Reject(r) => {
                self.record(w, skb, chain, at, Verdict::Drop, rule.row);
                match r.with {
                    RejectWith::Icmp(code) | RejectWith::Icmp6(code) => nf_send_unreach(w, skb, self.state, code),
                    RejectWith::TcpReset => nf_send_reset(w, skb, self.state),
                }
                Said::Verdict(NfVerdict::Drop)
            }
            Target::Dnat(t) => self.translate(w, skb, chain, at, rule, &t.range, Manip::Dst),
            Target::Snat(t) => self.translate(w, skb, chain, at, rule, &t.range, Manip::Src),
            Target::Masquerade(t) => {
                let step = self.record(w, skb, chain, at, Verdict::Accept, rule.row);
                let said = nf_nat_masquerade(w, skb, self.state, &range_of(&t.range), rule.row);
                self.translated(w, step, said)
            }
            Target::Redirect(t) => match self.redirect_to(skb) {
                Some(to) => {
                    let range = NatRange { addrs: Some((to.into(), to.into())), ..t.range };
                    self.translate(w, skb, chain, at, rule, &range, Manip::Dst)
                }
                None => {
                    self.record(w, skb, chain, at, Verdict::Drop, rule.row);
                    Said::Verdict(NfVerdict::Drop)
                }
            },
        }
    }

    fn translate<T: Tracer>(
        &self,
        w: &mut Walk<'_, T>,
        skb: &mut Skb,
        chain: ChainId,
        at: RuleAt,
        rule: &Rule,
        range: &NatRange<IpAddr>,
        manip: Manip,
    ) -> Said {
        let step = self.record(w, skb, chain, at, Verdict::Accept, rule.row);
        let said = nf_nat_setup_info(w, skb, &range_of(range), manip, rule.row);
        self.translated(w, step, said)
    }

    fn translated<T: Tracer>(&self, w: &mut Walk<'_, T>, step: StepId, said: NfVerdict) -> Said {
        if T::ON && said == NfVerdict::Drop {
            w.trace.rule_verdict(step, Verdict::Drop);
        }
        Said::Verdict(said)
    }

    /// Where REDIRECT sends a packet (nf_nat_redirect_ipv4): to loopback, or to the first address of the device it came in by.
    fn redirect_to(&self, _skb: &Skb) -> Option<Ipv4Addr> {
        if self.state.hook == Hook::Output {
            return Some(Ipv4Addr::LOCALHOST);
        }
        let dev = self.config.devices.get(self.state.iif)?;
        let first = dev.addrs.iter().find(|a| !a.secondary && a.scope != Scope::Nowhere)?;
        (!Address::is_unspecified(first.local)).then_some(first.local)
    }
}
