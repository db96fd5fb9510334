//! What a step decided, and on what grounds: codes and row numbers, never words.

use super::drop::DropReason;
use crate::linux::conntrack::{CtId, CtInfo, CtStatus, CtView};
use crate::linux::fib::RouteType;
use crate::linux::ipvs::{ConnId, Forward};
use crate::linux::neighbour::NudState;
use crate::linux::netfilter::{Hook, NfFamily, TableKind};
use crate::linux::socket::tcp::TcpState;
use crate::linux::{Errno, IfIndex, PacketId, PktType, RowId, SocketId, VersionId};
use crate::packet::{Ipv4Addr, Mac};

/// An IP address in four bytes: an IPv4 address as it is; an IPv6 address as the number that the tracer gave it, in 0.0.0.0/8, where
/// no address of a host lies ([`Recording::addr`](super::Recording::addr) tells it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Addr32(pub u32);

impl From<Ipv4Addr> for Addr32 {
    #[inline]
    fn from(a: Ipv4Addr) -> Self {
        Addr32(u32::from(a))
    }
}

impl Addr32 {
    /// The IPv4 address.
    pub fn ipv4(self) -> Ipv4Addr {
        Ipv4Addr::from(self.0)
    }
}

/// What a packet is to conntrack, in four bytes: state, direction and status bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CtCode {
    /// 0 not tracked or INVALID; else 1 + [`CtInfo`]'s number.
    pub info: u8,
    /// Whether the namespace tracks flows.
    pub tracked: bool,
    /// Status of the entry.
    pub status: CtStatus,
}

impl From<CtView> for CtCode {
    #[inline]
    fn from(v: CtView) -> Self {
        CtCode { info: v.info.map_or(0, |i| 1 + i as u8), tracked: v.tracked, status: v.status }
    }
}

impl From<CtCode> for CtView {
    fn from(c: CtCode) -> Self {
        let info = match c.info {
            1 => Some(CtInfo::Established),
            2 => Some(CtInfo::Related),
            3 => Some(CtInfo::New),
            4 => Some(CtInfo::EstablishedReply),
            5 => Some(CtInfo::RelatedReply),
            _ => None,
        };
        CtView { info, status: c.status, tracked: c.tracked }
    }
}

/// What a rule, a chain's end or a policy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The packet passes this table.
    Accept,
    /// The packet ends here.
    Drop,
    /// On with another chain, coming back at its end.
    Jump,
    /// On with another chain, without coming back.
    Goto,
    /// Back to the calling chain.
    Return,
    /// On with the next rule.
    Continue,
    /// The packet was taken over (queued, or answered).
    Stolen,
}

/// Which row of a chain a rule step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAt {
    /// A rule, by its place in the chain, from 0.
    Rule(u32),
    /// The policy of a built-in chain.
    Policy,
    /// The end of a user chain.
    End,
}

/// Where the frame for a hardware address goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FdbVerdict {
    /// Up to this host.
    Local,
    /// To the port that was learned.
    Port(IfIndex),
    /// To all ports: the address is not known, or a group.
    Flood,
    /// Nowhere: the port is the one it came from, or may not be used.
    Nowhere,
}

/// What was done after a neighbour lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NeighAction {
    /// The hardware address was known: sent.
    Sent,
    /// The packet waits for the answer.
    Queued,
    /// The packet was dropped.
    Dropped,
}

/// A way to put a packet into another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tunnel {
    /// Ethernet frames in UDP.
    Vxlan,
    /// IP in IP.
    Ipip,
    /// IP in GRE.
    Gre,
    /// Ethernet frames in GRE.
    Gretap,
    /// IP in the messages of WireGuard.
    Wireguard,
}

/// What a tunnel device's table of endpoints says of a hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemoteHit {
    /// It has an entry.
    Entry,
    /// It has none; the entry of all zeros serves.
    Default,
    /// Neither is there.
    Miss,
}

/// What a bridge that filters by VLAN did with a frame at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VlanVerdict {
    /// Its tag is one of the port's VLANs: passed, tag and all.
    Tagged,
    /// It had none: it belongs to the port's own VLAN (PVID).
    Pvid,
    /// Its VLAN leaves by the port untagged: the tag was taken away.
    Untagged,
    /// The port does not belong to its VLAN.
    Dropped,
}

impl VlanVerdict {
    /// Its name in the trace document.
    pub fn name(self) -> &'static str {
        match self {
            VlanVerdict::Tagged => "tagged",
            VlanVerdict::Pvid => "pvid",
            VlanVerdict::Untagged => "untagged",
            VlanVerdict::Dropped => "dropped",
        }
    }
}

/// What became of an ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArpVerdict {
    /// A request for an address of this host: answered.
    Local,
    /// A request for an address that this host is a proxy for: answered.
    Proxy,
    /// As `Proxy`, but answered after a while (`proxy_delay`).
    ProxyLater,
    /// A request for an address of this host that `arp_ignore` passes over.
    Ignored,
    /// A request for an address of this host that `arp_filter` passes over.
    Filtered,
    /// Somebody tries whether an address is free (RFC 5227), and it is not this host's.
    Probe,
    /// A request for somebody else, or one that may not come in here.
    NotHere,
    /// An answer, asked for or not.
    Reply,
}

impl ArpVerdict {
    /// Whether the packet asks.
    pub fn is_request(self) -> bool {
        self != ArpVerdict::Reply
    }

    /// Whether it is answered at once.
    pub fn answers(self) -> bool {
        matches!(self, ArpVerdict::Local | ArpVerdict::Proxy)
    }

    /// Its name in the trace document.
    pub fn name(self) -> &'static str {
        match self {
            ArpVerdict::Local => "local",
            ArpVerdict::Proxy => "proxy",
            ArpVerdict::ProxyLater => "proxy-later",
            ArpVerdict::Ignored => "arp-ignore",
            ArpVerdict::Filtered => "arp-filter",
            ArpVerdict::Probe => "probe",
            ArpVerdict::NotHere => "not-here",
            ArpVerdict::Reply => "reply",
        }
    }
}

/// What a step decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// A frame came in by the device (where a capture sees it).
    Receive {
        /// Whom it is for.
        pkttype: PktType,
        /// The packet that it is a copy of, if flooding made it.
        copy_of: PacketId,
        /// Length of the network packet in bytes.
        len: u32,
    },
    /// A frame was handed to the device (where a capture sees it).
    Transmit {
        /// Length of the network packet in bytes.
        len: u32,
    },
    /// A program sent something.
    SocketSend {
        /// The socket.
        socket: SocketId,
        /// Bytes of data.
        len: u32,
    },
    /// The packet reached a socket.
    Deliver {
        /// The socket.
        socket: SocketId,
        /// Bytes of data.
        len: u32,
    },
    /// An error was reported to a socket.
    SocketError {
        /// The socket.
        socket: SocketId,
        /// The error.
        errno: Errno,
    },
    /// A TCP connection changed its state.
    TcpState {
        /// The socket.
        socket: SocketId,
        /// State before.
        from: TcpState,
        /// State after.
        to: TcpState,
    },
    /// A policy rule led to a table, or refused the packet. Not told where the rules are the kernel's own three.
    PolicyRule {
        /// Preference of the rule.
        pref: u32,
        /// Row number of the rule; none for one of the kernel's own.
        row: RowId,
        /// Mark of the packet.
        mark: u32,
    },
    /// A route was looked up.
    RouteLookup {
        /// Whether for a packet that came in (with its source validated), or for one that is made here.
        input: bool,
        /// The destination that was asked for: a program may ask before there is a packet.
        dst: Addr32,
        /// The route, which also says in which table it stood; none if there is no route.
        row: RowId,
        /// What the route does; unreachable if there is none.
        kind: RouteType,
        /// Device that the packet leaves by.
        oif: u16,
        /// Gateway, or the destination itself if it is on the link.
        next_hop: Addr32,
        /// Source address that was chosen for a packet made here; else 0.
        src: Addr32,
    },
    /// The neighbour cache was asked.
    NeighbourLookup {
        /// The next hop.
        addr: Addr32,
        /// State of the entry when asked.
        state: NudState,
        /// State after.
        after: NudState,
        /// What became of the packet.
        action: NeighAction,
        /// The hardware address, if known.
        mac: Mac,
    },
    /// A neighbour entry was learned, confirmed or given up.
    NeighbourUpdate {
        /// The neighbour.
        addr: Addr32,
        /// State before.
        from: NudState,
        /// State after.
        to: NudState,
        /// The hardware address.
        mac: Mac,
    },
    /// A hook was entered and left.
    Hook {
        /// Whose.
        family: NfFamily,
        /// Which.
        hook: Hook,
        /// Input device.
        iif: u16,
        /// Output device.
        oif: u16,
        /// Headers when it was left; none if the packet did not come out.
        after: VersionId,
        /// Conntrack view when it was left.
        ct: CtCode,
        /// Mark when it was entered.
        mark: u32,
    },
    /// A rule matched, a chain ended or a policy applied.
    Rule {
        /// The table.
        table: TableKind,
        /// The chain, by its slot in the table.
        chain: u32,
        /// The row of the chain.
        at: RuleAt,
        /// What it said.
        verdict: Verdict,
        /// Row number of the rule.
        row: RowId,
        /// Mark after it.
        mark: u32,
        /// Conntrack view when it was evaluated.
        ct: CtCode,
    },
    /// A rule of nftables matched, a chain ended or a policy applied.
    NftRule {
        /// The table, by its handle.
        table: u16,
        /// The chain, by its slot in the table.
        chain: u32,
        /// The row of the chain.
        at: RuleAt,
        /// What it said.
        verdict: Verdict,
        /// Row number of the rule.
        row: RowId,
        /// Mark after it.
        mark: u32,
        /// Conntrack view when it was evaluated.
        ct: CtCode,
        /// The chain that it leads to, by its slot; all ones for none.
        to: u32,
    },
    /// A match with a memory or a die was evaluated.
    StatefulMatch {
        /// Row number of the rule.
        row: RowId,
        /// Which match of the rule, from 0.
        at: u16,
        /// Whether it matched.
        matched: bool,
        /// The draw, or the counter.
        value: u32,
    },
    /// A packet met conntrack.
    ConntrackLookup {
        /// The entry; none if the packet is INVALID.
        id: Option<CtId>,
        /// Whether it was made for this packet.
        created: bool,
        /// What the packet is to it.
        ct: CtCode,
    },
    /// The entry was put into the table.
    ConntrackConfirm {
        /// The entry.
        id: CtId,
    },
    /// A flow got its mapping.
    NatBind {
        /// The entry.
        id: CtId,
        /// The rule that asked for it; none for the null binding.
        row: RowId,
        /// Whether the source is mapped.
        source: bool,
        /// The address after.
        addr: Addr32,
        /// The port or identifier after.
        port: u16,
    },
    /// A packet was rewritten from its flow's mapping.
    NatRewrite {
        /// The entry.
        id: CtId,
        /// Whether its source was rewritten (else its destination).
        source: bool,
    },
    /// A service's scheduler was asked for a real server.
    IpvsSchedule {
        /// The service.
        service: RowId,
        /// Whom it chose; none if nobody can take the connection.
        dest: RowId,
        /// The chosen one's weight.
        weight: i32,
        /// Its active connections before.
        active: u32,
        /// Its inactive connections before.
        inactive: u32,
        /// How many could have been chosen: of some weight, and not overloaded.
        usable: u16,
    },
    /// A packet belongs to an IPVS connection.
    IpvsConn {
        /// The connection.
        id: ConnId,
        /// Its real server; none if it goes past them.
        dest: RowId,
        /// Whether it was made for this packet.
        created: bool,
        /// Whether the packet goes to the client.
        reply: bool,
        /// The connection's state before, by its protocol's numbers.
        from: u8,
        /// The state after.
        to: u8,
    },
    /// IPVS sends the packet on.
    IpvsForward {
        /// The connection.
        id: ConnId,
        /// How.
        forward: Forward,
        /// Whether the real server is this host.
        local: bool,
        /// The real server.
        addr: Addr32,
        /// Its port.
        port: u16,
    },
    /// A bridge learned, or saw again, a hardware address.
    FdbLearn {
        /// The address.
        mac: Mac,
        /// The port.
        port: u16,
        /// Whether it is new, or moved from another port.
        new: bool,
    },
    /// A bridge looked for the port of a hardware address.
    FdbLookup {
        /// The address.
        mac: Mac,
        /// Where the frame goes.
        verdict: FdbVerdict,
    },
    /// A tunnel device looked for the endpoints behind which a hardware address is.
    RemoteLookup {
        /// The address.
        mac: Mac,
        /// What was found.
        hit: RemoteHit,
        /// The first endpoint; 0 if there is none.
        remote: Addr32,
        /// How many endpoints get the frame.
        count: u16,
    },
    /// A tunnel device learned, or saw again, behind which endpoint a hardware address is.
    RemoteLearn {
        /// The address.
        mac: Mac,
        /// The endpoint.
        remote: Addr32,
        /// Whether it is new, or moved from another endpoint.
        new: bool,
    },
    /// A packet was put into another one.
    Encap {
        /// How.
        tunnel: Tunnel,
        /// VNI, key, or index of the peer.
        id: u32,
        /// Outer source.
        src: Addr32,
        /// Outer destination.
        dst: Addr32,
        /// Outer source port, where there is one.
        sport: u16,
        /// Outer destination port, where there is one.
        dport: u16,
    },
    /// A packet was taken out of another one.
    Decap {
        /// How.
        tunnel: Tunnel,
        /// VNI, key, or index of the peer.
        id: u32,
        /// Outer source.
        src: Addr32,
        /// The device that takes it.
        device: u16,
    },
    /// A bridge that filters by VLAN looked at a frame at a port.
    VlanFilter {
        /// On the way in (else on the way out).
        ingress: bool,
        /// The VLAN; 0 if it was told none and the port has none of its own.
        vid: u16,
        /// What it did.
        verdict: VlanVerdict,
    },
    /// The time to live was lowered.
    TtlDecrement {
        /// Before.
        from: u8,
        /// After.
        to: u8,
    },
    /// The packet was cut.
    Fragment {
        /// The MTU in bytes.
        mtu: u32,
        /// How many parts.
        parts: u16,
    },
    /// A fragment waits for the others of its packet, or was the last of them.
    Defrag {
        /// Its offset in bytes.
        offset: u16,
        /// How many were put together; 0 if it waits.
        parts: u16,
    },
    /// An ICMP error was made about the packet.
    IcmpError {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// The error's own packet; none if a rate limit stopped it.
        packet: PacketId,
    },
    /// An ARP packet was looked at.
    ArpInput {
        /// What became of it.
        verdict: ArpVerdict,
        /// Address asked for.
        target: Addr32,
    },
    /// A timer fired.
    Timer {
        /// What it was for.
        timer: TimerKind,
    },
    /// The packet ended.
    Drop {
        /// Why.
        reason: DropReason,
    },
}

/// What a timer of a namespace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerKind {
    /// Neighbour resolution.
    Neighbour,
    /// TCP retransmission.
    TcpRetransmit,
    /// TCP delayed acknowledgment.
    TcpDelayedAck,
    /// End of TIME_WAIT or FIN_WAIT_2.
    TcpTimeWait,
    /// A conntrack entry's end.
    Conntrack,
    /// A learned address's end.
    Fdb,
}
