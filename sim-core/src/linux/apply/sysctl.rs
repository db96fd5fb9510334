//! `sysctl`: the registry of keys, with the kernel's range checks and couplings.
//!
//! Models: net/ipv4/sysctl_net_ipv4.c, net/ipv4/devinet.c devinet_sysctl_forward, devinet_conf_proc, net/core/neighbour.c
//! neigh_proc_*, net/bridge/br_netfilter_hooks.c brnf_sysctl_call_tables, net/netfilter/nf_conntrack_standalone.c,
//! kernel/sysctl.c proc_dointvec; procps sysctl (keys with dots and slashes).
//! Simplifies: a switch that the kernel keeps as any number is kept as 0 or 1, and one that it keeps as an int is cut to what
//! makes a difference. Namespaces are like the first one: `neigh.default` is there and `nf_conntrack_max` can be set.
//! Of IPv6 the switches of `conf`, the timers of `neigh`, `bindv6only` and the rate limit of ICMP errors are there. The namespaces of
//! the simulation begin with `disable_ipv6` 1.

use super::{ErrorKind, OpError};
use crate::linux::errno::Errno;
use crate::linux::ipvs::VsSysctls;
use crate::linux::netns::Netns;
use crate::linux::sysctl::{CtSysctls, DevConf, NeighParams, Sysctls};
use std::sync::Arc;

/// A field as the kernel's numbers see it.
trait Cell {
    fn number(&self) -> i64;
    fn put(&mut self, v: i64);
}

impl Cell for bool {
    fn number(&self) -> i64 {
        i64::from(*self)
    }
    fn put(&mut self, v: i64) {
        *self = v != 0;
    }
}

macro_rules! cells {
    ($($t:ty),*) => { $(impl Cell for $t {
        fn number(&self) -> i64 { i64::from(*self) }
        fn put(&mut self, v: i64) { *self = <$t>::try_from(v.max(0)).unwrap_or(<$t>::MAX); }
    })* };
}
cells!(u8, u16, u32);

/// One key of a directory: its last name, the values it takes, and its field.
pub(super) struct Key<T> {
    name: &'static str,
    min: i64,
    max: i64,
    get: fn(&T) -> i64,
    put: fn(&mut T, i64),
}

macro_rules! keys {
    ($t:ty; $($name:literal $min:literal..$max:literal => $field:ident $([$at:literal])?);* $(;)?) => {
        &[$(Key { name: $name, min: $min, max: $max, get: |s| s.$field $([$at])?.number(), put: |s, v| s.$field $([$at])?.put(v) }),*]
    };
}

/// The range of an int without a check of its own.
const INT: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);

/// `net.ipv4.*`, without devices. A range of 0..0 is that of an int.
const IPV4: &[Key<Sysctls>] = keys![Sysctls;
    "icmp_echo_ignore_all" 0..1 => icmp_echo_ignore_all;
    "icmp_echo_ignore_broadcasts" 0..1 => icmp_echo_ignore_broadcasts;
    "icmp_errors_use_inbound_ifaddr" 0..1 => icmp_errors_use_inbound_ifaddr;
    "icmp_msgs_burst" 0..2147483647 => icmp_msgs_burst;
    "icmp_msgs_per_sec" 0..2147483647 => icmp_msgs_per_sec;
    "icmp_ratelimit" 0..2147483647 => icmp_ratelimit;
    "icmp_ratemask" 0..0 => icmp_ratemask;
    "ip_default_ttl" 1..255 => ip_default_ttl;
    "ip_forward_use_pmtu" 0..0 => ip_forward_use_pmtu;
    "ip_no_pmtu_disc" 0..255 => ip_no_pmtu_disc;
    "ip_nonlocal_bind" 0..0 => ip_nonlocal_bind;
    "ip_unprivileged_port_start" 0..65535 => ip_unprivileged_port_start;
    "ipfrag_high_thresh" 0..2147483647 => ipfrag_high_thresh;
    "ipfrag_low_thresh" 0..2147483647 => ipfrag_low_thresh;
    "ipfrag_max_dist" 0..2147483647 => ipfrag_max_dist;
    "ipfrag_time" 0..2147483647 => ipfrag_time;
    "tcp_fin_timeout" 0..0 => tcp_fin_timeout;
    "tcp_retries2" 0..255 => tcp_retries2;
    "tcp_syn_linear_timeouts" 0..127 => tcp_syn_linear_timeouts;
    "tcp_syn_retries" 1..127 => tcp_syn_retries;
    "tcp_synack_retries" 0..255 => tcp_synack_retries;
];

/// `net.bridge.*`.
const BRIDGE: &[Key<Sysctls>] = keys![Sysctls;
    "bridge-nf-call-arptables" 0..0 => bridge_nf_call_arptables;
    "bridge-nf-call-ip6tables" 0..0 => bridge_nf_call_ip6tables;
    "bridge-nf-call-iptables" 0..0 => bridge_nf_call_iptables;
];

/// `net.ipv4.conf.DEV.*`.
const CONF: &[Key<DevConf>] = keys![DevConf;
    "accept_local" 0..0 => accept_local;
    "accept_redirects" 0..0 => accept_redirects;
    "arp_accept" 0..0 => arp_accept;
    "arp_announce" 0..0 => arp_announce;
    "arp_evict_nocarrier" 0..1 => arp_evict_nocarrier;
    "arp_filter" 0..0 => arp_filter;
    "arp_ignore" 0..0 => arp_ignore;
    "arp_notify" 0..0 => arp_notify;
    "drop_gratuitous_arp" 0..0 => drop_gratuitous_arp;
    "forwarding" 0..0 => forwarding;
    "log_martians" 0..0 => log_martians;
    "promote_secondaries" 0..0 => promote_secondaries;
    "proxy_arp" 0..0 => proxy_arp;
    "proxy_arp_pvlan" 0..0 => proxy_arp_pvlan;
    "route_localnet" 0..0 => route_localnet;
    "rp_filter" 0..0 => rp_filter;
    "send_redirects" 0..0 => send_redirects;
    "src_valid_mark" 0..0 => src_valid_mark;
];

/// `net.ipv4.neigh.DEV.*`.
pub(super) const NEIGH: &[Key<NeighParams>] = keys![NeighParams;
    "app_solicit" 0..2147483647 => app_solicit;
    "base_reachable_time_ms" 1..2147483647 => base_reachable_time_ms;
    "delay_first_probe_time" 0..2147483647 => delay_first_probe_time;
    "gc_stale_time" 0..2147483647 => gc_stale_time;
    "locktime" 0..2147483647 => locktime;
    "mcast_resolicit" 0..2147483647 => mcast_resolicit;
    "mcast_solicit" 0..2147483647 => mcast_solicit;
    "proxy_delay" 0..2147483647 => proxy_delay;
    "proxy_qlen" 0..2147483647 => proxy_qlen;
    "retrans_time_ms" 1..2147483647 => retrans_time_ms;
    "ucast_solicit" 0..2147483647 => ucast_solicit;
    "unres_qlen_bytes" 0..2147483647 => unres_qlen_bytes;
];

/// `net.ipv4.vs.*`.
const VS: &[Key<VsSysctls>] = keys![VsSysctls;
    "backup_only" 0..0 => backup_only;
    "cache_bypass" 0..0 => cache_bypass;
    "conn_reuse_mode" 0..0 => conn_reuse_mode;
    "conntrack" 0..0 => conntrack;
    "expire_nodest_conn" 0..0 => expire_nodest_conn;
    "expire_quiescent_template" 0..0 => expire_quiescent_template;
    "ignore_tunneled" 0..0 => ignore_tunneled;
    "lblc_expiration" 0..0 => lblc_expiration;
    "lblcr_expiration" 0..0 => lblcr_expiration;
    "nat_icmp_send" 0..0 => nat_icmp_send;
    "pmtu_disc" 0..0 => pmtu_disc;
    "run_estimation" 0..0 => run_estimation;
    "schedule_icmp" 0..0 => schedule_icmp;
    "sloppy_sctp" 0..0 => sloppy_sctp;
    "sloppy_tcp" 0..0 => sloppy_tcp;
    "snat_reroute" 0..0 => snat_reroute;
];

/// `net.netfilter.*`.
const CONNTRACK: &[Key<CtSysctls>] = keys![CtSysctls;
    "nf_conntrack_generic_timeout" 0..0 => generic_timeout;
    "nf_conntrack_icmp_timeout" 0..0 => icmp_timeout;
    "nf_conntrack_max" 0..0 => max;
    "nf_conntrack_tcp_be_liberal" 0..1 => tcp_be_liberal;
    "nf_conntrack_tcp_loose" 0..1 => tcp_loose;
    "nf_conntrack_tcp_max_retrans" 0..255 => tcp_max_retrans;
    "nf_conntrack_tcp_timeout_close" 0..0 => tcp_timeouts[8];
    "nf_conntrack_tcp_timeout_close_wait" 0..0 => tcp_timeouts[5];
    "nf_conntrack_tcp_timeout_established" 0..0 => tcp_timeouts[3];
    "nf_conntrack_tcp_timeout_fin_wait" 0..0 => tcp_timeouts[4];
    "nf_conntrack_tcp_timeout_last_ack" 0..0 => tcp_timeouts[6];
    "nf_conntrack_tcp_timeout_max_retrans" 0..0 => tcp_timeout_max_retrans;
    "nf_conntrack_tcp_timeout_syn_recv" 0..0 => tcp_timeouts[2];
    "nf_conntrack_tcp_timeout_syn_sent" 0..0 => tcp_timeouts[1];
    "nf_conntrack_tcp_timeout_time_wait" 0..0 => tcp_timeouts[7];
    "nf_conntrack_tcp_timeout_unacknowledged" 0..0 => tcp_timeout_unacknowledged;
    "nf_conntrack_udp_timeout" 0..0 => udp_timeout;
    "nf_conntrack_udp_timeout_stream" 0..0 => udp_timeout_stream;
];

/// `net.ipv4.neigh.default.*` beside the parameters: limits of the whole table.
const NEIGH_TABLE: &[Key<Sysctls>] = keys![Sysctls;
    "gc_interval" 0..2147483647 => gc_interval;
    "gc_thresh1" 0..2147483647 => gc_thresh1;
    "gc_thresh2" 0..2147483647 => gc_thresh2;
    "gc_thresh3" 0..2147483647 => gc_thresh3;
];

impl<T> Key<T> {
    /// Its last name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its value.
    pub(super) fn value(&self, of: &T) -> i64 {
        (self.get)(of)
    }

    /// Puts one number in, if the key takes it.
    pub(super) fn put_value(&self, target: &mut T, numbers: &[i64]) -> Result<(), Errno> {
        put(self, target, numbers)
    }
}

/// A key of `neigh`.
pub(super) fn neigh_key(name: &str) -> Option<&'static Key<NeighParams>> {
    key(NEIGH, name)
}

fn key<T>(keys: &'static [Key<T>], name: &str) -> Option<&'static Key<T>> {
    keys.iter().find(|k| k.name == name)
}

/// Puts one number in, if the key takes it.
fn put<T>(key: &Key<T>, target: &mut T, numbers: &[i64]) -> Result<(), Errno> {
    let (min, max) = if (key.min, key.max) == (0, 0) { INT } else { (key.min, key.max) };
    match numbers {
        [v] if (min..=max).contains(v) => {
            (key.put)(target, *v);
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}

/// A key's path below /proc/sys: `net.ipv4.conf.eth0/100.rp_filter` is `net/ipv4/conf/eth0.100/rp_filter`.
/// The first separator decides: after a slash, dots are dots.
pub fn path_of(key: &str) -> String {
    if key.find('/') < key.find('.') && key.contains('/') || !key.contains('.') {
        return key.to_owned();
    }
    swap_separators(key)
}

/// The key of a path, as `sysctl` prints it.
pub fn key_of(path: &str) -> String {
    swap_separators(path)
}

fn swap_separators(s: &str) -> String {
    s.chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect()
}

/// Numbers as proc_dointvec reads them: decimal, 0x hexadecimal, 0 octal; separated by blanks.
fn numbers(value: &str) -> Result<Vec<i64>, Errno> {
    let number = |w: &str| {
        let (minus, digits) = match w.strip_prefix('-') {
            Some(d) => (true, d),
            None => (false, w),
        };
        let v = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None if digits.len() > 1 && digits.starts_with('0') => u32::from_str_radix(digits, 8),
            None if digits.starts_with('+') => return Err(Errno::EINVAL),
            None => digits.parse(),
        };
        let v = i64::from(v.map_err(|_| Errno::EINVAL)?);
        let v = if minus { -v } else { v };
        if (INT.0..=INT.1).contains(&v) { Ok(v) } else { Err(Errno::EINVAL) }
    };
    let all: Vec<i64> = value.split_ascii_whitespace().map(number).collect::<Result<_, _>>()?;
    if all.is_empty() { Err(Errno::EINVAL) } else { Ok(all) }
}

/// Sets a key.
///
/// # Errors
/// ENOENT for a key that is not there, EINVAL for a value that the kernel does not take.
pub fn set(ns: &mut Netns, key_text: &str, value: &str, requests: &mut Vec<super::Request>) -> Result<(), OpError> {
    let path = path_of(key_text);
    set_path(ns, &path, value, requests).map_err(|errno| OpError {
        errno,
        message: None,
        kind: ErrorKind::Sysctl(key_text.into()),
        exit: None,
    })
}

fn set_path(ns: &mut Netns, path: &str, value: &str, requests: &mut Vec<super::Request>) -> Result<(), Errno> {
    let parts: Vec<&str> = path.split('/').collect();
    if get_path(ns, path).is_none() {
        return Err(Errno::ENOENT);
    }
    let v = numbers(value)?;
    // Tried on copies first, so that a refusal leaves everything as it was.
    let sysctl = &ns.config.sysctl;
    match parts.as_slice() {
        ["net", "ipv4", "ip_forward"] => {
            let mut conf = (*sysctl.conf_all).clone();
            put(key(CONF, "forwarding").ok_or(Errno::ENOENT)?, &mut conf, &v)?;
            set_forwarding(ns, conf.forwarding);
        }
        ["net", "ipv4", "ip_local_port_range"] => {
            let old = sysctl.ip_local_port_range;
            let port = |n: i64| u16::try_from(n).ok().filter(|p| *p > 0).ok_or(Errno::EINVAL);
            let range = match v.as_slice() {
                [low] => (port(*low)?, old.1),
                [low, high] => (port(*low)?, port(*high)?),
                _ => return Err(Errno::EINVAL),
            };
            if range.0 > range.1 || range.0 < sysctl.ip_unprivileged_port_start {
                return Err(Errno::EINVAL);
            }
            Arc::make_mut(&mut ns.config_mut().sysctl).ip_local_port_range = range;
        }
        ["net", "ipv4", "conf", dev, name] => {
            let k = key(CONF, name).ok_or(Errno::ENOENT)?;
            let current = conf_of(ns, dev).ok_or(Errno::ENOENT)?;
            let mut conf = (**current).clone();
            put(k, &mut conf, &v)?;
            match *dev {
                "all" if *name == "forwarding" => set_forwarding(ns, conf.forwarding),
                "all" => Arc::make_mut(&mut ns.config_mut().sysctl).conf_all = Arc::new(conf),
                "default" => set_default_conf(ns, k, conf),
                dev => {
                    if let Some(d) = ns.config_mut().devices.iter_mut().find(|d| &*d.name == dev) {
                        d.conf = Arc::new(conf);
                    }
                }
            }
        }
        ["net", "ipv4", "neigh", "default", name] if key(NEIGH_TABLE, name).is_some() => {
            let mut all = (**sysctl).clone();
            put(key(NEIGH_TABLE, name).ok_or(Errno::ENOENT)?, &mut all, &v)?;
            ns.config_mut().sysctl = Arc::new(all);
        }
        ["net", "ipv4", "neigh", dev, name] => {
            let k = key(NEIGH, name).ok_or(Errno::ENOENT)?;
            let mut params = (**neigh_of(ns, dev).ok_or(Errno::ENOENT)?).clone();
            put(k, &mut params, &v)?;
            if *dev == "default" {
                Arc::make_mut(&mut ns.config_mut().sysctl).neigh_default = Arc::new(params);
            } else if let Some(d) = ns.config_mut().devices.iter_mut().find(|d| &*d.name == *dev) {
                d.neigh = Arc::new(params);
            }
        }
        ["net", "ipv6", rest @ ..] => super::sysctl6::set(ns, rest, &v, requests)?,
        ["net", "netfilter", name] => {
            let mut ct = (*sysctl.conntrack).clone();
            put(key(CONNTRACK, name).ok_or(Errno::ENOENT)?, &mut ct, &v)?;
            Arc::make_mut(&mut ns.config_mut().sysctl).conntrack = Arc::new(ct);
        }
        ["net", "ipv4", "vs", name] => {
            let mut vs = (*sysctl.ipvs).clone();
            put(key(VS, name).ok_or(Errno::ENOENT)?, &mut vs, &v)?;
            Arc::make_mut(&mut ns.config_mut().sysctl).ipvs = Arc::new(vs);
        }
        ["net", dir, name] => {
            let mut all = (**sysctl).clone();
            put(key(if *dir == "bridge" { BRIDGE } else { IPV4 }, name).ok_or(Errno::ENOENT)?, &mut all, &v)?;
            ns.config_mut().sysctl = Arc::new(all);
        }
        _ => return Err(Errno::ENOENT),
    }
    Ok(())
}

/// `ip_forward` and `conf.all.forwarding` are one switch; it sets that of `default` and of every device (inet_forward_change).
/// Hosts that forward do not believe redirects.
fn set_forwarding(ns: &mut Netns, on: bool) {
    let config = ns.config_mut();
    let sysctl = Arc::make_mut(&mut config.sysctl);
    sysctl.ip_forward = on;
    let all = Arc::make_mut(&mut sysctl.conf_all);
    all.forwarding = on;
    all.accept_redirects = !on;
    Arc::make_mut(&mut sysctl.conf_default).forwarding = on;
    for d in config.devices.iter_mut().filter(|d| d.conf.forwarding != on) {
        Arc::make_mut(&mut d.conf).forwarding = on;
    }
}

/// A new default passes to new devices. The first time that it is set it passes also to those that never had an address and
/// whose own value was not set (devinet_copy_dflt_conf); here that is told from the values.
fn set_default_conf(ns: &mut Netns, key: &Key<DevConf>, conf: DevConf) {
    let config = ns.config_mut();
    let old = (key.get)(&config.sysctl.conf_default);
    let first = old == (key.get)(&DevConf::default());
    let new = (key.get)(&conf);
    Arc::make_mut(&mut config.sysctl).conf_default = Arc::new(conf);
    if key.name != "forwarding" && first {
        for d in config.devices.iter_mut().filter(|d| d.addrs.is_empty() && (key.get)(&d.conf) == old && old != new) {
            (key.put)(Arc::make_mut(&mut d.conf), new);
        }
    }
}

fn conf_of<'n>(ns: &'n Netns, dev: &str) -> Option<&'n Arc<DevConf>> {
    match dev {
        "all" => Some(&ns.config.sysctl.conf_all),
        "default" => Some(&ns.config.sysctl.conf_default),
        dev => ns.config.devices.by_name(dev).map(|d| &d.conf),
    }
}

fn neigh_of<'n>(ns: &'n Netns, dev: &str) -> Option<&'n Arc<NeighParams>> {
    match dev {
        "default" => Some(&ns.config.sysctl.neigh_default),
        dev => ns.config.devices.by_name(dev).map(|d| &d.neigh),
    }
}

/// The value of a key as text, if there is such a key.
pub fn get(ns: &Netns, key_text: &str) -> Option<String> {
    get_path(ns, &path_of(key_text))
}

fn get_path(ns: &Netns, path: &str) -> Option<String> {
    let s = &ns.config.sysctl;
    let parts: Vec<&str> = path.split('/').collect();
    let n = match parts.as_slice() {
        ["net", "ipv4", "ip_forward"] => i64::from(s.ip_forward),
        ["net", "ipv4", "ip_local_port_range"] => {
            let (low, high) = s.ip_local_port_range;
            return Some(format!("{low}\t{high}"));
        }
        ["net", "ipv4", "conf", dev, name] => (key(CONF, name)?.get)(conf_of(ns, dev)?),
        ["net", "ipv4", "neigh", dev, "base_reachable_time"] => i64::from(neigh_of(ns, dev)?.base_reachable_time_ms / 1_000),
        ["net", "ipv4", "neigh", "default", name] if key(NEIGH_TABLE, name).is_some() => (key(NEIGH_TABLE, name)?.get)(s),
        ["net", "ipv4", "neigh", dev, name] => (key(NEIGH, name)?.get)(neigh_of(ns, dev)?),
        ["net", "ipv6", rest @ ..] => super::sysctl6::get(ns, rest)?,
        ["net", "netfilter", name] => (key(CONNTRACK, name)?.get)(&s.conntrack),
        ["net", "ipv4", "vs", name] => (key(VS, name)?.get)(&s.ipvs),
        ["net", "bridge", name] => (key(BRIDGE, name)?.get)(s),
        ["net", "ipv4", name] => (key(IPV4, name)?.get)(s),
        _ => return None,
    };
    Some(n.to_string())
}

/// All keys with their values, as `sysctl -a` orders them: by path.
pub fn list(ns: &Netns) -> Vec<(String, String)> {
    let mut paths: Vec<String> = Vec::new();
    let mut dir = |dir: &str, names: &mut dyn Iterator<Item = &'static str>| paths.extend(names.map(|n| format!("{dir}/{n}")));
    dir("net/bridge", &mut BRIDGE.iter().map(|k| k.name));
    dir("net/ipv4", &mut IPV4.iter().map(|k| k.name).chain(["ip_forward", "ip_local_port_range"]));
    dir("net/ipv4/vs", &mut VS.iter().map(|k| k.name));
    dir("net/netfilter", &mut CONNTRACK.iter().map(|k| k.name));
    let devs: Vec<&str> = ns.config.devices.iter().map(|d| &*d.name).collect();
    for dev in ["all", "default"].into_iter().chain(devs.iter().copied()) {
        dir(&format!("net/ipv4/conf/{dev}"), &mut CONF.iter().map(|k| k.name));
        if dev != "all" {
            dir(&format!("net/ipv4/neigh/{dev}"), &mut NEIGH.iter().map(|k| k.name));
            if dev == "default" {
                dir("net/ipv4/neigh/default", &mut NEIGH_TABLE.iter().map(|k| k.name));
            }
        }
    }
    for dev in ["all", "default"].into_iter().chain(devs.iter().copied()) {
        paths.extend(super::sysctl6::paths(dev));
    }
    paths.extend(["net/ipv6/bindv6only".to_owned(), "net/ipv6/icmp/ratelimit".to_owned()]);
    paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    paths.iter().filter_map(|p| get_path(ns, p).map(|v| (key_of(p), v))).collect()
}
