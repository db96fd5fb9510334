//! Devices whose other end is a program.
//!
//! Models: drivers/net/tun.c tun_chr_open, TUNSETIFF, tun_net_xmit, tun_do_read, tun_get_user.
//! Simplifies: a program reads whole packets, one a time; queues hold 500 of them.

use super::walk::{Effect, Walk};
use crate::linux::apply::set_carrier;
use crate::linux::device::{DeviceKind, TunMode};
use crate::linux::skb::Skb;
use crate::linux::socket::{Datagram, SocketKind};
use crate::linux::{Errno, FlowId, IfIndex, SocketId};
use crate::packet::{Bytes, Endpoint, Ethernet, Frame, IpAddr, Ipv4Addr, Ipv4Packet, Net};
use crate::trace::{DropReason, Evidence, Tracer};

/// Packets that wait for the program (tx_queue_len of a tun device).
const QUEUE: usize = 500;

/// Opens the device called `name` for program `app` (open of /dev/net/tun, TUNSETIFF). Packets come as datagrams.
///
/// # Errors
/// ENODEV if there is none, EINVAL if it is no tun device, EBUSY if another program has it.
pub fn tun_open<T: Tracer>(w: &mut Walk<'_, T>, name: &str, app: u32, flow: FlowId) -> Result<SocketId, Errno> {
    let device = w.ns.config.devices.by_name(name).ok_or(Errno::ENODEV)?;
    if !matches!(device.kind, DeviceKind::Tun(_)) {
        return Err(Errno::EINVAL);
    }
    let dev = device.index;
    if w.ns.sockets.tun_of(dev).is_some() {
        return Err(Errno::EBUSY);
    }
    let id = w.ns.sockets.open(SocketKind::Tun, app, flow);
    w.ns.sockets.attach_tun(dev, id);
    let now = w.now;
    // a device that had no carrier has no packets that wait
    let _ = set_carrier(w.ns, dev, true, now);
    Ok(id)
}

/// A program writes a packet: it comes in by the device (tun_get_user).
///
/// # Errors
/// EINVAL for what is no IPv4 packet (tap: no frame), EBADF.
pub fn tun_write<T: Tracer>(w: &mut Walk<'_, T>, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
    let dev = w.ns.sockets.get(id).map(|s| s.device).ok_or(Errno::EBADF)?;
    let Some(DeviceKind::Tun(mode)) = w.ns.config.devices.get(dev).map(|d| d.kind.clone()) else { return Err(Errno::EBADF) };
    let frame = match mode {
        TunMode::Tun => {
            let packet = Ipv4Packet::decode(data).map_err(|_| Errno::EINVAL)?;
            Frame { eth: Ethernet::default(), net: Net::Ipv4(packet) }
        }
        TunMode::Tap => Frame::decode(data).map_err(|_| Errno::EINVAL)?,
    };
    let flow = w.flow;
    let mut skb = w.new_skb(frame.net, flow);
    if frame.eth != Ethernet::default() {
        skb.frame.eth = frame.eth;
        w.rewritten(&mut skb);
    }
    w.step(&skb, dev, Evidence::SocketSend { socket: id, len: data.len() as u32 });
    w.effects.0.push(Effect::Receive(dev, skb));
    Ok(data.len())
}

impl<T: Tracer> Walk<'_, T> {
    /// Hands a packet to the program at the other end (tun_net_xmit).
    pub(super) fn tun_net_xmit(&mut self, skb: Box<Skb>, dev: IfIndex, mode: TunMode) {
        let Some(id) = self.ns.sockets.tun_of(dev) else {
            return self.drop_skb(skb, dev, DropReason::DevReady);
        };
        let data: Bytes = match (mode, &skb.frame.net) {
            (TunMode::Tap, _) => skb.frame.encode().into(),
            (TunMode::Tun, Net::Ipv4(p)) => p.encode().into(),
            (TunMode::Tun, _) => return self.drop_skb(skb, dev, DropReason::UnhandledProto),
        };
        let any = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let ends = skb.frame.ipv4().map_or((any, any), |p| {
            let at = |a| Endpoint::new(IpAddr::V4(a), 0);
            (at(p.header.src), at(p.header.dst))
        });
        let ttl = skb.frame.ipv4().map_or(0, |p| p.header.ttl);
        let len = data.len() as u32;
        let datagram = Datagram { from: ends.0, to: ends.1, ttl, data, packet: skb.id, flow: skb.flow };
        let Some(s) = self.ns.sockets.get_mut(id).filter(|s| s.queue.len() < QUEUE) else {
            return self.drop_skb(skb, dev, DropReason::SocketRcvbuff);
        };
        s.queue.push_back(datagram);
        self.step(&skb, dev, Evidence::Deliver { socket: id, len });
        self.wake(id);
        self.release_ct(&skb);
    }
}
