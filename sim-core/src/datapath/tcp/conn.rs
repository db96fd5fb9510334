//! One connection and one event: what the state machine works on, and what it wants done.
//!
//! The machine has no I/O: it changes the [`Tcb`] and lists [`Action`]s, which the namespace carries out in that order.
//!
//! ```text
//!  segment ─┐                        ┌─► Send(segment)      ip_queue_xmit
//!  timer   ─┼─► Conn ── Tcb changes ─┼─► Arm(time, timer)
//!  call    ─┘                        └─► State, Wake, Fail, Done
//! ```

use crate::linux::socket::tcp::{Pending, Tcb, TcpState};
use crate::linux::sysctl::Sysctls;
use crate::linux::{Errno, Time};
use crate::packet::Tcp;
use crate::trace::evidence::TimerKind;
use std::time::Duration;

/// What a connection wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A segment is sent.
    Send(Tcp),
    /// The state changed.
    State(TcpState, TcpState),
    /// A timer is wanted.
    Arm(Time, TimerKind),
    /// The program has something to look at.
    Wake,
    /// An error is reported to the program (`sk_err`).
    Fail(Errno),
    /// The connection is over: the ends are free for another (tcp_done).
    Done,
}

/// The sysctls that a connection heeds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `tcp_syn_retries`.
    pub syn_retries: u32,
    /// `tcp_syn_linear_timeouts`.
    pub syn_linear_timeouts: u32,
    /// `tcp_synack_retries`.
    pub synack_retries: u32,
    /// `tcp_retries2`.
    pub retries2: u32,
    /// `tcp_fin_timeout`.
    pub fin_timeout: Duration,
}

impl From<&Sysctls> for Limits {
    fn from(s: &Sysctls) -> Self {
        Limits {
            syn_retries: u32::from(s.tcp_syn_retries),
            syn_linear_timeouts: u32::from(s.tcp_syn_linear_timeouts),
            synack_retries: u32::from(s.tcp_synack_retries),
            retries2: u32::from(s.tcp_retries2),
            fin_timeout: Duration::from_secs(u64::from(s.tcp_fin_timeout)),
        }
    }
}

/// TCP_TIMEOUT_INIT: the retransmission timeout before there is a sample.
pub(super) const TIMEOUT_INIT: Duration = Duration::from_secs(1);
/// TCP_RTO_MIN.
pub(super) const RTO_MIN: Duration = Duration::from_millis(200);
/// TCP_RTO_MAX.
pub(super) const RTO_MAX: Duration = Duration::from_secs(120);
/// TCP_TIMEWAIT_LEN.
pub(super) const TIMEWAIT_LEN: Duration = Duration::from_secs(60);

/// A connection at work on one event.
#[derive(Debug)]
pub struct Conn<'a> {
    /// The connection.
    pub t: &'a mut Tcb,
    /// Now.
    pub now: Time,
    /// Sysctls.
    pub limits: Limits,
    /// Local and remote port.
    pub ports: (u16, u16),
    /// What it wants done, in order.
    pub out: Vec<Action>,
}

impl<'a> Conn<'a> {
    /// The connection `t` at `now`.
    pub fn new(t: &'a mut Tcb, now: Time, limits: Limits, ports: (u16, u16)) -> Self {
        Conn { t, now, limits, ports, out: Vec::new() }
    }

    /// Goes to another state (tcp_set_state).
    pub(super) fn set_state(&mut self, to: TcpState) {
        let from = std::mem::replace(&mut self.t.state, to);
        if from != to {
            self.out.push(Action::State(from, to));
        }
    }

    /// The connection is over, with or without an error (tcp_done_with_error).
    pub(super) fn done(&mut self, error: Option<Errno>) {
        self.stop_timer();
        self.t.timers.linger = Time::NEVER;
        self.t.snd.unsent.clear();
        self.t.snd.in_flight.clear();
        self.t.rcv.early.clear();
        self.set_state(TcpState::Close);
        if let Some(errno) = error {
            self.out.push(Action::Fail(errno));
        }
        self.out.push(Action::Done);
        self.out.push(Action::Wake);
    }

    /// The clock of timestamps, in milliseconds (tcp_time_stamp_ts).
    pub(super) fn timestamp(&self) -> u32 {
        ((self.now.0 / 1_000_000) as u32).wrapping_add(self.t.agreed.ts_offset)
    }

    /// Wants the retransmission timer after a while, for `pending` (tcp_reset_xmit_timer).
    pub(super) fn set_timer(&mut self, pending: Pending, after: Duration) {
        let t = &mut self.t.timers;
        t.pending = pending;
        t.deadline = self.now + after;
        // An event that comes earlier sees the deadline and asks again.
        if t.armed > t.deadline || t.armed <= self.now {
            t.armed = t.deadline;
            self.out.push(Action::Arm(t.deadline, TimerKind::TcpRetransmit));
        }
    }

    /// Wants no retransmission timer (inet_csk_clear_xmit_timer).
    pub(super) fn stop_timer(&mut self) {
        self.t.timers.pending = Pending::None;
        self.t.timers.deadline = Time::NEVER;
    }

    /// Goes to TIME_WAIT, or lets an orphan wait in FIN_WAIT2 (tcp_time_wait).
    pub(super) fn linger(&mut self, state: TcpState, after: Duration) {
        self.set_state(state);
        self.stop_timer();
        self.t.timers.linger = self.now + after;
        self.out.push(Action::Arm(self.t.timers.linger, TimerKind::TcpTimeWait));
    }
}
