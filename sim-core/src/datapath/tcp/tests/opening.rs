//! Handshakes: segments, retries, refusals.

use super::*;
use crate::packet::Bytes;

#[test]
fn a_connection_has_the_segments_of_a_real_one() {
    let mut p = Pair::new();
    p.open();
    p.run(at(0));
    p.on(0, |c| c.send(b"hello")).unwrap();
    p.run(at(0));
    p.on(1, |c| c.send(b"hello-ok")).unwrap();
    p.run(at(0));
    p.on(0, |c| c.close());
    p.run(at(0));
    p.on(1, |c| c.close());
    p.run(at(0));
    assert_eq!(p.flags(), "S SA A PA A PA A FA A FA A");
    assert_eq!(p.hosts[1].received, b"hello");
    assert_eq!(p.hosts[0].received, b"hello-ok");
    assert_eq!(p.hosts[0].tcb.state, TcpState::TimeWait);
    assert!(p.hosts[1].over && p.hosts[1].errors.is_empty());
    p.run(at(59_999));
    assert!(!p.hosts[0].over);
    p.run(at(60_000));
    assert!(p.hosts[0].over, "TIME_WAIT lasts 60 s");
}

#[test]
fn a_syn_says_what_linux_says() {
    let mut p = Pair::new();
    p.open();
    p.run(at(0));
    let windows: Vec<u16> = p.log.iter().map(|l| l.seg.window).collect();
    assert_eq!(windows, [64_240, 65_160, 502]);
    let syn = p.options(0);
    assert_eq!((syn.mss, syn.sack_permitted, syn.wscale), (Some(1460), true, Some(7)));
    assert_eq!(syn.timestamps, Some((77, 0)));
    let answer = p.options(1);
    assert_eq!((answer.mss, answer.sack_permitted, answer.wscale, answer.timestamps), (Some(1460), true, Some(7), Some((99, 77))));
    assert_eq!(p.options(2), Options { timestamps: Some((77, 99)), ..Options::default() });
    assert_eq!((p.log[2].seg.seq, p.log[2].seg.ack), (1_001, 0xffff_ff01));
    p.on(1, |c| c.send(&[7; 3000])).unwrap();
    let sizes: Vec<usize> = p.log[3..].iter().map(|l| l.seg.payload.len()).collect();
    assert_eq!(sizes, [1448, 1448, 104]);
    assert_eq!(p.log[3].seg.window, 510);
    assert_eq!(p.flags(), "S SA A A A PA");
}

#[test]
fn mss_follows_the_mtu() {
    for (mtu, mss, window) in [(1450, 1410, 64_860), (65_536, 65_495, 65_495), (1400, 1360, 65_280)] {
        let mut p = Pair::new();
        p.mtu = mtu;
        p.open();
        assert_eq!((p.options(0).mss, p.log[0].seg.window), (Some(mss), window), "{mtu}");
    }
}

#[test]
fn an_other_side_without_options_gets_none() {
    let mut p = Pair::new();
    p.open();
    let mut syn = p.log[0].seg.clone();
    syn.options = Default::default();
    p.wire.clear();
    p.arrive(1, &syn);
    let answer = p.options(1);
    assert_eq!(answer, Options { mss: Some(1460), ..Options::default() });
    p.run(at(0));
    p.on(0, |c| c.send(&[1; 2000])).unwrap();
    assert_eq!(p.log[3].seg.payload.len(), 1460);
    assert!(p.log[3].seg.options.is_empty());
    assert_eq!(p.log[3].seg.window, 64_240);
}

#[test]
fn syns_go_out_as_measured_and_end_after_131_seconds() {
    let mut p = Pair::new();
    p.cut();
    p.open();
    p.run(at(130_999));
    assert_eq!(p.times(), [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67].map(|s| s * 1000));
    assert!(p.log.iter().all(|l| l.seg.flags == TcpFlags::SYN && l.seg.seq == 1_000));
    assert!(p.hosts[0].errors.is_empty());
    p.run(at(131_000));
    assert_eq!(p.hosts[0].errors, [Errno::ETIMEDOUT]);
    assert!(p.hosts[0].over);
}

#[test]
fn the_sysctls_of_syn_retries_are_heeded() {
    let mut p = Pair::new();
    p.limits = Limits::from(&Sysctls { tcp_syn_linear_timeouts: 0, ..Sysctls::default() });
    p.cut();
    p.open();
    p.run(at(127_000));
    assert_eq!(p.times(), [0, 1, 3, 7, 15, 31, 63].map(|s| s * 1000));
    assert_eq!(p.hosts[0].errors, [Errno::ETIMEDOUT]);
    let mut p = Pair::new();
    p.limits = Limits::from(&Sysctls { tcp_syn_retries: 1, tcp_syn_linear_timeouts: 0, ..Sysctls::default() });
    p.cut();
    p.open();
    p.run(at(3_000));
    assert_eq!((p.times(), &p.hosts[0].errors[..]), (vec![0, 1000], &[Errno::ETIMEDOUT][..]));
}

#[test]
fn syn_acks_are_repeated_five_times() {
    let mut p = Pair::new();
    p.open();
    let syn = p.log[0].seg.clone();
    p.wire.clear();
    p.hosts[0].timers.clear();
    p.log.clear();
    p.cut();
    p.arrive(1, &syn);
    p.run(at(62_999));
    assert_eq!(p.times(), [0, 1, 3, 7, 15, 31].map(|s| s * 1000));
    assert!(!p.hosts[1].over);
    p.run(at(63_000));
    assert!(p.hosts[1].over && p.hosts[1].errors.is_empty());
}

#[test]
fn a_repeated_syn_is_answered_again() {
    let mut p = Pair::new();
    p.fate = Box::new(|n, _| if n == 1 { Fate::Lost } else { Fate::After(0) });
    p.open();
    p.run(at(1_000));
    assert_eq!((p.flags(), p.times()), ("S SA S SA A".into(), vec![0, 0, 1000, 1000, 1000]));
    assert_eq!(p.hosts[0].tcb.state, TcpState::Established);
    assert_eq!(p.hosts[1].tcb.state, TcpState::Established);
}

#[test]
fn both_sides_open_at_once() {
    let mut p = Pair::new();
    p.hosts[1].tcb = Tcb::new(TcpState::Close);
    p.open();
    p.on(1, |c| c.open(5_000, 3, 1500));
    p.run(at(0));
    assert_eq!(p.hosts[0].states, [TcpState::SynSent, TcpState::SynRecv, TcpState::Established]);
    assert_eq!(p.hosts[1].states, [TcpState::SynSent, TcpState::SynRecv, TcpState::Established]);
    p.on(0, |c| c.send(b"x")).unwrap();
    p.run(at(0));
    assert_eq!(p.hosts[1].received, b"x");
}

fn segment(flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) -> Tcp {
    Tcp {
        src_port: 80,
        dst_port: 40_000,
        seq,
        ack,
        flags,
        window: 1000,
        urgent: 0,
        checksum_error: 0,
        options: Default::default(),
        payload: Bytes::from(payload),
    }
}

#[test]
fn a_segment_of_no_connection_is_reset() {
    type C<'a> = Conn<'a>;
    let r = C::reset_for(&segment(TcpFlags::SYN, 500, 0, b"")).unwrap();
    assert_eq!((r.flags, r.seq, r.ack, r.window), (TcpFlags::RST.with(TcpFlags::ACK), 0, 501, 0));
    assert_eq!((r.src_port, r.dst_port), (40_000, 80));
    let r = C::reset_for(&segment(TcpFlags::SYN.with(TcpFlags::ACK), 500, 77, b"")).unwrap();
    assert_eq!((r.flags, r.seq, r.ack), (TcpFlags::RST, 77, 0));
    let r = C::reset_for(&segment(TcpFlags::FIN, 500, 0, b"abc")).unwrap();
    assert_eq!(r.ack, 504);
    assert!(C::reset_for(&segment(TcpFlags::RST, 1, 1, b"")).is_none());
}

#[test]
fn a_reset_refuses_the_connection() {
    let mut p = Pair::new();
    p.cut();
    p.open();
    let wrong = segment(TcpFlags::RST.with(TcpFlags::ACK), 0, 5, b"");
    p.arrive(0, &wrong);
    assert!(p.hosts[0].errors.is_empty(), "it acknowledges nothing that was sent");
    let right = segment(TcpFlags::RST.with(TcpFlags::ACK), 0, 1_001, b"");
    p.arrive(0, &right);
    assert_eq!(p.hosts[0].errors, [Errno::ECONNREFUSED]);
}

#[test]
fn a_syn_ack_that_acknowledges_nothing_is_reset() {
    let mut p = Pair::new();
    p.cut();
    p.open();
    p.arrive(0, &segment(TcpFlags::SYN.with(TcpFlags::ACK), 9, 5_000, b""));
    assert_eq!(p.flags(), "S R");
    assert_eq!(p.log[1].seg.seq, 5_000);
    assert_eq!(p.hosts[0].tcb.state, TcpState::SynSent);
}

#[test]
fn icmp_errors_end_a_handshake_and_only_soften_a_connection() {
    let mut p = Pair::new();
    p.cut();
    p.open();
    p.on(0, |c| c.path_error(Errno::EHOSTUNREACH));
    assert_eq!(p.hosts[0].errors, [Errno::EHOSTUNREACH]);
    let mut p = Pair::connected();
    p.cut();
    p.on(0, |c| c.send(b"lost")).unwrap();
    p.on(0, |c| c.path_error(Errno::EHOSTUNREACH));
    p.run(at(900_000));
    assert!(p.hosts[0].errors.is_empty());
    p.run(at(1_200_000));
    assert_eq!(p.hosts[0].errors, [Errno::EHOSTUNREACH], "the reason is told when it is given up");
}
