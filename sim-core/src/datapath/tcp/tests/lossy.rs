//! Any wire that loses, delays and doubles some segments: all data arrives, in order, and both ends end.

use super::*;
use proptest::prelude::*;

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        5 => (0..3_000u64).prop_map(Fate::After),
        2 => Just(Fate::Lost),
        1 => (0..3_000u64, 0..600_000u64).prop_map(|(a, b)| Fate::Twice(a, b)),
        1 => (0..400_000u64).prop_map(Fate::After),
    ]
}

fn text(n: usize, salt: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7 + i / 251 + salt) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_data_arrives_in_order_and_both_ends_close(
        fates in proptest::collection::vec(fate(), 0..60),
        there in 0..40_000usize,
        back in 0..20_000usize,
    ) {
        let mut p = Pair::new();
        p.fate = Box::new(move |n, _| fates.get(n).copied().unwrap_or(Fate::After(200)));
        p.hosts[0].script = text(there, 1);
        p.hosts[1].script = text(back, 2);
        (p.hosts[0].shut, p.hosts[1].shut) = (true, true);
        p.open();
        p.run(at(1_000_000));
        for (h, want) in [(0, text(back, 2)), (1, text(there, 1))] {
            // Who closed first may be out of TIME_WAIT when the other's last FIN, lost again and again, gets through.
            prop_assert!(p.hosts[h].errors.iter().all(|e| *e == Errno::ECONNRESET), "{:?}", p.hosts[h].errors);
            prop_assert!(p.hosts[h].received == want, "{} of {} bytes", p.hosts[h].received.len(), want.len());
            prop_assert!(p.hosts[h].eof);
            prop_assert!(p.hosts[h].over, "{:?}", p.hosts[h].tcb.state);
        }
        prop_assert!(p.log.len() < 2_000, "{} segments", p.log.len());
    }

    #[test]
    fn any_segment_at_any_time_is_survived(
        segs in proptest::collection::vec((any::<u8>(), -80_000..80_000i64, -80_000..80_000i64, 0..200usize, any::<u16>()), 1..40),
        state in 0..3u8,
    ) {
        let mut p = Pair::new();
        p.open();
        if state > 0 {
            p.run(at(0));
        }
        if state > 1 {
            p.on(0, |c| c.shutdown());
            p.run(at(0));
        }
        for (flags, seq, ack, len, window) in segs {
            let t = &p.hosts[0].tcb;
            let seg = Tcp {
                src_port: 80,
                dst_port: 40_000,
                seq: t.rcv.nxt.wrapping_add(seq as u32),
                ack: t.snd.nxt.wrapping_add(ack as u32),
                flags: TcpFlags(flags),
                window,
                urgent: 0,
                checksum_error: 0,
                options: Default::default(),
                payload: text(len, 3).into(),
            };
            if !p.hosts[0].over {
                p.arrive(0, &seg);
            }
        }
        p.wire.clear();
        p.cut();
        p.run(at(3_000_000));
        let t = &p.hosts[0].tcb;
        prop_assert!(p.hosts[0].over || (t.state.is_synchronized() && t.snd.in_flight.is_empty()), "{:?}", t.state);
    }
}
