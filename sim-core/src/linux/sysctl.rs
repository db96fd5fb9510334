//! The `net.*` sysctls of a namespace, as typed values.
//!
//! Models: net/ipv4/sysctl_net_ipv4.c, net/ipv4/devinet.c (conf), net/core/neighbour.c (neigh),
//! net/bridge/br_netfilter_hooks.c, net/netfilter/nf_conntrack_standalone.c.

use std::sync::Arc;

/// `net.ipv4.conf.DEV`: switches of one device. Those of `all` combine with them, each in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevConf {
    /// `forwarding`.
    pub forwarding: bool,
    /// `rp_filter`: 0 off, 1 strict, 2 loose; the larger of `all` and the device counts.
    pub rp_filter: u8,
    /// `accept_local`.
    pub accept_local: bool,
    /// `route_localnet`.
    pub route_localnet: bool,
    /// `arp_ignore`: 0 to 3, 8; the larger counts.
    pub arp_ignore: u8,
    /// `arp_announce`: 0 to 2; the larger counts.
    pub arp_announce: u8,
    /// `arp_filter`.
    pub arp_filter: bool,
    /// `arp_accept`.
    pub arp_accept: u8,
    /// `arp_notify`; the larger counts.
    pub arp_notify: bool,
    /// `proxy_arp`.
    pub proxy_arp: bool,
    /// `proxy_arp_pvlan`: answers for hosts behind the very device that asks.
    pub proxy_arp_pvlan: bool,
    /// `drop_gratuitous_arp`.
    pub drop_gratuitous_arp: bool,
    /// `arp_evict_nocarrier`: without carrier what is known of neighbours is forgotten.
    pub arp_evict_nocarrier: bool,
    /// `send_redirects`.
    pub send_redirects: bool,
    /// `accept_redirects`.
    pub accept_redirects: bool,
    /// `log_martians`.
    pub log_martians: bool,
    /// `src_valid_mark`.
    pub src_valid_mark: bool,
    /// `promote_secondaries`: with a primary address its secondaries do not go; the first becomes primary.
    pub promote_secondaries: bool,
}

impl Default for DevConf {
    fn default() -> Self {
        DevConf {
            forwarding: false,
            rp_filter: 0,
            accept_local: false,
            route_localnet: false,
            arp_ignore: 0,
            arp_announce: 0,
            arp_filter: false,
            arp_accept: 0,
            arp_notify: false,
            proxy_arp: false,
            proxy_arp_pvlan: false,
            drop_gratuitous_arp: false,
            arp_evict_nocarrier: true,
            send_redirects: true,
            accept_redirects: true,
            log_martians: false,
            src_valid_mark: false,
            promote_secondaries: false,
        }
    }
}

/// `net.ipv6.conf.DEV`: switches of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevConf6 {
    /// `disable_ipv6`.
    pub disable_ipv6: u32,
    /// `forwarding`: the host is a router on this link.
    pub forwarding: u32,
    /// `hop_limit`.
    pub hop_limit: u32,
    /// `accept_ra`: 0 never, 1 unless the host forwards, 2 always.
    pub accept_ra: u32,
    /// `accept_dad`: 0 addresses are not tried; 2 a link-local address that another host has switches IPv6 off.
    pub accept_dad: u32,
    /// `dad_transmits`: solicitations for a new address.
    pub dad_transmits: u32,
    /// `autoconf`: prefixes of router advertisements make addresses.
    pub autoconf: u32,
    /// `addr_gen_mode`: 0 EUI-64, 1 none.
    pub addr_gen_mode: u32,
    /// `proxy_ndp`.
    pub proxy_ndp: u32,
    /// `accept_redirects`.
    pub accept_redirects: u32,
    /// `ndisc_notify`: neighbours are told of new addresses.
    pub ndisc_notify: u32,
    /// `keep_addr_on_down`.
    pub keep_addr_on_down: u32,
    /// `router_solicitations`: -1 without end, kept as it is; 0 none.
    pub router_solicitations: u32,
}

impl Default for DevConf6 {
    fn default() -> Self {
        DevConf6 {
            disable_ipv6: 1,
            forwarding: 0,
            hop_limit: 64,
            accept_ra: 1,
            accept_dad: 1,
            dad_transmits: 1,
            autoconf: 1,
            addr_gen_mode: 0,
            proxy_ndp: 0,
            accept_redirects: 1,
            ndisc_notify: 0,
            keep_addr_on_down: 0,
            router_solicitations: u32::MAX,
        }
    }
}

/// `net.ipv4.neigh.DEV`: timers and limits of neighbour resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighParams {
    /// `base_reachable_time_ms`; the time in force is drawn between half and one and a half of it.
    pub base_reachable_time_ms: u32,
    /// `retrans_time_ms`.
    pub retrans_time_ms: u32,
    /// `mcast_solicit`: broadcast requests before failure.
    pub mcast_solicit: u32,
    /// `ucast_solicit`: unicast probes before failure.
    pub ucast_solicit: u32,
    /// `app_solicit`.
    pub app_solicit: u32,
    /// `mcast_resolicit`: broadcast requests after the unicast probes of a known neighbour.
    pub mcast_resolicit: u32,
    /// `delay_first_probe_time` in seconds.
    pub delay_first_probe_time: u32,
    /// `gc_stale_time` in seconds.
    pub gc_stale_time: u32,
    /// `unres_qlen_bytes`.
    pub unres_qlen_bytes: u32,
    /// `locktime` in hundredths of a second.
    pub locktime: u32,
    /// `proxy_delay` in hundredths of a second.
    pub proxy_delay: u32,
    /// `proxy_qlen`: how many requests may wait for a proxy's answer.
    pub proxy_qlen: u32,
}

impl Default for NeighParams {
    fn default() -> Self {
        NeighParams {
            base_reachable_time_ms: 30_000,
            retrans_time_ms: 1_000,
            mcast_solicit: 3,
            ucast_solicit: 3,
            app_solicit: 0,
            mcast_resolicit: 0,
            delay_first_probe_time: 5,
            gc_stale_time: 60,
            unres_qlen_bytes: 212_992,
            locktime: 100,
            proxy_delay: 80,
            proxy_qlen: 64,
        }
    }
}

/// `net.netfilter.nf_conntrack_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtSysctls {
    /// `nf_conntrack_max`.
    pub max: u32,
    /// `nf_conntrack_tcp_loose`: a flow may be picked up in the middle.
    pub tcp_loose: bool,
    /// `nf_conntrack_tcp_be_liberal`: segments outside the window are not INVALID.
    pub tcp_be_liberal: bool,
    /// `nf_conntrack_tcp_max_retrans`.
    pub tcp_max_retrans: u8,
    /// `nf_conntrack_tcp_timeout_*` in seconds, by the state's number: NONE, SYN_SENT, SYN_RECV, ESTABLISHED,
    /// FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2.
    pub tcp_timeouts: [u32; 10],
    /// `nf_conntrack_tcp_timeout_max_retrans` in seconds.
    pub tcp_timeout_max_retrans: u32,
    /// `nf_conntrack_tcp_timeout_unacknowledged` in seconds.
    pub tcp_timeout_unacknowledged: u32,
    /// `nf_conntrack_udp_timeout` in seconds.
    pub udp_timeout: u32,
    /// `nf_conntrack_udp_timeout_stream` in seconds.
    pub udp_timeout_stream: u32,
    /// `nf_conntrack_icmp_timeout` in seconds.
    pub icmp_timeout: u32,
    /// `nf_conntrack_generic_timeout` in seconds.
    pub generic_timeout: u32,
}

impl Default for CtSysctls {
    fn default() -> Self {
        CtSysctls {
            max: 262_144,
            tcp_loose: true,
            tcp_be_liberal: false,
            tcp_max_retrans: 3,
            tcp_timeouts: [120, 120, 60, 432_000, 120, 60, 30, 120, 10, 120],
            tcp_timeout_max_retrans: 300,
            tcp_timeout_unacknowledged: 300,
            udp_timeout: 30,
            udp_timeout_stream: 120,
            icmp_timeout: 30,
            generic_timeout: 600,
        }
    }
}

/// All sysctls of a namespace that are not kept with a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctls {
    /// `net.ipv4.ip_forward`; the same switch as `conf.all.forwarding`.
    pub ip_forward: bool,
    /// `net.ipv4.ip_default_ttl`.
    pub ip_default_ttl: u8,
    /// `net.ipv4.ip_local_port_range`.
    pub ip_local_port_range: (u16, u16),
    /// `net.ipv4.ip_forward_use_pmtu`.
    pub ip_forward_use_pmtu: bool,
    /// `net.ipv4.ip_no_pmtu_disc`.
    pub ip_no_pmtu_disc: u8,
    /// `net.ipv4.ip_nonlocal_bind`.
    pub ip_nonlocal_bind: bool,
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub ip_unprivileged_port_start: u16,
    /// `net.ipv4.icmp_echo_ignore_all`.
    pub icmp_echo_ignore_all: bool,
    /// `net.ipv4.icmp_echo_ignore_broadcasts`.
    pub icmp_echo_ignore_broadcasts: bool,
    /// `net.ipv4.icmp_ratelimit` in milliseconds.
    pub icmp_ratelimit: u32,
    /// `net.ipv4.icmp_ratemask`.
    pub icmp_ratemask: u32,
    /// `net.ipv4.icmp_errors_use_inbound_ifaddr`.
    pub icmp_errors_use_inbound_ifaddr: bool,
    /// `net.ipv4.ipfrag_time`: seconds that fragments wait for the others.
    pub ipfrag_time: u32,
    /// `net.ipv4.ipfrag_max_dist`: fragments of one sender that may come between two of one packet; 0 for any number.
    pub ipfrag_max_dist: u32,
    /// `net.ipv4.ipfrag_high_thresh`: bytes that waiting fragments may take; with more, no packet is begun.
    pub ipfrag_high_thresh: u32,
    /// `net.ipv4.ipfrag_low_thresh`; kept, the kernel does not use it.
    pub ipfrag_low_thresh: u32,
    /// `net.ipv4.icmp_msgs_per_sec`: ICMP errors a second to all destinations.
    pub icmp_msgs_per_sec: u32,
    /// `net.ipv4.icmp_msgs_burst`: how many at once.
    pub icmp_msgs_burst: u32,
    /// `net.ipv4.tcp_syn_retries`.
    pub tcp_syn_retries: u8,
    /// `net.ipv4.tcp_synack_retries`.
    pub tcp_synack_retries: u8,
    /// `net.ipv4.tcp_syn_linear_timeouts`.
    pub tcp_syn_linear_timeouts: u8,
    /// `net.ipv4.tcp_retries2`.
    pub tcp_retries2: u8,
    /// `net.ipv4.tcp_fin_timeout` in seconds.
    pub tcp_fin_timeout: u32,
    /// `net.ipv4.conf.all`.
    pub conf_all: Arc<DevConf>,
    /// `net.ipv4.conf.default`: what new devices begin with.
    pub conf_default: Arc<DevConf>,
    /// `net.ipv4.neigh.default`: what new devices begin with.
    pub neigh_default: Arc<NeighParams>,
    /// `net.ipv4.neigh.default.gc_thresh1`: with fewer entries nothing is collected.
    pub gc_thresh1: u32,
    /// `net.ipv4.neigh.default.gc_thresh2`: with more, entries older than five seconds are collected before a new one is made.
    pub gc_thresh2: u32,
    /// `net.ipv4.neigh.default.gc_thresh3`: the most entries there can be.
    pub gc_thresh3: u32,
    /// `net.ipv4.neigh.default.gc_interval` in seconds; kept, the kernel does not use it.
    pub gc_interval: u32,
    /// `net.bridge.bridge-nf-call-iptables`.
    pub bridge_nf_call_iptables: bool,
    /// `net.bridge.bridge-nf-call-ip6tables`.
    pub bridge_nf_call_ip6tables: bool,
    /// `net.bridge.bridge-nf-call-arptables`.
    pub bridge_nf_call_arptables: bool,
    /// `net.netfilter.nf_conntrack_*`.
    pub conntrack: Arc<CtSysctls>,
    /// `net.ipv4.vs.*`.
    pub ipvs: Arc<super::ipvs::VsSysctls>,
    /// `net.ipv6.conf.all`.
    pub conf6_all: Arc<DevConf6>,
    /// `net.ipv6.conf.default`: what new devices begin with.
    pub conf6_default: Arc<DevConf6>,
    /// `net.ipv6.neigh.default`: what new devices begin with.
    pub neigh6_default: Arc<NeighParams>,
    /// `net.ipv6.bindv6only`.
    pub bindv6only: bool,
    /// `net.ipv6.icmp.ratelimit` in milliseconds.
    pub icmp6_ratelimit: u32,
}

impl Default for Sysctls {
    fn default() -> Self {
        Sysctls {
            ip_forward: false,
            ip_default_ttl: 64,
            ip_local_port_range: (32_768, 60_999),
            ip_forward_use_pmtu: false,
            ip_no_pmtu_disc: 0,
            ip_nonlocal_bind: false,
            ip_unprivileged_port_start: 1024,
            icmp_echo_ignore_all: false,
            icmp_echo_ignore_broadcasts: true,
            icmp_ratelimit: 1_000,
            icmp_ratemask: 0x1818,
            icmp_errors_use_inbound_ifaddr: false,
            ipfrag_time: 30,
            ipfrag_max_dist: 64,
            ipfrag_high_thresh: 4_194_304,
            ipfrag_low_thresh: 3_145_728,
            icmp_msgs_per_sec: 1_000,
            icmp_msgs_burst: 50,
            tcp_syn_retries: 6,
            tcp_synack_retries: 5,
            tcp_syn_linear_timeouts: 4,
            tcp_retries2: 15,
            tcp_fin_timeout: 60,
            conf_all: Arc::new(DevConf::default()),
            conf_default: Arc::new(DevConf::default()),
            neigh_default: Arc::new(NeighParams::default()),
            gc_thresh1: 128,
            gc_thresh2: 512,
            gc_thresh3: 1024,
            gc_interval: 30,
            bridge_nf_call_iptables: true,
            bridge_nf_call_ip6tables: true,
            bridge_nf_call_arptables: true,
            conntrack: Arc::new(CtSysctls::default()),
            ipvs: Arc::default(),
            conf6_all: Arc::new(DevConf6::default()),
            conf6_default: Arc::new(DevConf6::default()),
            neigh6_default: Arc::new(NeighParams { locktime: 0, ..NeighParams::default() }),
            bindv6only: false,
            icmp6_ratelimit: 1_000,
        }
    }
}
