//! UDP probes with growing TTL: what `traceroute` and `tracepath` send.
//!
//! Models: traceroute 2.1.2 traceroute.c do_it (sixteen probes at a time, a probe gives up early when its neighbours were quick) and
//! mod-udp.c; iputils 20221126 tracepath.c main, probe_ttl, recverr (one probe at a time, IP_PMTUDISC_PROBE).

use super::options::Options;
use super::outcome::{Ending, Outcome};
use super::syscalls::{Event, Program, Syscalls};
use crate::linux::socket::{PmtuDisc, SockError, SocketKind};
use crate::linux::{Errno, SocketId, Time};
use crate::packet::{Endpoint, IpAddr};
use std::time::Duration;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Style {
    /// `traceroute`.
    Traceroute {
        /// Probes per hop.
        queries: u32,
        /// Probes in flight at once.
        together: u32,
        /// How long to wait for an answer at most.
        wait: Duration,
        /// Bytes of the whole packet.
        len: usize,
        /// DF (`-F`).
        df: bool,
        /// Port of the first probe.
        port: u16,
    },
    /// `tracepath`.
    Tracepath {
        /// Bytes of the first packet, header included (`-l`).
        mtu: u32,
        /// Port of the first probe.
        port: u16,
    },
}

/// One probe and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its TTL.
    pub ttl: u8,
    /// When it was sent.
    pub at: Time,
    /// The error that answered it, and how long that took. A datagram in reply has no error number.
    pub answer: Option<(SockError, Duration)>,
    /// It could not be sent.
    pub not_sent: Option<Errno>,
    /// The path MTU after it, for `tracepath`.
    pub mtu: u32,
    /// TTL of the answer on arrival; 0 if unknown.
    pub reply_ttl: u8,
    /// Nobody waits for it any more.
    pub done: bool,
    socket: SocketId,
    port: u16,
}

/// A run of probes.
#[derive(Clone, Debug)]
pub struct RouteProbe {
    to: IpAddr,
    first: u8,
    last: u8,
    style: Style,
    options: Options,
    probes: Vec<Probe>,
    /// TTL at which the destination answered, or something ended the way.
    end: Option<u8>,
    mtu: u32,
    next_port: u16,
    /// The TTL that is being probed.
    at: u8,
    /// Tries of `tracepath` at this TTL.
    tries: u32,
    /// The MTU was lowered by this host since the TTL was last begun with: it is begun with once more.
    again: bool,
    outcome: Option<Outcome>,
}

/// Tries of `tracepath` at one TTL (`for (i = 0; i < 3; i++)`).
const TRIES: u32 = 3;
/// How long `tracepath` waits for an answer.
const TRACEPATH_WAIT: Duration = Duration::from_secs(1);
/// A probe gives up after this many times what another of its hop took, and of a later hop (here_factor, near_factor).
const HERE: u32 = 3;
const NEAR: u32 = 10;

impl RouteProbe {
    /// Probes to `to`, from TTL `first` to `last`.
    pub fn new(to: impl Into<IpAddr>, first: u8, last: u8, style: Style, options: Options) -> Self {
        let (mtu, next_port) = match style {
            Style::Traceroute { port, .. } => (0, port),
            Style::Tracepath { mtu, port } => (mtu, port),
        };
        RouteProbe {
            to: to.into(),
            first,
            last,
            style,
            options,
            probes: Vec::new(),
            end: None,
            mtu,
            next_port,
            at: 0,
            tries: 0,
            again: false,
            outcome: None,
        }
    }

    /// The probes, in order of sending.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// The path MTU in the end.
    pub fn mtu(&self) -> u32 {
        self.mtu
    }

    fn open(&mut self, sys: &mut dyn Syscalls, ttl: u8, len: usize, pmtudisc: PmtuDisc) {
        self.at = ttl;
        let port = self.next_port;
        self.next_port = self.next_port.wrapping_add(1);
        let options = Options { ttl: Some(ttl), pmtudisc: Some(pmtudisc), ..self.options.clone() };
        let at = sys.now();
        let mut probe =
            Probe { ttl, at, answer: None, not_sent: None, mtu: self.mtu, reply_ttl: 0, done: false, socket: SocketId::NONE, port };
        let sent = options.open(sys, SocketKind::Udp).and_then(|id| {
            probe.socket = id;
            sys.connect(id, Endpoint::new(self.to, port))?;
            sys.send(id, &vec![b'@'; len])
        });
        if let Err(errno) = sent {
            match (probe.socket.is_some()).then(|| sys.recv_error(probe.socket)).flatten() {
                Some(report) => probe.answer = Some((report, Duration::ZERO)),
                None => probe.not_sent = Some(errno),
            }
            probe.done = true;
            if probe.socket.is_some() {
                sys.close(probe.socket);
            }
        }
        self.probes.push(probe);
    }

    /// Reads what came for a probe.
    fn look(&mut self, sys: &mut dyn Syscalls, socket: SocketId) {
        let now = sys.now();
        let late = matches!(self.style, Style::Tracepath { .. });
        let Some(probe) = self.probes.iter_mut().find(|p| p.socket == socket && p.answer.is_none() && (!p.done || late)) else { return };
        let was_done = probe.done;
        if let Some(report) = sys.recv_error(socket) {
            probe.answer = Some((report, now.since(probe.at)));
        } else if let Ok(d) = sys.recv_from(socket) {
            // the port had a server after all
            let report = SockError { errno: Errno::ECONNREFUSED, icmp: Some((3, 3)), info: 0, offender: Some(d.from.addr) };
            probe.answer = Some((report, now.since(probe.at)));
            probe.reply_ttl = d.ttl;
        } else {
            return;
        }
        probe.done = true;
        sys.close(socket);
        if was_done {
            // an answer to an earlier probe counts for the one that is waited for now
            let answered = probe.clone();
            if let Some(p) = self.probes.iter_mut().find(|p| p.socket == socket) {
                p.answer = None;
            }
            if let Some(waiting) = self.probes.pop_if(|p| !p.done) {
                sys.close(waiting.socket);
            }
            self.probes.push(answered);
        }
        self.go_on(sys);
    }

    fn go_on(&mut self, sys: &mut dyn Syscalls) {
        if self.outcome.is_some() {
            return;
        }
        match self.style.clone() {
            Style::Traceroute { queries, together, wait, len, df, .. } => {
                self.traceroute(sys, queries.max(1), together.max(1), wait, len, df);
            }
            Style::Tracepath { .. } => self.tracepath(sys),
        }
    }

    fn traceroute(&mut self, sys: &mut dyn Syscalls, queries: u32, together: u32, wait: Duration, len: usize, df: bool) {
        let now = sys.now();
        // the first hop whose answers say that nothing lies behind it
        let all = (u32::from(self.last) + 1).saturating_sub(u32::from(self.first)) * queries;
        self.end = self.probes.iter().filter(|p| is_end(p)).map(|p| p.ttl).min();
        let limit = self.end.map_or(all, |e| (u32::from(e) + 1 - u32::from(self.first)) * queries);
        let mut next: Option<Time> = None;
        let mut waiting = 0u32;
        for i in 0..self.probes.len().min(limit as usize) {
            if self.probes[i].done {
                continue;
            }
            let until = self.probes[i].at + patience(&self.probes, i, wait);
            if until <= now {
                self.probes[i].done = true;
                let socket = self.probes[i].socket;
                sys.close(socket);
            } else {
                waiting += 1;
                next = Some(next.map_or(until, |n| n.min(until)));
            }
        }
        while waiting < together && (self.probes.len() as u32) < limit {
            let ttl = u32::from(self.first) + self.probes.len() as u32 / queries;
            let mode = if df { PmtuDisc::Do } else { PmtuDisc::Dont };
            self.open(sys, ttl as u8, len.saturating_sub(28), mode);
            if self.probes.last().is_some_and(|p| !p.done) {
                waiting += 1;
                let until = now + wait;
                next = Some(next.map_or(until, |n| n.min(until)));
            } else if self.probes.last().is_some_and(|p| p.not_sent.is_some()) {
                return self.finish(sys, limit as usize);
            }
        }
        match next {
            Some(at) => sys.set_timer(at.since(now), 0),
            None => self.finish(sys, limit as usize),
        }
    }

    fn tracepath(&mut self, sys: &mut dyn Syscalls) {
        let now = sys.now();
        // every round ends with a probe to wait for, or with the end
        for _ in 0..1_024 {
            let Some(last) = self.probes.last().cloned() else {
                self.open(sys, self.first, self.mtu.saturating_sub(28) as usize, PmtuDisc::Probe);
                continue;
            };
            if !last.done {
                let until = last.at + TRACEPATH_WAIT;
                if until > now {
                    return sys.set_timer(until.since(now), 0);
                }
                self.tries += 1;
                if let Some(p) = self.probes.last_mut() {
                    // one more try is the same line; the last one says "no reply"
                    p.done = true;
                }
                if self.tries < TRIES && !self.again {
                    self.open(sys, self.at, self.mtu.saturating_sub(28) as usize, PmtuDisc::Probe);
                    continue;
                }
            }
            let mut ttl = self.at.saturating_add(1);
            if let Some((report, _)) = &last.answer {
                if report.errno == Errno::EMSGSIZE {
                    // a smaller packet with the same TTL
                    self.mtu = report.info.max(28);
                    if let Some(p) = self.probes.last_mut() {
                        p.mtu = self.mtu;
                    }
                    ttl = self.at;
                    self.again = report.icmp.is_none();
                } else if std::mem::take(&mut self.again) {
                    ttl = self.at;
                } else if is_end(&last) {
                    return self.finish(sys, usize::MAX);
                }
            } else if last.not_sent.is_some() {
                return self.finish(sys, usize::MAX);
            } else if std::mem::take(&mut self.again) {
                ttl = self.at;
            }
            self.tries = 0;
            if ttl > self.last {
                return self.finish(sys, usize::MAX);
            }
            self.open(sys, ttl, self.mtu.saturating_sub(28) as usize, PmtuDisc::Probe);
        }
        self.finish(sys, usize::MAX);
    }

    fn finish(&mut self, sys: &mut dyn Syscalls, keep: usize) {
        for p in self.probes.iter_mut().filter(|p| p.answer.is_none() && p.socket.is_some()) {
            p.done = true;
            sys.close(p.socket);
        }
        self.probes.truncate(keep);
        let reached = self.probes.iter().find_map(|p| p.answer.as_ref().filter(|(e, _)| e.icmp == Some((3, 3))));
        let not_sent = self.probes.iter().find_map(|p| p.not_sent);
        let mut outcome = match (reached, not_sent) {
            (Some(_), _) => Outcome::of(Ending::Replied),
            (None, Some(errno)) => Outcome { immediate: true, ..Outcome::error(errno) },
            (None, None) => Outcome::of(Ending::NoReply),
        };
        outcome.flow = self.options.flow;
        self.outcome = Some(outcome);
    }
}

/// Whether nothing lies behind the hop that answered: the destination itself, or an error other than "time exceeded".
fn is_end(p: &Probe) -> bool {
    p.answer
        .as_ref()
        .is_some_and(|(e, _)| e.icmp.is_some_and(|(kind, code)| kind == 3 && code != 4) || e.icmp.is_none() && e.errno != Errno::EMSGSIZE)
}

/// How long a probe is waited for, given what its neighbours took (get_timeout).
fn patience(probes: &[Probe], i: usize, wait: Duration) -> Duration {
    let took = |p: &Probe| p.answer.as_ref().map(|(_, after)| *after);
    let same = |p: &&Probe| p.ttl == probes[i].ttl;
    let quick = Duration::from_millis(1);
    if let Some(here) = probes.iter().filter(same).filter_map(took).max() {
        return (here * HERE).max(quick).min(wait);
    }
    // replies of hops behind say that this one is silent
    match probes.iter().skip(i).filter(|p| p.ttl > probes[i].ttl).find_map(took) {
        Some(near) => (near * NEAR).max(quick * NEAR).min(wait),
        None => wait,
    }
}

impl Program for RouteProbe {
    fn wake(&mut self, sys: &mut dyn Syscalls, event: Event) {
        match event {
            _ if self.outcome.is_some() => {}
            Event::Start | Event::Timer(_) => self.go_on(sys),
            Event::Socket(id) => self.look(sys, id),
            Event::Command => {}
        }
    }

    fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    super::program!();
}
