//! A TCP client: connects, sends, reads the answer, closes; or stays open and is told what to do next.
//!
//! The answer is complete when as many bytes have come back as an echo server sends (what was sent, and `-ok`), when the
//! other side closes, or when nothing has come for the time-out (a second, unless another is given). Connecting takes as
//! long as the kernel tries, unless a time-out is given. At the end it closes its half, and waits at most a second for
//! the other side to close too.

use super::options::{Command, Options};
use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::SocketKind;
use crate::linux::{Errno, SocketId};
use crate::packet::{Bytes, Endpoint, IpAddr};
use std::collections::VecDeque;
use std::time::Duration;

/// How long it waits for an answer, and for the other side to close.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// What an echo server adds.
const ECHO_EXTRA: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    Waiting,
    Open,
    Closing,
    Closed,
}

/// A TCP client.
#[derive(Clone, Debug)]
pub struct TcpClient {
    to: Endpoint<IpAddr>,
    data: Bytes,
    hold: bool,
    options: Options,
    socket: SocketId,
    phase: Phase,
    timer: u32,
    unsent: Bytes,
    commands: VecDeque<Command>,
    /// The outcome of what it is doing.
    current: Outcome,
    /// Outcomes: of the connection, then of each command.
    outcomes: Vec<Outcome>,
    /// All that came back.
    received: Vec<u8>,
}

impl TcpClient {
    /// A client that connects to `to`, sends `data` unless it is empty, reads the answer, and closes unless it is to `hold`.
    pub fn new(to: impl Into<Endpoint<IpAddr>>, data: Bytes, hold: bool, options: Options) -> Self {
        TcpClient {
            to: to.into(),
            data,
            hold,
            options,
            socket: SocketId::NONE,
            phase: Phase::Idle,
            timer: 0,
            unsent: Bytes::EMPTY,
            commands: VecDeque::new(),
            current: Outcome::of(Ending::Connected),
            outcomes: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Tells it what to do next; [`Event::Command`] is to follow.
    pub fn push(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    /// The outcomes so far: of the connection, then of each command.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// All that came back.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Its socket.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    fn start(&mut self, sys: &mut dyn Syscalls) {
        self.current.flow = self.options.flow;
        match self.options.open(sys, SocketKind::Tcp) {
            Ok(id) => self.socket = id,
            Err(errno) => return self.fail_at_once(sys, errno),
        }
        match sys.connect(self.socket, self.to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => return self.fail_at_once(sys, errno),
        }
        self.phase = Phase::Connecting;
        if let Some(limit) = self.options.timeout {
            self.set_timer(sys, limit);
        }
    }

    fn set_timer(&mut self, sys: &mut dyn Syscalls, after: Duration) {
        self.timer += 1;
        sys.set_timer(after, self.timer);
    }

    fn fail_at_once(&mut self, sys: &mut dyn Syscalls, errno: Errno) {
        self.current = Outcome { immediate: true, flow: self.current.flow, ..Outcome::error(errno) };
        self.end(sys);
    }

    fn fail(&mut self, sys: &mut dyn Syscalls, errno: Errno) {
        let old = self.current.clone();
        let failed = Outcome::error(errno);
        self.current = Outcome { ending: failed.ending, errno: failed.errno, ..old };
        if let Some(report) = sys.recv_error(self.socket) {
            self.current = self.current.clone().with_report(&report);
        }
        self.end(sys);
    }

    /// What it was doing is over, and so is the connection.
    fn end(&mut self, sys: &mut dyn Syscalls) {
        self.timer += 1;
        if self.socket.is_some() && self.phase != Phase::Closed {
            sys.close(self.socket);
        }
        self.phase = Phase::Closed;
        self.outcomes.push(self.current.clone());
        self.refuse_commands();
    }

    /// Commands to a connection that is over fail.
    fn refuse_commands(&mut self) {
        while let Some(c) = self.commands.pop_front() {
            let outcome = match c {
                Command::Send { .. } => Outcome { immediate: true, ..Outcome::error(Errno::EPIPE) },
                Command::Close { .. } => Outcome::of(Ending::Sent),
            };
            self.outcomes.push(Outcome { flow: c.flow(), ..outcome });
        }
    }

    fn connected(&mut self, sys: &mut dyn Syscalls) {
        sys.set_recverr(self.socket, false);
        self.current.client_saw = sys.local(self.socket).zip(sys.peer(self.socket));
        let data = self.data.clone();
        self.ask(sys, data, self.options.timeout);
    }

    /// Sends, and waits for the answer.
    fn ask(&mut self, sys: &mut dyn Syscalls, data: Bytes, timeout: Option<Duration>) {
        self.phase = Phase::Waiting;
        self.unsent = data.clone();
        self.write(sys);
        if self.phase != Phase::Waiting {
            return;
        }
        if data.is_empty() {
            return self.answered(sys);
        }
        self.set_timer(sys, timeout.unwrap_or(PATIENCE));
    }

    fn write(&mut self, sys: &mut dyn Syscalls) {
        while !self.unsent.is_empty() {
            match sys.send(self.socket, &self.unsent) {
                Ok(n) => {
                    self.current.sent += n;
                    self.unsent = Bytes::from(self.unsent.get(n..).unwrap_or(&[]));
                }
                Err(Errno::EAGAIN) => return,
                Err(errno) => return self.fail(sys, errno),
            }
        }
    }

    /// Reads what there is; true at the end of the stream or after an error.
    fn read(&mut self, sys: &mut dyn Syscalls) -> bool {
        loop {
            match sys.recv(self.socket) {
                Ok(data) if data.is_empty() => return true,
                Ok(data) => {
                    self.current.received += data.len();
                    self.received.extend_from_slice(&data);
                }
                Err(Errno::EAGAIN) => return false,
                Err(errno) => {
                    self.fail(sys, errno);
                    return true;
                }
            }
        }
    }

    /// The answer is complete, or none will come.
    fn answered(&mut self, sys: &mut dyn Syscalls) {
        self.timer += 1;
        if self.hold {
            self.phase = Phase::Open;
            self.outcomes.push(self.current.clone());
            return self.next_command(sys);
        }
        self.shut(sys);
    }

    fn shut(&mut self, sys: &mut dyn Syscalls) {
        self.phase = Phase::Closing;
        sys.shutdown(self.socket);
        self.set_timer(sys, PATIENCE);
        if self.read(sys) && self.phase == Phase::Closing {
            self.end(sys);
        }
    }

    fn next_command(&mut self, sys: &mut dyn Syscalls) {
        if self.phase == Phase::Closed {
            return self.refuse_commands();
        }
        if self.phase != Phase::Open {
            return;
        }
        let Some(command) = self.commands.pop_front() else { return };
        let flow = command.flow();
        sys.set_flow(self.socket, flow);
        let client_saw = self.current.client_saw;
        match command {
            Command::Send { data, timeout, .. } => {
                self.current = Outcome { client_saw, flow, ..Outcome::of(Ending::Replied) };
                self.ask(sys, data, timeout);
            }
            Command::Close { .. } => {
                self.current = Outcome { client_saw, flow, ..Outcome::of(Ending::Sent) };
                self.shut(sys);
            }
        }
    }

    fn socket_event(&mut self, sys: &mut dyn Syscalls) {
        match self.phase {
            Phase::Connecting => {
                if let Some(errno) = sys.take_error(self.socket) {
                    self.fail(sys, errno);
                } else if sys.is_connected(self.socket) {
                    self.connected(sys);
                }
            }
            Phase::Waiting => {
                self.write(sys);
                if self.phase != Phase::Waiting {
                    return;
                }
                let over = self.read(sys);
                if self.phase == Phase::Waiting && (over || self.current.received >= self.current.sent + ECHO_EXTRA) {
                    self.answered(sys);
                }
            }
            Phase::Closing => {
                if self.read(sys) && self.phase == Phase::Closing {
                    self.end(sys);
                }
            }
            Phase::Idle | Phase::Open | Phase::Closed => {}
        }
    }

    fn timed_out(&mut self, sys: &mut dyn Syscalls) {
        match self.phase {
            Phase::Connecting => {
                self.current.ending = Ending::TimedOut;
                self.end(sys);
            }
            Phase::Waiting => {
                if self.current.ending == Ending::Replied && self.current.received == 0 {
                    self.current.ending = Ending::NoReply;
                }
                self.answered(sys);
            }
            Phase::Closing => self.end(sys),
            Phase::Idle | Phase::Open | Phase::Closed => {}
        }
    }
}

impl Program for TcpClient {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            Event::Start => self.start(sys),
            Event::Socket(id) if id == self.socket => self.socket_event(sys),
            Event::Timer(n) if n == self.timer => self.timed_out(sys),
            Event::Command => self.next_command(sys),
            Event::Socket(_) | Event::Timer(_) => {}
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        self.outcomes.first()
    }

    super::program!();
}
