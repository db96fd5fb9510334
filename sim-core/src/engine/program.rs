//! Programs: where they run, and the system calls that they make.

use super::queue::{Happening, Queue};
use super::world::World;
use crate::apps::{Event, Program, Syscalls};
use crate::datapath::walk::Walk;
use crate::datapath::{Effects, Ids, syscall, tun};
use crate::linux::rng::{Draw, Rng};
use crate::linux::socket::{Datagram, PmtuDisc, SockError, SocketKind};
use crate::linux::{Errno, FlowId, Netns, NetnsId, PacketId, SocketId, Time};
use crate::packet::{Bytes, Endpoint, IpAddr};
use crate::trace::Tracer;
use std::sync::Arc;
use std::time::Duration;

/// A program of the world.
#[derive(Debug)]
pub struct Slot {
    /// Where it runs.
    pub netns: NetnsId,
    /// Its name: `nginx`, `ping`.
    pub name: Arc<str>,
    /// The flow that it is the client of.
    pub flow: FlowId,
    /// The program; none while it runs, and when it has been killed.
    pub program: Option<Box<dyn Program>>,
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        Slot { netns: self.netns, name: self.name.clone(), flow: self.flow, program: self.program.as_ref().map(|p| p.boxed_clone()) }
    }
}

/// The kernel as a program sees it, for the time of one wake-up.
#[derive(Debug)]
struct Kernel<'a, T: Tracer> {
    ns: &'a mut Netns,
    now: Time,
    rng: &'a mut Rng,
    trace: &'a mut T,
    effects: &'a mut Effects,
    ids: &'a mut Ids,
    cause: PacketId,
    flow: FlowId,
    program: u32,
    timers: Vec<(Time, u32)>,
}

impl<T: Tracer> Kernel<'_, T> {
    fn walk(&mut self) -> Walk<'_, T> {
        Walk {
            ns: self.ns,
            now: self.now,
            rng: self.rng,
            trace: self.trace,
            effects: self.effects,
            ids: self.ids,
            cause: self.cause,
            flow: self.flow,
        }
    }
}

impl<T: Tracer> Syscalls for Kernel<'_, T> {
    fn now(&self) -> Time {
        self.now
    }
    fn socket(&mut self, kind: SocketKind) -> SocketId {
        let (program, flow) = (self.program, self.flow);
        syscall::socket(&mut self.walk(), kind, program, flow)
    }
    fn tun_open(&mut self, name: &str) -> Result<SocketId, Errno> {
        let (program, flow) = (self.program, self.flow);
        tun::tun_open(&mut self.walk(), name, program, flow)
    }
    fn set_ttl(&mut self, socket: SocketId, ttl: u8) {
        syscall::set_ttl(&mut self.walk(), socket, ttl);
    }
    fn set_pmtudisc(&mut self, socket: SocketId, mode: PmtuDisc) {
        syscall::set_pmtudisc(&mut self.walk(), socket, mode);
    }
    fn set_recverr(&mut self, socket: SocketId, on: bool) {
        syscall::set(&mut self.walk(), socket, |s| s.recverr = on);
    }
    fn set_mark(&mut self, socket: SocketId, mark: u32) {
        syscall::set(&mut self.walk(), socket, |s| s.mark = mark);
    }
    fn bind(&mut self, socket: SocketId, local: Endpoint<IpAddr>) -> Result<(), Errno> {
        syscall::bind(&mut self.walk(), socket, local)
    }
    fn listen(&mut self, socket: SocketId) -> Result<(), Errno> {
        syscall::listen(&mut self.walk(), socket)
    }
    fn accept(&mut self, socket: SocketId) -> Option<SocketId> {
        syscall::accept(&mut self.walk(), socket)
    }
    fn connect(&mut self, socket: SocketId, remote: Endpoint<IpAddr>) -> Result<(), Errno> {
        syscall::connect(&mut self.walk(), socket, remote)
    }
    fn send(&mut self, socket: SocketId, data: &[u8]) -> Result<usize, Errno> {
        syscall::send(&mut self.walk(), socket, data)
    }
    fn send_to(&mut self, socket: SocketId, to: Endpoint<IpAddr>, data: &[u8]) -> Result<usize, Errno> {
        syscall::send_to(&mut self.walk(), socket, to, data)
    }
    fn send_raw(&mut self, packet: &[u8]) -> Result<usize, Errno> {
        syscall::send_raw(&mut self.walk(), packet)
    }
    fn recv(&mut self, socket: SocketId) -> Result<Bytes, Errno> {
        syscall::recv(&mut self.walk(), socket)
    }
    fn recv_from(&mut self, socket: SocketId) -> Result<Datagram, Errno> {
        syscall::recv_from(&mut self.walk(), socket)
    }
    fn recv_error(&mut self, socket: SocketId) -> Option<SockError> {
        syscall::recv_error(&mut self.walk(), socket)
    }
    fn take_error(&mut self, socket: SocketId) -> Option<Errno> {
        syscall::take_error(&mut self.walk(), socket)
    }
    fn is_connected(&self, socket: SocketId) -> bool {
        syscall::is_connected(&*self.ns, socket)
    }
    fn local(&self, socket: SocketId) -> Option<Endpoint<IpAddr>> {
        self.ns.sockets.get(socket).map(|s| s.local)
    }
    fn peer(&self, socket: SocketId) -> Option<Endpoint<IpAddr>> {
        self.ns.sockets.get(socket).and_then(|s| s.remote)
    }
    fn flow_of(&self, socket: SocketId) -> FlowId {
        self.ns.sockets.get(socket).map_or(FlowId::NONE, |s| s.flow)
    }
    fn set_flow(&mut self, socket: SocketId, flow: FlowId) {
        if let Some(s) = self.ns.sockets.get_mut(socket) {
            s.flow = flow;
        }
    }
    fn shutdown(&mut self, socket: SocketId) {
        syscall::shutdown(&mut self.walk(), socket);
    }
    fn close(&mut self, socket: SocketId) {
        syscall::close(&mut self.walk(), socket);
    }
    fn set_timer(&mut self, after: Duration, number: u32) {
        self.timers.push((self.now + after, number));
    }
    fn random_below(&mut self, n: u32) -> u32 {
        self.rng.below(Draw::Program, n)
    }
}

impl World {
    /// Puts a program into a namespace; it is woken with [`Event::Start`] at once.
    pub fn spawn(&mut self, netns: NetnsId, name: &str, flow: FlowId, program: Box<dyn Program>) -> u32 {
        let id = self.programs.len() as u32;
        self.programs.push(Arc::new(Slot { netns, name: name.into(), flow, program: Some(program) }));
        self.queue.push(self.now, self.now, Happening::Wake { program: id, event: Event::Start, cause: PacketId::NONE, flow });
        id
    }

    /// The program `id`.
    pub fn program(&self, id: u32) -> Option<&Slot> {
        self.programs.get(id as usize).map(|s| &**s)
    }

    /// All programs, by number.
    pub fn programs(&self) -> impl Iterator<Item = &Slot> {
        self.programs.iter().map(|s| &**s)
    }

    /// Tells a program something from outside, and wakes it with [`Event::Command`].
    pub fn command(&mut self, id: u32, tell: impl FnOnce(&mut dyn Program)) {
        let Some(slot) = self.programs.get_mut(id as usize) else { return };
        let slot = Arc::make_mut(slot);
        if let Some(program) = slot.program.as_deref_mut() {
            tell(program);
            let flow = slot.flow;
            self.queue.push(self.now, self.now, Happening::Wake { program: id, event: Event::Command, cause: PacketId::NONE, flow });
        }
    }

    /// Ends a program without a word; its sockets stay with the kernel.
    pub fn kill(&mut self, id: u32) {
        if let Some(slot) = self.programs.get_mut(id as usize) {
            Arc::make_mut(slot).program = None;
        }
    }

    /// Wakes a program, and puts what it wants into the queue. Effects are left in `self.effects`.
    pub(super) fn wake<T: Tracer>(&mut self, trace: &mut T, id: u32, event: Event, cause: PacketId, flow: FlowId) -> Option<NetnsId> {
        let slot = Arc::make_mut(self.programs.get_mut(id as usize)?);
        let netns = slot.netns;
        let own_flow = if slot.flow.is_some() { slot.flow } else { flow };
        let mut program = slot.program.take()?;
        let ns = Arc::make_mut(self.netns.get_mut(netns.0 as usize)?);
        let mut kernel = Kernel {
            ns,
            now: self.now,
            rng: &mut self.rng,
            trace,
            effects: &mut self.effects,
            ids: &mut self.ids,
            cause,
            flow: own_flow,
            program: id,
            timers: Vec::new(),
        };
        program.wake(&mut kernel, event);
        let timers = std::mem::take(&mut kernel.timers);
        set_timers(&mut self.queue, self.now, id, own_flow, timers);
        Arc::make_mut(self.programs.get_mut(id as usize)?).program = Some(program);
        Some(netns)
    }
}

fn set_timers(queue: &mut Queue, now: Time, program: u32, flow: FlowId, timers: Vec<(Time, u32)>) {
    for (at, number) in timers {
        queue.push(now, at, Happening::Wake { program, event: Event::Timer(number), cause: PacketId::NONE, flow });
    }
}
