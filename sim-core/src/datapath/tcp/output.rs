//! Segments on their way out: data, acknowledgments, resets, and what is sent again.
//!
//! Models: net/ipv4/tcp_output.c tcp_write_xmit, tcp_transmit_skb, tcp_select_window, tcp_send_fin, tcp_retransmit_skb.
//! Spec: RFC 9293 section 3.8, RFC 7323, RFC 5681 (slow start from 10 segments, RFC 6928).
//! Simplifies: no segmentation offload (each segment is a packet), Reno in place of CUBIC, no pacing, receive buffers do not grow.

use super::conn::{Action, Conn, RTO_MIN};
use super::options::Options;
use crate::linux::Errno;
use crate::linux::socket::tcp::{Agreed, Pending, Receiver, Sent, TcpState, after, before};
use crate::packet::{Bytes, Tcp, TcpFlags};
use std::time::Duration;

/// Half of `tcp_rmem[1]`: what a receive buffer counts as data (tcp_full_space).
const FULL_SPACE: u32 = 65_536;
/// What `tcp_rmem[2]` makes of the window scale.
const WINDOW_SCALE: u8 = 7;
/// TCP_MSS_DEFAULT: MSS of a side that does not tell one.
pub(super) const MSS_DEFAULT: u16 = 536;
/// Bytes that wait to be sent at most (`tcp_wmem[2]`).
const SEND_BUFFER: usize = 4 << 20;
/// TCP_INIT_CWND.
const INIT_CWND: u32 = 10;
/// TCP_TIMEOUT_MIN.
const TIMEOUT_MIN: Duration = Duration::from_millis(2);

impl Conn<'_> {
    /// Sets what this side tells in its SYN, for a path of `mtu` bytes (tcp_connect_init, tcp_openreq_init_rwin).
    pub(super) fn init(&mut self, iss: u32, ts_offset: u32, mtu: u32, passive: bool) {
        let ip = self.t.agreed.ip_header();
        let advmss = mtu.min(65_535).saturating_sub(ip + 20).max(256) as u16;
        let quantum = u32::from(advmss) - if passive && self.t.agreed.timestamps { 12 } else { 0 };
        let window = (FULL_SPACE / quantum * quantum).min(65_535);
        self.t.agreed = Agreed { ts_offset, advmss, mtu, ..self.t.agreed };
        self.t.rcv.buffer = window;
        self.t.rcv.wnd = window;
        let snd = &mut self.t.snd;
        (snd.iss, snd.una, snd.nxt, snd.sml) = (iss, iss, iss, iss);
        snd.cwnd = INIT_CWND;
        snd.ssthresh = u32::MAX;
        snd.mss = u32::from(MSS_DEFAULT);
    }

    /// Takes the MSS anew from the path's MTU and what the other side takes (tcp_sync_mss).
    pub(super) fn sync_mss(&mut self) {
        let options = if self.t.agreed.timestamps { 12 } else { 0 };
        let whole = (self.t.agreed.mtu.min(65_535) + options).saturating_sub(self.t.header_len());
        let mut mss = whole.min(u32::from(self.t.agreed.peer_mss)).saturating_sub(options);
        let half = if self.t.snd.max_wnd > u32::from(MSS_DEFAULT) { self.t.snd.max_wnd / 2 } else { self.t.snd.max_wnd };
        if half > 0 && mss > half {
            mss = half.max(68 - 40);
        }
        self.t.snd.mss = mss.max(28);
    }

    /// The window to tell now (tcp_select_window): never less than was told before.
    fn select_window(rcv: &mut Receiver, scaled: bool) -> u16 {
        let shift = if scaled { rcv.wscale } else { 0 };
        let align = |n: u32| (n + (1 << shift) - 1) >> shift << shift;
        let window = align(rcv.space()).max(align(rcv.window_left())).min(65_535 << shift);
        rcv.wnd = window;
        rcv.wup = rcv.nxt;
        (window >> shift) as u16
    }

    /// A segment with the acknowledgment, window and options of now.
    fn segment(&mut self, seq: u32, flags: TcpFlags, data: Bytes) -> Tcp {
        let syn = flags.has(TcpFlags::SYN);
        let agreed = &self.t.agreed;
        let mut options = Options::default();
        if agreed.timestamps {
            options.timestamps = Some((self.timestamp(), if flags.has(TcpFlags::ACK) { agreed.ts_recent } else { 0 }));
        }
        if syn {
            options.mss = Some(agreed.advmss);
            options.sack_permitted = agreed.sack;
            options.wscale = agreed.wscale.then_some(self.t.rcv.wscale);
        } else if agreed.sack && !self.t.rcv.early.is_empty() {
            options.set_blocks(sack_blocks(&self.t.rcv));
        }
        let window = if syn {
            self.t.rcv.wup = self.t.rcv.nxt;
            self.t.rcv.wnd.min(65_535) as u16
        } else {
            Self::select_window(&mut self.t.rcv, agreed.wscale)
        };
        Tcp {
            src_port: self.ports.0,
            dst_port: self.ports.1,
            seq,
            ack: if flags.has(TcpFlags::ACK) { self.t.rcv.nxt } else { 0 },
            flags,
            window,
            urgent: 0,
            checksum_error: 0,
            options: options.build(),
            payload: data,
        }
    }

    /// Acknowledges at once (tcp_send_ack).
    pub(super) fn send_ack(&mut self) {
        let seg = self.segment(self.t.snd.nxt, TcpFlags::ACK, Bytes::EMPTY);
        self.out.push(Action::Send(seg));
    }

    /// Acknowledges a segment that does not fit, at most once in half a second (tcp_send_challenge_ack).
    pub(super) fn challenge_ack(&mut self) {
        let due = self.t.rcv.challenged.is_none_or(|last| self.now.since(last) >= Duration::from_millis(500));
        if due {
            self.t.rcv.challenged = Some(self.now);
            self.send_ack();
        }
    }

    /// Resets the connection from this side (tcp_send_active_reset).
    pub(super) fn send_reset(&mut self) {
        let seg = self.segment(self.t.snd.nxt, TcpFlags::RST.with(TcpFlags::ACK), Bytes::EMPTY);
        self.out.push(Action::Send(seg));
    }

    fn flags_of(&self, s: &Sent) -> TcpFlags {
        let mut flags = TcpFlags::default();
        if s.syn {
            flags = flags.with(TcpFlags::SYN);
        }
        if !s.syn || self.t.state == TcpState::SynRecv {
            flags = flags.with(TcpFlags::ACK);
        }
        if s.push {
            flags = flags.with(TcpFlags::PSH);
        }
        if s.fin {
            flags = flags.with(TcpFlags::FIN);
        }
        flags
    }

    /// Sends a segment for the first time and keeps it until it is acknowledged.
    fn send_new(&mut self, data: Bytes, syn: bool, fin: bool, push: bool) {
        let seq = self.t.snd.nxt;
        let sent = Sent { seq, data, syn, fin, push, at: self.now, again: 0, sacked: false, lost: false };
        self.t.snd.nxt = sent.end();
        let flags = self.flags_of(&sent);
        let seg = self.segment(seq, flags, sent.data.clone());
        self.t.snd.in_flight.push_back(sent);
        self.out.push(Action::Send(seg));
    }

    /// Sends a segment of the retransmission queue again (tcp_retransmit_skb).
    pub(super) fn resend(&mut self, at: usize) {
        let now = self.now;
        let mss = self.t.snd.mss as usize;
        let Some(s) = self.t.snd.in_flight.get_mut(at) else { return };
        if !s.syn && s.data.len() > mss {
            // The path takes less than when it was sent (tcp_fragment).
            let tail = Sent { seq: s.seq.wrapping_add(mss as u32), data: s.data[mss..].into(), fin: s.fin, push: s.push, ..s.clone() };
            (s.data, s.fin, s.push) = (s.data[..mss].into(), false, false);
            self.t.snd.in_flight.insert(at + 1, tail);
        }
        let Some(s) = self.t.snd.in_flight.get_mut(at) else { return };
        s.again += 1;
        s.lost = false;
        self.t.timers.since.get_or_insert(s.at);
        s.at = now;
        let s = s.clone();
        let flags = self.flags_of(&s);
        let seg = self.segment(s.seq, flags, s.data);
        self.out.push(Action::Send(seg));
    }

    /// Segments that are taken to be on the way (tcp_packets_in_flight).
    pub(super) fn pipe(&self) -> u32 {
        self.t.snd.in_flight.iter().filter(|s| !s.sacked && !s.lost).count() as u32
    }

    /// Sends what is lost again, as far as the congestion window allows, or one segment beyond it (tcp_xmit_retransmit_queue).
    pub(super) fn resend_lost(&mut self, mut beyond: bool) {
        let mut pipe = self.pipe();
        let mut at = 0;
        while pipe < self.t.snd.cwnd || std::mem::take(&mut beyond) {
            let Some(next) = self.t.snd.in_flight.iter().skip(at).position(|s| s.lost).map(|i| at + i) else { break };
            self.resend(next);
            pipe += 1;
            at = next + 1;
        }
    }

    /// The SYN, or the SYN-ACK.
    pub(super) fn send_syn(&mut self) {
        self.t.rcv.wscale = WINDOW_SCALE;
        self.send_new(Bytes::EMPTY, true, false, false);
    }

    /// Sends as much as windows allow (tcp_write_xmit). `probe`: one segment beyond the congestion window.
    pub(super) fn push_pending(&mut self, probe: bool) -> bool {
        let mut any = false;
        while self.t.state.is_synchronized() && (!probe || !any) {
            let snd = &self.t.snd;
            let waiting = snd.unsent.len() as u32;
            let fin_waits = snd.fin && !snd.fin_sent;
            if (waiting == 0 && !fin_waits) || (!probe && self.pipe() >= snd.cwnd) {
                break;
            }
            let len = waiting.min(snd.mss);
            let fin = fin_waits && len == waiting;
            let end = snd.nxt.wrapping_add(len).wrapping_add(u32::from(fin));
            let last_fits = !after(end, snd.una.wrapping_add(snd.wnd));
            let small_on_the_way = after(snd.sml, snd.una) && !after(snd.sml, snd.nxt);
            let nagle = len < snd.mss && !fin && !snd.in_flight.is_empty() && small_on_the_way;
            if !last_fits || (nagle && !probe) {
                break;
            }
            self.send_data(len, fin);
            any = true;
        }
        if any {
            self.schedule_after_send();
        } else if self.t.snd.in_flight.is_empty() && self.has_pending() && self.t.timers.pending == Pending::None {
            self.set_timer(Pending::Probe, self.t.timers.rto.max(RTO_MIN));
        }
        any
    }

    /// Whether data or a FIN waits to be sent.
    pub(super) fn has_pending(&self) -> bool {
        self.t.state.is_synchronized() && (!self.t.snd.unsent.is_empty() || (self.t.snd.fin && !self.t.snd.fin_sent))
    }

    /// Sends the next `len` bytes, with the FIN if `fin`.
    pub(super) fn send_data(&mut self, len: u32, fin: bool) {
        let data: Vec<u8> = self.t.snd.unsent.drain(..(len as usize).min(self.t.snd.unsent.len())).collect();
        let push = !data.is_empty() && self.t.snd.unsent.is_empty();
        let small = (data.len() as u32) < self.t.snd.mss;
        self.t.snd.fin_sent |= fin;
        self.send_new(data.into(), false, fin, push);
        if small {
            self.t.snd.sml = self.t.snd.nxt;
        }
    }

    /// The timer after new data: a tail loss probe, else the retransmission timeout (tcp_schedule_loss_probe).
    pub(super) fn schedule_after_send(&mut self) {
        let Some(srtt) = self.t.timers.srtt else {
            if self.t.timers.pending != Pending::Retransmit {
                self.set_timer(Pending::Retransmit, self.t.timers.rto);
            }
            return;
        };
        let open = self.t.snd.recover.is_none() && self.t.snd.dupacks == 0 && self.t.snd.tlp_high.is_none();
        if !open || !self.t.agreed.sack || self.t.timers.backoff > 0 {
            if !matches!(self.t.timers.pending, Pending::Retransmit) {
                self.set_timer(Pending::Retransmit, self.t.timers.rto);
            }
            return;
        }
        let alone = self.t.snd.in_flight.len() == 1;
        let wait = srtt * 2 + if alone { RTO_MIN } else { TIMEOUT_MIN };
        self.set_timer(Pending::TailLoss, wait.min(self.t.timers.rto));
    }

    /// Adds data to be sent; how much was taken (tcp_sendmsg).
    ///
    /// # Errors
    /// EAGAIN when the buffer is full, ENOTCONN, EPIPE.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, Errno> {
        match self.t.state {
            TcpState::Listen => return Err(Errno::ENOTCONN),
            TcpState::Close if self.t.agreed.advmss == 0 => return Err(Errno::ENOTCONN),
            TcpState::SynSent | TcpState::SynRecv => return Err(Errno::EAGAIN),
            s if !s.may_send() || self.t.snd.fin => return Err(Errno::EPIPE),
            _ => {}
        }
        let room = SEND_BUFFER.saturating_sub(self.t.snd.unsent.len());
        let taken = data.len().min(room);
        if taken == 0 && !data.is_empty() {
            return Err(Errno::EAGAIN);
        }
        self.t.snd.unsent.extend(&data[..taken]);
        self.push_pending(false);
        Ok(taken)
    }

    /// A reset for a segment of no connection: sequence numbers as RFC 9293 section 3.10.7.1 says (tcp_v4_send_reset).
    pub fn reset_for(seg: &Tcp) -> Option<Tcp> {
        if seg.flags.has(TcpFlags::RST) {
            return None;
        }
        let (seq, ack, flags) = if seg.flags.has(TcpFlags::ACK) {
            (seg.ack, 0, TcpFlags::RST)
        } else {
            (0, seg.seq.wrapping_add(seg.seq_len()), TcpFlags::RST.with(TcpFlags::ACK))
        };
        Some(Tcp {
            src_port: seg.dst_port,
            dst_port: seg.src_port,
            seq,
            ack,
            flags,
            window: 0,
            urgent: 0,
            checksum_error: 0,
            options: Default::default(),
            payload: Bytes::EMPTY,
        })
    }
}

/// What lies beyond a gap, as blocks of sequence numbers.
fn sack_blocks(rcv: &Receiver) -> impl Iterator<Item = (u32, u32)> {
    let mut blocks: Vec<(u32, u32)> = Vec::new();
    for e in &rcv.early {
        let end = e.seq.wrapping_add(e.data.len() as u32).wrapping_add(u32::from(e.fin));
        match blocks.last_mut() {
            Some(last) if !before(last.1, e.seq) => last.1 = end,
            _ => blocks.push((e.seq, end)),
        }
    }
    blocks.into_iter()
}
