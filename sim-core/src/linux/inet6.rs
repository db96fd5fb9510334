//! What IPv6 knows of addresses: scopes, groups, identifiers, and which source fits a destination.
//!
//! Models: net/ipv6/addrconf_core.c __ipv6_addr_type, ipv6_addr_src_scope; net/ipv6/addrconf.c addrconf_ifid_eui48,
//! ipv6_get_saddr_eval, ipv6_dev_get_saddr; net/ipv6/addrlabel.c; include/net/addrconf.h addrconf_addr_solict_mult;
//! include/net/if_inet6.h ipv6_eth_mc_map; net/ipv6/mcast.c ipv6_chk_mcast_addr.
//! Spec: RFC 4291, RFC 6724 section 5.
//! Simplifies: groups are those that the kernel joins by itself (all nodes, all routers, solicited nodes); no anycast list beside the
//! subnet routers', no temporary, optimistic or mobile addresses.

use super::config::Config;
use super::device::{Dad, Device, IfAddr};
use super::id::IfIndex;
use crate::packet::{Ipv6Addr, Mac};

/// ff02::1.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// ff02::2.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// ff02::16: routers that speak MLDv2.
pub const MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// Whether this is of fe80::/10.
#[inline]
pub fn is_link_local(a: Ipv6Addr) -> bool {
    a.segments()[0] & 0xffc0 == 0xfe80
}

/// Whether an address means nothing without a device: fe80::/10 and groups of the link or narrower.
pub fn needs_device(a: Ipv6Addr) -> bool {
    is_link_local(a) || (a.is_multicast() && a.octets()[1] & 0xf <= 2)
}

/// The scope as a number (IPV6_ADDR_SCOPE_*): 1 host, 2 link, 5 site, 14 global; for groups what they say.
pub fn scope_number(a: Ipv6Addr) -> i32 {
    if a.is_multicast() {
        i32::from(a.octets()[1] & 0xf)
    } else if a.is_loopback() {
        1
    } else if is_link_local(a) {
        2
    } else if a.segments()[0] & 0xffc0 == 0xfec0 {
        5
    } else {
        14
    }
}

/// The group that is asked for an address: ff02::1:ffXX:XXXX.
pub fn solicited_node(a: Ipv6Addr) -> Ipv6Addr {
    let o = a.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(o[13]), u16::from(o[14]) << 8 | u16::from(o[15]))
}

/// The hardware address of a group: 33:33 and its last four bytes.
pub fn group_mac(a: Ipv6Addr) -> Mac {
    let o = a.octets();
    Mac([0x33, 0x33, o[12], o[13], o[14], o[15]])
}

/// The link-local address that follows from a hardware address (modified EUI-64).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let m = mac.0;
    let w = |a: u8, b: u8| u16::from(a) << 8 | u16::from(b);
    Ipv6Addr::new(0xfe80, 0, 0, 0, w(m[0] ^ 2, m[1]), w(m[2], 0xff), w(0xfe, m[3]), w(m[4], m[5]))
}

/// The label of the policy table.
fn label(a: Ipv6Addr) -> u32 {
    let s = a.segments();
    match s {
        _ if a.is_loopback() => 0,
        [0, 0, 0, 0, 0, 0xffff, ..] => 4,
        [0, 0, 0, 0, 0, 0, ..] => 3,
        [0x2001, 0, ..] => 6,
        [0x2001, x, ..] if x & 0xfff0 == 0x10 => 7,
        [0x2002, ..] => 2,
        [x, ..] if x & 0xfe00 == 0xfc00 => 5,
        _ => 1,
    }
}

fn common_bits(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    (u128::from(a) ^ u128::from(b)).leading_zeros()
}

/// The source address for packets to `dst` by `dev` (ipv6_dev_get_saddr).
pub fn select_source(config: &Config, dev: IfIndex, dst: Ipv6Addr) -> Option<Ipv6Addr> {
    let wanted = scope_number(dst);
    let strict = dst.is_multicast() || wanted <= 2;
    let score = |d: &Device, a: &IfAddr<Ipv6Addr>| {
        let scope = scope_number(a.local);
        (
            a.local == dst,
            if scope >= wanted { -scope } else { scope - 128 },
            d.index == dev,
            label(a.local) == label(dst),
            common_bits(a.local, dst).min(u32::from(a.prefix.len())),
        )
    };
    let mut best: Option<(_, Ipv6Addr)> = None;
    for d in config.devices.iter().filter(|d| d.up && (!strict || !dev.is_some() || d.index == dev)) {
        for a in d.addrs6.iter().filter(|a| a.dad == Dad::Done) {
            let s = score(d, a);
            if best.as_ref().is_none_or(|(b, _)| s > *b) {
                best = Some((s, a.local));
            }
        }
    }
    best.map(|(_, a)| a)
}

/// Whether the device hears packets for a group.
pub fn is_member(config: &Config, device: &Device, group: Ipv6Addr) -> bool {
    let o = group.octets();
    let all_nodes = o[2..15].iter().all(|b| *b == 0) && o[15] == 1 && matches!(o[1] & 0xf, 1 | 2);
    let all_routers = o[2..15].iter().all(|b| *b == 0) && o[15] == 2 && matches!(o[1] & 0xf, 1 | 2 | 5);
    all_nodes
        || (all_routers && forwards(config, device.index))
        || device.addrs6.iter().any(|a| solicited_node(a.local) == group)
        || (forwards(config, device.index)
            && device.addrs6.iter().any(|a| a.prefix.len() < 127 && solicited_node(a.prefix.addr()) == group))
}

/// Whether the host is a router on `dev` (`conf.DEV.forwarding`).
pub fn forwards(config: &Config, dev: IfIndex) -> bool {
    config.devices.get(dev).is_some_and(|d| d.inet6.conf.forwarding != 0)
}

/// Whether IPv6 runs on a device: not switched off, up, with carrier, and with an MTU of 1280 at least (addrconf_link_ready).
pub fn is_ready(config: &Config, d: &Device) -> bool {
    let carrier = match &d.kind {
        super::device::DeviceKind::Bridge(b) => b.ports.iter().any(|p| config.devices.get(*p).is_some_and(Device::is_running)),
        _ => d.carrier,
    };
    d.up && carrier && d.mtu >= 1280 && d.inet6.conf.disable_ipv6 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_groups() {
        let a: Ipv6Addr = "fe80::42:acff:fe11:2".parse().unwrap_or(Ipv6Addr::UNSPECIFIED);
        assert_eq!(link_local(Mac([2, 0x42, 0xac, 0x11, 0, 2])), a);
        assert_eq!(solicited_node(a).to_string(), "ff02::1:ff11:2");
        assert_eq!(group_mac(solicited_node(a)).to_string(), "33:33:ff:11:00:02");
        for (addr, scope, label_) in
            [("::1", 1, 0), ("fe80::1", 2, 1), ("fd00::1", 14, 5), ("2001:db8::1", 14, 1), ("2002::1", 14, 2), ("ff05::2", 5, 1)]
        {
            let a: Ipv6Addr = addr.parse().unwrap_or(Ipv6Addr::UNSPECIFIED);
            assert_eq!((scope_number(a), label(a)), (scope, label_), "{addr}");
        }
    }
}
