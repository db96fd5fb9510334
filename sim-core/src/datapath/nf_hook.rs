//! The hooks of the ip family: which functions look at a packet, in which order.
//!
//! Models: net/netfilter/core.c nf_hook_slow, with the priorities of include/uapi/linux/netfilter_ipv4.h:
//! raw -300, conntrack -200, mangle -150, NAT of destinations -100, filter 0, security 50, NAT of sources 100, confirm last.
//!
//! ```text
//!  PREROUTING   raw  conntrack  mangle  nat
//!  INPUT                        mangle       filter  security  nat  confirm
//!  FORWARD                      mangle       filter  security
//!  OUTPUT       raw  conntrack  mangle  nat  filter  security
//!  POSTROUTING                  mangle  nat  confirm
//! ```

use super::conntrack::{nf_conntrack_confirm, nf_conntrack_in};
use super::hook::{HookState, NfVerdict};
use super::ipt_do_table::ipt_do_table;
use super::nat::nf_nat_inet_fn;
use super::route::Dst;
use super::walk::Walk;
use crate::linux::IfIndex;
use crate::linux::netfilter::{Hook, NfFamily, TableKind};
use crate::linux::skb::Skb;
use crate::packet::Ipv4Addr;
use crate::trace::evidence::CtCode;
use crate::trace::{Evidence, Tracer};

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

impl<T: Tracer> Walk<'_, T> {
    /// Passes a packet through a hook. In OUTPUT `dst` is its route, looked up again when a function changed what it depends on.
    ///
    /// A verdict other than Accept means that the packet does not go on; the caller lets go of it.
    pub fn nf_hook(&mut self, skb: &mut Box<Skb>, state: &HookState, dst: Option<&mut Dst>) -> NfVerdict {
        let xt = &self.ns.config.xt;
        let idle = xt.is_empty();
        if idle && !T::ON {
            return NfVerdict::Accept;
        }
        let step = if T::ON {
            let dev = if state.iif.is_some() { state.iif } else { state.oif };
            let ct = self.ct_code(skb);
            let after = if idle { skb.version } else { crate::linux::VersionId::NONE };
            let evidence = Evidence::Hook {
                family: NfFamily::Ip,
                hook: state.hook,
                iif: state.iif.0 as u16,
                oif: state.oif.0 as u16,
                after,
                ct,
                mark: skb.mark,
            };
            Some(self.step(skb, dev, evidence))
        } else {
            None
        };
        if idle {
            return NfVerdict::Accept;
        }
        let verdict = self.nf_hook_functions(skb, state, dst);
        let mut ended = verdict;
        if let Some(step) = step
            && verdict == NfVerdict::Accept
        {
            let ct = self.ct_code(skb);
            self.trace.hook_left(step, skb.version, ct);
        }
        if verdict == NfVerdict::Accept && matches!(state.hook, Hook::Input | Hook::Postrouting) && skb.ct.is_some() {
            ended = nf_conntrack_confirm(self, skb, state);
        }
        ended
    }

    fn nf_hook_functions(&mut self, skb: &mut Box<Skb>, state: &HookState, mut dst: Option<&mut Dst>) -> NfVerdict {
        let tracks = self.ns.config.xt.needs_conntrack();
        // NAT looks at packets at all four of its hooks as soon as the table is there, and not before
        let nats = tracks && self.ns.config.xt.table(TableKind::Nat).is_some();
        macro_rules! ask {
            ($e:expr) => {
                match $e {
                    NfVerdict::Accept => {}
                    other => return other,
                }
            };
        }
        match state.hook {
            Hook::Prerouting => {
                ask!(self.table(skb, TableKind::Raw, state));
                if tracks {
                    ask!(self.conntrack(skb, state));
                }
                ask!(self.table(skb, TableKind::Mangle, state));
                if nats {
                    ask!(nf_nat_inet_fn(self, skb, state, |w, skb| w.table(skb, TableKind::Nat, state)));
                }
            }
            Hook::Input => {
                ask!(self.table(skb, TableKind::Mangle, state));
                ask!(self.table(skb, TableKind::Filter, state));
                ask!(self.table(skb, TableKind::Security, state));
                if nats {
                    ask!(nf_nat_inet_fn(self, skb, state, |w, skb| w.table(skb, TableKind::Nat, state)));
                }
            }
            Hook::Forward => {
                ask!(self.table(skb, TableKind::Mangle, state));
                ask!(self.table(skb, TableKind::Filter, state));
                ask!(self.table(skb, TableKind::Security, state));
            }
            Hook::Output => {
                ask!(self.table(skb, TableKind::Raw, state));
                if tracks {
                    ask!(self.conntrack(skb, state));
                }
                let before = route_key(skb);
                ask!(self.table(skb, TableKind::Mangle, state));
                if route_key(skb) != before {
                    ask!(self.ip_route_me_harder(skb, dst.as_deref_mut()));
                }
                if nats {
                    let before = route_key(skb).dst;
                    ask!(nf_nat_inet_fn(self, skb, state, |w, skb| w.table(skb, TableKind::Nat, state)));
                    if route_key(skb).dst != before {
                        ask!(self.ip_route_me_harder(skb, dst));
                    }
                }
                ask!(self.table(skb, TableKind::Filter, state));
                ask!(self.table(skb, TableKind::Security, state));
            }
            Hook::Postrouting => {
                ask!(self.table(skb, TableKind::Mangle, state));
                if nats {
                    ask!(nf_nat_inet_fn(self, skb, state, |w, skb| w.table(skb, TableKind::Nat, state)));
                }
            }
        }
        NfVerdict::Accept
    }

    /// What a reader may know of the packet's flow here.
    pub(super) fn ct_code(&self, skb: &Skb) -> CtCode {
        match skb.ct {
            None => CtCode { tracked: self.ns.config.xt.needs_conntrack(), ..CtCode::default() },
            ct => CtCode::from(self.ns.conntrack.view(ct)),
        }
    }

    fn table(&mut self, skb: &mut Skb, table: TableKind, state: &HookState) -> NfVerdict {
        if self.ns.config.xt.table(table).is_none() { NfVerdict::Accept } else { ipt_do_table(self, skb, table, state) }
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
    fn ip_route_me_harder(&mut self, skb: &Skb, dst: Option<&mut Dst>) -> NfVerdict {
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
