//! `ip rule`, held against what iproute2 6.1 printed on Linux 6.18.

#![allow(clippy::unwrap_used, reason = "tests")]

use crate::engine::{Engine, World};
use crate::linux::{FlowId, NetnsId};
use crate::shell::exec::run;
use crate::trace::NoTrace;

fn host() -> (Engine<NoTrace>, NetnsId) {
    let mut world = World::new(1);
    let h = world.add_host("r2");
    let root = world.hosts[h.0 as usize].root;
    (Engine::new(world, NoTrace), root)
}

fn at(h: &mut (Engine<NoTrace>, NetnsId), line: &str) -> (u8, String) {
    let (a, _) = run(&mut h.0, h.1, line, &"test".into(), FlowId::NONE).unwrap();
    (a.status, a.stdout + &a.stderr)
}

/// Rules as they were typed, and as they were listed.
const ADDED: &[&str] = &[
    "from 10.0.0.0/8 table 100",
    "to 10.1.2.3 lookup 200 pref 50",
    "fwmark 1 table 101",
    "fwmark 0x10/0xf0 lookup main suppress_prefixlength 0",
    "not from 10.0.0.1 iif eth0 oif lo tos 0x10 table local priority 10",
    "ipproto tcp sport 80 dport 100-200 uidrange 0-10 lookup 7",
    "pref 300 unreachable",
    "pref 301 blackhole from 1.1.1.1",
    "pref 302 prohibit to 2.2.2.0/24",
    "pref 303 goto 400",
    "pref 304 nop",
    "pref 305 goto 32766",
    "pref 306 table main suppress_ifgroup 5",
    "pref 307 from 10.0.0.5/24 dsfield 8 lookup 9",
    "pref 308 ipproto 99 table 12 protocol static",
    "pref 309 ipproto udp fwmark 0x5/0x0 table 12",
];

const LISTED: &str = "\
0:\tfrom all lookup local
9:\tfrom all uidrange 0-10 ipproto tcp sport 80 dport 100-200 lookup 7
10:\tnot from 10.0.0.1 tos 0x10 iif eth0 [detached] oif lo lookup local
48:\tfrom all fwmark 0x10/0xf0 lookup main suppress_prefixlength 0
49:\tfrom all fwmark 0x1 lookup 101
50:\tfrom all to 10.1.2.3 lookup 200
300:\tfrom all unreachable
301:\tfrom 1.1.1.1 blackhole
302:\tfrom all to 2.2.2.0/24 prohibit
303:\tfrom all goto 400 [unresolved]
304:\tfrom all nop
305:\tfrom all goto 32766
306:\tfrom all lookup main suppress_ifgroup 5
307:\tfrom 10.0.0.5/24 tos 0x08 lookup 9
308:\tfrom all ipproto ipproto-99 lookup 12 proto static
309:\tfrom all fwmark 0x5/0 ipproto udp lookup 12
32765:\tfrom 10.0.0.0/8 lookup 100
32766:\tfrom all lookup main
32767:\tfrom all lookup default
";

#[test]
fn rules_are_listed_as_the_tool_lists_them() {
    let mut h = host();
    for rule in ADDED {
        assert_eq!(at(&mut h, &format!("ip rule add {rule}")), (0, String::new()), "{rule}");
    }
    assert_eq!(at(&mut h, "ip rule").1, LISTED);
    assert_eq!(at(&mut h, "ip rule show pref 50").1, "50:\tfrom all to 10.1.2.3 lookup 200\n");
    assert_eq!(at(&mut h, "ip rule show table 100").1, "32765:\tfrom 10.0.0.0/8 lookup 100\n");
    assert_eq!(at(&mut h, "ip rule add from 10.0.0.0/8 table 100"), (2, "RTNETLINK answers: File exists\n".to_owned()));
    assert_eq!(at(&mut h, "ip rule del pref 999"), (2, "RTNETLINK answers: No such file or directory\n".to_owned()));
    assert_eq!(at(&mut h, "ip rule del from 10.0.0.0/8").0, 0);
    assert!(!at(&mut h, "ip rule").1.contains("lookup 100\n"));
    assert_eq!(at(&mut h, "ip rule flush").0, 0);
    assert_eq!(at(&mut h, "ip rule").1, "0:\tfrom all lookup local\n");
}

#[test]
fn what_is_wrong_is_said_as_the_tool_says_it() {
    for (line, said) in [
        ("add", "\"ip rule add\" requires arguments."),
        ("del", "\"ip rule del\" requires arguments."),
        ("add from foo table 1", "Error: any valid prefix is expected rather than \"foo\"."),
        ("add table foo", "Error: argument \"foo\" is wrong: invalid table ID\n"),
        ("add pref x table 1", "Error: argument \"x\" is wrong: preference value is invalid\n"),
        ("add tos 300 table 1", "Error: argument \"300\" is wrong: TOS value is invalid\n"),
        ("add fwmark z table 1", "Error: argument \"z\" is wrong: fwmark value is invalid\n"),
        ("add pref 5 goto 3", "Error: Backward goto not supported."),
        (
            "add iif toolongdevicenamethatis table 5",
            "Error: argument \"toolongdevicenamethatis\" is wrong: \"iif\"/\"dev\" not a valid ifname",
        ),
        ("add sport 0 table 5", "Error: Invalid sport range."),
        ("add ipproto foo table 5", "Error: argument \"foo\" is wrong: Invalid \"ipproto\" value\n"),
        ("add bar", "Error: argument \"bar\" is wrong: Failed to parse rule type"),
        ("add uidrange 10 table 5", "Error: argument \"10\" is wrong: invalid UID range\n"),
    ] {
        let (status, out) = at(&mut host(), &format!("ip rule {line}"));
        assert_ne!(status, 0, "{line}");
        assert_eq!(out.trim_end(), said.trim_end(), "{line}");
    }
}
