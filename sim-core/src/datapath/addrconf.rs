//! IPv6 addresses in time: they are tried before they are used, and the link is told of the groups that come with them.
//!
//! Models: net/ipv6/addrconf.c addrconf_dad_start, addrconf_dad_begin, addrconf_dad_kick, addrconf_dad_work, addrconf_dad_completed,
//! addrconf_dad_failure, addrconf_prefix_rcv; net/ipv6/mcast.c igmp6_group_added, mld_send_cr, mld_send_report, mld_ifc_work,
//! mld_newpack, ipv6_mc_dad_complete, mld_send_initial_cr, mld_dad_work.
//! Spec: RFC 4862 section 5.4, RFC 3810 (MLDv2).
//! Simplifies: one router solicitation is sent when the link-local address may be used, a real host repeats it after 4 s, 8 s and so on; what
//! a router advertisement makes does not expire; groups are not left by a report when an address goes; queries are not answered.

use super::walk::{Timer, Walk};
use crate::linux::IfIndex;
use crate::linux::apply::addr6;
use crate::linux::device::Dad;
use crate::linux::inet6::{ALL_ROUTERS, MLDV2_ROUTERS, forwards, is_link_local, solicited_node};
use crate::linux::rng::Draw;
use crate::packet::{Body, Icmpv6, Icmpv6Kind, Ipv6Addr, Ipv6Header, Protocol, PseudoHeader};
use crate::trace::Tracer;
use std::time::Duration;

/// The longest delay before the first solicitation (MAX_RTR_SOLICITATION_DELAY).
const FIRST_DELAY_MS: u32 = 1000;
/// The delay of a report of changes: two ticks.
const REPORT_DELAY: Duration = Duration::from_millis(8);
/// The longest delay of its repetition (unsolicited_report_interval of MLDv2).
const REPORT_INTERVAL_MS: u32 = 1000;
/// The robustness variable: how often changes are told.
const ROBUSTNESS: u8 = 2;
/// Record type CHANGE_TO_EXCLUDE_MODE, and MODE_IS_EXCLUDE's role in whole reports.
const TO_EXCLUDE: u8 = 4;

impl<T: Tracer> Walk<'_, T> {
    /// New addresses and groups of a device: tried, and told of (addrconf_dad_start).
    pub fn addrconf_start(&mut self, dev: IfIndex) {
        let Some(device) = self.ns.config.devices.get(dev) else { return };
        if !device.inet6.ready {
            return;
        }
        let probes = device.inet6.conf.dad_transmits;
        let addrs: Vec<(Ipv6Addr, Dad)> = device.addrs6.iter().map(|a| (a.local, a.dad)).collect();
        let mut groups: Vec<Ipv6Addr> = if forwards(&self.ns.config, dev) { vec![ALL_ROUTERS] } else { Vec::new() };
        groups.extend(addrs.iter().map(|(a, _)| solicited_node(*a)));
        self.mld_joined(dev, &groups);
        for (a, dad) in addrs {
            if dad == Dad::Tentative && self.ns.ip6.dad.get(&(dev, a)).is_none() {
                self.ns.ip6.dad.insert((dev, a), (probes, [0; 6]));
                let delay = Duration::from_millis(u64::from(self.rng.below(Draw::Dad, FIRST_DELAY_MS)));
                self.arm(self.now + delay, Timer::Dad(dev, a));
            }
        }
    }

    /// The next solicitation for an address that is tried, or the end of the trial (addrconf_dad_work).
    pub fn addrconf_dad_work(&mut self, dev: IfIndex, addr: Ipv6Addr) {
        let Some((left, _)) = self.ns.ip6.dad.get(&(dev, addr)).copied() else { return };
        if left == 0 {
            return self.addrconf_dad_completed(dev, addr);
        }
        let [a, b, c, d] = self.rng.next_u32(Draw::Dad).to_be_bytes();
        let [e, f, ..] = self.rng.next_u32(Draw::Dad).to_be_bytes();
        let nonce = [a, b, c, d, e, f];
        self.ns.ip6.dad.insert((dev, addr), (left - 1, nonce));
        let retrans = self.ns.config.devices.get(dev).map_or(1000, |d| d.inet6.neigh.retrans_time_ms);
        self.arm(self.now + Duration::from_millis(u64::from(retrans.max(10))), Timer::Dad(dev, addr));
        self.ndisc_send_ns(dev, Ipv6Addr::UNSPECIFIED, solicited_node(addr), addr, Some(nonce), self.flow);
    }

    fn addrconf_dad_completed(&mut self, dev: IfIndex, addr: Ipv6Addr) {
        self.ns.ip6.dad.remove(&(dev, addr));
        addr6::dad_completed(self.ns, dev, addr);
        self.config_changed();
        let Some(conf) = self.ns.config.devices.get(dev).map(|d| d.inet6.conf.clone()) else { return };
        if is_link_local(addr) {
            self.mld_dad_complete(dev);
            let accepts = conf.accept_ra > 1 || (conf.accept_ra == 1 && conf.forwarding == 0);
            if accepts && conf.router_solicitations != 0 {
                self.ndisc_send_rs(dev, addr);
            }
        }
        if conf.ndisc_notify != 0 {
            self.ndisc_send_unsol_na(dev, addr);
        }
    }

    /// Another host has the address, or tries it too (addrconf_dad_failure).
    pub(super) fn addrconf_dad_failure(&mut self, dev: IfIndex, addr: Ipv6Addr) {
        if self.ns.ip6.dad.remove(&(dev, addr)).is_some() {
            addr6::dad_failed(self.ns, dev, addr);
            self.config_changed();
        }
    }

    /// The kernel itself has changed the configuration.
    fn config_changed(&mut self) {
        if T::ON {
            self.trace.config(self.ns.id, &self.ns.config);
        }
    }

    /// What a router advertisement says of addresses and routes.
    pub(super) fn addrconf_ra(
        &mut self,
        dev: IfIndex,
        router: Ipv6Addr,
        lifetime: u16,
        prefixes: &[(Ipv6Addr, u8, u8, u32)],
        autoconf: bool,
    ) {
        addr6::router_advertised(self.ns, dev, router, lifetime, prefixes, autoconf);
        self.config_changed();
        self.addrconf_start(dev);
    }

    /// Groups that the device has joined are to be told of (igmp6_group_added).
    fn mld_joined(&mut self, dev: IfIndex, groups: &[Ipv6Addr]) {
        if self.ns.ip6.mld.get(&dev).is_none() {
            self.ns.ip6.mld.insert(dev, Default::default());
        }
        let usable = self.ns.config.devices.get(dev).is_some_and(|d| d.addrs6.iter().any(|a| is_link_local(a.local) && a.dad == Dad::Done));
        let Some(m) = self.ns.ip6.mld.get_mut(&dev) else { return };
        let mut any = false;
        for g in groups {
            if !m.joined.contains(g) {
                m.joined.push(*g);
                m.changes.push((*g, true, ROBUSTNESS));
                any = true;
            }
        }
        if any {
            m.count = ROBUSTNESS;
            if !usable {
                m.dad_count = ROBUSTNESS;
            }
            self.arm(self.now + REPORT_DELAY, Timer::Mld(dev));
        }
    }

    /// The link-local address may be used: all groups are told of once more, with it as source (ipv6_mc_dad_complete).
    fn mld_dad_complete(&mut self, dev: IfIndex) {
        let Some(m) = self.ns.ip6.mld.get_mut(&dev) else { return };
        if m.dad_count == 0 {
            return;
        }
        m.dad_count = 0;
        let groups = m.joined.clone();
        self.mld_report(dev, &groups);
        let delay = u64::from(self.rng.below(Draw::Dad, REPORT_INTERVAL_MS));
        if let Some(m) = self.ns.ip6.mld.get_mut(&dev) {
            m.changes = m.joined.iter().map(|g| (*g, true, 1)).collect();
            m.count = 1;
        }
        self.arm(self.now + REPORT_DELAY + Duration::from_millis(delay), Timer::Mld(dev));
    }

    /// A report of changes is due (mld_ifc_work).
    pub fn mld_ifc_work(&mut self, dev: IfIndex) {
        let Some(m) = self.ns.ip6.mld.get_mut(&dev).filter(|m| m.count > 0) else { return };
        m.count -= 1;
        let groups: Vec<Ipv6Addr> = m.changes.iter().map(|(g, _, _)| *g).collect();
        for c in &mut m.changes {
            c.2 = c.2.saturating_sub(1);
        }
        m.changes.retain(|c| c.2 > 0);
        let again = m.count > 0;
        self.mld_report(dev, &groups);
        if again {
            let delay = u64::from(self.rng.below(Draw::Dad, REPORT_INTERVAL_MS));
            self.arm(self.now + REPORT_DELAY + Duration::from_millis(delay), Timer::Mld(dev));
        }
    }

    /// A membership report: from `::` as long as there is no link-local address that may be used (mld_send_report).
    fn mld_report(&mut self, dev: IfIndex, groups: &[Ipv6Addr]) {
        if groups.is_empty() {
            return;
        }
        let source =
            |d: &crate::linux::device::Device| d.addrs6.iter().find(|a| is_link_local(a.local) && a.dad == Dad::Done).map(|a| a.local);
        let src = self.ns.config.devices.get(dev).and_then(source).unwrap_or(Ipv6Addr::UNSPECIFIED);
        let mut payload = Vec::new();
        // the last to join stands first in the kernel's list
        for g in groups.iter().rev() {
            payload.extend([TO_EXCLUDE, 0, 0, 0]);
            payload.extend(g.octets());
        }
        let [hi, lo] = u16::try_from(groups.len()).unwrap_or(u16::MAX).to_be_bytes();
        let message = Icmpv6::new(Icmpv6Kind::Other { kind: 143, code: 0, rest: [0, 0, hi, lo], payload: payload.into() });
        // hop-by-hop options: router alert
        let mut bytes = vec![Protocol::ICMPV6.0, 0, 5, 2, 0, 0, 1, 0];
        bytes.extend(message.encode(PseudoHeader::V6 { src, dst: MLDV2_ROUTERS }));
        let header = Ipv6Header { traffic_class: 0, flow_label: 0, hop_limit: 1, src, dst: MLDV2_ROUTERS };
        self.send_on_link(dev, header, Body::Other { protocol: Protocol(0), bytes: bytes.into() }, self.flow);
    }
}
