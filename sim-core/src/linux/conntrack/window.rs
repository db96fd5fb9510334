//! Whether a segment fits into what both ends have told: the windows as seen by a host in the middle.
//!
//! Models: net/netfilter/nf_conntrack_proto_tcp.c tcp_in_window, tcp_options, tcp_sack, tcp_init_sender.
//! Spec: RFC 9293 3.10.7.4 (acceptability), RFC 7323 (window scale), RFC 2018 (SACK).
//!
//! ```text
//!   I    seq        <= sender.max_end                         not beyond what the receiver has offered
//!   II   seq + len  >= sender.end - receiver.max_win          not older than a window
//!   III  ack (sack) <= receiver.end                           nothing acknowledged that was not seen
//!   IV   ack (sack) >= receiver.end - max(sender.max_win, 66000)
//! ```

use super::Dir;
use super::tcp::{Bits, Kind, State, TcpTrack};
use crate::packet::{Tcp, TcpFlags};

/// What one end has sent so far, and how much it lets the other one send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// `td_end`: highest sequence number sent, plus one.
    pub end: u32,
    /// `td_maxend`: highest sequence number that the other end has offered to take.
    pub max_end: u32,
    /// `td_maxwin`: largest window offered, scaled; 0 while nothing was seen.
    pub max_win: u32,
    /// `td_maxack`: highest acknowledgment sent.
    pub max_ack: u32,
    /// `td_scale`.
    pub scale: u8,
    /// IP_CT_TCP_FLAG_*.
    pub bits: Bits,
}

/// What the window check says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It fits; the windows have been moved.
    Accept,
    /// It may pass, but the entry learns nothing from it.
    Ignore,
    /// It does not belong to the connection as it is known.
    Invalid,
}

/// Whether `a` comes before `b` in sequence space.
#[inline]
pub(super) fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Whether `a` comes after `b` in sequence space.
#[inline]
pub(super) fn after(a: u32, b: u32) -> bool {
    before(b, a)
}

/// The sequence number after the segment.
#[inline]
pub(super) fn end_of(seg: &Tcp) -> u32 {
    seg.seq.wrapping_add(seg.seq_len())
}

/// Calls `f` with kind and data of each option, until it says false or the bytes make no sense.
fn options(seg: &Tcp, mut f: impl FnMut(u8, &[u8]) -> bool) {
    let mut rest = seg.options.0.as_deref().unwrap_or(&[]);
    while let [kind, tail @ ..] = rest {
        match kind {
            0 => return,
            1 => rest = tail,
            _ => {
                let Some(&len) = tail.first() else { return };
                let len = usize::from(len);
                if len < 2 || len > rest.len() || !f(*kind, &rest[2..len]) {
                    return;
                }
                rest = &rest[len..];
            }
        }
    }
}

/// Learns window scale and SACK from the options of a SYN; without options nothing is forgotten.
pub(super) fn learn_options(seg: &Tcp, to: &mut Window) {
    if seg.options.is_empty() {
        return;
    }
    to.scale = 0;
    to.bits = to.bits.and(Bits::BE_LIBERAL);
    options(seg, |kind, data| {
        match (kind, data) {
            (4, []) => to.bits.set(Bits::SACK_PERM),
            (3, [shift]) => {
                to.scale = (*shift).min(14);
                to.bits.set(Bits::WINDOW_SCALE);
            }
            _ => {}
        }
        true
    });
}

/// The highest right edge that the SACK blocks tell, or `ack`.
fn sack_of(seg: &Tcp, ack: u32) -> u32 {
    let mut sack = ack;
    options(seg, |kind, data| {
        if kind != 5 || data.is_empty() || data.len() % 8 != 0 {
            return true;
        }
        for block in data.chunks_exact(8) {
            let right = u32::from_be_bytes([block[4], block[5], block[6], block[7]]);
            if after(right, sack) {
                sack = right;
            }
        }
        false
    });
    sack
}

/// The first SYN (or SYN+ACK) of one end.
fn begin_sender(track: &mut TcpTrack, seg: &Tcp, dir: Dir) {
    let sender = &mut track.seen[dir.index()];
    sender.end = end_of(seg);
    sender.max_end = sender.end;
    sender.max_win = u32::from(seg.window).max(1);
    learn_options(seg, sender);
    // Scaling is on only if both ends offer it.
    if dir == Dir::Reply && !track.seen.iter().all(|w| w.bits.has(Bits::WINDOW_SCALE)) {
        for w in &mut track.seen {
            w.scale = 0;
        }
    }
}

/// How far behind an acknowledgment may lag.
fn max_ack_window(sender: &Window) -> u32 {
    sender.max_win.max(66_000)
}

/// Checks a segment against the windows, and moves them if it fits.
pub(super) fn fits(track: &mut TcpTrack, seg: &Tcp, kind: Kind, dir: Dir, be_liberal: bool) -> Fit {
    let (me, peer) = (dir.index(), dir.other().index());
    let has_ack = seg.flags.has(TcpFlags::ACK);
    let syn = seg.flags.has(TcpFlags::SYN);
    let mut seq = seg.seq;
    let mut ack = seg.ack;
    let mut sack = if track.seen[peer].bits.has(Bits::SACK_PERM) { sack_of(seg, ack) } else { ack };
    let mut end = end_of(seg);
    let raw_win = u32::from(seg.window);

    if track.seen[me].max_win == 0 {
        if syn {
            begin_sender(track, seg, dir);
            if !has_ack {
                return Fit::Accept; // simultaneous open
            }
        } else {
            // The beginning was not seen: take what the segment says.
            let win = (raw_win << track.seen[me].scale).max(1);
            let sender = &mut track.seen[me];
            sender.end = end;
            sender.max_win = win;
            sender.max_end = end.wrapping_add(win);
            let receiver = &mut track.seen[peer];
            if receiver.max_win == 0 {
                receiver.end = sack;
                receiver.max_end = sack;
            } else if sack == receiver.end.wrapping_add(1) {
                receiver.end = sack; // answer to a keepalive
            }
        }
    } else if syn && after(end, track.seen[me].end) && matches!(track.state, State::SynSent | State::SynRecv) {
        begin_sender(track, seg, dir); // begun anew with higher numbers
        if dir == Dir::Reply && !has_ack {
            return Fit::Accept;
        }
    }

    let receiver = track.seen[peer];
    if !has_ack || (seg.flags.has(TcpFlags::RST) && ack == 0) {
        ack = receiver.end;
        sack = ack;
    }
    let sender = &mut track.seen[me];
    if seg.flags.has(TcpFlags::RST) && seq == 0 && track.state == State::SynSent {
        seq = sender.end; // a reset that answers a SYN carries no number of its own
        end = seq;
    }

    let liberal = be_liberal || sender.bits.has(Bits::BE_LIBERAL);
    let verdict = |fit: Fit| if liberal { Fit::Accept } else { fit };
    let low_edge = sender.end.wrapping_sub(receiver.max_win).wrapping_sub(1);
    let low_ack = receiver.end.wrapping_sub(max_ack_window(sender)).wrapping_sub(1);

    if !before(seq, sender.max_end.wrapping_add(1)) {
        let overshot = end.wrapping_sub(sender.max_end).wrapping_add(1);
        let only_too_much = receiver.max_win != 0
            && after(end, low_edge)
            && after(sack, low_ack)
            && overshot <= receiver.max_win
            && before(sack, receiver.end.wrapping_add(1));
        if only_too_much {
            sender.end = end;
            sender.bits.set(Bits::DATA_UNACKNOWLEDGED);
            return verdict(Fit::Ignore);
        }
        return verdict(Fit::Invalid);
    }
    if !before(sack, receiver.end.wrapping_add(1)) {
        return verdict(Fit::Invalid);
    }
    if receiver.max_win != 0 && !after(end, low_edge) {
        return verdict(Fit::Ignore);
    }
    if !after(sack, low_ack) {
        return verdict(Fit::Ignore);
    }

    let win = if syn { raw_win } else { raw_win << sender.scale };
    sender.max_win = sender.max_win.max(win.wrapping_add(sack.wrapping_sub(ack)));
    if after(end, sender.end) {
        sender.end = end;
        sender.bits.set(Bits::DATA_UNACKNOWLEDGED);
    }
    if has_ack && (!sender.bits.has(Bits::MAXACK_SET) || after(ack, sender.max_ack)) {
        sender.max_ack = ack;
        sender.bits.set(Bits::MAXACK_SET);
    }
    let sender_max_end = sender.max_end;
    let receiver = &mut track.seen[peer];
    if receiver.max_win != 0 && after(end, sender_max_end) {
        receiver.max_win = receiver.max_win.wrapping_add(end.wrapping_sub(sender_max_end));
    }
    let offered = sack.wrapping_add(win);
    if after(offered, receiver.max_end.wrapping_sub(1)) {
        receiver.max_end = offered.wrapping_add(u32::from(win == 0));
    }
    if ack == receiver.end {
        receiver.bits.clear(Bits::DATA_UNACKNOWLEDGED);
    }

    if kind == Kind::Ack {
        let last = &mut track.last;
        let same = last.dir == dir && last.seq == seq && last.ack == ack && last.end == end && last.win == seg.window;
        if same {
            track.retrans = track.retrans.saturating_add(1);
        } else {
            (last.dir, last.seq, last.ack, last.end, last.win) = (dir, seq, ack, end, seg.window);
            track.retrans = 0;
        }
    }
    Fit::Accept
}
