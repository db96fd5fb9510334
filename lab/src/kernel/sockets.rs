//! The system calls of the programs, made in earnest: the same programs that run in the simulated world run on real sockets.
//!
//! Data is acknowledged at once (TCP_QUICKACK), as the simulated kernel does: otherwise the order of an acknowledgment and the
//! answer would hang on how busy the machine is.

use super::clock::Clock;
use super::netns::Namespace;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, getsockopt, recvmsg, setsockopt, sockopt};
use sim_core::apps::{Event, Program, Syscalls};
use sim_core::linux::socket::{Datagram, PmtuDisc, SockError, SocketKind};
use sim_core::linux::{Errno, FlowId, PacketId, SocketId, Time};
use sim_core::packet::{Bytes, Endpoint, IpAddr, Ipv4Addr};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::collections::BTreeMap;
use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Largest datagram.
const LARGEST: usize = 1 << 16;

/// The error of a system call, by the number it has.
fn errno_of(e: &io::Error) -> Errno {
    let number = e.raw_os_error().unwrap_or(22);
    ALL.iter().copied().find(|k| *k as i32 == number).unwrap_or(Errno::EINVAL)
}

/// Every error that the simulated kernel knows.
const ALL: &[Errno] = &[
    Errno::EPERM,
    Errno::ENOENT,
    Errno::EAGAIN,
    Errno::ENOMEM,
    Errno::EACCES,
    Errno::EBUSY,
    Errno::EEXIST,
    Errno::ENODEV,
    Errno::EINVAL,
    Errno::EPIPE,
    Errno::EBADF,
    Errno::EMSGSIZE,
    Errno::EPROTO,
    Errno::EOPNOTSUPP,
    Errno::EADDRINUSE,
    Errno::EADDRNOTAVAIL,
    Errno::ENETDOWN,
    Errno::ENETUNREACH,
    Errno::ECONNABORTED,
    Errno::ECONNRESET,
    Errno::ENOBUFS,
    Errno::EISCONN,
    Errno::ENOTCONN,
    Errno::ETIMEDOUT,
    Errno::ECONNREFUSED,
    Errno::EHOSTDOWN,
    Errno::EHOSTUNREACH,
    Errno::EALREADY,
    Errno::EINPROGRESS,
    Errno::ENOKEY,
    Errno::ENOPROTOOPT,
    Errno::ENONET,
];

fn sock_addr(e: Endpoint<IpAddr>) -> SockAddr {
    SockAddr::from(SocketAddr::new(e.addr, e.port))
}

fn endpoint(a: &SockAddr) -> Option<Endpoint<IpAddr>> {
    a.as_socket().map(|s| Endpoint::new(s.ip(), s.port()))
}

#[derive(Debug)]
struct Open {
    kind: SocketKind,
    socket: Socket,
    flow: FlowId,
    /// Whether it was bound, by whom it was accepted, or connected.
    recverr: bool,
}

/// The real kernel as a program sees it.
#[derive(Debug)]
struct Real {
    clock: Clock,
    epoll: Epoll,
    sockets: BTreeMap<SocketId, Open>,
    last: u32,
    timers: Vec<(Time, u32)>,
    /// The flow that runs: connections that come in belong to it.
    current: Arc<AtomicU32>,
    own: FlowId,
    seed: u64,
}

impl Real {
    fn get(&self, id: SocketId) -> Result<&Open, Errno> {
        self.sockets.get(&id).ok_or(Errno::EBADF)
    }

    fn add(&mut self, kind: SocketKind, socket: Socket, flow: FlowId) -> SocketId {
        self.last += 1;
        let id = SocketId(self.last);
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        // a socket that cannot be watched is one whose program is never woken: it times out
        let _ = self.epoll.add(&socket, EpollEvent::new(flags, u64::from(id.0)));
        self.sockets.insert(id, Open { kind, socket, flow, recverr: false });
        id
    }

    fn flow_now(&self) -> FlowId {
        if self.own.is_some() { self.own } else { FlowId(self.current.load(Ordering::SeqCst)) }
    }

    fn quick(&self, o: &Open) {
        if o.kind == SocketKind::Tcp {
            // an acknowledgment that waits goes out now
            let _ = SockRef::from(&o.socket).set_tcp_quickack(true);
        }
    }
}

impl Syscalls for Real {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn socket(&mut self, kind: SocketKind) -> SocketId {
        let (ty, protocol) = match kind {
            SocketKind::Tcp => (Type::STREAM, Protocol::TCP),
            SocketKind::Udp => (Type::DGRAM, Protocol::UDP),
            SocketKind::Icmp => (Type::RAW, Protocol::ICMPV4),
            // made by opening a device, which programs of the lab do not
            SocketKind::Tun => return SocketId::NONE,
        };
        let Ok(s) = Socket::new(Domain::IPV4, ty, Some(protocol)) else { return SocketId::NONE };
        let _ = s.set_nonblocking(true);
        match kind {
            SocketKind::Tcp => {
                let _ = s.set_reuse_address(true);
                let _ = s.set_tcp_quickack(true);
            }
            SocketKind::Udp | SocketKind::Icmp | SocketKind::Tun => {
                let _ = setsockopt(&s, sockopt::Ipv4RecvTtl, &true);
                let _ = setsockopt(&s, sockopt::Ipv4PacketInfo, &true);
            }
        }
        let flow = self.own;
        self.add(kind, s, flow)
    }

    fn set_ttl(&mut self, socket: SocketId, ttl: u8) {
        if let Ok(o) = self.get(socket) {
            let _ = o.socket.set_ttl_v4(u32::from(ttl));
        }
    }

    fn set_pmtudisc(&mut self, socket: SocketId, mode: PmtuDisc) {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery as D, set_ip_mtu_discover};
        if let Ok(o) = self.get(socket) {
            let mode = match mode {
                PmtuDisc::Dont => D::DONT,
                PmtuDisc::Want => D::WANT,
                PmtuDisc::Do => D::DO,
                PmtuDisc::Probe => D::PROBE,
            };
            let _ = set_ip_mtu_discover(&o.socket, mode);
        }
    }

    fn set_recverr(&mut self, socket: SocketId, on: bool) {
        if let Some(o) = self.sockets.get_mut(&socket) {
            let _ = setsockopt(&o.socket, sockopt::Ipv4RecvErr, &on);
            o.recverr = on;
        }
    }

    fn set_mark(&mut self, socket: SocketId, mark: u32) {
        if let Ok(o) = self.get(socket) {
            let _ = o.socket.set_mark(mark);
        }
    }

    fn bind(&mut self, socket: SocketId, local: Endpoint<IpAddr>) -> Result<(), Errno> {
        self.get(socket)?.socket.bind(&sock_addr(local)).map_err(|e| errno_of(&e))
    }

    fn listen(&mut self, socket: SocketId) -> Result<(), Errno> {
        self.get(socket)?.socket.listen(128).map_err(|e| errno_of(&e))
    }

    fn accept(&mut self, socket: SocketId) -> Option<SocketId> {
        let (s, _) = self.get(socket).ok()?.socket.accept().ok()?;
        let _ = s.set_nonblocking(true);
        let _ = s.set_tcp_quickack(true);
        let flow = self.flow_now();
        Some(self.add(SocketKind::Tcp, s, flow))
    }

    fn connect(&mut self, socket: SocketId, remote: Endpoint<IpAddr>) -> Result<(), Errno> {
        self.get(socket)?.socket.connect(&sock_addr(remote)).map_err(|e| errno_of(&e))
    }

    fn send(&mut self, socket: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let o = self.get(socket)?;
        match o.kind {
            SocketKind::Tcp => (&o.socket).write(data).map_err(|e| errno_of(&e)),
            SocketKind::Udp | SocketKind::Icmp | SocketKind::Tun => o.socket.send(data).map_err(|e| errno_of(&e)),
        }
    }

    fn send_to(&mut self, socket: SocketId, to: Endpoint<IpAddr>, data: &[u8]) -> Result<usize, Errno> {
        self.get(socket)?.socket.send_to(data, &sock_addr(to)).map_err(|e| errno_of(&e))
    }

    fn send_raw(&mut self, packet: &[u8]) -> Result<usize, Errno> {
        let dst = packet.get(16..20).map(|d| Ipv4Addr::new(d[0], d[1], d[2], d[3])).ok_or(Errno::EINVAL)?;
        // IPPROTO_RAW implies IP_HDRINCL
        let s = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).map_err(|e| errno_of(&e))?;
        s.send_to(packet, &sock_addr(Endpoint::new(dst.into(), 0))).map_err(|e| errno_of(&e))
    }

    fn recv(&mut self, socket: SocketId) -> Result<Bytes, Errno> {
        let o = self.get(socket)?;
        let mut buffer = vec![0u8; LARGEST];
        let n = (&o.socket).read(&mut buffer).map_err(|e| errno_of(&e))?;
        self.quick(o);
        Ok(Bytes::from(&buffer[..n]))
    }

    fn recv_from(&mut self, socket: SocketId) -> Result<Datagram, Errno> {
        let o = self.get(socket)?;
        let mut buffer = vec![0u8; LARGEST];
        let mut space = nix::cmsg_space!(nix::libc::in_pktinfo, nix::libc::c_int);
        let mut iov = [IoSliceMut::new(&mut buffer)];
        let m = recvmsg::<SockaddrIn>(o.socket.as_raw_fd(), &mut iov, Some(&mut space), MsgFlags::MSG_DONTWAIT)
            .map_err(|e| errno_of(&io::Error::from(e)))?;
        let (n, from) = (m.bytes, m.address);
        let (mut ttl, mut to) = (0, Ipv4Addr::UNSPECIFIED);
        for c in m.cmsgs().into_iter().flatten() {
            match c {
                ControlMessageOwned::Ipv4Ttl(t) => ttl = u8::try_from(t).unwrap_or(0),
                ControlMessageOwned::Ipv4PacketInfo(i) => to = Ipv4Addr::from(u32::from_be(i.ipi_addr.s_addr)),
                _ => {}
            }
        }
        let from = from.map_or(Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), 0), |a| Endpoint::new(a.ip().into(), a.port()));
        let mut data = &buffer[..n];
        if o.kind == SocketKind::Icmp {
            // a raw socket reads the IP header too
            let header = data.first().map_or(20, |b| usize::from(b & 15) * 4);
            ttl = data.get(8).copied().unwrap_or(0);
            data = data.get(header..).unwrap_or(&[]);
        }
        let port = self.local(socket).map_or(0, |e| e.port);
        let flow = self.flow_now();
        Ok(Datagram { from, to: Endpoint::new(to.into(), port), ttl, data: data.into(), packet: PacketId::NONE, flow })
    }

    fn recv_error(&mut self, socket: SocketId) -> Option<SockError> {
        let o = self.get(socket).ok()?;
        let mut buffer = vec![0u8; 2048];
        let mut space = vec![0u8; 512];
        let mut iov = [IoSliceMut::new(&mut buffer)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let m = recvmsg::<SockaddrIn>(o.socket.as_raw_fd(), &mut iov, Some(&mut space), flags).ok()?;
        m.cmsgs().into_iter().flatten().find_map(|c| {
            let ControlMessageOwned::Ipv4RecvErr(e, from) = c else { return None };
            let errno = ALL.iter().copied().find(|k| *k as u32 == e.ee_errno).unwrap_or(Errno::EINVAL);
            let icmp = (e.ee_origin == 2).then_some((e.ee_type, e.ee_code));
            let offender = from.map(|a| Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)).into());
            Some(SockError { errno, icmp, info: e.ee_info, offender })
        })
    }

    fn take_error(&mut self, socket: SocketId) -> Option<Errno> {
        let o = self.get(socket).ok()?;
        let number = getsockopt(&o.socket, sockopt::SocketError).ok()?;
        ALL.iter().copied().find(|k| *k as i32 == number && number != 0)
    }

    fn is_connected(&self, socket: SocketId) -> bool {
        self.get(socket).is_ok_and(|o| o.socket.peer_addr().is_ok())
    }

    fn local(&self, socket: SocketId) -> Option<Endpoint<IpAddr>> {
        endpoint(&self.get(socket).ok()?.socket.local_addr().ok()?)
    }

    fn peer(&self, socket: SocketId) -> Option<Endpoint<IpAddr>> {
        endpoint(&self.get(socket).ok()?.socket.peer_addr().ok()?)
    }

    fn flow_of(&self, socket: SocketId) -> FlowId {
        self.get(socket).map_or(FlowId::NONE, |o| o.flow)
    }

    fn set_flow(&mut self, socket: SocketId, flow: FlowId) {
        if let Some(o) = self.sockets.get_mut(&socket) {
            o.flow = flow;
        }
    }

    fn shutdown(&mut self, socket: SocketId) {
        if let Ok(o) = self.get(socket) {
            let _ = o.socket.shutdown(std::net::Shutdown::Write);
        }
    }

    fn close(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
    }

    fn set_timer(&mut self, after: Duration, number: u32) {
        self.timers.push((self.clock.now() + after, number));
    }

    fn random_below(&mut self, n: u32) -> u32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as u32 % n.max(1)
    }
}

/// A change of a program from outside.
pub type Tell = Box<dyn FnOnce(&mut dyn Program) + Send>;

/// A program that runs in a real namespace, on a thread of its own.
pub struct Running {
    program: Arc<Mutex<Box<dyn Program>>>,
    told: mpsc::Sender<Tell>,
    bell: Arc<EventFd>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// What a program is told of its surroundings.
#[derive(Clone, Debug)]
pub struct Start {
    /// The clock of the run.
    pub clock: Clock,
    /// The flow that runs.
    pub current: Arc<AtomicU32>,
    /// The flow that it is the client of; none for a server.
    pub own: FlowId,
}

/// The number under which the bell is watched.
const BELL: u64 = u64::MAX;

impl Running {
    /// Starts a program in a namespace; it has been woken once when this returns.
    ///
    /// # Errors
    /// When no thread or no namespace can be had.
    pub fn start(ns: &Namespace, program: Box<dyn Program>, start: Start) -> io::Result<Self> {
        let program = Arc::new(Mutex::new(program));
        let (told, commands) = mpsc::channel::<Tell>();
        let (ready, begun) = mpsc::channel::<io::Result<()>>();
        let bell = Arc::new(EventFd::new()?);
        let over = Arc::new(AtomicBool::new(false));
        let (p, b, o, ns) = (program.clone(), bell.clone(), over.clone(), ns.clone());
        let thread = std::thread::Builder::new().name("program".to_owned()).spawn(move || {
            let epoll = ns.enter().and_then(|()| {
                let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
                epoll.add(&*b, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
                Ok(epoll)
            });
            let epoll = match epoll {
                Ok(e) => e,
                Err(e) => return drop(ready.send(Err(e))),
            };
            let seed = u64::from(start.own.0) + 1;
            let mut real = Real {
                clock: start.clock,
                epoll,
                sockets: BTreeMap::new(),
                last: 0,
                timers: Vec::new(),
                current: start.current,
                own: start.own,
                seed,
            };
            wake(&p, &mut real, Event::Start);
            let _ = ready.send(Ok(()));
            serve(&p, &mut real, &commands, &b, &o);
        })?;
        begun.recv().unwrap_or_else(|_| Err(io::Error::other("the thread died")))?;
        Ok(Running { program, told, bell, over, thread: Some(thread) })
    }

    /// Looks at the program.
    pub fn look<T>(&self, f: impl FnOnce(&dyn Program) -> T) -> T {
        f(&**self.program.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Tells it something, and wakes it with [`Event::Command`].
    pub fn tell(&self, tell: Tell) {
        if self.told.send(tell).is_ok() {
            let _ = self.bell.write(1);
        }
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.bell.write(1);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wake(program: &Mutex<Box<dyn Program>>, real: &mut Real, event: Event) {
    program.lock().unwrap_or_else(std::sync::PoisonError::into_inner).wake(real, event);
}

fn serve(program: &Mutex<Box<dyn Program>>, real: &mut Real, commands: &mpsc::Receiver<Tell>, bell: &EventFd, over: &AtomicBool) {
    let mut events = [EpollEvent::empty(); 16];
    while !over.load(Ordering::SeqCst) {
        let next = real.timers.iter().map(|(t, _)| *t).min();
        let wait = next.map_or(Duration::from_millis(500), |t| t.since(real.clock.now())).min(Duration::from_millis(500));
        let ms = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(500);
        let n = real.epoll.wait(&mut events, EpollTimeout::from(ms)).unwrap_or(0);
        for e in &events[..n] {
            if e.data() == BELL {
                let _ = bell.read();
                continue;
            }
            wake(program, real, Event::Socket(SocketId(e.data() as u32)));
        }
        while let Ok(tell) = commands.try_recv() {
            tell(&mut **program.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
            wake(program, real, Event::Command);
        }
        let now = real.clock.now();
        let mut due: Vec<(Time, u32)> = real.timers.iter().copied().filter(|(t, _)| *t <= now).collect();
        due.sort_unstable();
        real.timers.retain(|(t, _)| *t > now);
        for (_, number) in due {
            wake(program, real, Event::Timer(number));
        }
    }
}
