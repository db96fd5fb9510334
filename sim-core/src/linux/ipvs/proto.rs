//! States of connections and how long they last.
//!
//! Models: net/netfilter/ipvs/ip_vs_proto_tcp.c tcp_states, tcp_timeouts, tcp_state_active_table; ip_vs_proto_udp.c udp_timeouts;
//! ip_vs_proto_sctp.c sctp_states, sctp_timeouts.
//! Simplifies: secure_tcp is off.

use crate::packet::Protocol;

use super::service::SCTP;

/// TCP states, by number (enum in include/uapi ip_vs.h: IP_VS_TCP_S_*).
pub mod tcp {
    /// Established.
    pub const ESTABLISHED: u8 = 1;
    /// Half closed.
    pub const FIN_WAIT: u8 = 4;
    /// Both sides have closed.
    pub const TIME_WAIT: u8 = 5;
    /// Reset.
    pub const CLOSE: u8 = 6;
}

const TCP_NAMES: [&str; 11] =
    ["NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK"];
const TCP_TIMEOUTS: [u32; 11] = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];
/// Whether a connection of that state counts as active.
const TCP_ACTIVE: [bool; 11] = [false, true, true, true, false, false, false, false, false, false, true];

const ES: u8 = 1;
const SS: u8 = 2;
const SR: u8 = 3;
const FW: u8 = 4;
const TW: u8 = 5;
const CL: u8 = 6;
const CW: u8 = 7;
const LA: u8 = 8;
const LI: u8 = 9;

/// By direction, then by what the segment carries (SYN, FIN, ACK, RST), then by state.
const TCP_NEXT: [[[u8; 11]; 4]; 3] = [
    [
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR],
    ],
    [
        [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR],
        [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES],
        [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL],
    ],
    [
        [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR],
        [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW],
        [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES],
        [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL],
    ],
];

const SCTP_NAMES: [&str; 14] = [
    "NONE",
    "INIT1",
    "INIT",
    "C-SENT",
    "C-REPLIED",
    "C-WAIT",
    "COOKIE",
    "C-ECHOED",
    "ESTABLISHED",
    "S-SENT",
    "S-RECEIVED",
    "S-ACK-SENT",
    "REJECTED",
    "CLOSED",
];
const SCTP_TIMEOUTS: [u32; 14] = [2, 4, 61, 61, 61, 61, 61, 61, 900, 61, 61, 61, 4, 61];
/// SCTP's established state.
const SCTP_ESTABLISHED: u8 = 8;

/// What a chunk's type is to the state machine: data, INIT, INIT ACK, SACK and so on.
const SCTP_EVENTS: [u8; 15] = [0, 1, 2, 0, 0, 0, 9, 5, 6, 8, 3, 4, 0, 0, 7];

/// By direction, then by event (data, INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE, ERROR,
/// ABORT), then by state.
const SCTP_NEXT: [[[u8; 14]; 10]; 3] = [
    [
        [8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 2, 2],
        [5, 5, 5, 3, 4, 6, 6, 7, 8, 9, 10, 11, 12, 13],
        [4, 2, 2, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [8, 1, 2, 3, 4, 5, 6, 8, 8, 9, 10, 11, 12, 13],
        [10, 1, 2, 3, 4, 5, 6, 7, 10, 9, 10, 11, 12, 13],
        [13, 2, 2, 3, 4, 5, 6, 7, 8, 13, 10, 13, 12, 13],
        [13, 13, 13, 3, 4, 5, 6, 7, 8, 9, 10, 13, 12, 13],
        [13, 1, 2, 3, 4, 5, 6, 13, 8, 9, 10, 11, 12, 13],
        [13, 13, 13, 13, 13, 12, 13, 13, 13, 13, 13, 13, 13, 13],
    ],
    [
        [8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [5, 5, 5, 5, 5, 5, 5, 5, 8, 5, 5, 5, 5, 5],
        [3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [7, 7, 7, 7, 7, 7, 7, 7, 8, 9, 10, 11, 12, 13],
        [8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 10, 11, 12, 13],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 10, 11, 12, 13],
        [11, 11, 11, 11, 11, 5, 6, 7, 8, 11, 11, 11, 12, 13],
        [13, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [13, 13, 13, 13, 13, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [13, 12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13],
    ],
    [
        [8, 1, 2, 3, 4, 8, 6, 7, 8, 9, 10, 11, 12, 13],
        [1, 2, 2, 2, 2, 2, 6, 7, 8, 9, 10, 11, 2, 2],
        [7, 7, 7, 7, 7, 7, 6, 7, 8, 9, 10, 11, 12, 13],
        [8, 8, 8, 8, 8, 8, 6, 7, 8, 9, 10, 11, 12, 13],
        [8, 1, 2, 8, 8, 5, 8, 8, 8, 9, 10, 11, 12, 13],
        [10, 1, 2, 3, 4, 5, 6, 7, 10, 9, 10, 11, 12, 13],
        [13, 2, 2, 3, 4, 5, 6, 7, 13, 13, 10, 13, 12, 13],
        [13, 13, 13, 13, 13, 5, 6, 7, 8, 9, 13, 13, 12, 13],
        [13, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        [13, 13, 13, 13, 13, 12, 13, 13, 13, 13, 13, 13, 13, 13],
    ],
];

/// Timeouts that `ipvsadm --set` changes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Of an established TCP connection.
    pub tcp: u32,
    /// Of one that is half closed.
    pub tcp_fin: u32,
    /// Of UDP.
    pub udp: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }
    }
}

/// Which way a packet of a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the real server.
    In,
    /// To the client.
    Out,
}

/// What the state machines look at in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// TCP, with its flags.
    Tcp {
        /// SYN.
        syn: bool,
        /// FIN.
        fin: bool,
        /// RST.
        rst: bool,
        /// ACK.
        ack: bool,
    },
    /// UDP.
    Udp,
    /// SCTP, with the type of the chunk that counts; none if there is none.
    Sctp(Option<u8>),
}

impl Segment {
    /// Whether it opens a connection (is_new_conn).
    pub fn opens(self) -> bool {
        match self {
            Segment::Tcp { syn, .. } => syn,
            Segment::Udp => false,
            Segment::Sctp(chunk) => chunk == Some(1),
        }
    }

    /// Whether it makes an entry where there is none.
    pub fn schedules(self, sloppy_tcp: bool, sloppy_sctp: bool) -> bool {
        match self {
            Segment::Tcp { syn, rst, .. } => !rst && (syn || sloppy_tcp),
            Segment::Udp => true,
            // an ABORT makes none, and without the switch only an INIT does
            Segment::Sctp(chunk) => chunk.is_some_and(|c| c != 6 && (c == 1 || sloppy_sctp)),
        }
    }
}

/// The state after a packet; none if it stays and its timeout with it.
pub fn next(state: u8, dir: Direction, input_only: bool, segment: Segment) -> Option<u8> {
    let table = match dir {
        Direction::Out => 1,
        Direction::In if input_only => 2,
        Direction::In => 0,
    };
    match segment {
        Segment::Tcp { syn, fin, rst, ack } => {
            let event = if rst {
                3
            } else if syn {
                0
            } else if fin {
                1
            } else if ack {
                2
            } else {
                return Some(tcp::CLOSE);
            };
            TCP_NEXT[table][event].get(usize::from(state)).copied()
        }
        Segment::Udp => Some(0),
        Segment::Sctp(chunk) => {
            let event = SCTP_EVENTS.get(usize::from(chunk?)).copied().unwrap_or(0);
            SCTP_NEXT[table][usize::from(event)].get(usize::from(state)).copied()
        }
    }
}

/// Whether a connection of that state counts as active.
pub fn is_active(protocol: Protocol, state: u8) -> bool {
    match protocol {
        Protocol::TCP => TCP_ACTIVE.get(usize::from(state)).copied().unwrap_or(false),
        SCTP => state == SCTP_ESTABLISHED,
        _ => false,
    }
}

/// Whether a connection of that state vouches for the persistence that it was made by (ip_vs_control_assure_ct).
pub fn assures(protocol: Protocol, state: u8, dir: Direction) -> bool {
    match protocol {
        Protocol::TCP => state == tcp::ESTABLISHED,
        SCTP => state == SCTP_ESTABLISHED,
        _ => dir == Direction::Out,
    }
}

/// Seconds that a connection of that state lasts.
pub fn timeout(protocol: Protocol, state: u8, set: &Timeouts) -> u32 {
    match (protocol, state) {
        (Protocol::TCP, tcp::ESTABLISHED) => set.tcp,
        (Protocol::TCP, tcp::FIN_WAIT) => set.tcp_fin,
        (Protocol::TCP, s) => TCP_TIMEOUTS.get(usize::from(s)).copied().unwrap_or(2),
        (SCTP, s) => SCTP_TIMEOUTS.get(usize::from(s)).copied().unwrap_or(2),
        _ => set.udp,
    }
}

/// The state's name, as `ipvsadm -Lc` prints it.
pub fn state_name(protocol: Protocol, state: u8) -> &'static str {
    match protocol {
        Protocol::TCP => TCP_NAMES.get(usize::from(state)).copied().unwrap_or("ERR!"),
        SCTP => SCTP_NAMES.get(usize::from(state)).copied().unwrap_or("ERR!"),
        Protocol::UDP => "UDP",
        // a template of a mark is of no protocol
        Protocol(0) => "NONE",
        _ => "ERR!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Segment = Segment::Tcp { syn: true, fin: false, rst: false, ack: false };
    const SYN_ACK: Segment = Segment::Tcp { syn: true, fin: false, rst: false, ack: true };
    const ACK: Segment = Segment::Tcp { syn: false, fin: false, rst: false, ack: true };
    const FIN: Segment = Segment::Tcp { syn: false, fin: true, rst: false, ack: true };
    const RST: Segment = Segment::Tcp { syn: false, fin: false, rst: true, ack: false };

    fn walk(input_only: bool, packets: &[(Direction, Segment)]) -> Vec<&'static str> {
        let mut state = 0;
        packets
            .iter()
            .map(|(dir, s)| {
                state = next(state, *dir, input_only, *s).unwrap_or(state);
                state_name(Protocol::TCP, state)
            })
            .collect()
    }

    #[test]
    fn a_connection_opens_and_closes() {
        use Direction::{In, Out};
        let seen = walk(false, &[(In, SYN), (Out, SYN_ACK), (In, ACK), (In, FIN), (Out, FIN), (In, ACK)]);
        assert_eq!(seen, ["SYN_RECV", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT", "TIME_WAIT"]);
        let seen = walk(false, &[(In, SYN), (Out, SYN_ACK), (In, ACK), (Out, FIN), (In, FIN)]);
        assert_eq!(seen, ["SYN_RECV", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "TIME_WAIT"]);
    }

    #[test]
    fn a_director_that_sees_no_replies_guesses() {
        use Direction::In;
        assert_eq!(walk(true, &[(In, SYN), (In, ACK), (In, FIN), (In, ACK)]), ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "FIN_WAIT"]);
        assert_eq!(walk(true, &[(In, SYN), (In, RST)]), ["SYN_RECV", "SYN_RECV"]);
    }

    #[test]
    fn timeouts_follow_the_state_and_the_switches() {
        let t = Timeouts { tcp: 7, tcp_fin: 8, udp: 9 };
        let seconds: Vec<u32> = (0..11).map(|s| timeout(Protocol::TCP, s, &t)).collect();
        assert_eq!(seconds, [2, 7, 120, 60, 8, 120, 10, 60, 30, 120, 120]);
        assert_eq!((timeout(Protocol::UDP, 0, &t), timeout(SCTP, SCTP_ESTABLISHED, &t)), (9, 900));
    }

    #[test]
    fn an_sctp_association_is_established_by_its_fourth_chunk() {
        let mut state = 0;
        let chunks = [(Direction::In, 1), (Direction::Out, 2), (Direction::In, 10), (Direction::Out, 11)];
        let names: Vec<_> = chunks
            .iter()
            .map(|(dir, chunk)| {
                state = next(state, *dir, false, Segment::Sctp(Some(*chunk))).unwrap_or(state);
                state_name(SCTP, state)
            })
            .collect();
        assert_eq!(names, ["INIT1", "C-SENT", "C-REPLIED", "ESTABLISHED"]);
    }
}
