//! The kinds of step: their names, their layer, the kernel function that each mirrors, and the fields that each can have.
//!
//! A kind is one variant of [`Evidence`]. All matches here are exhaustive, so that a new variant cannot be forgotten.

use crate::linux::ipvs::Forward;
use crate::linux::netfilter::{Hook, NfFamily};
use crate::packet::Protocol;
use crate::trace::evidence::{NeighAction, TimerKind, Tunnel};
use crate::trace::{DropReason, Evidence};

macro_rules! kinds {
    ($($name:ident $text:literal $letter:literal [$($field:literal),*] $say:literal),* $(,)?) => {
        /// The kind of a step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = $say] $name),* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// The name, as the trace document has it: `route-lookup`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$name => $text),* }
            }

            /// What it is, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(Kind::$name => $say),* }
            }

            /// The letter that stands for it in a timeline.
            pub fn letter(self) -> char {
                match self { $(Kind::$name => $letter),* }
            }

            /// The names of its evidence.
            pub fn fields(self) -> &'static [&'static str] {
                match self { $(Kind::$name => &[$($field),*]),* }
            }
        }
    };
}

kinds! {
    Receive "receive" 'v' ["dir", "pkttype", "copy_of", "payload", "headers"] "a frame came in by a device",
    Transmit "transmit" 'v' ["dir", "pkttype", "copy_of", "payload", "headers"] "a frame was handed to a device",
    SocketSend "socket-send" 's' ["socket", "bytes"] "a program sent something",
    Deliver "deliver" 's' ["socket", "to", "bytes"] "the packet reached a socket, or a part of the kernel that answers by itself",
    SocketError "socket-error" 's' ["socket", "errno", "message"] "an error was reported to a socket",
    TcpState "tcp-state" 's' ["socket", "from", "to"] "a TCP connection changed its state",
    PolicyRule "policy-rule" 'r' ["pref", "row", "action", "mark", "made_by", "lost"] "a policy rule led to a route table, or refused the packet",
    RouteLookup "route-lookup" 'r' ["direction", "dst", "table", "row", "type", "oif", "next_hop", "via", "src", "src_why", "made_by", "lost"] "a route was looked up",
    NeighbourLookup "neighbour-lookup" 'a' ["addr", "row", "state", "after", "action", "mac", "made_by", "lost"] "the neighbour cache was asked for a hardware address",
    NeighbourUpdate "neighbour-update" 'a' ["addr", "from", "to", "mac"] "a neighbour entry was learned, confirmed or given up",
    Hook "hook" 'f' ["family", "hook", "iif", "oif", "before", "after", "ct", "mark"] "a netfilter hook was entered and left",
    Rule "rule" 'f' ["family", "table", "chain", "rule", "text", "scanned", "handle", "mark", "target", "ct", "made_by", "missed"] "a rule matched, a chain ended or a policy applied",
    StatefulMatch "stateful-match" 'f' ["text", "matched", "value"] "a match with a memory or a die was evaluated",
    ConntrackLookup "conntrack-lookup" 'c' ["entry", "created", "state", "dir", "status", "original", "reply"] "a packet met connection tracking",
    ConntrackConfirm "conntrack-confirm" 'c' ["entry", "original", "reply"] "a connection tracking entry was put into the table",
    NatBind "nat-bind" 'n' ["entry", "manip", "addr", "port", "row", "made_by", "original", "reply"] "a flow got its address translation",
    NatRewrite "nat-rewrite" 'n' ["entry", "manip", "original", "reply"] "a packet was rewritten from its flow's translation",
    IpvsSchedule "ipvs-schedule" 'n' ["service", "scheduler", "dest", "weight", "active", "inactive", "usable", "row", "made_by"] "a service's scheduler was asked for a real server",
    IpvsConn "ipvs-conn" 'n' ["conn", "created", "reply", "from", "to", "service", "dest"] "a packet belongs to an IPVS connection",
    IpvsForward "ipvs-forward" 'n' ["conn", "method", "local", "addr", "port"] "IPVS sends the packet on to a real server",
    FdbLearn "fdb-learn" 'b' ["mac", "port", "new"] "a bridge learned, or saw again, a hardware address",
    FdbLookup "fdb-lookup" 'b' ["mac", "action", "port", "row", "made_by", "lost"] "a bridge looked for the port of a hardware address",
    RemoteLookup "remote-lookup" 'b' ["mac", "found", "remote", "endpoints", "row"] "a tunnel device looked for the endpoint behind which a hardware address is",
    RemoteLearn "remote-learn" 'b' ["mac", "remote", "new"] "a tunnel device learned, or saw again, behind which endpoint a hardware address is",
    Encap "encap" 'e' ["tunnel", "id", "src", "dst", "sport", "dport"] "the packet was put into another one",
    Decap "decap" 'e' ["tunnel", "id", "src", "device"] "the packet was taken out of another one",
    VlanFilter "vlan-filter" 'b' ["at", "port", "vlan", "action"] "a bridge that filters by VLAN looked at a frame",
    TtlDecrement "ttl-decrement" 'r' ["from", "to"] "the time to live was lowered",
    Fragment "fragment" 'r' ["mtu", "parts"] "the packet was cut",
    Defrag "defrag" 'r' ["offset", "parts"] "a fragment waits for the others of its packet, or was the last of them",
    IcmpError "icmp-error" '!' ["type", "code", "name", "packet"] "an ICMP error was made about the packet",
    ArpInput "arp-input" 'a' ["op", "target", "answered", "why"] "an ARP packet was looked at",
    Timer "timer" 't' ["timer"] "a timer fired",
    Drop "drop" 'x' ["reason", "meaning"] "the packet ended here",
}

impl Kind {
    /// The kind of an evidence.
    pub fn of(evidence: &Evidence) -> Kind {
        match evidence {
            Evidence::Receive { .. } => Kind::Receive,
            Evidence::Transmit { .. } => Kind::Transmit,
            Evidence::SocketSend { .. } => Kind::SocketSend,
            Evidence::Deliver { .. } => Kind::Deliver,
            Evidence::SocketError { .. } => Kind::SocketError,
            Evidence::TcpState { .. } => Kind::TcpState,
            Evidence::PolicyRule { .. } => Kind::PolicyRule,
            Evidence::RouteLookup { .. } => Kind::RouteLookup,
            Evidence::NeighbourLookup { .. } => Kind::NeighbourLookup,
            Evidence::NeighbourUpdate { .. } => Kind::NeighbourUpdate,
            Evidence::Hook { .. } => Kind::Hook,
            Evidence::Rule { .. } | Evidence::NftRule { .. } => Kind::Rule,
            Evidence::StatefulMatch { .. } => Kind::StatefulMatch,
            Evidence::ConntrackLookup { .. } => Kind::ConntrackLookup,
            Evidence::ConntrackConfirm { .. } => Kind::ConntrackConfirm,
            Evidence::NatBind { .. } => Kind::NatBind,
            Evidence::NatRewrite { .. } => Kind::NatRewrite,
            Evidence::IpvsSchedule { .. } => Kind::IpvsSchedule,
            Evidence::IpvsConn { .. } => Kind::IpvsConn,
            Evidence::IpvsForward { .. } => Kind::IpvsForward,
            Evidence::FdbLearn { .. } => Kind::FdbLearn,
            Evidence::FdbLookup { .. } => Kind::FdbLookup,
            Evidence::RemoteLookup { .. } => Kind::RemoteLookup,
            Evidence::RemoteLearn { .. } => Kind::RemoteLearn,
            Evidence::Encap { .. } => Kind::Encap,
            Evidence::Decap { .. } => Kind::Decap,
            Evidence::VlanFilter { .. } => Kind::VlanFilter,
            Evidence::TtlDecrement { .. } => Kind::TtlDecrement,
            Evidence::Fragment { .. } => Kind::Fragment,
            Evidence::Defrag { .. } => Kind::Defrag,
            Evidence::IcmpError { .. } => Kind::IcmpError,
            Evidence::ArpInput { .. } => Kind::ArpInput,
            Evidence::Timer { .. } => Kind::Timer,
            Evidence::Drop { .. } => Kind::Drop,
        }
    }

    /// The kind of that name; `_` stands for `-` too.
    pub fn by_name(name: &str) -> Option<Kind> {
        Self::ALL
            .iter()
            .copied()
            .find(|k| k.name().len() == name.len() && k.name().bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_')))
    }
}

/// The layer of a step.
pub fn layer(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Receive { .. } | Evidence::Transmit { .. } => "link",
        Evidence::SocketSend { .. } | Evidence::Deliver { .. } | Evidence::SocketError { .. } => "socket",
        Evidence::TcpState { .. } => "tcp",
        Evidence::RouteLookup { .. } | Evidence::PolicyRule { .. } => "route",
        Evidence::NeighbourLookup { .. } | Evidence::NeighbourUpdate { .. } => "neighbour",
        Evidence::Hook { .. } | Evidence::Rule { .. } | Evidence::NftRule { .. } | Evidence::StatefulMatch { .. } => "netfilter",
        Evidence::ConntrackLookup { .. } | Evidence::ConntrackConfirm { .. } => "conntrack",
        Evidence::NatBind { .. } | Evidence::NatRewrite { .. } => "nat",
        Evidence::IpvsSchedule { .. } | Evidence::IpvsConn { .. } | Evidence::IpvsForward { .. } => "ipvs",
        Evidence::FdbLearn { .. } | Evidence::FdbLookup { .. } | Evidence::VlanFilter { .. } => "bridge",
        Evidence::RemoteLookup { .. } | Evidence::RemoteLearn { .. } | Evidence::Encap { .. } | Evidence::Decap { .. } => "tunnel",
        Evidence::TtlDecrement { .. } | Evidence::Fragment { .. } | Evidence::Defrag { .. } => "ip",
        Evidence::IcmpError { .. } => "icmp",
        Evidence::ArpInput { .. } => "arp",
        Evidence::Timer { timer } => match timer {
            TimerKind::Neighbour => "neighbour",
            TimerKind::TcpRetransmit | TimerKind::TcpDelayedAck | TimerKind::TcpTimeWait => "tcp",
            TimerKind::Conntrack => "conntrack",
            TimerKind::Fdb => "bridge",
        },
        Evidence::Drop { reason } => drop_layer(*reason),
    }
}

fn drop_layer(reason: DropReason) -> &'static str {
    use DropReason as R;
    match reason {
        R::NotSpecified | R::PktTooSmall | R::UnhandledProto | R::Consumed => "ip",
        R::NoSocket | R::SocketRcvbuff | R::IpNoProto | R::UdpCsum => "socket",
        R::TcpCsum | R::TcpReset | R::TcpInvalidSequence | R::TcpOldData | R::TcpFlags | R::TcpListenOverflow => "tcp",
        R::IcmpCsum => "icmp",
        R::NetfilterDrop => "netfilter",
        R::OtherHost | R::DevReady | R::DevHdr | R::RecursionLimit | R::LinkLoss | R::Oversize | R::QdiscDrop => "link",
        R::IpCsum
        | R::IpInHdr
        | R::Ipv6Disabled
        | R::Ipv6NdiscHopLimit
        | R::UnicastInL2Multicast
        | R::PktTooBig
        | R::TtlExceeded
        | R::FragReasmTimeout
        | R::DupFrag
        | R::FragTooFar => "ip",
        R::IpRpFilter
        | R::IpOutNoRoutes
        | R::IpInNoRoutes
        | R::IpInAddrErrors
        | R::IpLocalSource
        | R::IpInvalidSource
        | R::IpInvalidDest
        | R::IpLocalnet
        | R::BlackholeRoute => "route",
        R::NeighCreateFail | R::NeighFailed | R::NeighQueueFull | R::NeighDead => "neighbour",
        R::ArpNotForUs => "arp",
        R::BridgeIngressStpState | R::NoTxTarget | R::VlanFilter => "bridge",
        R::MacInvalidSource | R::LocalMac | R::VxlanInvalidHdr | R::VxlanVniNotFound | R::VxlanEntryExists | R::IpTunnelEcn => "tunnel",
        R::CtClash | R::CtTableFull => "conntrack",
    }
}

/// The kernel function that a step mirrors. `protocol` is that of the packet, where one is known.
pub fn kernel(evidence: &Evidence, protocol: Option<Protocol>) -> &'static str {
    match evidence {
        Evidence::Receive { .. } => "__netif_receive_skb_core",
        Evidence::Transmit { .. } => "dev_hard_start_xmit",
        Evidence::SocketSend { .. } => match protocol {
            Some(Protocol::TCP) => "__tcp_transmit_skb",
            Some(Protocol::UDP) => "udp_sendmsg",
            Some(_) | None => "raw_sendmsg",
        },
        Evidence::Deliver { socket, .. } => match protocol {
            Some(Protocol::TCP) => "tcp_v4_rcv",
            Some(Protocol::UDP) => "udp_queue_rcv_skb",
            Some(Protocol::ICMP) if !socket.is_some() => "icmp_rcv",
            Some(_) | None => "raw_rcv",
        },
        Evidence::SocketError { .. } => match protocol {
            Some(Protocol::TCP) => "tcp_v4_err",
            Some(Protocol::UDP) => "__udp4_lib_err",
            Some(_) | None => "raw_err",
        },
        Evidence::TcpState { .. } => "tcp_set_state",
        Evidence::PolicyRule { .. } => "fib_rules_lookup",
        Evidence::RouteLookup { .. } => "fib_table_lookup",
        Evidence::NeighbourLookup { action, .. } => match action {
            NeighAction::Sent | NeighAction::Queued => "neigh_resolve_output",
            NeighAction::Dropped => "__neigh_event_send",
        },
        Evidence::NeighbourUpdate { .. } => "__neigh_update",
        Evidence::Hook { family, hook, .. } => hook_kernel(*family, *hook),
        Evidence::Rule { .. } => "ipt_do_table",
        Evidence::NftRule { .. } => "nft_do_chain",
        Evidence::StatefulMatch { .. } => "statistic_mt",
        Evidence::ConntrackLookup { .. } => "nf_conntrack_in",
        Evidence::ConntrackConfirm { .. } => "__nf_conntrack_confirm",
        Evidence::NatBind { .. } => "nf_nat_setup_info",
        Evidence::NatRewrite { .. } => "nf_nat_manip_pkt",
        Evidence::IpvsSchedule { .. } => "ip_vs_schedule",
        Evidence::IpvsConn { reply: true, .. } => "ip_vs_out_hook",
        Evidence::IpvsConn { .. } => "ip_vs_in_hook",
        Evidence::IpvsForward { forward, .. } => match forward {
            Forward::Masq => "ip_vs_nat_xmit",
            Forward::Route => "ip_vs_dr_xmit",
            Forward::Tunnel => "ip_vs_tunnel_xmit",
        },
        Evidence::FdbLearn { .. } => "br_fdb_update",
        Evidence::FdbLookup { .. } => "br_fdb_find_rcu",
        Evidence::VlanFilter { ingress: true, .. } => "br_allowed_ingress",
        Evidence::VlanFilter { ingress: false, .. } => "br_handle_vlan",
        Evidence::RemoteLookup { .. } => "vxlan_find_mac_tx",
        Evidence::RemoteLearn { .. } => "vxlan_snoop",
        Evidence::Encap { tunnel, .. } => match tunnel {
            Tunnel::Vxlan => "vxlan_xmit_one",
            Tunnel::Ipip => "ip_tunnel_xmit",
            Tunnel::Gre => "ipgre_xmit",
            Tunnel::Gretap => "gre_tap_xmit",
            Tunnel::Wireguard => "wg_packet_encrypt_worker",
        },
        Evidence::Decap { tunnel, .. } => match tunnel {
            Tunnel::Vxlan => "vxlan_rcv",
            Tunnel::Ipip => "ipip_rcv",
            Tunnel::Gre | Tunnel::Gretap => "gre_rcv",
            Tunnel::Wireguard => "wg_packet_decrypt_worker",
        },
        Evidence::TtlDecrement { .. } => "ip_decrease_ttl",
        Evidence::Fragment { .. } => "ip_do_fragment",
        Evidence::Defrag { .. } => "ip_defrag",
        Evidence::IcmpError { .. } => "__icmp_send",
        Evidence::ArpInput { .. } => "arp_process",
        Evidence::Timer { timer } => match timer {
            TimerKind::Neighbour => "neigh_timer_handler",
            TimerKind::TcpRetransmit => "tcp_retransmit_timer",
            TimerKind::TcpDelayedAck => "tcp_delack_timer_handler",
            TimerKind::TcpTimeWait => "tw_timer_handler",
            TimerKind::Conntrack => "gc_worker",
            TimerKind::Fdb => "br_fdb_cleanup",
        },
        Evidence::Drop { .. } => "kfree_skb_reason",
    }
}

/// The function that asks a hook.
fn hook_kernel(family: NfFamily, hook: Hook) -> &'static str {
    match (family, hook) {
        (NfFamily::Ip, Hook::Prerouting) => "ip_rcv",
        (NfFamily::Ip, Hook::Input) => "ip_local_deliver",
        (NfFamily::Ip, Hook::Forward) => "ip_forward",
        (NfFamily::Ip, Hook::Output) => "__ip_local_out",
        (NfFamily::Ip, Hook::Postrouting) => "ip_output",
        (NfFamily::Ip6, Hook::Prerouting) => "ipv6_rcv",
        (NfFamily::Ip6, Hook::Input) => "ip6_input",
        (NfFamily::Ip6, Hook::Forward) => "ip6_forward",
        (NfFamily::Ip6, Hook::Output) => "__ip6_local_out",
        (NfFamily::Ip6, Hook::Postrouting) => "ip6_output",
        (NfFamily::Bridge, Hook::Prerouting) => "br_handle_frame",
        (NfFamily::Bridge, Hook::Input) => "br_pass_frame_up",
        (NfFamily::Bridge, Hook::Forward | Hook::Output) => "__br_forward",
        (NfFamily::Bridge, Hook::Postrouting) => "br_forward_finish",
    }
}
