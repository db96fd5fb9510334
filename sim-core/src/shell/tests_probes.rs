//! `traceroute`, `tracepath` and `ss`, held against what the real tools printed in the same network (times apart).

#![allow(clippy::unwrap_used, reason = "tests")]

use super::exec::run;
use crate::apps::{Echo, Listen};
use crate::engine::build::NewNic;
use crate::engine::{Engine, LinkProps, World};
use crate::linux::{FlowId, NetnsId};
use crate::trace::NoTrace;

/// Three hosts in a row; behind the router the MTU is 1400.
struct Row {
    engine: Engine<NoTrace>,
    hosts: [NetnsId; 3],
}

impl Row {
    fn new() -> Row {
        let mut world = World::new(1);
        let hosts = ["tools1", "tools2", "tools3"].map(|n| {
            let h = world.add_host(n);
            world.hosts[h.0 as usize].root
        });
        let nic = |name: &str| NewNic { name: name.into(), mac: None, mtu: None };
        world.add_cable((hosts[0], &nic("a1")), (hosts[1], &nic("b1")), LinkProps::default()).unwrap();
        world.add_cable((hosts[1], &nic("a2")), (hosts[2], &nic("b2")), LinkProps::default()).unwrap();
        let mut row = Row { engine: Engine::new(world, NoTrace), hosts };
        for (at, lines) in [
            (0, "ip link set lo up\nip addr add 10.1.0.1/24 dev a1\nip link set a1 up\nip route add default via 10.1.0.2"),
            (
                1,
                "ip link set lo up\nip addr add 10.1.0.2/24 dev b1\nip link set b1 up\nip addr add 10.2.0.2/24 dev a2\nip link set a2 up mtu 1400\nsysctl -w net.ipv4.ip_forward=1",
            ),
            (2, "ip link set lo up\nip addr add 10.2.0.3/24 dev b2\nip link set b2 up mtu 1400\nip route add default via 10.2.0.2"),
        ] {
            for line in lines.lines() {
                row.at(at, line);
            }
        }
        row
    }

    fn at(&mut self, host: usize, line: &str) -> String {
        let (answer, _) = run(&mut self.engine, self.hosts[host], line, &"test".into(), FlowId::NONE).unwrap();
        assert_eq!(answer.stderr, "", "{line}");
        answer.stdout
    }

    fn listen(&mut self, listen: Listen) {
        self.engine.world.spawn(self.hosts[2], "server", FlowId::NONE, Box::new(Echo::new(listen)));
        let now = self.engine.world.now;
        self.engine.run_until(now).unwrap();
    }
}

/// Takes the digits of times away: `0.135 ms` and `3049.600ms` become `T ms` and `Tms`.
fn timeless(text: &str) -> String {
    let times = |line: &str| {
        let words: Vec<String> = line
            .split(' ')
            .map(|w| match w.strip_suffix("ms").unwrap_or(w) {
                n if n.contains('.') && n.bytes().all(|b| b.is_ascii_digit() || b == b'.') && n.matches('.').count() == 1 => {
                    w.replace(n, "T")
                }
                _ => w.to_owned(),
            })
            .collect();
        words.join(" ")
    };
    text.lines().map(|l| times(l) + "\n").collect()
}

#[test]
fn traceroute_names_each_hop() {
    let mut row = Row::new();
    assert_eq!(
        timeless(&row.at(0, "traceroute 10.2.0.3")),
        "traceroute to 10.2.0.3 (10.2.0.3), 30 hops max, 60 byte packets\n\
         \x201  10.1.0.2 (10.1.0.2)  T ms  T ms  T ms\n\
         \x202  10.2.0.3 (10.2.0.3)  T ms  T ms  T ms\n"
    );
    // the router waits three seconds for a neighbour that is not there; one query for each of three hops
    let gone = Row::new().at(0, "traceroute -n -q1 -N1 -f2 -m 3 10.2.0.77");
    assert_eq!(timeless(&gone), "traceroute to 10.2.0.77 (10.2.0.77), 3 hops max, 60 byte packets\n 2  10.1.0.2  T ms !H\n");
    let local = Row::new().at(0, "traceroute -n 10.1.0.1");
    assert_eq!(timeless(&local), "traceroute to 10.1.0.1 (10.1.0.1), 30 hops max, 60 byte packets\n 1  10.1.0.1  T ms  T ms  T ms\n");
}

#[test]
fn tracepath_finds_the_mtu() {
    let mut row = Row::new();
    assert_eq!(
        timeless(&row.at(0, "tracepath -n 10.2.0.3")),
        "\x201?: [LOCALHOST]                      pmtu 1500\n\
         \x201:  10.1.0.2                                              Tms \n\
         \x201:  10.1.0.2                                              Tms \n\
         \x202:  10.1.0.2                                              Tms pmtu 1400\n\
         \x202:  10.2.0.3                                              Tms reached\n\
         \x20    Resume: pmtu 1400 hops 2 back 2 \n"
    );
    let gone = Row::new().at(0, "tracepath -n -m 3 10.2.0.77");
    assert_eq!(
        timeless(&gone),
        "\x201?: [LOCALHOST]                      pmtu 1500\n\
         \x201:  10.1.0.2                                              Tms \n\
         \x201:  10.1.0.2                                              Tms \n\
         \x202:  10.1.0.2                                              Tms pmtu 1400\n\
         \x202:  no reply\n\
         \x202:  10.1.0.2                                            Tms !H\n\
         \x20    Resume: pmtu 1400 \n"
    );
}

#[test]
fn ss_lists_sockets_in_columns() {
    let mut row = Row::new();
    row.listen(Listen::tcp("web", 80));
    row.listen(Listen::udp("dns", 53));
    assert_eq!(
        row.at(2, "ss -tuan"),
        "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n\
         udp   UNCONN 0      0            0.0.0.0:53        0.0.0.0:*          \n\
         tcp   LISTEN 0      4096         0.0.0.0:80        0.0.0.0:*          \n"
    );
    assert_eq!(
        row.at(2, "ss -lt"),
        "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n\
         LISTEN 0      4096         0.0.0.0:http      0.0.0.0:*          \n"
    );
    assert_eq!(row.at(2, "ss -Hltn sport = :81"), "");
    assert_eq!(row.at(2, "ss -Hltn sport = :80"), "LISTEN 0      4096   0.0.0.0:80 0.0.0.0:*\n");
    assert_eq!(row.at(2, "ss -Htan state established"), "");
    // a connection that has ended waits at the end that closed first
    row.at(0, "nc -N 10.2.0.3 80");
    let after = row.at(0, "ss -Htan");
    assert!(after.starts_with("TIME-WAIT 0      0      10.1.0.1:") && after.ends_with(" 10.2.0.3:80\n"), "{after}");
}
