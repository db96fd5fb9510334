//! Losses: what is sent again, when, and when it is given up.

use super::*;

#[test]
fn unanswered_data_is_probed_then_backed_off_and_given_up_after_924_seconds() {
    let mut p = Pair::connected();
    p.cut();
    p.on(0, |c| c.send(b"hello")).unwrap();
    p.run(at(10_000));
    assert_eq!(p.times(), [0, 200, 400, 800, 1600, 3200, 6400]);
    assert!(p.log.iter().all(|l| l.seg.payload.len() == 5 && l.seg.seq == 1_001));
    p.run(at(2_000_000));
    assert_eq!(p.hosts[0].errors, [Errno::ETIMEDOUT]);
    let last = *p.times().last().unwrap();
    assert!((800_000..1_000_000).contains(&last), "{last}");
}

#[test]
fn retries2_is_heeded() {
    let mut p = Pair::connected();
    p.limits = Limits::from(&Sysctls { tcp_retries2: 3, ..Sysctls::default() });
    p.cut();
    p.on(0, |c| c.send(b"hello")).unwrap();
    p.run(at(60_000));
    assert_eq!(p.hosts[0].errors, [Errno::ETIMEDOUT]);
    assert!(p.log.len() < 8);
}

#[test]
fn a_gap_is_told_by_sack_and_filled_fast() {
    let mut p = Pair::connected();
    p.fate = Box::new(|n, l| if n == 0 && l.from == 0 { Fate::Lost } else { Fate::After(100) });
    p.on(0, |c| c.send(&[9; 1448 * 8])).unwrap();
    p.run(at(50));
    assert_eq!(p.hosts[1].received.len(), 1448 * 8, "long before a timeout");
    let acks: Vec<_> = (0..p.log.len()).filter(|n| p.log[*n].from == 1).collect();
    let first = p.options(acks[0]);
    assert_eq!(first.blocks(), [(1_001 + 1448, 1_001 + 2 * 1448)]);
    let again: Vec<_> = p.log.iter().filter(|l| l.from == 0 && l.seg.seq == 1_001).collect();
    assert_eq!(again.len(), 2, "lost once, sent again once");
    assert!(p.hosts[0].tcb.snd.cwnd < 10);
}

#[test]
fn the_round_trip_time_sets_the_timeout() {
    let mut p = Pair::new();
    p.fate = Box::new(|_, _| Fate::After(50_000));
    p.open();
    p.run(at(1_000));
    assert_eq!(p.hosts[0].tcb.timers.srtt, Some(MS * 100));
    assert_eq!(p.hosts[0].tcb.timers.rto, MS * 300);
    for _ in 0..20 {
        p.on(0, |c| c.send(b"x")).unwrap();
        p.run(p.now + MS * 150);
    }
    assert_eq!(p.hosts[0].tcb.timers.rto, MS * 300);
}

#[test]
fn ten_segments_go_out_before_the_first_answer() {
    let mut p = Pair::connected();
    p.fate = Box::new(|_, _| Fate::After(1_000));
    p.on(0, |c| c.send(&[1; 1448 * 30])).unwrap();
    assert_eq!(p.log.len(), 10);
    p.run(at(1));
    p.run(at(2));
    let sent = p.log.iter().filter(|l| l.from == 0).count();
    assert_eq!(sent, 30, "slow start: twenty more after one round trip");
    p.run(at(100));
    assert_eq!(p.hosts[1].received.len(), 1448 * 30);
}

#[test]
fn a_closed_window_is_probed_until_it_opens() {
    let mut p = Pair::connected();
    p.hosts[1].reads = false;
    p.on(0, |c| c.send(&[5; 100_000])).unwrap();
    p.run(at(5_000));
    let told = p.log.iter().rev().find(|l| l.from == 1).unwrap().seg.window;
    assert_eq!(told, 0);
    let taken = p.hosts[1].tcb.rcv.ready_len;
    assert!((60_000..70_000).contains(&taken), "{taken}");
    let probes: Vec<_> = p.log.iter().filter(|l| l.from == 0 && l.at > at(100) && l.seg.payload.is_empty()).map(|l| l.at).collect();
    assert!((3..8).contains(&probes.len()), "{probes:?}");
    p.hosts[1].reads = true;
    p.program(1);
    p.run(at(6_000));
    assert_eq!(p.hosts[1].received.len(), 100_000);
    assert!(p.hosts[0].errors.is_empty());
}

#[test]
fn a_smaller_path_cuts_what_was_too_large() {
    let mut p = Pair::connected();
    // The path takes 1400 bytes: larger packets are lost, and an ICMP error says so.
    p.fate = Box::new(|_, l| if l.seg.len() + 20 > 1400 { Fate::Lost } else { Fate::After(10) });
    p.on(0, |c| c.send(&[3; 4_000])).unwrap();
    p.on(0, |c| c.mtu_reduced(1400));
    p.run(at(100));
    assert_eq!(p.hosts[1].received.len(), 4_000);
    assert!(p.log.iter().skip(3).filter(|l| l.from == 0).all(|l| l.seg.len() + 20 <= 1400));
    p.on(0, |c| c.mtu_reduced(1450));
    assert_eq!(p.hosts[0].tcb.snd.mss, 1348, "it never grows by an error");
}

#[test]
fn without_the_error_a_path_that_is_too_small_is_a_black_hole() {
    let mut p = Pair::new();
    p.fate = Box::new(|_, l| if l.seg.len() + 20 > 1400 { Fate::Lost } else { Fate::After(10) });
    p.open();
    p.run(at(10));
    p.on(0, |c| c.send(b"small")).unwrap();
    p.run(at(100));
    assert_eq!(p.hosts[1].received, b"small");
    p.on(0, |c| c.send(&[3; 4_000])).unwrap();
    p.run(at(60_000));
    assert_eq!(p.hosts[1].received.len(), 5, "the handshake and small segments pass, full ones never");
}
