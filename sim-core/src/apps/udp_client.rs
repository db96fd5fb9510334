//! A UDP client: connects its socket, sends a datagram, and waits for an answer or an error.
//!
//! It waits a second, unless another time-out is given. A client that holds its socket is told by [`Command::Send`] to
//! send again from it.

use super::options::{Command, Options};
use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use super::tcp_client::PATIENCE;
use crate::linux::socket::SocketKind;
use crate::linux::{Errno, SocketId};
use crate::packet::{Bytes, Endpoint, IpAddr};
use std::collections::VecDeque;
use std::time::Duration;

/// A UDP client.
#[derive(Clone, Debug)]
pub struct UdpClient {
    to: Endpoint<IpAddr>,
    data: Bytes,
    hold: bool,
    options: Options,
    socket: SocketId,
    timer: u32,
    waiting: bool,
    commands: VecDeque<Command>,
    current: Outcome,
    outcomes: Vec<Outcome>,
}

impl UdpClient {
    /// A client that sends `data` to `to`, and keeps its socket if it is to `hold`.
    pub fn new(to: impl Into<Endpoint<IpAddr>>, data: Bytes, hold: bool, options: Options) -> Self {
        UdpClient {
            to: to.into(),
            data,
            hold,
            options,
            socket: SocketId::NONE,
            timer: 0,
            waiting: false,
            commands: VecDeque::new(),
            current: Outcome::of(Ending::NoReply),
            outcomes: Vec::new(),
        }
    }

    /// Tells it what to do next; [`Event::Command`] is to follow.
    pub fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// The outcomes so far: of the first datagram, then of each command.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    fn start(&mut self, sys: &mut dyn Syscalls) {
        self.current.flow = self.options.flow;
        match self.options.open(sys, SocketKind::Udp) {
            Ok(id) => self.socket = id,
            Err(errno) => return self.fail_at_once(sys, errno),
        }
        let data = self.data.clone();
        self.ask(sys, &data, self.options.timeout);
    }

    fn ask(&mut self, sys: &mut dyn Syscalls, data: &[u8], timeout: Option<Duration>) {
        let sent = sys.connect(self.socket, self.to).and_then(|()| sys.send(self.socket, data));
        match sent {
            Ok(n) => self.current.sent = n,
            Err(errno) => return self.fail_at_once(sys, errno),
        }
        self.current.client_saw = sys.local(self.socket).zip(sys.peer(self.socket));
        self.waiting = true;
        self.timer += 1;
        sys.set_timer(timeout.unwrap_or(PATIENCE), self.timer);
        // An error of this host may be there already.
        self.look(sys);
    }

    fn fail_at_once(&mut self, sys: &mut dyn Syscalls, errno: Errno) {
        self.current = Outcome { immediate: true, flow: self.current.flow, ..Outcome::error(errno) };
        if let Some(report) = sys.recv_error(self.socket) {
            self.current = self.current.clone().with_report(&report);
        }
        self.end(sys);
    }

    fn look(&mut self, sys: &mut dyn Syscalls) {
        if !self.waiting {
            return;
        }
        let outcome = if let Some(report) = sys.recv_error(self.socket) {
            Outcome::reported(&report)
        } else {
            match sys.recv_from(self.socket) {
                Ok(d) => Outcome { received: d.data.len(), answer: Some((d.from.addr, d.ttl)), ..Outcome::of(Ending::Replied) },
                Err(Errno::EAGAIN) => return,
                Err(errno) => Outcome::error(errno),
            }
        };
        let Outcome { client_saw, sent, flow, .. } = self.current;
        self.current = Outcome { client_saw, sent, flow, ..outcome };
        self.end(sys);
    }

    fn end(&mut self, sys: &mut dyn Syscalls) {
        self.waiting = false;
        self.timer += 1;
        self.outcomes.push(self.current.clone());
        if !self.hold && self.socket.is_some() {
            sys.close(self.socket);
            self.socket = SocketId::NONE;
        }
        self.next_command(sys);
    }

    fn next_command(&mut self, sys: &mut dyn Syscalls) {
        if self.waiting {
            return;
        }
        let Some(command) = self.commands.pop_front() else { return };
        let flow = command.flow();
        self.current = Outcome { flow, ..Outcome::of(Ending::NoReply) };
        match command {
            Command::Send { data, timeout, .. } if self.socket.is_some() => {
                sys.set_flow(self.socket, flow);
                self.ask(sys, &data, timeout);
            }
            Command::Send { .. } => self.fail_at_once(sys, Errno::EBADF),
            Command::Close { .. } => {
                self.hold = false;
                self.current.ending = Ending::Sent;
                self.end(sys);
            }
        }
    }
}

impl Program for UdpClient {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => self.start(sys),
            Event::Socket(id) if id == self.socket => self.look(sys),
            Event::Timer(n) if n == self.timer && self.waiting => self.end(sys),
            Event::Command => self.next_command(sys),
            Event::Socket(_) | Event::Timer(_) => {}
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.first()
    }

    super::program!();
}
