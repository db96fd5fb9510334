//! Packets on their way out: those made on this host, and those that are passed on.
//!
//! Models: net/ipv4/ip_output.c __ip_local_out, ip_output, ip_finish_output, ip_do_fragment.
//! Spec: RFC 791 section 3.2 (fragmentation).
//! Simplifies: identifications count up per namespace; packets with DF carry 0.
//! Seen in: 104-mtu-and-fragments, 18-df-too-big-vxlan, 21-closed-ports.

use super::hook::{HookState, NfVerdict};
use super::route::{Ask, Dst, find_output, l4_of};
use super::walk::Walk;
use crate::linux::fib::RouteType;
use crate::linux::netfilter::Hook;
use crate::linux::skb::Skb;
use crate::linux::socket::PmtuDisc;
use crate::linux::{Errno, FlowId, IfIndex, PacketId, SocketId};
use crate::packet::{Body, Bytes, Ipv4Addr, Ipv4Header, Ipv4Packet, Net, Protocol};
use crate::trace::{Change, DropReason, Evidence, Tracer};

/// What the sender of a packet decides.
#[derive(Clone, Copy, Debug)]
pub struct SendSpec<A = Ipv4Addr> {
    /// Source address; unspecified to have it chosen by the route.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// TTL; none for the namespace's default.
    pub ttl: Option<u8>,
    /// TOS.
    pub tos: u8,
    /// Mark.
    pub mark: u32,
    /// Device that it must leave by, or none.
    pub oif: IfIndex,
    /// Whether it may be cut, and DF.
    pub pmtudisc: PmtuDisc,
    /// Protocol and ports, as policy rules see them; those of the packet itself count where there is one.
    pub l4: (Protocol, (u16, u16)),
    /// The socket that sends it.
    pub socket: SocketId,
    /// Whether the connection made progress: its neighbour is there (`dst_pending_confirm`).
    pub confirms: bool,
    /// The flow it belongs to.
    pub flow: FlowId,
}

/// Which source address and MTU a packet to `dst` would have (ip_route_output_key for connect).
///
/// # Errors
/// ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL as the route says.
pub fn route_for<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec) -> Result<(Ipv4Addr, u32), Errno> {
    let (found, result) = find_output(&w.ns.config, &Ask::of(spec));
    match result {
        Ok((dst, src)) => Ok((src, w.path_mtu(spec.dst, dst.mtu))),
        Err(e) => {
            if T::ON {
                // no packet is made; the lookup that failed is told as that of the packet that would have been
                w.ids.last_packet += 1;
                let id = PacketId(w.ids.last_packet);
                w.trace.packet(id, w.cause, PacketId::NONE, spec.flow);
                let cause = std::mem::replace(&mut w.cause, id);
                w.route_output_step(None, spec.dst, spec.mark, &found, &Err(e));
                w.cause = cause;
            }
            Err(e)
        }
    }
}

/// Sends a packet of this host (ip_route_output, ip_local_out and all that follows).
///
/// # Errors
/// Those of the route lookup; EMSGSIZE; EPERM when OUTPUT dropped it.
pub fn ip_send<T: Tracer>(w: &mut Walk<'_, T>, spec: &SendSpec, body: Body) -> Result<(), Errno> {
    let (found, result) = find_output(&w.ns.config, &Ask { l4: l4_of(&body), ..Ask::of(spec) });
    let len = (Ipv4Packet::HEADER_LEN + body.len()) as u32;
    let (src, mtu) = match &result {
        Ok((dst, src)) if spec.pmtudisc == PmtuDisc::Probe => (*src, dst.mtu),
        Ok((dst, src)) => (*src, w.path_mtu(spec.dst, dst.mtu)),
        Err(_) => (spec.src, u32::MAX),
    };
    let too_long = len > mtu;
    let df = match spec.pmtudisc {
        PmtuDisc::Dont => false,
        PmtuDisc::Want => !too_long,
        PmtuDisc::Do | PmtuDisc::Probe => true,
    };
    let id = if df { 0 } else { w.next_ip_id() };
    let header = Ipv4Header {
        tos: spec.tos,
        id,
        dont_fragment: df,
        more_fragments: false,
        fragment_offset: 0,
        ttl: spec.ttl.unwrap_or(w.ns.config.sysctl.ip_default_ttl),
        src,
        dst: if spec.dst.is_unspecified() { Ipv4Addr::LOCALHOST } else { spec.dst },
        checksum_error: 0,
    };
    let data = match &body {
        Body::Tcp(t) => t.payload.len(),
        Body::Udp(u) => u.payload.len(),
        Body::Icmp(_) | Body::Icmpv6(_) | Body::Fragment { .. } | Body::Other { .. } => body.len(),
    };
    let mut skb = w.new_skb(Net::Ipv4(Ipv4Packet { header, body }), spec.flow);
    skb.mark = spec.mark;
    skb.socket = spec.socket;
    skb.confirms = spec.confirms;
    if T::ON && spec.socket.is_some() {
        w.step(&skb, IfIndex::NONE, Evidence::SocketSend { socket: spec.socket, len: data as u32 });
    }
    w.route_output_step(Some(&skb), spec.dst, spec.mark, &found, &result);
    match result {
        Err(e) => {
            w.drop_skb(skb, IfIndex::NONE, DropReason::IpOutNoRoutes);
            Err(e)
        }
        Ok((dst, _)) if too_long && df => {
            w.drop_skb(skb, dst.oif, DropReason::PktTooBig);
            Err(Errno::EMSGSIZE)
        }
        Ok((dst, _)) => w.ip_local_out(skb, dst),
    }
}

/// Sends a packet of this host as it is, header included (IP_HDRINCL).
///
/// # Errors
/// As [`ip_send`].
pub fn ip_send_raw<T: Tracer>(w: &mut Walk<'_, T>, packet: Ipv4Packet, socket: SocketId, flow: FlowId) -> Result<(), Errno> {
    let h = packet.header;
    let ask = Ask { tos: h.tos, l4: l4_of(&packet.body), ..Ask::to(h.dst) };
    let (dst, _) = w.route_output_for(None, &ask)?;
    if packet.len() as u32 > dst.mtu {
        return Err(Errno::EMSGSIZE);
    }
    let mut skb = w.new_skb(Net::Ipv4(packet), flow);
    skb.socket = socket;
    w.ip_local_out(skb, dst)
}

impl<T: Tracer> Walk<'_, T> {
    /// The MTU towards `dst`: what was learned of the path, at most the route's.
    pub fn path_mtu(&self, dst: Ipv4Addr, route: u32) -> u32 {
        match self.ns.pmtu.get(&dst) {
            Some((mtu, until)) if *until > self.now => route.min(*mtu),
            _ => route,
        }
    }

    /// An identification for a packet that may be cut (ip_select_ident).
    pub(super) fn next_ip_id(&mut self) -> u16 {
        self.ns.ip_id = self.ns.ip_id.wrapping_add(1);
        self.ns.ip_id
    }

    /// Through OUTPUT and on (__ip_local_out).
    ///
    /// # Errors
    /// EPERM when OUTPUT dropped it.
    pub(super) fn ip_local_out(&mut self, skb: Box<Skb>, dst: Dst) -> Result<(), Errno> {
        self.ip_local_out_of(skb, dst, IfIndex::NONE)
    }

    /// The same for the packet of a tunnel device, which POSTROUTING takes for the input device (`skb->dev`).
    ///
    /// # Errors
    /// EPERM when OUTPUT dropped it.
    pub(super) fn ip_local_out_of(&mut self, mut skb: Box<Skb>, mut dst: Dst, from: IfIndex) -> Result<(), Errno> {
        let state = HookState { hook: Hook::Output, iif: IfIndex::NONE, oif: dst.oif };
        match self.nf_hook(&mut skb, &state, Some(&mut dst)) {
            NfVerdict::Accept => {
                self.ip_output(skb, from, &dst);
                Ok(())
            }
            // who took it answers for it
            NfVerdict::Stolen => Ok(()),
            verdict => {
                self.hook_ended(skb, dst.oif, verdict);
                Err(Errno::EPERM)
            }
        }
    }

    /// Through POSTROUTING, cut to size, and to the neighbour (ip_output). `iif` is set for packets that are passed on.
    pub(super) fn ip_output(&mut self, mut skb: Box<Skb>, iif: IfIndex, dst: &Dst) {
        let state = HookState { hook: Hook::Postrouting, iif, oif: dst.oif };
        let verdict = self.nf_hook(&mut skb, &state, None);
        if verdict != NfVerdict::Accept {
            return self.hook_ended(skb, dst.oif, verdict);
        }
        let Some(p) = skb.frame.ipv4() else { return };
        let to = p.header.dst;
        let mtu = if skb.forwarded { dst.mtu } else { self.path_mtu(to, dst.mtu) };
        skb.local_route = dst.kind == RouteType::Local;
        let next_hop = dst.gateway.unwrap_or(to);
        if p.header.dont_fragment && skb.frag_max > mtu {
            // a piece with DF does not fit (ip_fragment)
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, super::icmp::Error::Unreachable { code: 4, mtu: u16::try_from(mtu).unwrap_or(u16::MAX) });
            return self.drop_skb(skb, dst.oif, DropReason::PktTooBig);
        }
        // what came in pieces goes out in pieces no larger
        let mtu = if skb.frag_max > 0 { mtu.min(skb.frag_max) } else { mtu };
        if p.len() as u32 > mtu && (!p.header.dont_fragment || skb.frag_max > 0) {
            return self.ip_do_fragment(skb, dst.oif, next_hop, mtu);
        }
        if skb.recursion > 0 && p.len() as u32 > mtu {
            // a tunnel's packet with DF does not fit (ip_fragment); its sender is this host
            self.cause = skb.id;
            self.flow = skb.flow;
            self.icmp_send(&skb, super::icmp::Error::Unreachable { code: 4, mtu: u16::try_from(mtu).unwrap_or(u16::MAX) });
            return self.drop_skb(skb, dst.oif, DropReason::PktTooBig);
        }
        self.neigh_output(skb, dst.oif, next_hop);
    }

    /// Cuts a packet into parts of at most `mtu` bytes (ip_do_fragment). What was put together here is cut where it was before, if
    /// those parts fit.
    fn ip_do_fragment(&mut self, skb: Box<Skb>, oif: IfIndex, next_hop: Ipv4Addr, mtu: u32) {
        let Some(whole) = skb.frame.ipv4() else { return };
        let room = (mtu as usize).saturating_sub(Ipv4Packet::HEADER_LEN) & !7;
        if room == 0 {
            return self.drop_skb(skb, oif, DropReason::PktTooBig);
        }
        let bytes = whole.encode();
        let data = &bytes[Ipv4Packet::HEADER_LEN.min(bytes.len())..];
        let (mut header, protocol) = (whole.header, whole.body.protocol());
        let first_offset = header.fragment_offset;
        let before =
            skb.frag_sizes.as_deref().filter(|sizes| fit_again(sizes, data.len(), (mtu as usize).saturating_sub(Ipv4Packet::HEADER_LEN)));
        let sizes: Vec<usize> = match before {
            Some(sizes) => {
                // ip_fraglist_init writes the field anew
                header.dont_fragment = false;
                sizes.iter().map(|n| usize::from(*n)).collect()
            }
            None => data.chunks(room).map(<[u8]>::len).collect(),
        };
        self.step(&skb, oif, Evidence::Fragment { mtu, parts: u16::try_from(sizes.len()).unwrap_or(u16::MAX) });
        let mut at = 0;
        for size in sizes {
            let Some(part) = data.get(at..at + size) else { break };
            let mut copy = self.clone_skb(&skb);
            let mut h = header;
            h.fragment_offset = first_offset.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
            at += size;
            h.more_fragments = header.more_fragments || at < data.len();
            copy.frame.net = Net::Ipv4(Ipv4Packet { header: h, body: Body::Fragment { protocol, bytes: Bytes::from(part) } });
            self.changed(&mut copy, |s| Change::Whole(Box::new(s.frame.clone())));
            self.neigh_output(copy, oif, next_hop);
        }
    }
}

/// Whether a packet of `len` bytes of data can be cut where it was cut before, into parts of at most `room` bytes.
fn fit_again(sizes: &[u16], len: usize, room: usize) -> bool {
    let whole_units = sizes.split_last().is_some_and(|(_, rest)| rest.iter().all(|n| n % 8 == 0));
    whole_units && sizes.iter().all(|n| usize::from(*n) <= room) && sizes.iter().map(|n| usize::from(*n)).sum::<usize>() == len
}

#[cfg(test)]
mod tests {
    use super::fit_again;

    #[test]
    fn parts_that_can_be_made_again() {
        for (sizes, len, room, want) in [
            (&[800, 104, 400][..], 1304, 800, true),
            (&[800, 104, 401], 1305, 800, true),
            (&[800, 104, 400], 1304, 792, false),
            (&[804, 100], 904, 1480, false),
            (&[800, 104], 900, 1480, false),
            (&[], 0, 1480, false),
        ] {
            assert_eq!(fit_again(sizes, len, room), want, "{sizes:?}");
        }
    }
}
