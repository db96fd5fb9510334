//! The timers of a connection.
//!
//! Models: net/ipv4/tcp_timer.c tcp_retransmit_timer, tcp_write_timeout, tcp_probe_timer; net/ipv4/tcp_output.c
//! tcp_send_loss_probe, tcp_write_wakeup; net/ipv4/inet_connection_sock.c reqsk_timer_handler.
//! Spec: RFC 6298, RFC 8985 section 7 (tail loss probe).
//! Simplifies: the clock has no jiffies: timers fire at the nominal instant (a real host adds up to a few percent).

use super::conn::{Action, Conn, RTO_MAX, RTO_MIN, TIMEOUT_INIT};
use crate::linux::socket::tcp::{Pending, TcpState};
use crate::linux::{Errno, SocketId, Time};
use crate::packet::{Bytes, Tcp, TcpFlags};
use crate::trace::evidence::TimerKind;
use std::time::Duration;

/// Timeouts after which a connection that its program has closed is given up (tcp_orphan_retries).
const ORPHAN_RETRIES: u32 = 8;

/// How long `boundary` timeouts last that begin with [`RTO_MIN`] and double up to [`RTO_MAX`] (tcp_model_timeout).
fn model_timeout(boundary: u32) -> Duration {
    const LINEAR: u32 = 9; // ilog2(RTO_MAX / RTO_MIN)
    let doubled = RTO_MIN * ((2 << boundary.min(LINEAR)) - 1);
    doubled + RTO_MAX * boundary.saturating_sub(LINEAR)
}

impl Conn<'_> {
    /// The timer of the handshake begins.
    pub(super) fn start_handshake_timer(&mut self) {
        self.t.timers.rto = TIMEOUT_INIT;
        self.set_timer(Pending::Retransmit, TIMEOUT_INIT);
    }

    /// A timer fired. One that no longer counts does nothing.
    pub fn timer(&mut self, kind: TimerKind) {
        match kind {
            TimerKind::TcpTimeWait if self.t.timers.linger <= self.now => self.done(None),
            TimerKind::TcpRetransmit => self.retransmit_timer(),
            _ => {}
        }
    }

    /// Whether a firing of `kind` now means anything.
    pub fn timer_counts(&self, kind: TimerKind) -> bool {
        match kind {
            TimerKind::TcpTimeWait => self.t.timers.linger <= self.now,
            TimerKind::TcpRetransmit => self.t.timers.pending != Pending::None && self.t.timers.deadline <= self.now,
            _ => false,
        }
    }

    fn retransmit_timer(&mut self) {
        let t = &mut self.t.timers;
        if t.armed > self.now {
            return;
        }
        t.armed = Time::NEVER;
        if t.pending == Pending::None {
            return;
        }
        if t.deadline > self.now {
            // It was put off since.
            t.armed = t.deadline;
            self.out.push(Action::Arm(t.deadline, TimerKind::TcpRetransmit));
            return;
        }
        match std::mem::take(&mut t.pending) {
            Pending::None => {}
            Pending::Retransmit => self.retransmission_timeout(),
            Pending::TailLoss => self.loss_probe(),
            Pending::Probe => self.window_probe(),
        }
    }

    /// Gives up: the error of the path if there was one, else ETIMEDOUT (tcp_write_err).
    fn give_up(&mut self) {
        if self.t.orphan || self.t.parent != SocketId::NONE {
            self.done(None);
        } else {
            let errno = self.t.soft_error.unwrap_or(Errno::ETIMEDOUT);
            self.done(Some(errno));
        }
    }

    /// Whether the retransmissions have lasted too long (tcp_write_timeout).
    fn is_timed_out(&self) -> bool {
        let t = &self.t.timers;
        match self.t.state {
            TcpState::SynSent => t.retransmits >= self.limits.syn_retries + self.limits.syn_linear_timeouts,
            TcpState::SynRecv if self.t.parent != SocketId::NONE => t.retransmits >= self.limits.synack_retries,
            TcpState::SynRecv => t.retransmits >= self.limits.syn_retries,
            _ => {
                let retries = if self.t.orphan { ORPHAN_RETRIES } else { self.limits.retries2 };
                t.retransmits > 0 && t.since.is_some_and(|since| self.now.since(since) >= model_timeout(retries))
            }
        }
    }

    /// The oldest segment was not acknowledged in time (tcp_retransmit_timer).
    fn retransmission_timeout(&mut self) {
        if self.t.snd.in_flight.is_empty() {
            return;
        }
        self.t.timers.syn_timeouts += 1;
        if self.is_timed_out() {
            self.give_up();
            return;
        }
        if self.t.state.is_synchronized() {
            self.enter_loss();
        }
        self.t.timers.retransmits += 1;
        self.resend(0);
        let t = &mut self.t.timers;
        if self.t.state != TcpState::SynSent || t.syn_timeouts > self.limits.syn_linear_timeouts {
            t.backoff += 1;
            t.rto = (t.rto * 2).min(RTO_MAX);
        }
        self.set_timer(Pending::Retransmit, self.t.timers.rto);
    }

    /// All that is on the way counts as lost (tcp_enter_loss).
    fn enter_loss(&mut self) {
        let pipe = self.pipe();
        let snd = &mut self.t.snd;
        if snd.recover.is_none() || self.t.timers.retransmits == 0 {
            snd.ssthresh = (pipe / 2).max(2);
        }
        snd.cwnd = 1;
        snd.cwnd_cnt = 0;
        snd.dupacks = 0;
        snd.tlp_high = None;
        snd.recover = Some(snd.nxt);
        for s in &mut snd.in_flight {
            s.lost = !s.sacked;
        }
    }

    /// The end of what is on the way may be lost: new data, or the last segment again (tcp_send_loss_probe).
    fn loss_probe(&mut self) {
        if self.t.snd.in_flight.is_empty() {
            return;
        }
        if !(self.has_pending() && self.push_pending(true)) {
            let last = self.t.snd.in_flight.len() - 1;
            self.resend(last);
        }
        self.t.snd.tlp_high = Some(self.t.snd.nxt);
        self.set_timer(Pending::Retransmit, self.t.timers.rto);
    }

    /// The window is closed: asks whether it has opened (tcp_probe_timer, tcp_write_wakeup).
    fn window_probe(&mut self) {
        if !self.t.snd.in_flight.is_empty() || !self.has_pending() {
            return;
        }
        let t = &mut self.t.timers;
        if t.retransmits >= if self.t.orphan { ORPHAN_RETRIES } else { self.limits.retries2 } {
            self.give_up();
            return;
        }
        let snd = &self.t.snd;
        let room = snd.una.wrapping_add(snd.wnd).wrapping_sub(snd.nxt) as i32;
        if room > 0 {
            let len = (room as u32).min(snd.mss).min(snd.unsent.len() as u32);
            let fin = len == snd.unsent.len() as u32 && snd.fin && !snd.fin_sent && len < room as u32;
            self.send_data(len, fin);
            self.set_timer(Pending::Retransmit, self.t.timers.rto);
            return;
        }
        self.send_probe();
        let t = &mut self.t.timers;
        t.retransmits += 1;
        t.backoff += 1;
        t.rto = (t.rto.max(RTO_MIN) * 2).min(RTO_MAX);
        self.set_timer(Pending::Probe, self.t.timers.rto);
    }

    /// An old sequence number that the other side must answer (tcp_xmit_probe_skb).
    fn send_probe(&mut self) {
        self.send_ack();
        if let Some(Action::Send(Tcp { seq, flags, payload, .. })) = self.out.last_mut() {
            *seq = self.t.snd.una.wrapping_sub(1);
            (*flags, *payload) = (TcpFlags::ACK, Bytes::EMPTY);
        }
    }

    /// An ICMP error says that the path takes less than was sent (tcp_v4_mtu_reduced).
    pub fn mtu_reduced(&mut self, mtu: u32) {
        if mtu >= self.t.agreed.mtu || !self.t.state.is_synchronized() && self.t.state != TcpState::SynSent {
            return;
        }
        self.t.agreed.mtu = mtu;
        self.sync_mss();
        // tcp_simple_retransmit: what was too large goes out again, cut.
        let mss = self.t.snd.mss as usize;
        for s in &mut self.t.snd.in_flight {
            s.lost |= s.data.len() > mss;
        }
        self.resend_lost(true);
    }

    /// Any other ICMP error about a segment from here (tcp_v4_err).
    pub fn path_error(&mut self, errno: Errno) {
        match self.t.state {
            TcpState::SynSent | TcpState::SynRecv => self.done((self.t.parent == SocketId::NONE).then_some(errno)),
            _ => self.t.soft_error = Some(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_retries_last_about_924_seconds() {
        assert_eq!(model_timeout(15), Duration::from_millis(924_600));
        assert_eq!(model_timeout(8), Duration::from_millis(102_200));
    }
}
