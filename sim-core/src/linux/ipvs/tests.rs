//! Schedulers against plain models, persistence, thresholds, and how connections come and go.

use super::sched::{Call, Data, Packet, Pool, SCHEDULERS, Scheduler};
use super::*;
use crate::linux::apply::{OpError, apply};
use crate::linux::id::{NetnsId, RowId, Source};
use crate::linux::netns::Netns;
use crate::linux::op::{IpvsOp, Op};
use crate::linux::time::Time;
use crate::packet::Protocol;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10));
const KEY: VsKey = VsKey::Addr(Protocol::TCP, VIP, 80);

fn real(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 244, 0, n))
}

fn second(n: u64) -> Time {
    Time(n * 1_000_000_000)
}

fn spec(weight: i32) -> DestSpec {
    DestSpec { forward: Forward::Masq, weight, upper: 0, lower: 0 }
}

fn service(scheduler: &str) -> ServiceSpec {
    let scheduler = Scheduler::by_name(scheduler).expect("a scheduler");
    ServiceSpec { scheduler, flags: SvcFlags::default(), timeout: 0, netmask: u32::MAX }
}

struct Lab {
    ns: Netns,
}

impl Lab {
    fn new(scheduler: &str, weights: &[i32]) -> Self {
        let mut ns = Netns::empty(NetnsId(0));
        crate::linux::apply::loopback(&mut ns);
        let mut lab = Lab { ns };
        lab.op(IpvsOp::AddService { key: KEY, spec: service(scheduler) }).expect("a service");
        for (n, w) in weights.iter().enumerate() {
            lab.add(n as u8 + 1, *w);
        }
        lab
    }

    fn op(&mut self, op: IpvsOp) -> Result<(), OpError> {
        self.op_at(op, Time::ZERO)
    }

    fn op_at(&mut self, op: IpvsOp, at: Time) -> Result<(), OpError> {
        apply(&mut self.ns, &Op::Ipvs(op), at, Source::Kernel).map(|_| ())
    }

    fn add(&mut self, n: u8, weight: i32) {
        self.op(IpvsOp::AddDest { key: KEY, addr: real(n), port: 8080, spec: spec(weight) }).expect("a real server");
    }

    fn edit(&mut self, n: u8, spec: DestSpec) {
        self.op(IpvsOp::EditDest { key: KEY, addr: real(n), port: 8080, spec }).expect("a real server");
    }

    /// The real server, by its last octet, that a packet of that client is given to.
    fn schedule(&mut self, client: u32, draws: &[u32]) -> Option<u8> {
        let config = self.ns.config.clone();
        let s = config.ipvs.services.get(&KEY)?;
        let ipvs = &mut *self.ns.ipvs;
        let state = ipvs.services.get_mut(&s.row)?;
        let mut left = draws.iter().copied();
        let mut call = Call {
            pool: Pool { list: &s.dests, dests: &ipvs.dests },
            data: &mut state.data,
            flags: s.spec.flags,
            packet: Packet { src: IpAddr::V4(client.into()), sport: 40_000, dst: VIP, dport: 80 },
            now: Time::ZERO,
            expiration: 86_400,
            draw: &mut |n| left.next().unwrap_or(0) % n.max(1),
        };
        let row = s.spec.scheduler.schedule(&mut call)?;
        Some(self.octet(row))
    }

    fn octet(&self, row: RowId) -> u8 {
        match self.ns.config.ipvs.dest_by_row(row) {
            Some((_, Dest { addr: IpAddr::V4(a), .. })) => a.octets()[3],
            _ => 0,
        }
    }

    fn row(&self, n: u8) -> RowId {
        self.ns.config.ipvs.services[&KEY].dests.iter().find(|d| d.addr == real(n)).map(|d| d.row).expect("a real server")
    }

    fn load(&mut self, n: u8, active: u32, inactive: u32) {
        let row = self.row(n);
        let d = self.ns.ipvs.dests.get_mut(&row).expect("a state");
        (d.active, d.inactive) = (active, inactive);
    }

    fn connect(&mut self, n: u8, cport: u16, now: Time) -> ConnId {
        let key = ConnKey { protocol: Protocol::TCP, client: real(200), cport, server: VIP, port: 80 };
        let dest = self.row(n);
        let new =
            NewConn { key, daddr: real(n), dport: 8080, forward: Forward::Masq, dest, template: false, one_packet: false, nfct: false };
        let id = self.ns.ipvs.conn_new(&new, now);
        self.ns.ipvs.conns.put(id, now);
        id
    }
}

fn run(scheduler: &str, weights: &[i32], times: usize) -> Vec<u8> {
    let mut lab = Lab::new(scheduler, weights);
    (0..times).map(|_| lab.schedule(1, &[]).unwrap_or(0)).collect()
}

#[test]
fn turns_begin_with_the_newest() {
    let check = |scheduler: &str, weights: &[i32], expect: &[u8]| {
        assert_eq!(run(scheduler, weights, expect.len()), expect, "{scheduler} {weights:?}");
    };
    check("rr", &[1, 1, 1], &[3, 2, 1, 3, 2, 1]);
    check("rr", &[1, 0, 5], &[3, 1, 3, 1]);
    check("rr", &[0, 0], &[0, 0]);
    check("rr", &[], &[0]);
    // servers that come one by one leave it in the last round: the weight that it asks for only falls
    check("wrr", &[4, 3, 2], &[3, 2, 1, 1, 2, 1, 3, 2, 1, 3, 2, 1]);
    check("wrr", &[1, 1], &[2, 1, 2, 1]);
    check("wrr", &[0, 0], &[0, 0]);
    check("wrr", &[2, 4, 6], &[3, 2, 1, 3, 3, 2, 3]);
    check("lc", &[1, 1, 1], &[3, 3]);
    check("fo", &[1, 7, 7], &[3, 3]);
    check("ovf", &[1, 9, 2], &[2]);
}

#[test]
fn a_deleted_server_leaves_its_turn_to_the_one_before() {
    let mut lab = Lab::new("rr", &[1, 1, 1, 1]);
    assert_eq!((lab.schedule(1, &[]), lab.schedule(1, &[])), (Some(4), Some(3)));
    lab.op(IpvsOp::DeleteDest { key: KEY, addr: real(3), port: 8080 }).expect("deleted");
    assert_eq!((lab.schedule(1, &[]), lab.schedule(1, &[])), (Some(2), Some(1)));
    // a new one goes to the head and has its turn after the oldest
    lab.add(5, 1);
    assert_eq!((lab.schedule(1, &[]), lab.schedule(1, &[])), (Some(5), Some(4)));
}

#[test]
fn load_decides() {
    let check = |scheduler: &str, servers: &[(i32, u32, u32)], expect: u8| {
        let weights: Vec<i32> = servers.iter().map(|s| s.0).collect();
        let mut lab = Lab::new(scheduler, &weights);
        for (n, (_, active, inactive)) in servers.iter().enumerate() {
            lab.load(n as u8 + 1, *active, *inactive);
        }
        assert_eq!(lab.schedule(1, &[]), Some(expect), "{scheduler} {servers:?}");
    };
    check("lc", &[(1, 1, 0), (9, 0, 255), (1, 1, 1)], 2);
    check("wlc", &[(1, 1, 0), (4, 3, 0), (1, 2, 0)], 2);
    check("wlc", &[(2, 2, 0), (1, 1, 0)], 2);
    check("sed", &[(1, 0, 0), (3, 1, 0)], 2);
    check("nq", &[(1, 0, 0), (3, 1, 0)], 1);
    check("nq", &[(1, 1, 0), (3, 1, 0)], 2);
    check("ovf", &[(5, 6, 0), (3, 3, 0), (1, 0, 0)], 2);
    check("lblc", &[(1, 5, 0), (1, 0, 0)], 2);
}

#[test]
fn hashes_are_steady_and_follow_the_weights() {
    for name in ["sh", "mh"] {
        let mut lab = Lab::new(name, &[1, 3]);
        let counts = (0..4_000).fold([0; 3], |mut c, client| {
            let n = lab.schedule(0x0a00_0000 + client * 7, &[]).expect("a real server");
            assert_eq!(lab.schedule(0x0a00_0000 + client * 7, &[]), Some(n));
            c[n as usize] += 1;
            c
        });
        assert!((2..5).contains(&(counts[2] / counts[1])), "{name} {counts:?}");
    }
    // destination hashing knows one destination here
    let mut lab = Lab::new("dh", &[1, 1, 1]);
    let one = lab.schedule(1, &[]);
    assert!((2..50).all(|c| lab.schedule(c, &[]) == one));
}

#[test]
fn a_hashed_server_that_takes_nobody_is_missed_or_passed_by() {
    for name in ["sh", "mh"] {
        let mut lab = Lab::new(name, &[1, 1, 1]);
        let client = 0x0a00_0042;
        let n = lab.schedule(client, &[]).expect("a real server");
        let d = DestSpec { upper: 1, ..spec(1) };
        lab.edit(n, d);
        lab.connect(n, 1, Time::ZERO);
        assert_eq!(lab.schedule(client, &[]), None, "{name}");
        let flags = SvcFlags { sched: SvcFlags::FALLBACK, ..SvcFlags::default() };
        lab.op(IpvsOp::EditService { key: KEY, spec: ServiceSpec { flags, ..service(name) } }).expect("edited");
        assert!(lab.schedule(client, &[]).is_some_and(|m| m != n), "{name}");
    }
}

#[test]
fn maglev_moves_few_clients() {
    let mut lab = Lab::new("mh", &[1, 1, 1, 1, 1]);
    let before: Vec<_> = (0..2_000).map(|c| lab.schedule(c * 77, &[])).collect();
    lab.op(IpvsOp::DeleteDest { key: KEY, addr: real(3), port: 8080 }).expect("deleted");
    let moved = before.iter().zip(0..2_000).filter(|(b, c)| **b != Some(3) && lab.schedule(c * 77, &[]) != **b).count();
    assert!(moved < 200, "{moved} clients of others moved");
}

#[test]
fn two_are_drawn_and_the_better_taken() {
    let mut lab = Lab::new("twos", &[1, 1, 2]);
    lab.load(3, 10, 0);
    // the list is 3, 2, 1; draws of 1 and 3 hit the newest and the second
    assert_eq!(lab.schedule(1, &[1, 3]), Some(2));
    assert_eq!(lab.schedule(1, &[1, 1]), Some(3));
    assert_eq!(lab.schedule(1, &[4, 4]), Some(1));
}

#[test]
fn locality_grows_under_load() {
    let mut lab = Lab::new("lblcr", &[1, 1]);
    assert_eq!(lab.schedule(1, &[]), Some(2));
    lab.load(2, 3, 0);
    // overloaded while the other has nothing to do: the set grows
    assert_eq!(lab.schedule(1, &[]), Some(1));
    let mut lab = Lab::new("lblc", &[10, 10]);
    assert_eq!(lab.schedule(1, &[]), Some(2));
    lab.load(2, 3, 0);
    assert_eq!(lab.schedule(1, &[]), Some(2), "not overloaded yet");
}

#[test]
fn thresholds_have_two_edges() {
    let mut lab = Lab::new("rr", &[1, 1]);
    lab.edit(2, DestSpec { upper: 2, ..spec(1) });
    let ids = [lab.connect(2, 1, Time::ZERO), lab.connect(2, 2, Time::ZERO)];
    assert_eq!((lab.schedule(1, &[]), lab.schedule(1, &[])), (Some(1), Some(1)));
    lab.ns.ipvs.conns.expire_now(ids[0], second(1));
    lab.ns.ipvs.expire(second(1));
    // one of two is less than three quarters
    assert_eq!(lab.schedule(1, &[]), Some(2));
}

#[test]
fn connections_count_and_end() {
    let mut lab = Lab::new("rr", &[1]);
    let row = lab.row(1);
    let id = lab.connect(1, 5, Time::ZERO);
    let t = Timeouts::default();
    let counts = |lab: &Lab| lab.ns.ipvs.dests.get(&row).map(|d| (d.active, d.inactive)).expect("a state");
    let flags = |syn, fin, ack| Segment::Tcp { syn, fin, rst: false, ack };
    assert_eq!(counts(&lab), (0, 1));
    for (dir, segment, expect) in [
        (Direction::In, flags(true, false, false), (1, 0)),
        (Direction::Out, flags(true, false, true), (1, 0)),
        (Direction::In, flags(false, false, true), (1, 0)),
        (Direction::In, flags(false, true, true), (0, 1)),
        (Direction::Out, flags(false, true, true), (0, 1)),
    ] {
        lab.ns.ipvs.set_state(id, dir, segment, &t);
        lab.ns.ipvs.conns.put(id, second(1));
        assert_eq!(counts(&lab), expect);
    }
    assert_eq!(lab.ns.ipvs.conns.get(id).map(|c| (c.state_name(), c.timeout)), Some(("TIME_WAIT", 120)));
    assert_eq!(lab.ns.ipvs.at(second(120)).conns.len(), 1);
    assert_eq!(lab.ns.ipvs.expire(second(121)).len(), 1);
    assert_eq!((counts(&lab), lab.ns.ipvs.conns.len()), ((0, 0), 0));
}

#[test]
fn a_template_outlives_its_connections() {
    let mut lab = Lab::new("rr", &[1]);
    let dest = lab.row(1);
    let client = ConnKey { protocol: Protocol::TCP, client: real(200), cport: 0, server: VIP, port: 80 };
    let new =
        NewConn { key: client, daddr: real(1), dport: 8080, forward: Forward::Masq, dest, template: true, one_packet: false, nfct: false };
    let template = lab.ns.ipvs.conn_new(&new, Time::ZERO);
    if let Some(t) = lab.ns.ipvs.conns.get_mut(template) {
        t.timeout = 10;
    }
    lab.ns.ipvs.conns.put(template, Time::ZERO);
    let id = lab.connect(1, 7, Time::ZERO);
    lab.ns.ipvs.control(id, template);
    if let Some(c) = lab.ns.ipvs.conns.get_mut(id) {
        c.timeout = 100;
    }
    lab.ns.ipvs.conns.put(id, Time::ZERO);
    // its time is over after ten seconds; it waits a minute at a time for the connection
    let at = |lab: &Lab, s| lab.ns.ipvs.at(second(s)).conns.list().iter().map(|c| c.id).collect::<Vec<_>>();
    assert_eq!(at(&lab, 99), [template, id]);
    assert_eq!(at(&lab, 129), [template]);
    assert_eq!(at(&lab, 130), []);
    assert_eq!(lab.ns.ipvs.template(&client, false), Some(template));
    lab.edit(1, spec(0));
    assert_eq!(lab.ns.ipvs.clone().template(&client, false), Some(template));
    assert_eq!(lab.ns.ipvs.template(&client, true), None);
    assert_eq!(lab.ns.ipvs.template(&client, false), None, "once invalid it is found no more");
}

#[test]
fn a_server_that_comes_back_has_its_connections_again() {
    let mut lab = Lab::new("rr", &[1, 1]);
    let row = lab.row(2);
    lab.connect(2, 9, Time::ZERO);
    lab.op(IpvsOp::DeleteDest { key: KEY, addr: real(2), port: 8080 }).expect("deleted");
    assert_eq!(lab.ns.ipvs.dests.get(&row).map(|d| d.available), Some(false));
    lab.add(2, 1);
    assert_eq!(lab.row(2), row);
    assert_eq!(lab.ns.ipvs.dests.get(&row).map(|d| (d.available, d.inactive)), Some((true, 1)));
    // forgotten after two minutes without connections
    lab.op(IpvsOp::DeleteDest { key: KEY, addr: real(2), port: 8080 }).expect("deleted");
    lab.ns.ipvs.expire(second(500));
    lab.add(2, 1);
    assert_ne!(lab.row(2), row);
}

#[test]
fn refusals_have_the_tools_words() {
    let mut lab = Lab::new("rr", &[1]);
    let other = VsKey::Addr(Protocol::UDP, VIP, 80);
    let multicast = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 1));
    let dest = |key, addr, spec| IpvsOp::AddDest { key, addr, port: 8080, spec };
    for (op, words) in [
        (IpvsOp::AddService { key: KEY, spec: service("rr") }, "Service already exists"),
        (IpvsOp::EditService { key: other, spec: service("rr") }, "No such service"),
        (IpvsOp::DeleteService(other), "No such service"),
        (IpvsOp::Zero(Some(other)), "No such service"),
        (dest(other, real(1), spec(1)), "Service not defined"),
        (dest(KEY, real(1), spec(1)), "Destination already exists"),
        (dest(KEY, multicast, spec(1)), "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
        (dest(KEY, real(2), DestSpec { lower: 5, ..spec(1) }), "Numerical result out of range"),
        (IpvsOp::EditDest { key: KEY, addr: real(9), port: 8080, spec: spec(1) }, "No such destination"),
        (IpvsOp::DeleteDest { key: KEY, addr: real(1), port: 1 }, "No such destination"),
    ] {
        let error = lab.op(op.clone()).expect_err("refused");
        assert_eq!((error.to_string().as_str(), error.status()), (words, 255), "{op:?}");
    }
    assert!(lab.op(IpvsOp::Flush).is_ok());
    assert!(lab.ns.config.ipvs.services.is_empty());
}

#[test]
fn every_scheduler_is_known_by_its_name() {
    for s in SCHEDULERS {
        assert_eq!(Scheduler::by_name(s.name).map(Scheduler::name), Some(s.name));
        assert_ne!(Scheduler::by_name(s.name).map(|x| x.init(&Pool { list: &[], dests: &HotMapOfNothing::default() })), None::<Data>);
    }
    assert_eq!(Scheduler::by_name("nosuch"), None);
}

type HotMapOfNothing = crate::linux::hot::HotMap<RowId, DestState>;

/// Weighted round robin as a plain model: thresholds fall from the greatest weight to 1 by the common divisor; in each round
/// all whose weight reaches the threshold are taken in order.
fn wrr_model(weights: &[i32]) -> Vec<u8> {
    fn gcd(a: i32, b: i32) -> i32 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let step = weights.iter().copied().filter(|w| *w > 0).fold(0, gcd).max(1);
    let mut out = Vec::new();
    let mut threshold = weights.iter().copied().max().unwrap_or(0);
    while threshold > 0 {
        for (n, w) in weights.iter().enumerate().rev() {
            if *w >= threshold {
                out.push(n as u8 + 1);
            }
        }
        threshold -= step;
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn wrr_is_its_model(weights in proptest::collection::vec(0..7_i32, 1..6)) {
        let model = wrr_model(&weights);
        let expect: Vec<u8> = model.iter().copied().cycle().take(if model.is_empty() { 0 } else { 40 }).collect();
        let mut lab = Lab::new("rr", &weights);
        lab.op(IpvsOp::EditService { key: KEY, spec: service("wrr") }).expect("edited");
        let seen: Vec<u8> = expect.iter().map(|_| lab.schedule(1, &[]).unwrap_or(0)).collect();
        prop_assert_eq!(seen, expect);
    }

    #[test]
    fn rr_is_fair(weights in proptest::collection::vec(0..3_i32, 1..7)) {
        let usable = weights.iter().filter(|w| **w > 0).count();
        let seen = run("rr", &weights, usable * 3);
        for (n, w) in weights.iter().enumerate() {
            prop_assert_eq!(seen.iter().filter(|s| usize::from(**s) == n + 1).count(), if *w > 0 { 3 } else { 0 });
        }
    }

    #[test]
    fn least_loads_are_least(servers in proptest::collection::vec((0..5_i32, 0..6_u32, 0..600_u32), 1..7)) {
        let weights: Vec<i32> = servers.iter().map(|s| s.0).collect();
        type Cost = fn(&(i32, u32, u32)) -> (i64, i64);
        let models: [(&str, Cost); 3] = [
            ("lc", |s| (i64::from(s.1) * 256 + i64::from(s.2), 1)),
            ("wlc", |s| (i64::from(s.1) * 256 + i64::from(s.2), i64::from(s.0))),
            ("sed", |s| (i64::from(s.1) + 1, i64::from(s.0))),
        ];
        for (name, cost) in models {
            let mut lab = Lab::new(name, &weights);
            for (n, s) in servers.iter().enumerate() {
                lab.load(n as u8 + 1, s.1, s.2);
            }
            // of equals the newest; a/b < c/d as a*d < c*b
            let mut best: Option<(u8, (i64, i64))> = None;
            for (n, s) in servers.iter().enumerate().rev().filter(|(_, s)| s.0 > 0) {
                let c = cost(s);
                if best.is_none_or(|(_, b)| c.0 * b.1 < b.0 * c.1) {
                    best = Some((n as u8 + 1, c));
                }
            }
            prop_assert_eq!(lab.schedule(1, &[]), best.map(|b| b.0), "{}", name);
        }
    }

    #[test]
    fn counters_are_the_sum_of_the_connections(ops in proptest::collection::vec((0..4_u8, 1..4_u8, 0..30_u16), 1..60)) {
        let mut lab = Lab::new("rr", &[1, 1, 1]);
        let t = Timeouts::default();
        for (i, (what, n, port)) in ops.into_iter().enumerate() {
            let now = second(i as u64 * 7);
            lab.ns.ipvs.expire(now);
            let key = ConnKey { protocol: Protocol::TCP, client: real(200), cport: port, server: VIP, port: 80 };
            match lab.ns.ipvs.conns.find_in(&key) {
                None => {
                    lab.connect(n, port, now);
                }
                Some(id) => {
                    let segment = Segment::Tcp { syn: what == 0, fin: what == 1, rst: what == 2, ack: true };
                    let dir = if n == 1 { Direction::Out } else { Direction::In };
                    lab.ns.ipvs.set_state(id, dir, segment, &t);
                    lab.ns.ipvs.conns.put(id, now);
                }
            }
            for n in 1..4 {
                let row = lab.row(n);
                let d = lab.ns.ipvs.dests.get(&row).expect("a state").clone();
                let all = lab.ns.ipvs.conns.list();
                let count = |inactive| all.iter().filter(|c| c.dest == row && c.inactive == inactive).count() as u32;
                prop_assert_eq!((d.active, d.inactive), (count(false), count(true)));
            }
        }
    }
}
