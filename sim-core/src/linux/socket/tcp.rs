//! The state of a TCP connection.
//!
//! Models: include/linux/tcp.h struct tcp_sock, include/net/inet_connection_sock.h, include/net/tcp_states.h.
//! Spec: RFC 9293.
//! Simplifies: embryonic connections (`request_sock`) and those in TIME_WAIT (`tcp_timewait_sock`) are full sockets;
//! buffers are counted in bytes of data, without the overhead of an sk_buff.

use crate::linux::id::SocketId;
use crate::linux::time::Time;
use crate::packet::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// State of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TcpState {
    /// No connection.
    #[default]
    Close,
    /// Waiting for connections.
    Listen,
    /// SYN sent.
    SynSent,
    /// SYN received and answered.
    SynRecv,
    /// Open both ways.
    Established,
    /// Closed here; the FIN is not acknowledged yet.
    FinWait1,
    /// Closed here; waiting for the other side.
    FinWait2,
    /// The other side has closed.
    CloseWait,
    /// Both have closed at once.
    Closing,
    /// Closed after the other side; the FIN is not acknowledged yet.
    LastAck,
    /// Waiting for stray segments to die.
    TimeWait,
}

impl TcpState {
    /// Whether the handshake is over and the connection is not.
    #[inline]
    pub fn is_synchronized(self) -> bool {
        !matches!(self, TcpState::Close | TcpState::Listen | TcpState::SynSent | TcpState::SynRecv)
    }

    /// Whether data may still come in.
    #[inline]
    pub fn may_receive(self) -> bool {
        matches!(self, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2)
    }

    /// Whether data may still be sent.
    #[inline]
    pub fn may_send(self) -> bool {
        matches!(self, TcpState::Established | TcpState::CloseWait)
    }
}

/// Whether sequence number `a` comes before `b`.
#[inline]
pub fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Whether sequence number `a` comes after `b`.
#[inline]
pub fn after(a: u32, b: u32) -> bool {
    before(b, a)
}

/// A segment that was sent and is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its first sequence number.
    pub seq: u32,
    /// Its data.
    pub data: Bytes,
    /// Whether it is, or carries, the SYN.
    pub syn: bool,
    /// Whether it carries the FIN.
    pub fin: bool,
    /// PSH.
    pub push: bool,
    /// When it was sent first.
    pub at: Time,
    /// How often it was sent again.
    pub again: u32,
    /// Whether the other side said that it has it (SACK).
    pub sacked: bool,
    /// Whether it is taken for lost and was not sent again since.
    pub lost: bool,
}

impl Sent {
    /// The sequence number behind it.
    #[inline]
    pub fn end(&self) -> u32 {
        self.seq.wrapping_add(self.data.len() as u32).wrapping_add(u32::from(self.syn)).wrapping_add(u32::from(self.fin))
    }
}

/// The sending half.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// Initial sequence number.
    pub iss: u32,
    /// `snd_una`: the oldest that is not acknowledged.
    pub una: u32,
    /// `snd_nxt`: the next to be sent.
    pub nxt: u32,
    /// `snd_wnd`: the other side's window in bytes.
    pub wnd: u32,
    /// `max_window`: the largest window seen.
    pub max_wnd: u32,
    /// `snd_wl1`: the segment that told the window.
    pub wl1: u32,
    /// `snd_wscale`.
    pub wscale: u8,
    /// `mss_cache`: bytes of data in a full segment, options taken off.
    pub mss: u32,
    /// `snd_sml`: end of the last segment that was not full.
    pub sml: u32,
    /// Data that was not sent yet.
    pub unsent: VecDeque<u8>,
    /// Whether a FIN is to follow the data.
    pub fin: bool,
    /// Whether that FIN was sent.
    pub fin_sent: bool,
    /// Segments on the way.
    pub in_flight: VecDeque<Sent>,
    /// `snd_cwnd`, in segments.
    pub cwnd: u32,
    /// Acknowledged segments that did not yet make the congestion window grow.
    pub cwnd_cnt: u32,
    /// `snd_ssthresh`, in segments.
    pub ssthresh: u32,
    /// Duplicate acknowledgments in a row.
    pub dupacks: u8,
    /// `tlp_high_seq`: end of what was on the way when a tail loss probe was sent.
    pub tlp_high: Option<u32>,
    /// `high_seq`: end of what was on the way when a loss was seen, until it is acknowledged.
    pub recover: Option<u32>,
}

/// Data that came before its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Its first sequence number.
    pub seq: u32,
    /// The data.
    pub data: Bytes,
    /// Whether a FIN follows it.
    pub fin: bool,
}

/// The receiving half.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// Initial sequence number of the other side.
    pub irs: u32,
    /// `rcv_nxt`: the next expected.
    pub nxt: u32,
    /// `rcv_wup`: [`Receiver::nxt`] when the window was told last.
    pub wup: u32,
    /// `rcv_wnd`: the window as told last, in bytes.
    pub wnd: u32,
    /// `rcv_wscale`.
    pub wscale: u8,
    /// How much the socket takes in bytes.
    pub buffer: u32,
    /// In order, to be read by the program.
    pub ready: VecDeque<Bytes>,
    /// Bytes in `ready`.
    pub ready_len: u32,
    /// Before its turn, by sequence number, without overlap.
    pub early: Vec<OutOfOrder>,
    /// Whether the other side has closed, and all before that came in.
    pub fin: bool,
    /// When a challenge acknowledgment was sent last.
    pub challenged: Option<Time>,
}

impl Receiver {
    /// Bytes of the told window that are left (`tcp_receive_window`).
    #[inline]
    pub fn window_left(&self) -> u32 {
        let left = self.wup.wrapping_add(self.wnd).wrapping_sub(self.nxt) as i32;
        left.max(0) as u32
    }

    /// Bytes that the buffer still takes.
    #[inline]
    pub fn space(&self) -> u32 {
        self.buffer.saturating_sub(self.ready_len)
    }
}

/// What both sides agreed on in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Agreed {
    /// Timestamps (RFC 7323).
    pub timestamps: bool,
    /// Selective acknowledgment (RFC 2018).
    pub sack: bool,
    /// Window scaling (RFC 7323).
    pub wscale: bool,
    /// `tsoffset`: what is added to the milliseconds of the clock.
    pub ts_offset: u32,
    /// `ts_recent`: the timestamp to be echoed.
    pub ts_recent: u32,
    /// MSS that this side told, from its route's MTU.
    pub advmss: u16,
    /// MSS that the other side told.
    pub peer_mss: u16,
    /// MTU of the path as known here.
    pub mtu: u32,
    /// Whether its segments go over IPv6.
    pub ipv6: bool,
}

impl Agreed {
    /// Bytes of the IP header of a segment.
    #[inline]
    pub fn ip_header(&self) -> u32 {
        if self.ipv6 { 40 } else { 20 }
    }
}

/// What the retransmission timer is running for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pending {
    /// Nothing.
    #[default]
    None,
    /// The oldest segment on the way.
    Retransmit,
    /// The last segment on the way, before the retransmission timeout (tail loss probe).
    TailLoss,
    /// A window that opens again.
    Probe,
}

/// Timers. The one of a kind that is wanted has a deadline here; events that fire at another time do not count.
#[derive(Clone, Debug)]
pub struct Timers {
    /// What the retransmission timer is for.
    pub pending: Pending,
    /// When it is due.
    pub deadline: Time,
    /// The event that is under way for it.
    pub armed: Time,
    /// `icsk_rto`: the retransmission timeout in force, backed off.
    pub rto: Duration,
    /// `icsk_backoff`.
    pub backoff: u32,
    /// `icsk_retransmits`: timeouts in a row without progress.
    pub retransmits: u32,
    /// `total_rto`: timeouts of the SYN.
    pub syn_timeouts: u32,
    /// `retrans_stamp`: when the segment that is sent again and again was sent first.
    pub since: Option<Time>,
    /// Smoothed round trip time; none before the first sample.
    pub srtt: Option<Duration>,
    /// Its mean deviation.
    pub rttvar: Duration,
    /// When TIME_WAIT or an orphan's FIN_WAIT2 ends; [`Time::NEVER`] if neither is the case.
    pub linger: Time,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            pending: Pending::None,
            deadline: Time::NEVER,
            armed: Time::NEVER,
            rto: Duration::from_secs(1),
            backoff: 0,
            retransmits: 0,
            syn_timeouts: 0,
            since: None,
            srtt: None,
            rttvar: Duration::ZERO,
            linger: Time::NEVER,
        }
    }
}

/// What a listening socket keeps.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// `sk_max_ack_backlog`.
    pub backlog: u32,
    /// Connections waiting for accept(2), oldest first.
    pub accept: VecDeque<SocketId>,
    /// Connections whose handshake is not over.
    pub embryos: Vec<SocketId>,
}

/// Transmission control block.
#[derive(Clone, Debug)]
pub struct Tcb {
    /// State.
    pub state: TcpState,
    /// What goes out.
    pub snd: Sender,
    /// What comes in.
    pub rcv: Receiver,
    /// Options in force.
    pub agreed: Agreed,
    /// Timers.
    pub timers: Timers,
    /// What a listener keeps.
    pub listener: Listener,
    /// The listener that it came in by, until accept(2) hands it out; else none.
    pub parent: SocketId,
    /// Whether the other side opened it: its packets belong to the flow of the segment that came last.
    pub passive: bool,
    /// Whether its program has closed it (SOCK_DEAD).
    pub orphan: bool,
    /// `sk_err_soft`: an error that counts if the connection times out.
    pub soft_error: Option<crate::linux::Errno>,
    /// The peer was heard of: the next segment says so to its neighbour entry (`sk_dst_pending_confirm`).
    pub dst_confirm: bool,
}

impl Default for Tcb {
    fn default() -> Self {
        Tcb::new(TcpState::Close)
    }
}

impl Tcb {
    /// A block in that state, with nothing sent or received.
    pub fn new(state: TcpState) -> Self {
        Tcb {
            state,
            snd: Sender::default(),
            rcv: Receiver::default(),
            agreed: Agreed::default(),
            timers: Timers::default(),
            listener: Listener::default(),
            parent: SocketId::NONE,
            passive: false,
            orphan: false,
            soft_error: None,
            dst_confirm: false,
        }
    }

    /// Whether it waits for connections.
    #[inline]
    pub fn is_listening(&self) -> bool {
        self.state == TcpState::Listen
    }

    /// Whether a read would not have to wait: data, the end of the stream, or no connection.
    pub fn is_readable(&self) -> bool {
        self.rcv.ready_len > 0 || self.rcv.fin || matches!(self.state, TcpState::Close | TcpState::TimeWait)
    }

    /// Bytes of the IP and TCP headers of a data segment, options included.
    pub fn header_len(&self) -> u32 {
        self.agreed.ip_header() + 20 + if self.agreed.timestamps { 12 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_wrap() {
        assert!(before(0xffff_fff0, 5));
        assert!(after(5, 0xffff_fff0));
        assert!(!before(7, 7) && !after(7, 7));
    }
}
