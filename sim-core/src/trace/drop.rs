//! Why a packet ended.
//!
//! Models: include/net/dropreason-core.h enum skb_drop_reason.

macro_rules! reasons {
    ($($name:ident $text:literal $say:literal),* $(,)?) => {
        /// The kernel's reason for freeing a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason { $(#[doc = $say] $name),* }

        impl DropReason {
            /// All of them.
            pub const ALL: &'static [DropReason] = &[$(DropReason::$name),*];

            /// The name without `SKB_DROP_REASON_`.
            pub fn name(self) -> &'static str {
                match self { $(DropReason::$name => $text),* }
            }

            /// What it means, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(DropReason::$name => $say),* }
            }
        }
    };
}

reasons! {
    NotSpecified "NOT_SPECIFIED" "dropped without a stated reason",
    NoSocket "NO_SOCKET" "no socket is bound to the port",
    PktTooSmall "PKT_TOO_SMALL" "the packet is shorter than its header",
    TcpCsum "TCP_CSUM" "wrong TCP checksum",
    UdpCsum "UDP_CSUM" "wrong UDP checksum",
    IcmpCsum "ICMP_CSUM" "wrong ICMP checksum",
    NetfilterDrop "NETFILTER_DROP" "a netfilter rule or policy dropped it",
    OtherHost "OTHERHOST" "the frame is addressed to another host",
    IpCsum "IP_CSUM" "wrong IP header checksum",
    IpInHdr "IP_INHDR" "malformed IP header",
    Ipv6Disabled "IPV6DISABLED" "IPv6 is switched off on this device",
    Ipv6NdiscHopLimit "IPV6_NDISC_HOP_LIMIT" "a neighbour discovery message that came through a router",
    IpRpFilter "IP_RPFILTER" "reverse path filter: the way back leads elsewhere",
    IpOutNoRoutes "IP_OUTNOROUTES" "no route to the destination",
    IpInNoRoutes "IP_INNOROUTES" "no route to the destination",
    IpInAddrErrors "IP_INADDRERRORS" "the host does not forward",
    IpLocalSource "IP_LOCAL_SOURCE" "the source is an address of this host",
    IpInvalidSource "IP_INVALID_SOURCE" "a source that cannot be",
    IpInvalidDest "IP_INVALID_DEST" "a destination that cannot be",
    IpLocalnet "IP_LOCALNET" "a loopback address on the wire",
    IpNoProto "IP_NOPROTO" "nobody speaks this protocol here",
    UnicastInL2Multicast "UNICAST_IN_L2_MULTICAST" "a unicast packet in a broadcast frame",
    UnhandledProto "UNHANDLED_PROTO" "nobody speaks this frame type here",
    NeighCreateFail "NEIGH_CREATEFAIL" "no neighbour entry could be made",
    NeighFailed "NEIGH_FAILED" "the next hop did not answer",
    NeighQueueFull "NEIGH_QUEUEFULL" "too many packets wait for the next hop",
    NeighDead "NEIGH_DEAD" "the neighbour entry is gone",
    PktTooBig "PKT_TOO_BIG" "larger than the MTU, and must not be cut",
    TtlExceeded "IP_TTL" "the time to live has run out",
    BlackholeRoute "IP_BLACKHOLE" "a blackhole route swallowed it",
    BridgeIngressStpState "BRIDGE_INGRESS_STP_STATE" "the bridge port does not forward",
    NoTxTarget "NO_TX_TARGET" "the bridge has no port to send it to",
    MacInvalidSource "MAC_INVALID_SOURCE" "the frame's source is no address of a host",
    LocalMac "LOCAL_MAC" "the frame's source is the device's own address",
    VxlanInvalidHdr "VXLAN_INVALID_HDR" "a VXLAN header that cannot be read",
    VxlanVniNotFound "VXLAN_VNI_NOT_FOUND" "no VXLAN device here has this network identifier",
    VxlanEntryExists "VXLAN_ENTRY_EXISTS" "a static entry says that the sender's address is behind another endpoint",
    IpTunnelEcn "IP_TUNNEL_ECN" "the outer header says congestion, and the packet inside cannot be told",
    QdiscDrop "QDISC_DROP" "too many frames wait for the wire",
    VlanFilter "VLAN_FILTER" "the port does not belong to the VLAN",
    DevReady "DEV_READY" "the device is down or has no carrier",
    DevHdr "DEV_HDR" "no link header could be made",
    RecursionLimit "RECURSION_LIMIT" "devices hand it round in a circle",
    TcpReset "TCP_RESET" "answered by a reset",
    TcpInvalidSequence "TCP_INVALID_SEQUENCE" "outside the window",
    TcpOldData "TCP_OLD_DATA" "data that is known already",
    TcpFlags "TCP_FLAGS" "flags that do not fit the state",
    TcpListenOverflow "TCP_LISTEN_OVERFLOW" "the listener's queue is full",
    SocketRcvbuff "SOCKET_RCVBUFF" "the socket's receive buffer is full",
    FragReasmTimeout "FRAG_REASM_TIMEOUT" "not all fragments came in time",
    DupFrag "DUP_FRAG" "the fragment is here already",
    FragTooFar "FRAG_TOO_FAR" "too many other fragments of the sender came between",
    LinkLoss "LINK_LOSS" "lost on the wire",
    Oversize "OVERSIZE" "larger than the wire or the other end takes",
    ArpNotForUs "ARP_PVLAN_DISABLE" "an ARP packet that needs no answer",
    CtClash "CT_CLASH" "another flow took the tuple first",
    CtTableFull "CT_TABLE_FULL" "the conntrack table is full",
    Consumed "CONSUMED" "not a drop: the packet reached its end",
}
