//! What an acknowledgment does: the retransmission queue, the round trip time, the windows, and losses.
//!
//! Models: net/ipv4/tcp_input.c tcp_ack, tcp_clean_rtx_queue, tcp_rtt_estimator, tcp_fastretrans_alert, tcp_sacktag_write_queue.
//! Spec: RFC 6298, RFC 5681, RFC 6582 (NewReno), RFC 6675 (three segments acknowledged beyond a gap mean loss).
//! Simplifies: no RACK reordering timer, no DSACK undo, no F-RTO; Reno in place of CUBIC.

use super::conn::{Action, Conn, RTO_MAX, RTO_MIN};
use super::options::Options;
use crate::linux::socket::tcp::{Pending, after, before};
use crate::packet::{Bytes, Tcp};
use crate::trace::DropReason;
use std::time::Duration;

/// Segments acknowledged beyond a gap, or duplicate acknowledgments, that mean loss.
const REORDERING: u32 = 3;

impl Conn<'_> {
    /// The program is told, unless nobody has the connection yet or any more.
    pub(super) fn wake(&mut self) {
        if !self.t.orphan {
            self.out.push(Action::Wake);
        }
    }

    /// The acknowledgment of a segment, and the window that it tells.
    pub(super) fn ack(&mut self, seg: &Tcp, o: &Options, window: u32) -> Result<(), DropReason> {
        let snd = &self.t.snd;
        if after(seg.ack, snd.nxt) {
            return Err(DropReason::TcpInvalidSequence);
        }
        if before(seg.ack, snd.una) {
            if before(seg.ack, snd.una.wrapping_sub(snd.max_wnd)) {
                self.challenge_ack();
                return Err(DropReason::TcpInvalidSequence);
            }
            return Ok(());
        }
        let advanced = seg.ack != snd.una;
        let newer = advanced || after(seg.seq, snd.wl1) || (seg.seq == snd.wl1 && window > snd.wnd);
        let window_changed = newer && window != snd.wnd;
        if newer {
            self.t.snd.wl1 = seg.seq;
            self.t.snd.wnd = window;
            if window > self.t.snd.max_wnd {
                self.t.snd.max_wnd = window;
                self.sync_mss();
            }
        }
        let waited = self.t.snd.unsent.len();
        let newly_sacked = self.take_sack(o);
        let duplicate = !advanced && seg.seq_len() == 0 && !window_changed && !self.t.snd.in_flight.is_empty();
        self.t.dst_confirm |= duplicate;
        let acked = if advanced { self.clean_queue(seg.ack, o) } else { 0 };
        if advanced {
            self.t.soft_error = None;
        }
        let repair = self.look_for_loss(advanced, acked, duplicate, newly_sacked);
        if self.t.timers.pending == Pending::Probe && (!self.t.snd.in_flight.is_empty() || self.t.snd.wnd > 0) {
            self.stop_timer();
            self.t.timers.backoff = 0;
        }
        if advanced {
            self.rearm();
        }
        self.resend_lost(repair);
        self.push_pending(false);
        if waited > 0 && self.t.snd.unsent.is_empty() {
            self.wake();
        }
        Ok(())
    }

    /// Takes what is acknowledged out of the queue (tcp_clean_rtx_queue); how many segments that were.
    pub(super) fn clean_queue(&mut self, ack: u32, o: &Options) -> u32 {
        let mut acked = 0;
        let mut sample = None;
        let mut retransmitted = false;
        while let Some(first) = self.t.snd.in_flight.front_mut() {
            if after(first.end(), ack) {
                let part = ack.wrapping_sub(first.seq) as i32;
                if part > 0 && (part as usize) < first.data.len() {
                    first.data = Bytes::from(&first.data[part as usize..]);
                    first.seq = ack;
                }
                break;
            }
            if first.again == 0 {
                sample = Some(self.now.since(first.at));
            } else {
                retransmitted = true;
            }
            acked += 1;
            self.t.snd.in_flight.pop_front();
        }
        self.t.dst_confirm |= acked > 0;
        self.t.snd.una = ack;
        self.t.timers.retransmits = 0;
        self.t.timers.since = None;
        if retransmitted || sample.is_none() {
            sample = match o.timestamps {
                Some((_, echo)) if self.t.agreed.timestamps && echo != 0 => {
                    Some(Duration::from_millis(u64::from(self.timestamp().wrapping_sub(echo).min(1 << 20))))
                }
                _ => sample.filter(|_| !retransmitted),
            };
        }
        if let Some(rtt) = sample {
            self.take_rtt(rtt);
        }
        if self.t.snd.tlp_high.is_some_and(|high| !before(ack, high)) {
            self.t.snd.tlp_high = None;
        }
        acked
    }

    /// A sample of the round trip time (tcp_rtt_estimator, tcp_set_rto).
    fn take_rtt(&mut self, rtt: Duration) {
        let t = &mut self.t.timers;
        match t.srtt {
            None => {
                t.srtt = Some(rtt);
                t.rttvar = rtt / 2;
            }
            Some(srtt) => {
                t.rttvar = (t.rttvar * 3 + srtt.abs_diff(rtt)) / 4;
                t.srtt = Some((srtt * 7 + rtt) / 8);
            }
        }
        t.backoff = 0;
        self.base_rto();
    }

    /// The retransmission timeout without backoff.
    pub(super) fn base_rto(&mut self) {
        let t = &mut self.t.timers;
        if let Some(srtt) = t.srtt {
            t.rto = (srtt + (t.rttvar * 4).max(RTO_MIN)).min(RTO_MAX);
        }
    }

    /// Starts the timer anew after progress (tcp_set_xmit_timer).
    pub(super) fn rearm(&mut self) {
        if self.t.snd.in_flight.is_empty() {
            self.stop_timer();
        } else {
            self.t.timers.pending = Pending::None;
            self.schedule_after_send();
        }
    }

    /// Marks what the other side has beyond a gap; how many segments are new.
    fn take_sack(&mut self, o: &Options) -> u32 {
        if !self.t.agreed.sack {
            return 0;
        }
        let mut new = 0;
        for (first, end) in o.blocks() {
            for s in &mut self.t.snd.in_flight {
                if !s.sacked && !before(s.seq, *first) && !after(s.end(), *end) {
                    (s.sacked, s.lost) = (true, false);
                    new += 1;
                }
            }
        }
        new
    }

    /// Whether something was lost, and what follows for the congestion window (tcp_fastretrans_alert, tcp_cong_avoid);
    /// whether one lost segment may go out again beyond that window.
    fn look_for_loss(&mut self, advanced: bool, acked: u32, duplicate: bool, newly_sacked: u32) -> bool {
        let mut repair = false;
        let snd = &mut self.t.snd;
        if advanced {
            snd.dupacks = 0;
        } else if duplicate || newly_sacked > 0 {
            snd.dupacks = snd.dupacks.saturating_add(1);
        }
        match snd.recover {
            Some(high) if advanced && !before(snd.una, high) => {
                snd.recover = None;
                snd.cwnd = snd.cwnd.max(snd.ssthresh.min(snd.cwnd + acked)).max(2);
            }
            Some(_) if advanced => {
                // A partial acknowledgment: the next hole is lost too.
                if let Some(first) = snd.in_flight.front_mut().filter(|s| s.again == 0 && !s.sacked) {
                    first.lost = true;
                    repair = true;
                }
            }
            _ => {}
        }
        if advanced && snd.cwnd < snd.ssthresh {
            snd.cwnd = (snd.cwnd + acked).min(snd.ssthresh);
        } else if advanced && snd.recover.is_none() {
            snd.cwnd_cnt += acked;
            if snd.cwnd_cnt >= snd.cwnd {
                snd.cwnd_cnt = 0;
                snd.cwnd += 1;
            }
        }
        let beyond = snd.in_flight.iter().filter(|s| s.sacked).count() as u32;
        if snd.recover.is_none() && (beyond >= REORDERING || u32::from(snd.dupacks) >= REORDERING) {
            let pipe = snd.in_flight.iter().filter(|s| !s.sacked && !s.lost).count() as u32;
            snd.recover = Some(snd.nxt);
            snd.ssthresh = (pipe / 2).max(2);
            snd.cwnd = snd.ssthresh;
            self.mark_holes();
            self.set_timer(Pending::Retransmit, self.t.timers.rto);
            repair = true;
        } else if snd.recover.is_some() && newly_sacked > 0 {
            self.mark_holes();
        }
        repair
    }

    /// What lies before the last segment that arrived, and did not arrive itself, is lost.
    fn mark_holes(&mut self) {
        let queue = &mut self.t.snd.in_flight;
        let highest = queue.iter().rposition(|s| s.sacked).unwrap_or(1);
        for s in queue.iter_mut().take(highest).filter(|s| !s.sacked && s.again == 0) {
            s.lost = true;
        }
    }
}
