//! The hooks of the ip families: each function that stands there looks at the packet, in order.
//!
//! Models: net/netfilter/core.c nf_hook_slow; net/ipv4/netfilter/iptable_mangle.c ipt_mangle_out and net/netfilter/nft_chain_route.c
//! (a packet of this host is routed again when what its route depends on changed); net/netfilter/nf_nat_proto.c nf_nat_ipv4_local_fn.
//! Which functions there are, and their order, is [`crate::linux::netfilter::hooks`].
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 13-no-endpoints-reject, 22-forward-policy-drop.

use super::conntrack::{nf_conntrack_confirm, nf_conntrack_in};
use super::hook::{HookState, NfVerdict};
use super::ipt_do_table::ipt_do_table;
use super::nat::{manip_of, nf_nat_inet_fn};
use super::nft_do_chain::nft_do_chain;
use super::route::Dst;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::netfilter::nft::{ChainRef, ChainType};
use crate::linux::netfilter::{Hook, HookFn, NfFamily, TableKind};
use crate::linux::skb::Skb;
use crate::packet::{Ipv4Addr, Net};
use crate::trace::evidence::CtCode;
use crate::trace::{DropReason, Evidence, Tracer};

/// What a change of must make the kernel look up the route of an outgoing packet again.
#[derive(PartialEq, Eq, Clone, Copy)]
struct RouteKey {
    src: Ipv4Addr,
    dst: Ipv4Addr,
    tos: u8,
    mark: u32,
}

fn route_key(skb: &Skb) -> RouteKey {
    let (src, dst, tos) =
        skb.frame.ipv4().map_or((Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, 0), |p| (p.header.src, p.header.dst, p.header.tos));
    RouteKey { src, dst, tos, mark: skb.mark }
}

/// The family whose hooks a packet passes.
#[inline]
fn family_of(skb: &Skb) -> NfFamily {
    if matches!(skb.frame.net, Net::Ipv6(_)) { NfFamily::Ip6 } else { NfFamily::Ip }
}

impl<T: Tracer> Walk<'_, T> {
    /// Passes a packet through a hook. In OUTPUT `dst` is its route, looked up again when a function changed what it depends on.
    ///
    /// After Drop the packet is the caller's to let go of (`Walk::hook_ended`). After Stolen a function has taken it, and what is
    /// left in `skb` is an empty one.
    pub fn nf_hook(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&mut Dst>) -> NfVerdict {
        let family = family_of(skb);
        let idle = self.ns.config.hooks.at(family, state.hook).is_empty();
        if idle && !T::ON {
            return NfVerdict::Accept;
        }
        let step = if T::ON {
            let dev = if state.iif.is_some() { state.iif } else { state.oif };
            let ct = self.ct_code(skb);
            let after = if idle { skb.version } else { crate::linux::VersionId::NONE };
            let (iif, oif) = (state.iif.0 as u16, state.oif.0 as u16);
            Some(self.step(skb, dev, Evidence::Hook { family, hook: state.hook, iif, oif, after, ct, mark: skb.mark }))
        } else {
            None
        };
        if idle {
            return NfVerdict::Accept;
        }
        self.hook_functions(skb, state, dst, family, step)
    }

    /// Lets go of a packet that did not come out of a hook.
    pub(super) fn hook_ended(&mut self, skb: Box<Skb>, dev: IfIndex, verdict: NfVerdict) {
        if verdict != NfVerdict::Stolen {
            self.drop_skb(skb, dev, DropReason::NetfilterDrop);
        }
    }

    fn hook_functions(
        &mut self,
        skb: &mut Box<Skb>,
        state: &HookState,
        mut dst: Option<&mut Dst>,
        family: NfFamily,
        step: Option<crate::trace::StepId>,
    ) -> NfVerdict {
        let mut told = step.is_none();
        let mut i = 0;
        // nothing that stands at a hook changes what stands there
        while let Some(entry) = self.ns.config.hooks.at(family, state.hook).get(i).copied() {
            i += 1;
            if entry.func == HookFn::Confirm && !told {
                told = true;
                self.hook_left(skb, step);
            }
            let verdict = self.hook_function(skb, state, dst.as_deref_mut(), family, entry.func);
            if verdict != NfVerdict::Accept {
                return verdict;
            }
        }
        if !told {
            self.hook_left(skb, step);
        }
        NfVerdict::Accept
    }

    /// Tells what the packet is when all rules have seen it.
    fn hook_left(&mut self, skb: &Skb, step: Option<crate::trace::StepId>) {
        if let Some(step) = step {
            let ct = self.ct_code(skb);
            self.trace.hook_left(step, skb.version, ct);
        }
    }

    /// One function of a hook. Its verdict is never Repeat.
    fn hook_function(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&mut Dst>, family: NfFamily, func: HookFn) -> NfVerdict {
        match func {
            HookFn::Defrag => self.nf_defrag(skb, state),
            HookFn::Conntrack => self.conntrack(skb, state),
            HookFn::Confirm => match skb.ct {
                Some(_) => nf_conntrack_confirm(self, skb, state),
                None => NfVerdict::Accept,
            },
            HookFn::Nat => {
                let before = route_key(skb).dst;
                let verdict = nf_nat_inet_fn(self, skb, state, |w, skb| w.nat_chains(skb, state, family));
                if verdict == NfVerdict::Accept && state.hook == Hook::Output && route_key(skb).dst != before {
                    return self.ip_route_me_harder(skb, dst);
                }
                verdict
            }
            HookFn::Xt(TableKind::Mangle) if state.hook == Hook::Output => {
                let before = route_key(skb);
                let verdict = ipt_do_table(self, skb, TableKind::Mangle, state);
                if verdict == NfVerdict::Accept && route_key(skb) != before {
                    return self.ip_route_me_harder(skb, dst);
                }
                verdict
            }
            HookFn::Xt(table) => ipt_do_table(self, skb, table, state),
            HookFn::Nft(chain) => {
                let before = route_key(skb);
                let verdict = nft_do_chain(self, skb, chain, state);
                let routes = state.hook == Hook::Output && verdict == NfVerdict::Accept && self.is_route_chain(chain);
                if routes && route_key(skb) != before {
                    return self.ip_route_me_harder(skb, dst);
                }
                verdict
            }
            HookFn::IpvsIn => self.ip_vs_in(skb, state, dst.as_deref()),
            HookFn::IpvsOut(true) => self.ip_vs_in_icmp(skb, state, None),
            HookFn::IpvsOut(false) => self.ip_vs_out(skb, state, dst),
            HookFn::BrNetfilter => NfVerdict::Accept,
        }
    }

    fn is_route_chain(&self, at: ChainRef) -> bool {
        let chain = self.ns.config.nft.table(at.table).and_then(|t| t.chains.get(at.chain));
        chain.and_then(|c| c.base).is_some_and(|b| b.kind == ChainType::Route)
    }

    /// Asks the chains of type nat, until one has decided (nf_nat_inet_fn).
    fn nat_chains(&mut self, skb: &mut Skb, state: &HookState, family: NfFamily) -> NfVerdict {
        let mut i = 0;
        while let Some(entry) = self.ns.config.hooks.nat(family, state.hook).get(i).copied() {
            i += 1;
            let verdict = match entry.func {
                HookFn::Xt(table) => ipt_do_table(self, skb, table, state),
                HookFn::Nft(chain) => nft_do_chain(self, skb, chain, state),
                _ => NfVerdict::Accept,
            };
            let manip = manip_of(state.hook);
            let decided = || skb.ct.and_then(|ct| self.ns.conntrack.get(ct.id)).is_some_and(|e| e.status.has(manip.done()));
            if verdict != NfVerdict::Accept || decided() {
                return verdict;
            }
        }
        NfVerdict::Accept
    }

    /// Fragments wait for each other; what goes on is whole (ipv4_conntrack_defrag).
    pub(super) fn nf_defrag(&mut self, skb: &mut Box<Skb>, state: &HookState) -> NfVerdict {
        let v6 = match &skb.frame.net {
            Net::Ipv4(p) if p.is_fragment() => false,
            Net::Ipv6(p) if super::ip6_fragment::is_fragment(p) => true,
            _ => return NfVerdict::Accept,
        };
        let dev = if state.iif.is_some() { state.iif } else { state.oif };
        let part = skb.steal();
        let whole = if v6 { self.ip6_defrag(part, dev, true) } else { self.ip_defrag(part, dev, true) };
        match whole {
            Some(whole) => {
                *skb = whole;
                NfVerdict::Accept
            }
            None => NfVerdict::Stolen,
        }
    }

    /// What a reader may know of the packet's flow here.
    pub(super) fn ct_code(&self, skb: &Skb) -> CtCode {
        match skb.ct {
            None => CtCode { tracked: self.ns.config.hooks.tracks(family_of(skb)), ..CtCode::default() },
            ct => CtCode::from(self.ns.conntrack.view(ct)),
        }
    }

    fn conntrack(&mut self, skb: &mut Skb, state: &HookState) -> NfVerdict {
        for _ in 0..2 {
            match nf_conntrack_in(self, skb, state) {
                NfVerdict::Repeat => {}
                other => return other,
            }
        }
        NfVerdict::Accept
    }

    /// Looks the route of an outgoing packet up again, its source address kept (ip_route_me_harder).
    pub(super) fn ip_route_me_harder(&mut self, skb: &Skb, dst: Option<&mut Dst>) -> NfVerdict {
        let Some(slot) = dst else { return NfVerdict::Accept };
        let key = route_key(skb);
        match self.route_output(Some(skb), key.src, key.dst, IfIndex::NONE) {
            Ok((found, _)) => {
                let localnet = |dev: IfIndex| {
                    let c = &self.ns.config;
                    c.sysctl.conf_all.route_localnet || c.devices.get(dev).is_some_and(|d| d.conf.route_localnet)
                };
                // a loopback source does not leave the host
                if key.src.is_loopback() && found.oif != super::route::LOOPBACK && !localnet(found.oif) {
                    return NfVerdict::Drop;
                }
                *slot = found;
                NfVerdict::Accept
            }
            Err(_) => NfVerdict::Drop,
        }
    }
}
