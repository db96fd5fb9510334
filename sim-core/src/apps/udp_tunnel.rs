//! A daemon that carries the packets of a tun device to other hosts in UDP: flannel's `udp` backend is one.
//!
//! Models: flannel pkg/backend/udp proxy_amd64.c run_proxy, tun_to_udp, udp_to_tun.
//! Simplifies: packets without a route end silently; the real daemon answers with an ICMP error.

use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::SocketKind;
use crate::linux::{Errno, SocketId};
use crate::packet::{Endpoint, IpAddr, Ipv4Addr, Ipv4Packet, Prefix};
use std::any::Any;

/// The port of flannel's `udp` backend.
pub const FLANNEL_PORT: u16 = 8285;

/// What a daemon is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpTunnelOptions {
    /// The tun device.
    pub device: String,
    /// Address and port that it sends from and listens on.
    pub local: Endpoint<IpAddr>,
    /// Which host takes the packets to which range.
    pub routes: Vec<(Prefix<Ipv4Addr>, IpAddr)>,
    /// UDP port of the other daemons.
    pub port: u16,
}

/// The daemon.
#[derive(Clone, Debug)]
pub struct UdpTunnel {
    options: UdpTunnelOptions,
    tun: SocketId,
    socket: SocketId,
    /// Why it could not start.
    failed: Option<Errno>,
}

impl UdpTunnel {
    /// A daemon that is still to be started.
    pub fn new(options: UdpTunnelOptions) -> Self {
        UdpTunnel { options, tun: SocketId::NONE, socket: SocketId::NONE, failed: None }
    }

    /// Why it could not start.
    pub fn failed(&self) -> Option<Errno> {
        self.failed
    }

    fn start(&mut self, sys: &mut dyn Syscalls) -> Result<(), Errno> {
        self.socket = sys.socket(SocketKind::Udp);
        sys.bind(self.socket, self.options.local)?;
        self.tun = sys.tun_open(&self.options.device)?;
        Ok(())
    }

    /// The host that takes packets to `to`: that of the longest range.
    fn route(&self, to: Ipv4Addr) -> Option<IpAddr> {
        self.options.routes.iter().filter(|(p, _)| p.contains(to)).max_by_key(|(p, _)| p.len()).map(|(_, host)| *host)
    }

    fn tun_to_udp(&self, sys: &mut dyn Syscalls) {
        while let Ok(d) = sys.recv_from(self.tun) {
            let Some(packet) = one_hop_less(&d.data) else { continue };
            let Some(host) = self.route(packet.header.dst) else { continue };
            sys.set_flow(self.socket, d.flow);
            // what the host says of a packet it cannot send is written to a log that nobody reads
            let _ = sys.send_to(self.socket, Endpoint::new(host, self.options.port), &packet.encode());
        }
    }

    fn udp_to_tun(&self, sys: &mut dyn Syscalls) {
        loop {
            match sys.recv_from(self.socket) {
                Ok(d) => {
                    if let Some(packet) = one_hop_less(&d.data) {
                        let _ = sys.send(self.tun, &packet.encode());
                    }
                }
                Err(Errno::EAGAIN) => return,
                // an ICMP error about a packet of ours: on with the next one
                Err(_) => {}
            }
        }
    }
}

/// The packet with one hop less to live; none if it had no more.
fn one_hop_less(data: &[u8]) -> Option<Ipv4Packet> {
    let mut packet = Ipv4Packet::decode(data).ok()?;
    packet.header.ttl = packet.header.ttl.checked_sub(1).filter(|t| *t > 0)?;
    Some(packet)
}

impl Program for UdpTunnel {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => self.failed = self.start(sys).err(),
            Event::Socket(id) if id == self.tun => self.tun_to_udp(sys),
            Event::Socket(id) if id == self.socket => self.udp_to_tun(sys),
            Event::Socket(_) | Event::Timer(_) | Event::Command => {}
        }
    }
    fn boxed_clone(&self) -> Box<dyn Program> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_longest_range_takes_the_packet() {
        let host = |n| IpAddr::V4(Ipv4Addr::new(10, 168, 0, n));
        let routes = vec![("10.244.0.0/16".parse().unwrap(), host(2)), ("10.244.2.0/24".parse().unwrap(), host(3))];
        let local = Endpoint::new(host(1), FLANNEL_PORT);
        let d = UdpTunnel::new(UdpTunnelOptions { device: "flannel0".into(), local, routes, port: FLANNEL_PORT });
        for (to, want) in [("10.244.2.9", Some(host(3))), ("10.244.3.9", Some(host(2))), ("10.245.0.1", None)] {
            assert_eq!(d.route(to.parse().unwrap()), want, "{to}");
        }
    }
}
