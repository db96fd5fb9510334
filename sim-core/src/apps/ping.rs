//! ICMP echo requests, and what comes of them.
//!
//! Models: iputils ping: a raw socket connected to the destination; it ends when every request is answered or has met an
//! error, else after the time-out that follows the last request (`-W`): 10 seconds, as long as nothing has come back at
//! all, and one second if something has.

use super::options::Options;
use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::{Datagram, SockError, SocketKind};
use crate::linux::{Errno, SocketId, Time};
use crate::packet::{Endpoint, Icmp, IcmpKind, IpAddr};
use std::time::Duration;

/// How long it waits for the first answer.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long it waits for the last answer if there were others.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// The timer of the next request; [`LAST`] is the end.
const NEXT: u32 = 1;
const LAST: u32 = 2;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Silence,
    /// An echo reply.
    Reply {
        /// Who sent it.
        from: IpAddr,
        /// Its TTL on arrival.
        ttl: u8,
        /// Bytes of the ICMP message.
        bytes: usize,
        /// Time since the request.
        after: Duration,
    },
    /// An error was reported.
    Error {
        /// The report.
        report: SockError,
        /// Time since the request.
        after: Duration,
    },
    /// It could not be sent.
    NotSent(Errno),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Sequence number.
    pub seq: u16,
    /// When it was sent.
    pub at: Time,
    /// What became of it.
    pub answer: Answer,
}

/// ICMP echo requests to one address.
#[derive(Clone, Debug)]
pub struct Ping {
    to: IpAddr,
    count: u32,
    interval: Duration,
    ident: Option<u16>,
    first_seq: u16,
    size: usize,
    options: Options,
    socket: SocketId,
    echoes: Vec<Echo>,
    began: Time,
    outcome: Option<Outcome>,
    saw: Option<(Endpoint<IpAddr>, Endpoint<IpAddr>)>,
}

/// Types of ICMP messages.
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST6: u8 = 128;
const ECHO_REPLY6: u8 = 129;

impl Ping {
    /// `count` requests to `to`, one every `interval`, numbered from `seq`, with `size` bytes of data and identifier
    /// `ident` (one is drawn if it is not given).
    pub fn new(to: impl Into<IpAddr>, count: u32, interval: Duration, ident: Option<u16>, seq: u16, size: usize, options: Options) -> Self {
        Ping {
            to: to.into(),
            count: count.max(1),
            interval,
            ident,
            first_seq: seq,
            size,
            options,
            socket: SocketId::NONE,
            echoes: Vec::new(),
            began: Time::ZERO,
            outcome: None,
            saw: None,
        }
    }

    /// The requests so far.
    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    /// When it began.
    pub fn began(&self) -> Time {
        self.began
    }

    /// The identifier in use.
    pub fn ident(&self) -> u16 {
        self.ident.unwrap_or(0)
    }

    fn start(&mut self, sys: &mut dyn Syscalls) {
        self.began = sys.now();
        if self.ident.is_none() {
            self.ident = Some(1 + sys.random_below(65_535) as u16);
        }
        let opened = self.options.open(sys, SocketKind::Icmp).and_then(|id| {
            self.socket = id;
            sys.connect(id, Endpoint::new(self.to, 0))
        });
        if let Err(errno) = opened {
            return self.end(sys, Some(errno));
        }
        self.saw = sys.local(self.socket).zip(sys.peer(self.socket));
        self.send(sys);
    }

    fn send(&mut self, sys: &mut dyn Syscalls) {
        let seq = self.first_seq.wrapping_add(self.echoes.len() as u16);
        let payload: Vec<u8> = (0..self.size).map(|i| (i & 0xff) as u8).collect();
        let mut request = Icmp::new(IcmpKind::EchoRequest { id: self.ident(), seq, payload: payload.into() }).encode();
        if self.to.is_ipv6() {
            // ICMPv6: another type, and the kernel fills the checksum in
            request[..4].copy_from_slice(&[ECHO_REQUEST6, 0, 0, 0]);
        }
        let mut sent = sys.send(self.socket, &request);
        let first = self.echoes.is_empty();
        if !first && sent.is_err() && sys.recv_error(self.socket).is_none() {
            // The pending error of an earlier request was in the way.
            sent = sys.send(self.socket, &request);
        }
        let at = sys.now();
        match sent {
            Ok(_) => self.echoes.push(Echo { seq, at, answer: Answer::Silence }),
            Err(errno) => {
                let answer = match sys.recv_error(self.socket) {
                    Some(report) => Answer::Error { report, after: Duration::ZERO },
                    None => Answer::NotSent(errno),
                };
                self.echoes.push(Echo { seq, at, answer });
                if self.count == 1 {
                    return self.end(sys, Some(errno));
                }
            }
        }
        if (self.echoes.len() as u32) < self.count {
            sys.set_timer(self.interval, NEXT);
        } else {
            let answered = self.echoes.iter().any(|e| e.answer != Answer::Silence);
            let wait = self.options.timeout.unwrap_or(if answered { SHORT_WAIT } else { MAX_WAIT });
            sys.set_timer(wait, LAST);
        }
        self.look(sys);
    }

    /// Reads what has come: errors first.
    fn look(&mut self, sys: &mut dyn Syscalls) {
        if self.outcome.is_some() {
            return;
        }
        let now = sys.now();
        while let Some(report) = sys.recv_error(self.socket) {
            // The report does not say for which request it is; the kernel keeps the order.
            if let Some(e) = self.echoes.iter_mut().find(|e| e.answer == Answer::Silence) {
                e.answer = Answer::Error { report, after: now.since(e.at) };
            }
        }
        loop {
            match sys.recv_from(self.socket) {
                Ok(d) => self.take(&d, now),
                Err(Errno::EAGAIN) => break,
                Err(_) => {}
            }
        }
        if self.echoes.len() as u32 == self.count && self.echoes.iter().all(|e| e.answer != Answer::Silence) {
            self.end(sys, None);
        }
    }

    fn take(&mut self, d: &Datagram, now: Time) {
        let Some([kind, 0, _, _, a, b, c, e]) = d.data.first_chunk::<8>().copied() else { return };
        let (id, seq) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, e]));
        if kind != if self.to.is_ipv6() { ECHO_REPLY6 } else { ECHO_REPLY } || id != self.ident() {
            return;
        }
        if let Some(e) = self.echoes.iter_mut().find(|e| e.seq == seq && e.answer == Answer::Silence) {
            e.answer = Answer::Reply { from: d.from.addr, ttl: d.ttl, bytes: d.data.len(), after: now.since(e.at) };
        }
    }

    fn end(&mut self, sys: &mut dyn Syscalls, at_once: Option<Errno>) {
        let answers = || self.echoes.iter().map(|e| &e.answer);
        let reply = answers().find_map(|a| match a {
            Answer::Reply { from, ttl, .. } => Some((*from, *ttl)),
            _ => None,
        });
        let report = answers().find_map(|a| match a {
            Answer::Error { report, .. } => Some(report),
            _ => None,
        });
        let not_sent = answers().find_map(|a| match a {
            Answer::NotSent(errno) => Some(*errno),
            _ => None,
        });
        let mut outcome = match (reply, report, at_once.or(not_sent)) {
            (Some(answer), ..) => Outcome { answer: Some(answer), ..Outcome::of(Ending::Replied) },
            (None, Some(report), None) => Outcome::reported(report),
            (None, Some(report), Some(errno)) => Outcome { immediate: true, ..Outcome::error(errno) }.with_report(report),
            (None, None, Some(errno)) => Outcome { immediate: true, ..Outcome::error(errno) },
            (None, None, None) => Outcome::of(Ending::NoReply),
        };
        let went = answers().filter(|a| !matches!(a, Answer::NotSent(_))).count();
        outcome.sent = went * (self.size + Icmp::HEADER_LEN);
        outcome.received = answers().map(|a| if let Answer::Reply { bytes, .. } = a { *bytes } else { 0 }).sum();
        outcome.client_saw = self.saw;
        outcome.flow = self.options.flow;
        self.outcome = Some(outcome);
        if self.socket.is_some() {
            sys.close(self.socket);
        }
    }
}

impl Program for Ping {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            _ if self.outcome.is_some() => {}
            Event::Start => self.start(sys),
            Event::Socket(id) if id == self.socket => self.look(sys),
            Event::Timer(NEXT) => self.send(sys),
            Event::Timer(LAST) => self.end(sys, None),
            Event::Socket(_) | Event::Timer(_) | Event::Command => {}
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    super::program!();
}
