//! Whole sessions against what a real kernel (6.18) and the real tools (iproute2 6.1, procps 4.0) printed.
//!
//! A transcript holds `$ command` lines, what came out of each (standard output, then standard error, without empty lines at the
//! end) and `[n]` for an exit status other than 0. Listings that the kernel keeps in a hash are sorted.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Answer, Command, OpIn, Surroundings, answer, parse};
use crate::engine::drive::Engine;
use crate::engine::world::{HostId, World};
use crate::linux::{NetnsId, Time};
use crate::trace::NoTrace;
use std::sync::Arc;

/// A host with its namespaces, and someone who types.
struct Session {
    engine: Engine<NoTrace>,
    host: HostId,
    root: NetnsId,
}

struct Around<'w>(&'w World, HostId);

impl Surroundings for Around<'_> {
    fn netns_name(&self, id: NetnsId) -> Option<Arc<str>> {
        self.0.info(id).map(|i| i.name.clone()).filter(|n| !n.is_empty())
    }
    fn netns_names(&self) -> Vec<Arc<str>> {
        self.0.info.iter().filter(|i| i.host == self.1 && !i.name.is_empty()).map(|i| i.name.clone()).collect()
    }
    fn hostname(&self) -> Arc<str> {
        self.0.hosts[self.1.0 as usize].name.clone()
    }
    fn now(&self) -> Time {
        self.0.now
    }
}

impl Session {
    fn new() -> Self {
        let mut world = World::new(1);
        let host = world.add_host("host");
        let root = world.hosts[host.0 as usize].root;
        Session { engine: Engine::new(world, NoTrace), host, root }
    }

    fn netns(&self, name: Option<&Arc<str>>) -> Option<NetnsId> {
        name.map_or(Some(self.root), |n| self.engine.world.netns_by_name(self.host, n))
    }

    fn run(&mut self, line: &str) -> Answer {
        let command = match parse(line) {
            Ok(c) => c,
            Err(e) => return Answer::failed(e.message, e.status),
        };
        match command {
            Command::Ops(ops) => self.ops(line, ops),
            Command::Query(q) => match self.netns(q.netns.as_ref()) {
                Some(ns) => answer(self.engine.world.ns(ns).unwrap(), &q.query, &Around(&self.engine.world, self.host)),
                None => Answer::failed("Cannot open network namespace", 255),
            },
            _ => Answer::default(),
        }
    }

    fn ops(&mut self, line: &str, ops: Vec<OpIn>) -> Answer {
        let mut a = Answer::default();
        for OpIn { netns, op } in ops {
            let Some(ns) = self.netns(netns.as_ref()) else { return Answer::failed("Cannot open network namespace", 255) };
            if let Err(e) = self.engine.apply(ns, &Arc::new(op.clone()), &"typed".into()) {
                let status = if line.starts_with("bridge") { 255 } else { e.status() };
                return Answer::failed(e.to_string(), status);
            }
            if let crate::linux::Op::Sysctl { key, value } = &op {
                a.stdout.push_str(&format!("{key} = {value}\n"));
            }
        }
        a
    }
}

/// Types the commands of a transcript and compares.
fn replay(transcript: &str) {
    let mut session = Session::new();
    let mut wrong = Vec::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut expected = Vec::new();
        while let Some(l) = lines.next_if(|l| !l.starts_with("$ ")) {
            expected.push(l.to_owned());
        }
        let a = session.run(command);
        let text = a.stdout + &a.stderr;
        let mut got: Vec<String> = text.lines().map(str::to_owned).collect();
        let changes = ["add", "del", "replace", "change", "append", "flush"].iter().any(|w| command.contains(w));
        if (command.contains("fdb") || command.contains("neigh")) && !changes {
            got.sort();
        }
        while got.last().is_some_and(String::is_empty) {
            got.pop();
        }
        if a.status != 0 {
            got.push(format!("[{}]", a.status));
        }
        if got != expected {
            wrong.push(format!("$ {command}\n--- real\n{}\n--- here\n{}\n", expected.join("\n"), got.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn addresses_and_their_routes() {
    replay(include_str!("transcripts/addresses.txt"));
}

#[test]
fn routes() {
    replay(include_str!("transcripts/routes.txt"));
}

#[test]
fn links_and_bridges() {
    replay(include_str!("transcripts/links.txt"));
}

#[test]
fn neighbours() {
    replay(include_str!("transcripts/neighbours.txt"));
}

#[test]
fn sysctls() {
    replay(include_str!("transcripts/sysctls.txt"));
}

/// What flow commands print, as iputils 20221126, curl 7.88.1 and netcat-openbsd 1.219 printed it.
mod flows {
    use super::super::curl::{self, CurlEnd, CurlResult};
    use super::super::nc::{self, NcEnd};
    use super::super::ping::{self, PingEvent, PingResult};
    use super::super::{Command, FlowCommand, parse};
    use crate::linux::Errno;
    use crate::packet::Ipv4Addr;
    use std::time::Duration;

    fn flow(line: &str) -> FlowCommand {
        match parse(line) {
            Ok(Command::Flow(f)) => f.flow,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn us(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    fn ping_says(line: &str, target: [u8; 4], events: Vec<PingEvent>, sent: u32, elapsed: u64) -> (String, u8) {
        let FlowCommand::Ping(p) = flow(line) else { panic!() };
        let result =
            PingResult { target: Some(target.into()), source: None, failed: None, events, sent, elapsed: Duration::from_millis(elapsed) };
        let a = ping::render(&p, &result);
        (a.stderr + &a.stdout, a.status)
    }

    #[test]
    fn ping_answered() {
        let from = Ipv4Addr::new(10, 0, 0, 2).into();
        let reply = |seq, time| PingEvent::Reply { seq, from, ttl: 64, bytes: 64, time: us(time), sent: u32::from(seq) };
        let (text, status) = ping_says("ping -c 2 -i 0.2 10.0.0.2", [10, 0, 0, 2], vec![reply(1, 1080), reply(2, 65)], 2, 201);
        let expected = "\
PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.
64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=1.08 ms
64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=0.065 ms

--- 10.0.0.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 201ms
rtt min/avg/max/mdev = 0.065/0.572/1.080/0.507 ms
";
        assert_eq!((text.as_str(), status), (expected, 0));
    }

    #[test]
    fn ping_silent() {
        let (text, status) = ping_says("ping -c 1 -W 1 10.62.0.1", [10, 62, 0, 1], vec![], 1, 0);
        let expected = "\
PING 10.62.0.1 (10.62.0.1) 56(84) bytes of data.

--- 10.62.0.1 ping statistics ---
1 packets transmitted, 0 received, 100% packet loss, time 0ms

";
        assert_eq!((text.as_str(), status), (expected, 1));
    }

    #[test]
    fn ping_refused_on_the_way() {
        let from = Ipv4Addr::new(10, 0, 0, 2).into();
        let error = |icmp| vec![PingEvent::Icmp { seq: 1, from, icmp, info: 1450, sent: 1 }];
        for (icmp, words) in [
            ((3, 0), "Destination Net Unreachable"),
            ((3, 1), "Destination Host Unreachable"),
            ((3, 4), "Frag needed and DF set (mtu = 1450)"),
            ((3, 13), "Packet filtered"),
            ((11, 0), "Time to live exceeded"),
        ] {
            let (text, status) = ping_says("ping -c 1 10.60.0.1", [10, 60, 0, 1], error(icmp), 1, 0);
            assert!(text.contains(&format!("\nFrom 10.0.0.2 icmp_seq=1 {words}\n\n---")), "{text}");
            assert!(text.ends_with("1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n\n"), "{text}");
            assert_eq!(status, 1);
        }
        let three: Vec<PingEvent> =
            (1..4).map(|seq| PingEvent::Icmp { seq, from: [10, 0, 0, 1].into(), icmp: (3, 1), info: 0, sent: 3 }).collect();
        let (text, _) = ping_says("ping -c 3 10.0.0.77", [10, 0, 0, 77], three, 3, 2042);
        assert!(text.ends_with("3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2042ms\npipe 3\n"), "{text}");
    }

    #[test]
    fn ping_that_cannot_begin_and_ping_too_long() {
        let FlowCommand::Ping(p) = flow("ping 8.8.8.8") else { panic!() };
        let mut r = PingResult {
            target: Some(Ipv4Addr::new(8, 8, 8, 8).into()),
            source: None,
            failed: Some(("connect", Errno::ENETUNREACH)),
            events: Vec::new(),
            sent: 0,
            elapsed: Duration::ZERO,
        };
        assert_eq!((ping::render(&p, &r).stderr.as_str(), ping::render(&p, &r).status), ("ping: connect: Network is unreachable\n", 2));
        r.target = None;
        assert_eq!(ping::render(&p, &r).stderr, "ping: 8.8.8.8: Temporary failure in name resolution\n");
        let long = vec![PingEvent::Local { errno: Errno::EMSGSIZE, mtu: 1500 }];
        let (text, _) = ping_says("ping -c 1 -s 3000 -M do 10.0.0.2", [10, 0, 0, 2], long, 1, 0);
        assert!(text.starts_with("ping: local error: message too long, mtu=1500\nPING 10.0.0.2 (10.0.0.2) 3000(3028) bytes of data.\n"));
        assert!(text.contains("+1 errors, 100% packet loss"));
    }

    #[test]
    fn loss_is_printed_as_g_prints_it() {
        let from = Ipv4Addr::new(10, 0, 0, 2).into();
        for (sent, lost, words) in [(3, 1, "33.3333"), (3, 2, "66.6667"), (15, 1, "6.66667"), (4, 1, "25"), (200, 1, "0.5")] {
            let events = (1..=sent - lost)
                .map(|seq| PingEvent::Reply { seq, from, ttl: 64, bytes: 64, time: us(50), sent: u32::from(seq) })
                .collect();
            let (text, _) = ping_says(&format!("ping -c {sent} 10.0.0.2"), [10, 0, 0, 2], events, u32::from(sent), 0);
            assert!(text.contains(&format!(" {words}% packet loss")), "{text}");
        }
    }

    fn curl_says(line: &str, end: CurlEnd, elapsed: u64) -> (String, String, u8) {
        let FlowCommand::Curl(c) = flow(line) else { panic!() };
        let target = (end != CurlEnd::NotResolved).then_some(Ipv4Addr::new(10, 0, 0, 2).into());
        let a = curl::render(&c, &CurlResult { target, end, elapsed: Duration::from_millis(elapsed) });
        (a.stdout, a.stderr, a.status)
    }

    #[test]
    fn curl_that_fails() {
        let refused = || CurlEnd::NotConnected(Errno::ECONNREFUSED);
        let words = "curl: (7) Failed to connect to 10.0.0.2 port 80 after 0 ms: Couldn't connect to server\n";
        assert_eq!(curl_says("curl http://10.0.0.2/", refused(), 0), (String::new(), words.to_owned(), 7));
        assert_eq!(curl_says("curl -s http://10.0.0.2/", refused(), 0), (String::new(), String::new(), 7));
        assert_eq!(curl_says("curl -sS http://10.0.0.2/", refused(), 0).1, words);
        let verbose = "\
*   Trying 10.0.0.2:80...
* connect to 10.0.0.2 port 80 failed: Connection refused
* Failed to connect to 10.0.0.2 port 80 after 0 ms: Couldn't connect to server
* Closing connection 0
curl: (7) Failed to connect to 10.0.0.2 port 80 after 0 ms: Couldn't connect to server
";
        assert_eq!(curl_says("curl -v http://10.0.0.2/", refused(), 0).1, verbose);
        assert_eq!(
            curl_says("curl --connect-timeout 1 10.0.0.2", CurlEnd::ConnectTimeout, 1000).1,
            "curl: (28) Failed to connect to 10.0.0.2 port 80 after 1000 ms: Timeout was reached\n"
        );
        assert_eq!(
            curl_says("curl -m 1 10.0.0.2", CurlEnd::TimedOut { connected: false, received: 0 }, 1002).1,
            "curl: (28) Connection timed out after 1002 milliseconds\n"
        );
        assert_eq!(curl_says("curl http://nosuch/", CurlEnd::NotResolved, 0).1, "curl: (6) Could not resolve host: nosuch\n");
    }

    #[test]
    fn curl_answered() {
        let end = CurlEnd::Answer {
            status_line: "404 Not Found".into(),
            status: 404,
            version: "1.1",
            headers: vec![("Content-Length".into(), "4".into())],
            body: "no!\n".to_owned(),
        };
        assert_eq!(curl_says("curl http://10.0.0.2:8080/nope", end.clone(), 1), ("no!\n".to_owned(), String::new(), 0));
        assert_eq!(
            curl_says("curl -f http://10.0.0.2:8080/nope", end.clone(), 1),
            (String::new(), "curl: (22) The requested URL returned error: 404\n".to_owned(), 22)
        );
        assert_eq!(curl_says("curl -i http://10.0.0.2:8080/nope", end.clone(), 1).0, "HTTP/1.1 404 Not Found\nContent-Length: 4\n\nno!\n");
        assert_eq!(curl_says("curl -s -o /dev/null -w '%{http_code}\\n' http://10.0.0.2/", end, 1).0, "404\n");
        let FlowCommand::Curl(c) = flow("curl -H 'Host: shop.example.com' -H 'X-A: b' http://10.0.0.2:8080/cart?x=1#y") else { panic!() };
        assert_eq!((&*c.host, c.port, &*c.path, &*c.host_header), ("10.0.0.2", 8080, "/cart?x=1", "shop.example.com"));
        assert_eq!(c.headers.len(), 1);
    }

    #[test]
    fn nc_in_all_its_moods() {
        let says = |line: &str, end: NcEnd| {
            let FlowCommand::Nc(n) = flow(line) else { panic!() };
            let a = nc::render(&n, &end);
            (a.stderr, a.status)
        };
        assert_eq!(
            says("nc -z -v 10.0.0.2 80", NcEnd::Failed(Errno::ECONNREFUSED)),
            ("nc: connect to 10.0.0.2 port 80 (tcp) failed: Connection refused\n".to_owned(), 1)
        );
        assert_eq!(
            says("nc -zv -w 1 10.62.0.1 80", NcEnd::TimedOut),
            ("nc: connect to 10.62.0.1 port 80 (tcp) timed out: Operation now in progress\n".to_owned(), 1)
        );
        assert_eq!(says("nc -z 10.0.0.2 80", NcEnd::Failed(Errno::ECONNREFUSED)), (String::new(), 1));
        assert_eq!(says("nc -u -z -v 10.0.0.2 53", NcEnd::Failed(Errno::ECONNREFUSED)), (String::new(), 1));
        assert_eq!(
            says("nc -z -v 10.0.0.2 8080", NcEnd::Done(String::new())),
            ("Connection to 10.0.0.2 8080 port [tcp/http-alt] succeeded!\n".to_owned(), 0)
        );
    }

    #[test]
    fn refusals() {
        for (line, words, status) in [
            ("ping", "ping: usage error: Destination address required", 1),
            ("ping -c 0 10.0.0.2", "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807", 1),
            ("ping -c x 10.0.0.2", "ping: invalid argument: 'x'", 1),
            ("ping -t 300 10.0.0.2", "ping: invalid argument: '300': out of range: 0 <= value <= 255", 1),
            ("ping -M foo 10.0.0.2", "ping: invalid -M argument: foo", 2),
            ("curl", "curl: try 'curl --help' or 'curl --manual' for more information", 2),
            ("curl http://10.0.0.2:99999/", "curl: (3) URL using bad/illegal format or missing URL", 3),
            ("nc 10.0.0.2", "nc: missing port number", 1),
            ("nc 10.0.0.2 99999", "nc: port number too large: 99999", 1),
            ("nc 10.0.0.2 foo", "nc: port number invalid: foo", 1),
            ("nc -w x 10.0.0.2 80", "nc: timeout invalid: x", 1),
            ("iptabels -L", "bash: iptabels: command not found", 127),
            ("tcpdump -w x.pcap", "not simulated: `-w`", 1),
            ("ip link set eth0 txqueuelen 10", "not simulated: `txqueuelen`", 1),
            ("ping -f 10.0.0.2", "not simulated: `-f`", 1),
            ("curl https://10.0.0.2/", "not simulated: TLS (https)", 1),
            ("ip -0 link", "not simulated: `-0`", 255),
        ] {
            let e = parse(line).expect_err(line);
            assert_eq!(e.message, words, "{line}");
            assert_eq!(e.status, if e.not_simulated { 1 } else { status }, "{line}");
        }
        assert_eq!(parse("iptabels -L").unwrap_err().help.as_deref(), Some("did you mean `iptables`?"));
        let e = parse("ip route add 10.0.0.0/8 via nowhere").unwrap_err();
        assert_eq!((e.line, e.col, e.len), (1, 29, 7));
    }
}
