//! The states of a TCP connection and what moves them.
//!
//! Models: net/netfilter/nf_conntrack_proto_tcp.c tcp_conntracks, get_conntrack_index (Linux 6.12 and later).

use crate::packet::{Tcp, TcpFlags};

/// enum tcp_conntrack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing seen.
    #[default]
    None = 0,
    /// A SYN was seen.
    SynSent = 1,
    /// A SYN+ACK was seen.
    SynRecv = 2,
    /// The handshake is over.
    Established = 3,
    /// One FIN was seen.
    FinWait = 4,
    /// It was acknowledged.
    CloseWait = 5,
    /// Both FINs were seen.
    LastAck = 6,
    /// The last one was acknowledged.
    TimeWait = 7,
    /// Reset.
    Close = 8,
    /// SYNs from both ends.
    SynSent2 = 9,
}

impl State {
    /// The name that `conntrack -L` prints.
    pub fn name(self) -> &'static str {
        match self {
            State::None => "NONE",
            State::SynSent => "SYN_SENT",
            State::SynRecv => "SYN_RECV",
            State::Established => "ESTABLISHED",
            State::FinWait => "FIN_WAIT",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::TimeWait => "TIME_WAIT",
            State::Close => "CLOSE",
            State::SynSent2 => "SYN_SENT2",
        }
    }

    /// Whether an entry in this state may make room for others though it is ASSURED (tcp_can_early_drop).
    pub fn can_early_drop(self) -> bool {
        matches!(self, State::FinWait | State::CloseWait | State::LastAck | State::TimeWait | State::Close)
    }
}

/// What a segment counts as, by its flags (enum tcp_bit_set).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// SYN.
    Syn = 0,
    /// SYN and ACK.
    SynAck = 1,
    /// FIN.
    Fin = 2,
    /// ACK.
    Ack = 3,
    /// RST.
    Rst = 4,
    /// None of them.
    #[default]
    None = 5,
}

impl Kind {
    /// The kind of a segment: the first of RST, SYN, FIN, ACK that is set (get_conntrack_index).
    #[inline]
    pub fn of(seg: &Tcp) -> Kind {
        let has = |f| seg.flags.has(f);
        if has(TcpFlags::RST) {
            Kind::Rst
        } else if has(TcpFlags::SYN) {
            if has(TcpFlags::ACK) { Kind::SynAck } else { Kind::Syn }
        } else if has(TcpFlags::FIN) {
            Kind::Fin
        } else if has(TcpFlags::ACK) {
            Kind::Ack
        } else {
            Kind::None
        }
    }
}

/// What the table says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The connection goes there.
    To(State),
    /// sIG: it may pass, but nobody knows yet whether it is right.
    Ignore,
    /// sIV.
    Invalid,
}

/// The next state, by direction, kind of segment and state.
///
/// Columns: NONE, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2.
#[rustfmt::skip]
pub(super) static TRANSITIONS: [[[Next; 10]; 6]; 2] = {
    use State::{Close, CloseWait, Established, FinWait, LastAck, SynRecv, SynSent, SynSent2, TimeWait};
    const IG: Next = Next::Ignore;
    const IV: Next = Next::Invalid;
    const SS: Next = Next::To(SynSent);
    const SR: Next = Next::To(SynRecv);
    const ES: Next = Next::To(Established);
    const FW: Next = Next::To(FinWait);
    const CW: Next = Next::To(CloseWait);
    const LA: Next = Next::To(LastAck);
    const TW: Next = Next::To(TimeWait);
    const CL: Next = Next::To(Close);
    const S2: Next = Next::To(SynSent2);
    [
        [ // original
            [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2], // SYN
            [IV, IV, SR, IV, IV, IV, IV, IV, IV, SR], // SYN+ACK
            [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV], // FIN
            [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV], // ACK
            [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL], // RST
            [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV], // none
        ],
        [ // reply
            [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2],
            [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR],
            [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
            [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG],
            [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
            [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
        ],
    ]
};

/// IP_CT_TCP_FLAG_* of one end, or of the last segment that was let through unjudged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bits(u8);

impl Bits {
    /// Offers window scaling.
    pub const WINDOW_SCALE: Bits = Bits(0x01);
    /// Offers SACK.
    pub const SACK_PERM: Bits = Bits(0x02);
    /// Sent the first FIN.
    pub const CLOSE_INIT: Bits = Bits(0x04);
    /// Windows are not judged: the beginning was not seen.
    pub const BE_LIBERAL: Bits = Bits(0x08);
    /// Has sent data that is not acknowledged.
    pub const DATA_UNACKNOWLEDGED: Bits = Bits(0x10);
    /// `max_ack` counts.
    pub const MAXACK_SET: Bits = Bits(0x20);
    /// A challenge acknowledgment may follow.
    pub const EXP_CHALLENGE_ACK: Bits = Bits(0x40);
    /// SYNs crossed.
    pub const SIMULTANEOUS_OPEN: Bits = Bits(0x80);

    /// Whether all bits of `other` are set.
    #[inline]
    pub fn has(self, other: Bits) -> bool {
        self.0 & other.0 == other.0
    }
    /// Sets the bits of `other`.
    #[inline]
    pub fn set(&mut self, other: Bits) {
        self.0 |= other.0;
    }
    /// Clears the bits of `other`.
    #[inline]
    pub fn clear(&mut self, other: Bits) {
        self.0 &= !other.0;
    }
    /// The bits in both.
    #[inline]
    #[must_use]
    pub fn and(self, other: Bits) -> Bits {
        Bits(self.0 & other.0)
    }
}
