//! A segment arrives at a connection.
//!
//! Models: net/ipv4/tcp_input.c tcp_rcv_state_process, tcp_rcv_synsent_state_process, tcp_validate_incoming, tcp_data_queue,
//! tcp_fin; net/ipv4/tcp_minisocks.c tcp_check_req, tcp_timewait_state_process.
//! Spec: RFC 9293 section 3.10.7, RFC 5961, RFC 7323 section 5 (PAWS).
//! Simplifies: every data segment is acknowledged at once (quickack mode; real programs see up to 40 ms of delay, and
//! acknowledgments that ride on answers); no urgent data, no Fast Open, no D-SACK, no receive buffer tuning.

use super::conn::{Conn, TIMEWAIT_LEN};
use super::options::Options;
use super::output::MSS_DEFAULT;
use crate::linux::socket::tcp::{OutOfOrder, Pending, TcpState, after, before};
use crate::linux::{Errno, SocketId};
use crate::packet::{Bytes, Tcp, TcpFlags};
use crate::trace::DropReason;

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The connection took it.
    Taken,
    /// It was dropped (perhaps after an acknowledgment).
    Dropped(DropReason),
    /// It was dropped and is to be answered by a reset.
    Reset(DropReason),
}

impl Conn<'_> {
    /// A segment for this connection; not for a listener.
    pub fn input(&mut self, seg: &Tcp) -> Input {
        let options = Options::parse(&seg.options);
        match self.t.state {
            TcpState::Close | TcpState::Listen => Input::Reset(DropReason::NoSocket),
            TcpState::SynSent => self.syn_sent(seg, &options),
            TcpState::TimeWait => self.time_wait(seg, &options),
            TcpState::SynRecv if self.t.parent != SocketId::NONE => self.request(seg, &options),
            _ => self.synchronized(seg, &options),
        }
    }

    /// Takes over what the SYN of the other side says.
    fn take_syn(&mut self, seg: &Tcp, o: &Options) {
        let agreed = &mut self.t.agreed;
        agreed.timestamps &= o.timestamps.is_some();
        agreed.sack &= o.sack_permitted;
        agreed.wscale &= o.wscale.is_some();
        agreed.ts_recent = o.timestamps.map_or(0, |(val, _)| val);
        agreed.peer_mss = o.mss.unwrap_or(MSS_DEFAULT);
        self.t.snd.wscale = o.wscale.unwrap_or(0);
        let rcv = &mut self.t.rcv;
        rcv.irs = seg.seq;
        rcv.nxt = seg.seq.wrapping_add(1);
        rcv.wup = rcv.nxt;
        self.t.snd.wl1 = seg.seq;
        self.take_window(u32::from(seg.window));
    }

    fn take_window(&mut self, window: u32) {
        self.t.snd.wnd = window;
        self.t.snd.max_wnd = self.t.snd.max_wnd.max(window);
    }

    /// The other side's window as this segment tells it.
    fn window_of(&self, seg: &Tcp) -> u32 {
        u32::from(seg.window) << if self.t.agreed.wscale { self.t.snd.wscale } else { 0 }
    }

    /// A SYN for a listener: this block becomes the connection that answers it (tcp_conn_request).
    pub fn answer_syn(&mut self, seg: &Tcp, iss: u32, ts_offset: u32, mtu: u32) {
        let options = Options::parse(&seg.options);
        let agreed = &mut self.t.agreed;
        (agreed.timestamps, agreed.sack, agreed.wscale) = (options.timestamps.is_some(), true, options.wscale.is_some());
        self.init(iss, ts_offset, mtu, true);
        self.take_syn(seg, &options);
        self.sync_mss();
        self.set_state(TcpState::SynRecv);
        self.send_syn();
        self.start_handshake_timer();
    }

    fn syn_sent(&mut self, seg: &Tcp, o: &Options) -> Input {
        if seg.flags.has(TcpFlags::ACK) {
            if !after(seg.ack, self.t.snd.una) || after(seg.ack, self.t.snd.nxt) {
                return Input::Reset(DropReason::TcpInvalidSequence);
            }
            if seg.flags.has(TcpFlags::RST) {
                self.done(Some(Errno::ECONNREFUSED));
                return Input::Taken;
            }
            if !seg.flags.has(TcpFlags::SYN) {
                return Input::Dropped(DropReason::TcpFlags);
            }
            self.take_syn(seg, o);
            self.clean_queue(seg.ack, o);
            self.sync_mss();
            self.set_state(TcpState::Established);
            self.stop_timer();
            self.send_ack();
            self.wake();
            return Input::Taken;
        }
        if seg.flags.has(TcpFlags::RST) || !seg.flags.has(TcpFlags::SYN) {
            return Input::Dropped(DropReason::TcpFlags);
        }
        // Both sides open at once (RFC 9293 section 3.5): the SYN goes out again, now with an acknowledgment.
        self.take_syn(seg, o);
        self.sync_mss();
        self.set_state(TcpState::SynRecv);
        self.resend(0);
        Input::Taken
    }

    /// A segment for a connection whose handshake came from a listener and is not over (tcp_check_req).
    fn request(&mut self, seg: &Tcp, o: &Options) -> Input {
        let syn_only = seg.flags.has(TcpFlags::SYN) && !seg.flags.has(TcpFlags::ACK) && !seg.flags.has(TcpFlags::RST);
        if syn_only && seg.seq == self.t.rcv.irs {
            self.resend(0);
            self.set_timer(Pending::Retransmit, self.t.timers.rto);
            return Input::Taken;
        }
        if seg.flags.has(TcpFlags::ACK) && seg.ack != self.t.snd.nxt {
            return Input::Reset(DropReason::TcpFlags);
        }
        let end = seg.seq.wrapping_add(seg.seq_len());
        let limit = self.t.rcv.nxt.wrapping_add(self.t.rcv.wnd);
        if before(end, self.t.rcv.nxt) || after(seg.seq, limit) {
            if !seg.flags.has(TcpFlags::RST) {
                self.challenge_ack();
            }
            return Input::Dropped(DropReason::TcpInvalidSequence);
        }
        if seg.flags.has(TcpFlags::RST) {
            self.done(None);
            return Input::Taken;
        }
        if seg.flags.has(TcpFlags::SYN) {
            self.done(None);
            return Input::Reset(DropReason::TcpFlags);
        }
        self.synchronized(seg, o)
    }

    /// Whether the segment may be looked at; else why not (tcp_validate_incoming).
    fn validate(&mut self, seg: &Tcp, o: &Options) -> Result<(), DropReason> {
        let rst = seg.flags.has(TcpFlags::RST);
        let end = seg.seq.wrapping_add(seg.seq_len());
        // A bare acknowledgment that was overtaken on its way is no harm (tcp_disordered_ack).
        if !rst && seg.seq_len() > 0 && self.is_stale(o) {
            self.send_ack();
            return Err(DropReason::TcpOldData);
        }
        let old = before(end, self.t.rcv.wup);
        if old || after(seg.seq, self.t.rcv.nxt.wrapping_add(self.t.rcv.window_left())) {
            match (rst, seg.flags.has(TcpFlags::SYN)) {
                (true, _) => {}
                (false, true) => self.challenge_ack(),
                (false, false) => self.send_ack(),
            }
            return Err(if old { DropReason::TcpOldData } else { DropReason::TcpInvalidSequence });
        }
        if rst {
            if seg.seq == self.t.rcv.nxt {
                self.reset();
                return Err(DropReason::TcpReset);
            }
            self.challenge_ack();
            return Err(DropReason::TcpInvalidSequence);
        }
        if seg.flags.has(TcpFlags::SYN) {
            self.challenge_ack();
            return Err(DropReason::TcpFlags);
        }
        if !seg.flags.has(TcpFlags::ACK) {
            return Err(DropReason::TcpFlags);
        }
        if let Some((val, _)) = o.timestamps
            && !after(seg.seq, self.t.rcv.wup)
            && after(val, self.t.agreed.ts_recent)
        {
            self.t.agreed.ts_recent = val;
        }
        Ok(())
    }

    /// The other side has reset the connection (tcp_reset).
    fn reset(&mut self) {
        let errno = if self.t.state == TcpState::CloseWait { Errno::EPIPE } else { Errno::ECONNRESET };
        self.done(Some(errno));
    }

    fn synchronized(&mut self, seg: &Tcp, o: &Options) -> Input {
        match self.validate(seg, o) {
            Err(DropReason::TcpReset) => return Input::Taken,
            Err(reason) => return Input::Dropped(reason),
            Ok(()) => {}
        }
        if self.t.state == TcpState::SynRecv {
            if !after(seg.ack, self.t.snd.una) || after(seg.ack, self.t.snd.nxt) {
                return Input::Reset(DropReason::TcpInvalidSequence);
            }
            self.set_state(TcpState::Established);
            self.stop_timer();
            self.t.snd.wl1 = seg.seq;
            let window = self.window_of(seg);
            self.take_window(window);
            self.sync_mss();
            self.wake();
        }
        if let Err(reason) = self.ack(seg, o, self.window_of(seg)) {
            return Input::Dropped(reason);
        }
        let fin_acked = self.t.snd.fin_sent && self.t.snd.in_flight.is_empty();
        match self.t.state {
            TcpState::FinWait1 if fin_acked => {
                self.set_state(TcpState::FinWait2);
                if self.t.orphan {
                    self.linger(TcpState::FinWait2, self.limits.fin_timeout);
                }
                self.wake();
            }
            TcpState::Closing if fin_acked => self.linger(TcpState::TimeWait, TIMEWAIT_LEN),
            TcpState::LastAck if fin_acked => {
                self.done(None);
                return Input::Taken;
            }
            _ => {}
        }
        self.text(seg)
    }

    /// The data and the FIN of an acceptable segment (tcp_data_queue).
    fn text(&mut self, seg: &Tcp) -> Input {
        let fin = seg.flags.has(TcpFlags::FIN);
        if seg.payload.is_empty() && !fin {
            return Input::Taken;
        }
        let data_end = seg.seq.wrapping_add(seg.payload.len() as u32);
        let end = data_end.wrapping_add(u32::from(fin));
        let nxt = self.t.rcv.nxt;
        if self.t.orphan && matches!(self.t.state, TcpState::FinWait1 | TcpState::FinWait2) && after(data_end, nxt) {
            // Nobody is left to read it (TCPABORTONDATA).
            self.done(None);
            return Input::Reset(DropReason::TcpOldData);
        }
        if !after(end, nxt) || !self.t.state.may_receive() {
            self.send_ack();
            return Input::Dropped(DropReason::TcpOldData);
        }
        let window = self.t.rcv.window_left();
        if window == 0 || !before(seg.seq, nxt.wrapping_add(window)) {
            self.send_ack();
            return Input::Dropped(DropReason::TcpInvalidSequence);
        }
        self.keep_early(OutOfOrder { seq: seg.seq, data: seg.payload.clone(), fin });
        let closed = self.take_early();
        self.send_ack();
        if self.t.rcv.nxt != nxt || closed {
            self.wake();
        }
        Input::Taken
    }

    /// Puts data among what came before its turn; what is there already is cut off (tcp_data_queue_ofo).
    fn keep_early(&mut self, new: OutOfOrder) {
        let base = self.t.rcv.nxt;
        let at = |seq: u32| seq.wrapping_sub(base) as i32;
        let mut from = at(new.seq).max(0);
        let data_end = at(new.seq).wrapping_add(new.data.len() as i32);
        let piece = |from: i32, to: i32| -> Bytes {
            let skip = (from - at(new.seq)).max(0) as usize;
            let len = (to - from).max(0) as usize;
            new.data.get(skip..skip + len).unwrap_or(&[]).into()
        };
        let old = std::mem::take(&mut self.t.rcv.early);
        let mut merged = Vec::with_capacity(old.len() + 1);
        for e in old {
            let (first, last) = (at(e.seq), at(e.seq) + e.data.len() as i32);
            if from < first.min(data_end) {
                let to = first.min(data_end);
                merged.push(OutOfOrder { seq: base.wrapping_add(from as u32), data: piece(from, to), fin: false });
            }
            from = from.max(last);
            merged.push(e);
        }
        if from < data_end {
            merged.push(OutOfOrder { seq: base.wrapping_add(from as u32), data: piece(from, data_end), fin: false });
        }
        if new.fin && !merged.iter().any(|e| e.fin) {
            match merged.last_mut() {
                Some(last) if at(last.seq) + last.data.len() as i32 == data_end => last.fin = true,
                _ => merged.push(OutOfOrder { seq: base.wrapping_add(data_end as u32), data: Bytes::EMPTY, fin: true }),
            }
        }
        merged.sort_by_key(|e| at(e.seq));
        self.t.rcv.early = merged;
    }

    /// Hands on what has become in order (tcp_ofo_queue); whether a FIN was among it.
    fn take_early(&mut self) -> bool {
        let rcv = &mut self.t.rcv;
        let mut fin = false;
        while let Some(first) = rcv.early.first().filter(|e| e.seq == rcv.nxt) {
            fin = first.fin;
            let data = rcv.early.remove(0).data;
            rcv.nxt = rcv.nxt.wrapping_add(data.len() as u32);
            rcv.ready_len += data.len() as u32;
            if !data.is_empty() {
                rcv.ready.push_back(data);
            }
            if fin {
                rcv.early.clear();
                rcv.fin = true;
                rcv.nxt = rcv.nxt.wrapping_add(1);
            }
        }
        if fin {
            self.fin();
        }
        fin
    }

    /// The other side has closed (tcp_fin).
    fn fin(&mut self) {
        match self.t.state {
            TcpState::Established | TcpState::SynRecv => self.set_state(TcpState::CloseWait),
            TcpState::FinWait1 => self.set_state(TcpState::Closing),
            TcpState::FinWait2 => self.linger(TcpState::TimeWait, TIMEWAIT_LEN),
            _ => {}
        }
    }

    /// A segment for a connection in TIME_WAIT; a SYN that may open a new one is the caller's (see [`Conn::reopens`]).
    fn time_wait(&mut self, seg: &Tcp, o: &Options) -> Input {
        let stale = self.is_stale(o);
        let bare = seg.seq == self.t.rcv.nxt && seg.seq_len() == 0;
        if seg.flags.has(TcpFlags::RST) {
            if !stale && seg.seq == self.t.rcv.nxt {
                self.done(None);
                return Input::Taken;
            }
            return Input::Dropped(DropReason::TcpInvalidSequence);
        }
        if stale || seg.flags.has(TcpFlags::ACK) {
            self.linger(TcpState::TimeWait, TIMEWAIT_LEN);
        }
        if bare && !stale {
            return Input::Taken;
        }
        self.send_ack();
        Input::Dropped(DropReason::TcpOldData)
    }

    fn is_stale(&self, o: &Options) -> bool {
        self.t.agreed.timestamps && o.timestamps.is_some_and(|(val, _)| self.t.agreed.ts_recent.wrapping_sub(val) as i32 > 1)
    }

    /// Whether a SYN may open a new connection in place of this one in TIME_WAIT.
    pub fn reopens(&self, seg: &Tcp) -> bool {
        let o = Options::parse(&seg.options);
        let newer = self.t.agreed.timestamps && o.timestamps.is_some_and(|(val, _)| after(val, self.t.agreed.ts_recent));
        self.t.state == TcpState::TimeWait
            && seg.flags.has(TcpFlags::SYN)
            && !seg.flags.has(TcpFlags::RST)
            && !seg.flags.has(TcpFlags::ACK)
            && !self.is_stale(&o)
            && (after(seg.seq, self.t.rcv.nxt) || newer)
    }
}
