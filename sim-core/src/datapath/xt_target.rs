//! Targets that change the packet, its flow or a set, and let it go on.
//!
//! Models: net/netfilter/xt_connmark.c connmark_tg, xt_CT.c, xt_DSCP.c, xt_HL.c, xt_TCPMSS.c tcpmss_mangle_packet,
//! net/ipv4/netfilter/ipt_ECN.c, net/netfilter/xt_set.c set_target_v3.
//! Simplifies: `--clamp-mss-to-pmtu` takes the MTUs of the two devices and of no route; CONNMARK knows IPv4 flows alone.

use super::ipt_do_table::TableWalk;
use super::walk::Walk;
use crate::linux::netfilter::Target;
use crate::linux::netfilter::targets::connmark::Mode;
use crate::linux::netfilter::targets::{Connmark, Set, Tcpmss};
use crate::linux::skb::Skb;
use crate::packet::{Body, Family, Ipv4Addr, Net, Tcp, TcpOptions};
use crate::trace::Tracer;
use std::sync::Arc;

impl TableWalk<'_> {
    /// Does what the target says.
    pub(super) fn mangle<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &mut Skb, target: &Target) {
        match target {
            Target::Connmark(t) => self.connmark(w, skb, t),
            Target::Ct(t) => skb.untracked |= t.notrack && skb.ct.is_none(),
            Target::Notrack(_) => skb.untracked |= skb.ct.is_none(),
            Target::Set(t) => self.set(w, skb, t),
            Target::Tcpmss(t) => self.tcpmss(w, skb, *t),
            Target::Tos(t) => set_tos(w, skb, |old| t.apply(old)),
            Target::Dscp(t) => set_tos(w, skb, |old| t.apply(old)),
            Target::Ttl(t) => set_ttl(w, skb, |old| t.apply(old)),
            Target::Hl(t) => set_ttl(w, skb, |old| t.apply(old)),
            Target::Ecn(_) => {
                if let Some(t) = tcp_mut(&mut skb.frame.net)
                    && t.flags.0 & 0xc0 != 0
                {
                    t.flags.0 &= 0x3f;
                    w.rewritten(skb);
                }
            }
            _ => {}
        }
    }

    fn connmark<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &mut Skb, t: &Connmark) {
        let Some(id) = skb.ct.map(|ct| ct.id) else { return };
        let mark = skb.mark;
        let Some(entry) = w.ns.conntrack.get_mut(id) else { return };
        let old = entry.mark;
        let new = match t.mode {
            Some(Mode::Set(m)) => (old & !m.mask) ^ m.value,
            Some(Mode::Save) => (old & !t.ctmask) ^ (mark & t.nfmask),
            Some(Mode::Restore) => {
                skb.mark = (mark & !t.nfmask) ^ (old & t.ctmask);
                return;
            }
            None => return,
        };
        entry.mark = new;
        let confirmed = entry.is_confirmed();
        self.ct_mark = Some(new);
        if T::ON && confirmed && new != old {
            w.ct_delta(id);
        }
    }

    fn set<T: Tracer>(&mut self, w: &mut Walk<'_, T>, skb: &Skb, t: &Set) {
        let Some(cx) = self.cx(skb, w.now) else { return };
        let mut sets = (*self.sets).clone();
        let mut wrote = false;
        if let Some(which) = &t.add {
            wrote |= sets.add_packet(&which.name, which.dirs, &cx, t.exist, t.timeout);
        }
        if let Some(which) = &t.del {
            wrote |= sets.del_packet(&which.name, which.dirs, &cx);
        }
        if wrote {
            self.sets = Arc::new(sets);
            w.ns.config_mut().ipsets = Arc::clone(&self.sets);
            if T::ON {
                w.trace.config(w.ns.id, &w.ns.config);
            }
        }
    }

    fn tcpmss<T: Tracer>(&self, w: &mut Walk<'_, T>, skb: &mut Skb, t: Tcpmss) {
        let config = Arc::clone(&w.ns.config);
        let Some(cx) = self.cx(skb, w.now) else { return };
        let (headers, smallest) = if cx.family == Family::Inet6 { (60, 1220) } else { (40, 536) };
        let wanted = match t.mss {
            Some(n) => n,
            None => {
                let back = match cx.family {
                    Family::Inet => {
                        config.fib.lookup(Ipv4Addr::from(cx.src as u32), |_| true).and_then(|(_, r)| r.nexthops.first()).map(|h| h.dev)
                    }
                    Family::Inet6 => None,
                };
                let mtu_of = |dev| config.devices.get(dev).map_or(u32::MAX, |d| d.mtu);
                let mtu = mtu_of(self.state.oif).min(mtu_of(back.unwrap_or(self.state.iif)));
                match mtu.checked_sub(headers) {
                    Some(n) if n > 0 => u16::try_from(n).unwrap_or(u16::MAX),
                    _ => return,
                }
            }
        };
        let Some(segment) = tcp_mut(&mut skb.frame.net) else { return };
        if set_mss(segment, wanted, smallest) {
            w.rewritten(skb);
        }
    }
}

/// Lowers the announced size, or announces one; whether anything changed.
fn set_mss(t: &mut Tcp, wanted: u16, smallest: u16) -> bool {
    let mut options = t.options.0.as_deref().unwrap_or_default().to_vec();
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        let len = options.get(at + 1).copied().map_or(1, usize::from);
        if kind == 2 && len == 4 && at + 4 <= options.len() {
            if u16::from_be_bytes([options[at + 2], options[at + 3]]) <= wanted {
                return false;
            }
            options[at + 2..at + 4].copy_from_slice(&wanted.to_be_bytes());
            t.options = TcpOptions(Some(options.into()));
            return true;
        }
        at += if kind < 2 { 1 } else { len.max(1) };
    }
    // none announced: a segment with data, or without room, stays as it is
    if !t.payload.is_empty() || options.len() > 36 {
        return false;
    }
    let [hi, lo] = wanted.min(smallest).to_be_bytes();
    options.splice(0..0, [2, 4, hi, lo]);
    t.options = TcpOptions(Some(options.into()));
    true
}

fn tcp_mut(net: &mut Net) -> Option<&mut Tcp> {
    let body = match net {
        Net::Ipv4(ip) if ip.header.fragment_offset == 0 => &mut ip.body,
        Net::Ipv6(ip) => &mut ip.body,
        _ => return None,
    };
    match body {
        Body::Tcp(t) => Some(t),
        _ => None,
    }
}

fn set_tos<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, change: impl Fn(u8) -> u8) {
    let field = match &mut skb.frame.net {
        Net::Ipv4(ip) => &mut ip.header.tos,
        Net::Ipv6(ip) => &mut ip.header.traffic_class,
        _ => return,
    };
    let new = change(*field);
    if new != *field {
        *field = new;
        w.rewritten(skb);
    }
}

fn set_ttl<T: Tracer>(w: &mut Walk<'_, T>, skb: &mut Skb, change: impl Fn(u8) -> u8) {
    let field = match &mut skb.frame.net {
        Net::Ipv4(ip) => &mut ip.header.ttl,
        Net::Ipv6(ip) => &mut ip.header.hop_limit,
        _ => return,
    };
    let new = change(*field);
    if new != *field {
        *field = new;
        w.rewritten(skb);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::matches::tcpmss::mss_of;
    use crate::linux::netfilter::testing::tcp;
    use crate::packet::TcpFlags;

    #[test]
    fn a_size_is_lowered_and_never_raised() {
        let Body::Tcp(syn) = tcp(TcpFlags::SYN).body else { return };
        for (wanted, changed, after) in [(1400, true, 1400), (1460, false, 1460), (9000, false, 1460)] {
            let mut t = syn.clone();
            assert_eq!(set_mss(&mut t, wanted, 536), changed);
            assert_eq!(mss_of(&Body::Tcp(t)), Some(after));
        }
        let mut t = syn.clone();
        t.options = TcpOptions::default();
        assert!(set_mss(&mut t, 1400, 536));
        assert_eq!(mss_of(&Body::Tcp(t.clone())), Some(536));
        (t.options, t.payload) = (TcpOptions::default(), b"data"[..].into());
        assert!(!set_mss(&mut t, 1400, 536));
    }
}
