//! Two connections back to back, over a wire that may lose, delay and double segments.

#![allow(clippy::unwrap_used, reason = "tests")]

mod closing;
mod lossy;
mod opening;
mod resending;

use super::conn::{Action, Conn, Limits};
use super::input::Input;
use super::options::Options;
use crate::linux::socket::tcp::{Tcb, TcpState};
use crate::linux::sysctl::Sysctls;
use crate::linux::{Errno, SocketId, Time};
use crate::packet::{Tcp, TcpFlags};
use crate::trace::evidence::TimerKind;
use std::time::Duration;

/// What the wire does with the n-th segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after so many microseconds.
    After(u64),
    /// It does not arrive.
    Lost,
    /// It arrives twice, after so many microseconds.
    Twice(u64, u64),
}

/// One end.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) tcb: Tcb,
    pub(super) errors: Vec<Errno>,
    pub(super) states: Vec<TcpState>,
    pub(super) received: Vec<u8>,
    pub(super) eof: bool,
    pub(super) over: bool,
    /// Sent when connected, then the end.
    pub(super) script: Vec<u8>,
    pub(super) shut: bool,
    /// Whether its program reads at once.
    pub(super) reads: bool,
    timers: Vec<(Time, TimerKind)>,
}

impl Host {
    fn new() -> Self {
        Host {
            tcb: Tcb::new(TcpState::Close),
            errors: Vec::new(),
            states: Vec::new(),
            received: Vec::new(),
            eof: false,
            over: false,
            script: Vec::new(),
            shut: false,
            reads: true,
            timers: Vec::new(),
        }
    }
}

/// A segment as it left.
#[derive(Clone, Debug)]
pub(super) struct Left {
    pub(super) at: Time,
    pub(super) from: usize,
    pub(super) seg: Tcp,
}

/// Says of each segment what becomes of it.
type Wire = Box<dyn FnMut(usize, &Left) -> Fate>;

/// Two ends and the wire between them.
pub(super) struct Pair {
    pub(super) now: Time,
    pub(super) hosts: [Host; 2],
    pub(super) log: Vec<Left>,
    pub(super) fate: Wire,
    pub(super) limits: Limits,
    pub(super) mtu: u32,
    wire: Vec<(Time, usize, usize, Tcp)>,
    born: usize,
}

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn at(seconds_ms: u64) -> Time {
    Time::ZERO + MS * u32::try_from(seconds_ms).unwrap()
}

impl Pair {
    /// Host 0 is to connect to host 1, which listens; the wire takes no time.
    pub(super) fn new() -> Self {
        let mut hosts = [Host::new(), Host::new()];
        hosts[1].tcb = Tcb::new(TcpState::Listen);
        Pair {
            now: Time::ZERO,
            hosts,
            log: Vec::new(),
            fate: Box::new(|_, _| Fate::After(0)),
            limits: Limits::from(&Sysctls::default()),
            mtu: 1500,
            wire: Vec::new(),
            born: 0,
        }
    }

    pub(super) fn on<R>(&mut self, host: usize, work: impl FnOnce(&mut Conn<'_>) -> R) -> R {
        let ports = if host == 0 { (40_000, 80) } else { (80, 40_000) };
        let mut conn = Conn::new(&mut self.hosts[host].tcb, self.now, self.limits, ports);
        let result = work(&mut conn);
        let out = conn.out;
        self.carry_out(host, out);
        result
    }

    fn carry_out(&mut self, host: usize, out: Vec<Action>) {
        let mut wake = false;
        for action in out {
            match action {
                Action::Send(seg) => self.send(host, seg),
                Action::State(_, to) => {
                    self.hosts[host].states.push(to);
                    if to == TcpState::Established {
                        self.hosts[host].tcb.parent = SocketId::NONE;
                        wake = true;
                    }
                }
                Action::Arm(at, kind) => self.hosts[host].timers.push((at, kind)),
                Action::Wake => wake = true,
                Action::Fail(errno) => self.hosts[host].errors.push(errno),
                Action::Done => self.hosts[host].over = true,
            }
        }
        if wake {
            self.program(host);
        }
    }

    fn send(&mut self, from: usize, seg: Tcp) {
        let left = Left { at: self.now, from, seg };
        let fate = (self.fate)(self.log.len(), &left);
        let mut fly = |us: u64| {
            self.born += 1;
            self.wire.push((self.now + Duration::from_micros(us), self.born, 1 - from, left.seg.clone()));
        };
        match fate {
            Fate::After(us) => fly(us),
            Fate::Lost => {}
            Fate::Twice(a, b) => {
                fly(a);
                fly(b);
            }
        }
        self.log.push(left);
    }

    /// What the program of a host does when woken: writes its script, reads, closes its half at its end.
    fn program(&mut self, host: usize) {
        if !self.hosts[host].tcb.state.is_synchronized() && self.hosts[host].tcb.state != TcpState::Close {
            return;
        }
        while !self.hosts[host].script.is_empty() && self.hosts[host].tcb.state.may_send() {
            let script = std::mem::take(&mut self.hosts[host].script);
            match self.on(host, |c| c.send(&script)) {
                Ok(n) => self.hosts[host].script = script[n..].to_vec(),
                Err(_) => {
                    self.hosts[host].script = script;
                    break;
                }
            }
        }
        while self.hosts[host].reads && !self.hosts[host].eof {
            match self.on(host, |c| c.recv()) {
                Ok(data) if data.is_empty() => self.hosts[host].eof = true,
                Ok(data) => self.hosts[host].received.extend_from_slice(&data),
                Err(_) => break,
            }
        }
        if self.hosts[host].shut && self.hosts[host].script.is_empty() && self.hosts[host].tcb.state.may_send() {
            self.on(host, |c| c.shutdown());
        }
    }

    pub(super) fn open(&mut self) {
        let mtu = self.mtu;
        self.on(0, |c| c.open(1_000, 77, mtu));
    }

    /// A segment arrives.
    pub(super) fn arrive(&mut self, host: usize, seg: &Tcp) {
        if self.hosts[host].tcb.state == TcpState::Listen {
            if seg.flags.has(TcpFlags::SYN) {
                self.hosts[host].tcb.parent = SocketId(9);
                let mtu = self.mtu;
                self.on(host, |c| c.answer_syn(seg, 0xffff_ff00, 99, mtu));
            }
            return;
        }
        if self.hosts[host].over {
            if let Some(reset) = Conn::reset_for(seg) {
                self.send(host, reset);
            }
            return;
        }
        if let Input::Reset(_) = self.on(host, |c| c.input(seg))
            && let Some(reset) = Conn::reset_for(seg)
        {
            self.send(host, reset);
        }
    }

    /// Runs what comes next; none if nothing does.
    fn step(&mut self, until: Time) -> Option<()> {
        let arrival = self.wire.iter().enumerate().min_by_key(|(_, w)| (w.0, w.1)).map(|(i, w)| (w.0, i));
        let timer = (0..2).flat_map(|h| self.hosts[h].timers.iter().enumerate().map(move |(i, t)| (t.0, h, i))).min();
        match (arrival, timer) {
            (Some((time, i)), t) if t.is_none_or(|t| time <= t.0) && time <= until => {
                self.now = time;
                let (_, _, to, seg) = self.wire.remove(i);
                self.arrive(to, &seg);
                Some(())
            }
            (_, Some((time, h, i))) if time <= until => {
                self.now = time;
                let (_, kind) = self.hosts[h].timers.remove(i);
                if !self.hosts[h].over {
                    self.on(h, |c| c.timer(kind));
                }
                Some(())
            }
            _ => None,
        }
    }

    /// Runs until that time; panics if more happens than can be meant.
    pub(super) fn run(&mut self, until: Time) {
        for _ in 0..200_000 {
            if self.step(until).is_none() {
                self.now = until;
                return;
            }
        }
        panic!("it does not end");
    }

    /// Flags of all segments, in order, as in a capture: `S SA A`.
    pub(super) fn flags(&self) -> String {
        let name = |f: TcpFlags| {
            [(TcpFlags::SYN, 'S'), (TcpFlags::FIN, 'F'), (TcpFlags::RST, 'R'), (TcpFlags::PSH, 'P'), (TcpFlags::ACK, 'A')]
                .into_iter()
                .filter(|(bit, _)| f.has(*bit))
                .map(|(_, c)| c)
                .collect::<String>()
        };
        self.log.iter().map(|l| name(l.seg.flags)).collect::<Vec<_>>().join(" ")
    }

    /// When segments left, in milliseconds.
    pub(super) fn times(&self) -> Vec<u64> {
        self.log.iter().map(|l| l.at.0 / 1_000_000).collect()
    }

    /// A connected pair; the handshake is out of the log.
    pub(super) fn connected() -> Self {
        let mut pair = Pair::new();
        pair.open();
        pair.run(at(0));
        assert_eq!(pair.flags(), "S SA A");
        pair.log.clear();
        pair
    }

    pub(super) fn options(&self, n: usize) -> Options {
        Options::parse(&self.log[n].seg.options)
    }

    /// Loses all from now on.
    pub(super) fn cut(&mut self) {
        self.fate = Box::new(|_, _| Fate::Lost);
    }
}
