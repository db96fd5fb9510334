//! What a program may ask of its kernel, and when it is woken.
//!
//! Models: the socket system calls of a non-blocking program (connect(2), send(2), recv(2), …).

use crate::linux::socket::{Datagram, PmtuDisc, SockError, SocketKind};
use crate::linux::{Errno, FlowId, SocketId, Time};
use crate::packet::{Bytes, Endpoint, IpAddr};
use std::fmt::Debug;
use std::time::Duration;

/// Why a program is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It starts.
    Start,
    /// Something happened at one of its sockets: data, a connection, an error, the end.
    Socket(SocketId),
    /// A timer that it set, by the number it gave.
    Timer(u32),
    /// It was given a command from outside.
    Command,
}

/// The system calls. All are non-blocking; a program is woken when something changes.
pub trait Syscalls {
    /// The time.
    fn now(&self) -> Time;
    /// A socket.
    fn socket(&mut self, kind: SocketKind) -> SocketId;
    /// Opens a tun device of that name (/dev/net/tun, TUNSETIFF): [`Syscalls::recv_from`] reads its packets, [`Syscalls::send`]
    /// writes some.
    ///
    /// # Errors
    /// ENODEV, EINVAL if it is another kind of device, EBUSY if a program has it.
    fn tun_open(&mut self, _name: &str) -> Result<SocketId, Errno> {
        Err(Errno::ENODEV)
    }
    /// IP_TTL.
    fn set_ttl(&mut self, socket: SocketId, ttl: u8);
    /// IP_MTU_DISCOVER.
    fn set_pmtudisc(&mut self, socket: SocketId, mode: PmtuDisc);
    /// IP_RECVERR.
    fn set_recverr(&mut self, socket: SocketId, on: bool);
    /// SO_MARK.
    fn set_mark(&mut self, socket: SocketId, mark: u32);
    /// Binds to an address (unspecified: any) and a port (0: one is chosen).
    ///
    /// # Errors
    /// EADDRINUSE, EADDRNOTAVAIL.
    fn bind(&mut self, socket: SocketId, local: Endpoint<IpAddr>) -> Result<(), Errno>;
    /// Waits for TCP connections.
    ///
    /// # Errors
    /// EADDRINUSE if another socket listens on the port.
    fn listen(&mut self, socket: SocketId) -> Result<(), Errno>;
    /// The next connection that came in at a listening socket.
    fn accept(&mut self, socket: SocketId) -> Option<SocketId>;
    /// Connects; for TCP the handshake begins and EINPROGRESS is the normal answer.
    ///
    /// # Errors
    /// What the kernel says at once: EINPROGRESS, ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, EADDRNOTAVAIL.
    fn connect(&mut self, socket: SocketId, remote: Endpoint<IpAddr>) -> Result<(), Errno>;
    /// Sends on a connected socket; for ICMP the bytes are the ICMP message, its checksum filled in by the caller or not.
    ///
    /// # Errors
    /// EPERM, EMSGSIZE, ENOBUFS, ENOTCONN, EPIPE, ECONNRESET, pending errors.
    fn send(&mut self, socket: SocketId, data: &[u8]) -> Result<usize, Errno>;
    /// Sends a datagram to an address.
    ///
    /// # Errors
    /// As [`Syscalls::send`], and those of a route lookup.
    fn send_to(&mut self, socket: SocketId, to: Endpoint<IpAddr>, data: &[u8]) -> Result<usize, Errno>;
    /// Sends a whole IPv4 packet, header included (IPPROTO_RAW with IP_HDRINCL).
    ///
    /// # Errors
    /// As [`Syscalls::send_to`].
    fn send_raw(&mut self, packet: &[u8]) -> Result<usize, Errno>;
    /// Reads what a TCP connection has received: empty at the end of the stream.
    ///
    /// # Errors
    /// EAGAIN when there is nothing yet, ECONNRESET, ETIMEDOUT and other ends of the connection.
    fn recv(&mut self, socket: SocketId) -> Result<Bytes, Errno>;
    /// Reads a datagram (UDP, ICMP).
    ///
    /// # Errors
    /// EAGAIN when there is none, or the pending error.
    fn recv_from(&mut self, socket: SocketId) -> Result<Datagram, Errno>;
    /// MSG_ERRQUEUE: the next error reported to the socket.
    fn recv_error(&mut self, socket: SocketId) -> Option<SockError>;
    /// SO_ERROR: takes the pending error.
    fn take_error(&mut self, socket: SocketId) -> Option<Errno>;
    /// Whether a TCP socket is connected (writable after connect).
    fn is_connected(&self, socket: SocketId) -> bool;
    /// getsockname.
    fn local(&self, socket: SocketId) -> Option<Endpoint<IpAddr>>;
    /// getpeername.
    fn peer(&self, socket: SocketId) -> Option<Endpoint<IpAddr>>;
    /// The flow that a socket's packets belong to (for a connection that was accepted: the flow of its SYN).
    fn flow_of(&self, socket: SocketId) -> FlowId;
    /// Makes a socket's packets belong to a flow.
    fn set_flow(&mut self, socket: SocketId, flow: FlowId);
    /// shutdown(SHUT_WR) for TCP: no more data from here.
    fn shutdown(&mut self, socket: SocketId);
    /// close(2).
    fn close(&mut self, socket: SocketId);
    /// Wakes the program after a while, with that number.
    fn set_timer(&mut self, after: Duration, number: u32);
    /// A random number below `n`.
    fn random_below(&mut self, n: u32) -> u32;
}

/// A program.
pub trait Program: Debug + Send + Sync {
    /// Something happened.
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event);
    /// A copy in the same state.
    fn boxed_clone(&self) -> Box<dyn Program>;
    /// For reading results back out.
    fn as_any(&self) -> &dyn std::any::Any;
    /// For giving commands from outside; [`Event::Command`] follows.
    fn as_any_mut(&mut self) -> &mut dyn std::any::Any;
    /// What it saw, once that is settled.
    fn outcome(&self) -> Option<&super::outcome::Outcome> {
        None
    }
}
