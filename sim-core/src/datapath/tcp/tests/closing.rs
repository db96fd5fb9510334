//! Ends: half closed, closed by both at once, reset.

use super::*;

#[test]
fn both_sides_close_at_once() {
    let mut p = Pair::connected();
    p.on(0, |c| c.close());
    p.on(1, |c| c.close());
    p.run(at(0));
    assert_eq!(p.flags(), "FA FA A A");
    for h in &p.hosts {
        assert_eq!(h.states[h.states.len() - 3..], [TcpState::FinWait1, TcpState::Closing, TcpState::TimeWait]);
    }
    p.run(at(60_000));
    assert!(p.hosts.iter().all(|h| h.over && h.errors.is_empty()));
}

#[test]
fn the_other_half_stays_open() {
    let mut p = Pair::connected();
    p.on(0, |c| c.shutdown());
    p.run(at(0));
    assert_eq!(p.hosts[0].tcb.state, TcpState::FinWait2);
    assert_eq!(p.hosts[1].tcb.state, TcpState::CloseWait);
    assert!(p.hosts[1].eof);
    p.run(at(600_000));
    p.on(1, |c| c.send(b"late")).unwrap();
    p.on(1, |c| c.close());
    p.run(at(600_000));
    assert_eq!(p.hosts[0].received, b"late");
    assert!(p.hosts[0].eof && p.hosts[1].over);
    assert_eq!(p.flags(), "FA A PA FA A A");
    assert_eq!(p.on(0, |c| c.send(b"x")), Err(Errno::EPIPE));
}

#[test]
fn a_fin_rides_on_data_that_waits() {
    let mut p = Pair::connected();
    // The first small segment is on the way, so the second waits (Nagle) and the FIN joins it.
    p.on(0, |c| c.send(b"a")).unwrap();
    p.on(0, |c| c.send(b"b")).unwrap();
    assert_eq!(p.flags(), "PA");
    p.on(0, |c| c.close());
    assert_eq!(p.flags(), "PA FPA");
}

#[test]
fn closing_with_unread_data_resets() {
    let mut p = Pair::connected();
    p.hosts[1].reads = false;
    p.on(0, |c| c.send(b"unread")).unwrap();
    p.run(at(0));
    p.on(1, |c| c.close());
    p.run(at(0));
    assert_eq!(p.flags(), "PA A RA");
    assert_eq!(p.hosts[0].errors, [Errno::ECONNRESET]);
    assert_eq!(p.on(0, |c| c.send(b"x")), Err(Errno::EPIPE));
}

#[test]
fn data_for_a_program_that_is_gone_is_reset() {
    let mut p = Pair::connected();
    p.on(0, |c| c.close());
    p.run(at(0));
    p.on(1, |c| c.send(b"late")).unwrap();
    p.run(at(0));
    assert_eq!(p.flags(), "FA A PA R");
    assert_eq!(p.hosts[1].errors, [Errno::EPIPE]);
}

#[test]
fn an_orphan_does_not_wait_for_ever() {
    let mut p = Pair::connected();
    p.on(0, |c| c.close());
    p.run(at(59_000));
    assert_eq!(p.hosts[0].tcb.state, TcpState::FinWait2);
    p.run(at(60_000));
    assert!(p.hosts[0].over);
}

#[test]
fn resets_count_only_at_the_next_sequence_number() {
    let mut p = Pair::connected();
    let (nxt, ack) = (p.hosts[0].tcb.rcv.nxt, p.hosts[0].tcb.snd.nxt);
    let mut rst = Conn::reset_for(&p.hosts_last_ack()).unwrap();
    (rst.src_port, rst.dst_port, rst.seq, rst.ack) = (80, 40_000, nxt.wrapping_add(10), ack);
    p.arrive(0, &rst);
    assert_eq!(p.flags(), "A", "a challenge");
    assert!(p.hosts[0].errors.is_empty());
    rst.seq = nxt;
    p.arrive(0, &rst);
    assert_eq!(p.hosts[0].errors, [Errno::ECONNRESET]);
}

#[test]
fn a_syn_in_a_connection_is_challenged() {
    let mut p = Pair::connected();
    let mut syn = p.hosts_last_ack();
    syn.flags = TcpFlags::SYN;
    p.arrive(0, &syn);
    p.arrive(0, &syn);
    assert_eq!(p.flags(), "A", "at most once in half a second");
    assert_eq!(p.hosts[0].tcb.state, TcpState::Established);
}

#[test]
fn time_wait_answers_a_repeated_fin_and_gives_way_to_a_new_syn() {
    let mut p = Pair::connected();
    p.on(0, |c| c.close());
    p.run(at(0));
    p.on(1, |c| c.close());
    p.run(at(0));
    let fin = p.log[2].seg.clone();
    assert_eq!(p.flags(), "FA A FA A");
    p.run(at(30_000));
    p.cut(); // host 1 has forgotten the connection and would answer the acknowledgment with a reset
    p.arrive(0, &fin);
    assert_eq!(p.flags(), "FA A FA A A");
    p.run(at(89_999));
    assert!(!p.hosts[0].over, "the 60 s begin anew");
    let mut syn = fin.clone();
    syn.flags = TcpFlags::SYN;
    syn.options = Default::default();
    syn.seq = p.hosts[0].tcb.rcv.nxt.wrapping_sub(100);
    assert!(!p.on(0, |c| c.reopens(&syn)));
    syn.seq = p.hosts[0].tcb.rcv.nxt.wrapping_add(100);
    assert!(p.on(0, |c| c.reopens(&syn)));
    syn.flags = TcpFlags::SYN.with(TcpFlags::ACK);
    assert!(!p.on(0, |c| c.reopens(&syn)));
}

impl Pair {
    /// A bare acknowledgment as host 1 would send it now.
    fn hosts_last_ack(&mut self) -> Tcp {
        self.on(1, |c| c.send_ack());
        self.wire.clear();
        self.log.pop().unwrap().seg
    }
}
