//! What a walk works with: the namespace, the time, chance, a tracer, and a list of effects.

use crate::linux::rng::Rng;
use crate::linux::skb::Skb;
use crate::linux::{FlowId, IfIndex, Netns, NetnsId, PacketId, SocketId, Time, VersionId};
use crate::packet::{Family, IpAddr, Ipv6Addr, Net};
use crate::trace::evidence::{Addr32, TimerKind};
use crate::trace::{Change, DropReason, Evidence, Step, StepId, Tracer};

/// A timer that a namespace asked for. A timer that is no longer wanted fires too; who handles it looks whether it still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Neighbour resolution of an address.
    Neighbour(IfIndex, IpAddr),
    /// Requests that a proxy answers are due.
    ProxyArp,
    /// The periodic look at all neighbours.
    NeighbourGc(Family),
    /// Duplicate address detection of an address: the next probe, or its end.
    Dad(IfIndex, Ipv6Addr),
    /// Membership reports that wait on a link (mld_ifc_work).
    Mld(IfIndex),
    /// Reassembly of IPv6 fragments.
    Reassembly6(u32),
    /// A timer of a TCP socket: retransmission, delayed acknowledgment, or the end of a state.
    Tcp(SocketId, TimerKind),
    /// The end of the next IPVS connection.
    Ipvs,
    /// Reassembly of fragments.
    Reassembly(u32),
}

/// How a frame goes on at another device, by way of the engine: the device may be in another namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Handed to it to be sent, in the same breath (dev_queue_xmit).
    Transmit,
    /// A macvlan child of that namespace and index sends by it, in the same breath.
    Macvlan(NetnsId, IfIndex),
    /// An ipvlan child of that namespace and index sends by it, in the same breath.
    Ipvlan(NetnsId, IfIndex),
    /// Received by it in the same breath, for whom it was found to be (RX_HANDLER_ANOTHER).
    Receive,
    /// As `Receive`, behind what waits (netif_rx).
    Queue,
    /// As `Receive`, when the softirqs have done their work (a work queue).
    Work,
    /// Received by it like a frame from a wire, behind what waits (dev_forward_skb).
    Forward,
}

/// What a namespace wants done outside of it.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hand the frame to what the device is attached to.
    Transmit(IfIndex, Box<Skb>),
    /// Let the frame go on at that device of that namespace.
    Beyond(NetnsId, IfIndex, Box<Skb>, Beyond),
    /// The frame comes in by that device, after what is in flight (netif_rx, gro_cells_receive).
    Receive(IfIndex, Box<Skb>),
    /// Call back at that time.
    Arm(Time, Timer),
    /// Something happened at the socket: its program looks.
    Wake(SocketId),
}

/// The effects of one event, in order.
#[derive(Clone, Debug, Default)]
pub struct Effects(pub Vec<Effect>);

/// Numbers that are handed out in a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids {
    /// The last packet's number.
    pub last_packet: u32,
}

/// One event in one namespace.
#[derive(Debug)]
pub struct Walk<'a, T: Tracer> {
    /// The namespace.
    pub ns: &'a mut Netns,
    /// Now.
    pub now: Time,
    /// Chance.
    pub rng: &'a mut Rng,
    /// Who listens.
    pub trace: &'a mut T,
    /// What is to be done outside.
    pub effects: &'a mut Effects,
    /// Numbers.
    pub ids: &'a mut Ids,
    /// The packet that is the reason for what happens now; none at a timer or when a program acts by itself.
    pub cause: PacketId,
    /// The flow that new packets belong to, unless their socket says otherwise.
    pub flow: FlowId,
}

impl<T: Tracer> Walk<'_, T> {
    /// A new packet with a number of its own, told to the tracer as it stands.
    #[inline]
    pub fn new_skb(&mut self, net: Net, flow: FlowId) -> Box<Skb> {
        self.ids.last_packet += 1;
        let id = PacketId(self.ids.last_packet);
        let mut skb = Box::new(Skb::new(id, flow, net));
        if T::ON {
            self.trace.packet(id, self.cause, PacketId::NONE, flow);
            skb.version = self.trace.change(VersionId::NONE, Change::Whole(Box::new(skb.frame.clone())));
        }
        skb
    }

    /// A copy of a packet with a number of its own (skb_clone).
    pub fn clone_skb(&mut self, skb: &Skb) -> Box<Skb> {
        self.ids.last_packet += 1;
        let mut copy = Box::new(skb.clone());
        copy.id = PacketId(self.ids.last_packet);
        if T::ON {
            self.trace.packet(copy.id, skb.id, skb.id, skb.flow);
        }
        copy
    }

    /// Records a step about a packet.
    // inlined where the kind of evidence is known: a recorder then does no more than that kind needs
    #[inline(always)]
    pub fn step(&mut self, skb: &Skb, dev: IfIndex, evidence: Evidence) -> StepId {
        if T::ON {
            self.trace.step(Step { at: self.now, netns: self.ns.id, dev, packet: skb.id, version: skb.version, evidence })
        } else {
            StepId(0)
        }
    }

    /// Records that a packet's headers changed in a small way; `change` is made only if somebody listens.
    #[inline(always)]
    pub fn changed(&mut self, skb: &mut Skb, change: impl FnOnce(&Skb) -> Change) {
        if T::ON {
            let change = change(skb);
            skb.version = self.trace.change(skb.version, change);
        }
    }

    /// Records that a packet's headers changed in a way that no small change tells.
    #[inline]
    pub fn rewritten(&mut self, skb: &mut Skb) {
        self.changed(skb, |s| Change::Whole(Box::new(s.frame.clone())));
    }

    /// The packet ends here (kfree_skb_reason). A flow that was made for it and never confirmed goes with it.
    #[inline(never)]
    pub fn drop_skb(&mut self, skb: Box<Skb>, dev: IfIndex, reason: DropReason) {
        self.step(&skb, dev, Evidence::Drop { reason });
        self.release_ct(&skb);
    }

    /// Lets go of an unconfirmed flow whose packet ends.
    pub fn release_ct(&mut self, skb: &Skb) {
        if let Some(ct) = skb.ct {
            self.ns.conntrack.release_unconfirmed(ct.id);
        }
    }

    /// An address as a step names it.
    #[inline]
    pub fn addr32(&mut self, addr: impl Into<IpAddr>) -> Addr32 {
        match addr.into() {
            IpAddr::V4(a) => Addr32::from(a),
            IpAddr::V6(a) => self.trace.addr6(a),
        }
    }

    /// Wakes the program of a socket.
    #[inline]
    pub fn wake(&mut self, socket: SocketId) {
        self.effects.0.push(Effect::Wake(socket));
    }

    /// Asks for a timer.
    #[inline]
    pub fn arm(&mut self, at: Time, timer: Timer) {
        self.effects.0.push(Effect::Arm(at, timer));
    }
}
