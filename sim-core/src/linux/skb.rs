//! A packet in flight with its metadata.
//!
//! Models: include/linux/skbuff.h struct sk_buff.

use super::conntrack::CtRef;
use super::id::{FlowId, IfIndex, PacketId, SocketId, VersionId};
use crate::packet::{Bytes, Ethernet, Frame, Ipv4Addr, Mac, Net};

/// Whom a received frame is for, from its destination hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PktType {
    /// This host.
    #[default]
    Host,
    /// Everyone.
    Broadcast,
    /// A group.
    Multicast,
    /// Another host; the interface hears it because a bridge listens.
    OtherHost,
    /// Sent by this host.
    Outgoing,
}

/// What br_netfilter remembers of a bridged packet while IP hooks look at it.
///
/// Models: struct nf_bridge_info.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NfBridge {
    /// `physindev`: the port it came in by.
    pub physin: IfIndex,
    /// `physoutdev`: the port it will leave by.
    pub physout: IfIndex,
    /// IP PREROUTING has run inside the bridge already (`sabotage_in_done` comes next).
    pub prerouted: bool,
    /// `pkt_otherhost`: the packet type was OTHERHOST before the hooks.
    pub pkt_otherhost: bool,
    /// `in_prerouting`: the IP hook is the bridge's own.
    pub in_prerouting: bool,
    /// Destination before the hooks, to see whether DNAT changed it.
    pub daddr: u32,
    /// Source of the frame before the neighbour code wrote its own (`neigh_header`).
    pub source: Mac,
    /// `bridged_dnat`: the frame stays at layer 2 after DNAT and waits for its neighbour.
    pub bridged_dnat: bool,
}

/// A packet and what the kernel knows about it while it is on this host.
#[derive(Clone, Debug)]
pub struct Skb {
    /// The packet.
    pub frame: Frame,
    /// Its number in the run. A copy made by flooding gets its own.
    pub id: PacketId,
    /// The packet of which this is a copy, a copy of a copy, …; itself for an original.
    pub origin: PacketId,
    /// The state of its headers, when a trace is kept.
    pub version: VersionId,
    /// The flow it belongs to.
    pub flow: FlowId,
    /// `mark`.
    pub mark: u32,
    /// `dev` on input, `skb_iif`: the device it was received on.
    pub iif: IfIndex,
    /// Whom it is for.
    pub pkt_type: PktType,
    /// `_nfct`: the flow it belongs to, and how.
    pub ct: Option<CtRef>,
    /// `nf_bridge`: set while a bridged packet is under the IP hooks' eyes.
    pub bridge: Option<Box<NfBridge>>,
    /// The socket that sent it, if it is of this namespace.
    pub socket: SocketId,
    /// Whether the routed output forwards somebody else's packet (IPSKB_FORWARDED).
    pub forwarded: bool,
    /// Largest fragment that it was put together from, in bytes; 0 if it was whole (frag_max_size).
    pub frag_max: u32,
    /// Bytes of data of each fragment that it was put together from, in order (frag_list).
    pub frag_sizes: Option<std::sync::Arc<[u16]>>,
    /// IP_CT_UNTRACKED: conntrack leaves it alone.
    pub untracked: bool,
    /// `ipvs_property`: IPVS has had it, and leaves it alone from now on.
    pub ipvs: bool,
    /// The connection made progress: who it is sent to is there (`dst_pending_confirm`).
    pub confirms: bool,
    /// The route that it was sent with leads to this host: over `lo` it is not looked up again (skb_valid_dst).
    pub local_route: bool,
    /// The next hop of the route that it is sent with, which a tunnel without a remote end of its own goes by (rt_nexthop).
    pub next_hop: Option<Ipv4Addr>,
    /// `hash`: what spreads flows over ports and paths; 0 until somebody asks (skb_get_hash).
    pub hash: u32,
    /// Tunnel devices that are sending it, one inside another (xmit.recursion).
    pub recursion: u8,
}

impl Skb {
    /// A packet of the network layer without link header.
    pub fn new(id: PacketId, flow: FlowId, net: Net) -> Self {
        Skb {
            frame: Frame { eth: Ethernet::default(), net },
            id,
            origin: id,
            version: VersionId::NONE,
            flow,
            mark: 0,
            iif: IfIndex::NONE,
            pkt_type: PktType::Host,
            ct: None,
            bridge: None,
            socket: SocketId::NONE,
            forwarded: false,
            frag_max: 0,
            frag_sizes: None,
            untracked: false,
            ipvs: false,
            confirms: false,
            local_route: false,
            next_hop: None,
            hash: 0,
            recursion: 0,
        }
    }

    /// Takes the packet away and leaves an empty one, as a hook function does that keeps a packet (NF_STOLEN).
    pub fn steal(&mut self) -> Box<Skb> {
        let nothing = Net::Other { ethertype: 0, payload: Bytes::EMPTY };
        Box::new(std::mem::replace(self, Skb::new(PacketId::NONE, FlowId::NONE, nothing)))
    }
}
