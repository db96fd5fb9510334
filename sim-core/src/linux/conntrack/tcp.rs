//! The state of a TCP connection as a host in the middle guesses it.
//!
//! Models: net/netfilter/nf_conntrack_proto_tcp.c nf_conntrack_tcp_packet, tcp_new, tcp_error, nf_tcp_handle_invalid
//! (Linux 6.12 and later).
//! Spec: RFC 9293 3.3.2; RFC 5961 (challenge acknowledgments).
//! Simplifies: no SYN proxy, no offload, no sequence adjustment by helpers.
//! Seen in: 05-docker-publish-dnat, 06-clusterip-remote-pod, 105-stray-packets.
//!
//! ```text
//!            SYN            SYN+ACK            ACK                FIN            ACK
//!   NONE ──────► SYN_SENT ──────► SYN_RECV ──────► ESTABLISHED ──────► FIN_WAIT ──────► CLOSE_WAIT
//!                                                  (ASSURED)                               │ FIN
//!                                       TIME_WAIT ◄────── LAST_ACK ◄───────────────────────┘
//!            RST from anywhere: CLOSE                ACK
//! ```

pub use super::tcp_state::{Bits, Kind, State};

use super::tcp_state::{Next, TRANSITIONS};
use super::window::{self, Fit, Window, after, before, end_of, learn_options};
use super::{CtStatus, Dir};
use crate::linux::sysctl::CtSysctls;
use crate::packet::{Tcp, TcpFlags};

/// The last segment that counted (`last_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment.
    pub ack: u32,
    /// Sequence number after it.
    pub end: u32,
    /// Window as it stood in the header.
    pub win: u16,
    /// Its kind.
    pub kind: Kind,
    /// Its direction.
    pub dir: Dir,
    /// Window scale of a SYN that was let through.
    pub scale: u8,
    /// Options of that SYN, and what is expected.
    pub bits: Bits,
}

/// What is known of a connection (struct ip_ct_tcp).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpTrack {
    /// The state.
    pub state: State,
    /// How often the last acknowledgment came again.
    pub retrans: u8,
    /// Both ends, the original direction's first.
    pub seen: [Window; 2],
    /// The last segment.
    pub last: Last,
}

/// What becomes of the entry and the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpAction {
    /// The packet belongs; the entry lives that many seconds from now (none: as long as before).
    Accept {
        /// Seconds.
        timeout: Option<u32>,
        /// The entry is ASSURED from now on.
        assured: bool,
    },
    /// The packet belongs, and the entry is gone with it: a reset answered the first packet.
    AcceptAndKill,
    /// The packet is INVALID. A timeout is set if the connection is taken to be dead.
    Invalid {
        /// Seconds.
        timeout: Option<u32>,
    },
    /// The old connection is over: the entry is to go, and the packet begins a new one.
    Repeat,
}

const IGNORED: TcpAction = TcpAction::Accept { timeout: None, assured: false };
const INVALID: TcpAction = TcpAction::Invalid { timeout: None };

/// Whether the flags may occur together (tcp_valid_flags); PSH, ECE and CWR do not matter.
fn flags_valid(flags: TcpFlags) -> bool {
    const F: u8 = TcpFlags::FIN.0;
    const S: u8 = TcpFlags::SYN.0;
    const R: u8 = TcpFlags::RST.0;
    const A: u8 = TcpFlags::ACK.0;
    const U: u8 = TcpFlags::URG.0;
    let looked_at = flags.0 & (F | S | R | A | U);
    [S, S | U, S | A, R, R | A, F | A, F | A | U, A, A | U].contains(&looked_at)
}

/// What a tracker is told about the entry.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Direction of the packet.
    pub dir: Dir,
    /// Status of the entry before the packet.
    pub status: CtStatus,
    /// Seconds that the entry would still live.
    pub remaining: u32,
    /// Sysctls.
    pub sysctl: &'a CtSysctls,
}

impl TcpTrack {
    /// The first segment of a flow; none if no flow begins so (tcp_new).
    fn begin(seg: &Tcp, kind: Kind, sysctl: &CtSysctls) -> Option<TcpTrack> {
        let mut track = TcpTrack::default();
        let end = end_of(seg);
        let win = u32::from(seg.window).max(1);
        match TRANSITIONS[0][kind as usize][0] {
            Next::To(State::SynSent) => {
                track.seen[0] = Window { end, max_end: end, max_win: win, ..Window::default() };
                learn_options(seg, &mut track.seen[0]);
            }
            Next::To(_) if sysctl.tcp_loose => {
                track.seen[0] = Window { end, max_end: end.wrapping_add(win), max_win: win, ..Window::default() };
                for w in &mut track.seen {
                    w.bits.set(Bits::SACK_PERM);
                    w.bits.set(Bits::BE_LIBERAL);
                }
            }
            _ => return None,
        }
        track.last.kind = Kind::None;
        Some(track)
    }

    /// Judges a segment and moves the state (nf_conntrack_tcp_packet). The checksum has been looked at.
    pub fn packet(&mut self, seg: &Tcp, seen: &Seen<'_>) -> TcpAction {
        if !flags_valid(seg.flags) {
            return INVALID;
        }
        let Seen { dir, status, sysctl, .. } = *seen;
        let kind = Kind::of(seg);
        if !status.has(CtStatus::CONFIRMED) {
            match TcpTrack::begin(seg, kind, sysctl) {
                Some(t) => *self = t,
                None => return INVALID,
            }
        }
        let mut old = self.state;
        let mut new = match TRANSITIONS[dir.index()][kind as usize][old as usize] {
            Next::Invalid => return INVALID,
            Next::To(State::SynSent) if old >= State::TimeWait && self.reopens(dir) => return TcpAction::Repeat,
            Next::To(State::SynSent) if old < State::TimeWait => State::SynSent,
            Next::Ignore | Next::To(State::SynSent) => {
                if !self.resync(seg, kind, dir) {
                    self.annotate(seg, kind, dir);
                    return IGNORED;
                }
                old = State::SynSent;
                State::SynRecv
            }
            Next::To(s) => s,
        };

        let mut judge_window = true;
        match new {
            State::TimeWait
                if old == State::LastAck
                    && kind == Kind::Ack
                    && self.last.dir != dir
                    && self.last.kind == Kind::Syn
                    && self.last.bits.has(Bits::EXP_CHALLENGE_ACK) =>
            {
                self.last.bits.clear(Bits::EXP_CHALLENGE_ACK);
                return IGNORED;
            }
            State::SynSent2 => self.last.bits.set(Bits::SIMULTANEOUS_OPEN),
            State::SynRecv if dir == Dir::Reply && kind == Kind::Ack && self.last.bits.has(Bits::SIMULTANEOUS_OPEN) => {
                new = State::Established;
            }
            State::Close if kind == Kind::Rst => match self.reset(seg, dir, status) {
                Reset::Judge(next) => new = next,
                Reset::InWindow(next) => {
                    new = next;
                    judge_window = false;
                }
                Reset::Invalid => return INVALID,
            },
            _ => {}
        }

        if judge_window {
            match window::fits(self, seg, kind, dir, sysctl.tcp_be_liberal) {
                Fit::Accept => {}
                Fit::Ignore => return IGNORED,
                Fit::Invalid => return TcpAction::Invalid { timeout: self.shrink(kind, seen) },
            }
        }

        self.last.kind = kind;
        self.last.dir = dir;
        self.state = new;
        if old != new && new == State::FinWait {
            self.seen[dir.index()].bits.set(Bits::CLOSE_INIT);
        }
        self.settle(old, kind, status, sysctl)
    }

    /// Whether a SYN in TIME_WAIT or CLOSE may begin a new connection.
    fn reopens(&self, dir: Dir) -> bool {
        self.seen.iter().any(|w| w.bits.has(Bits::CLOSE_INIT)) || (self.last.dir == dir && self.last.kind == Kind::Rst)
    }

    /// A SYN+ACK that answers a SYN let through unjudged: both ends know more than this host. True if that was it.
    fn resync(&mut self, seg: &Tcp, kind: Kind, dir: Dir) -> bool {
        let last = &mut self.last;
        if kind != Kind::SynAck || last.kind != Kind::Syn || last.dir == dir || seg.ack != last.end {
            return false;
        }
        last.bits.clear(Bits::EXP_CHALLENGE_ACK);
        let other = &mut self.seen[last.dir.index()];
        other.end = last.end;
        other.max_end = last.end;
        other.max_win = u32::from(last.win).max(1);
        other.scale = last.scale;
        other.bits = last.bits;
        let mine = &mut self.seen[dir.index()];
        *mine = Window { bits: mine.bits.and(Bits::BE_LIBERAL), ..Window::default() };
        true
    }

    /// Remembers a segment that is let through unjudged.
    fn annotate(&mut self, seg: &Tcp, kind: Kind, dir: Dir) {
        let old = self.state;
        let last = &mut self.last;
        (last.kind, last.dir, last.seq, last.end, last.win) = (kind, dir, seg.seq, end_of(seg), seg.window);
        if kind == Kind::Syn && dir == Dir::Original {
            let mut offered = Window::default();
            learn_options(seg, &mut offered);
            last.bits = offered.bits;
            last.scale = if offered.bits.has(Bits::WINDOW_SCALE) { offered.scale } else { 0 };
            if old == State::LastAck {
                last.bits.set(Bits::EXP_CHALLENGE_ACK);
            }
        }
        if old == State::SynSent && kind == Kind::Ack && dir == Dir::Reply {
            last.ack = seg.ack;
        }
    }

    /// Whether a reset may be believed.
    fn reset(&self, seg: &Tcp, dir: Dir, status: CtStatus) -> Reset {
        let mut next = State::Close;
        if self.state.can_early_drop() {
            return Reset::InWindow(next);
        }
        let peer = &self.seen[dir.other().index()];
        if peer.bits.has(Bits::MAXACK_SET) && self.last.kind != Kind::Syn {
            let established = self.state == State::Established;
            if seg.seq == 0 && !established {
                return Reset::Judge(next);
            }
            if before(seg.seq, peer.max_ack) {
                return Reset::Invalid;
            }
            let exact = !established || seg.seq == peer.max_ack;
            let in_train = self.last.kind == Kind::Ack && self.last.dir == dir && seg.seq == self.last.end;
            if exact || in_train {
                return Reset::Judge(next);
            }
            next = self.state; // the other end may answer with a challenge
        }
        let answers_unjudged = (status.has(CtStatus::SEEN_REPLY) && self.last.kind == Kind::Syn)
            || (!status.has(CtStatus::ASSURED) && self.last.kind == Kind::Ack);
        if answers_unjudged && seg.ack == self.last.end {
            return Reset::InWindow(next);
        }
        let answers_challenge =
            self.state == State::SynSent && self.last.kind == Kind::Ack && self.last.dir == Dir::Reply && seg.seq == self.last.ack;
        if answers_challenge { Reset::InWindow(next) } else { Reset::Judge(next) }
    }

    /// A FIN or RST outside the window: if the other end sent one too, the connection is taken to be dead.
    fn shrink(&mut self, kind: Kind, seen: &Seen<'_>) -> Option<u32> {
        let closing = |k| matches!(k, Kind::Rst | Kind::Fin);
        if !seen.status.has(CtStatus::ASSURED) || seen.status.has(CtStatus::FIXED_TIMEOUT) || !closing(kind) {
            return None;
        }
        if self.last.dir != seen.dir && closing(self.last.kind) {
            let unack = seen.sysctl.tcp_timeout_unacknowledged;
            (seen.remaining >= 120 && seen.remaining > unack).then_some(unack)
        } else {
            self.last.kind = kind;
            self.last.dir = seen.dir;
            None
        }
    }

    /// How long the entry lives now, and whether it is ASSURED.
    fn settle(&self, old: State, kind: Kind, status: CtStatus, sysctl: &CtSysctls) -> TcpAction {
        let of = |s: State| sysctl.tcp_timeouts[s as usize];
        let new = self.state;
        let at_most = |limit: u32| of(new).min(limit);
        let unacknowledged = self.seen.iter().any(|w| w.bits.has(Bits::DATA_UNACKNOWLEDGED));
        let mut timeout = if self.retrans >= sysctl.tcp_max_retrans && of(new) > sysctl.tcp_timeout_max_retrans {
            sysctl.tcp_timeout_max_retrans
        } else if kind == Kind::Rst {
            of(State::Close)
        } else if unacknowledged && of(new) > sysctl.tcp_timeout_unacknowledged {
            sysctl.tcp_timeout_unacknowledged
        } else if self.last.win == 0 {
            at_most(sysctl.tcp_timeout_max_retrans)
        } else {
            of(new)
        };
        let mut assured = false;
        if !status.has(CtStatus::SEEN_REPLY) {
            if kind == Kind::Rst {
                return TcpAction::AcceptAndKill;
            }
            if kind == Kind::Syn && old == State::SynSent {
                return IGNORED; // a repeated SYN does not prolong the entry
            }
            if new == State::Established {
                timeout = timeout.min(sysctl.tcp_timeout_unacknowledged);
            }
        } else {
            assured = !status.has(CtStatus::ASSURED) && matches!(old, State::SynRecv | State::Established) && new == State::Established;
        }
        TcpAction::Accept { timeout: Some(timeout), assured }
    }

    /// Whether `new`'s first segment comes after all that this connection has sent (nf_seq_has_advanced).
    pub fn has_advanced(&self, new: &TcpTrack) -> bool {
        after(new.seen[0].end, self.seen[0].end)
    }
}

/// What is to be done with a reset.
enum Reset {
    /// Look at the window; then go there.
    Judge(State),
    /// Go there at once.
    InWindow(State),
    /// It is a blind guess.
    Invalid,
}
