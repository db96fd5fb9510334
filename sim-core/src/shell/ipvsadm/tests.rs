//! What the tool says: complaints and listings as ipvsadm 1.31 made them against a kernel that answered by a fixed table.

use super::super::{Command, OpIn, parse, print};
use super::*;
use crate::linux::apply::apply;
use crate::linux::id::{NetnsId, Source};
use crate::linux::{Netns, Time};

#[test]
fn complaints_are_the_tools() {
    for (line, status, words) in [
        ("-A -t 10.0.0.1", 2, "Zero port specified for non-persistent service"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w -1", 2, "illegal weight specified"),
        ("-x", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
        ("foo", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
        ("-t 1.1.1.1:80 -A", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
        ("-A", 2, "You need to supply the 'service-address' option for the 'add-service' command"),
        ("-L -c --stats", 2, "options conflicts in the list command"),
        ("-L --timeout --stats", 2, "options conflicts in the list command"),
        ("-L --timeout -c", 2, "The option 'timeout' conflicts with the 'connection' option in the 'list' command"),
        ("-Lnc -t 1.1.1.1:80", 2, "The option 'service-address' conflicts with the 'connection' option in the 'list' command"),
        ("-A -t 10.0.0.1:80 -q", 255, "-q: unknown option"),
        ("-Lq", 255, "-q: unknown option"),
        ("-A -D", 2, "invalid option `-D'"),
        ("-A -t 1.1.1.1:80 -t 2.2.2.2:80", 2, "multiple 'service-address' options specified"),
        ("--set 1 2", 2, "--set option requires 3 timeout values"),
        ("--set 900 x 300", 2, "invalid timeout value `x' specified"),
        ("--set 900 120 300 400", 2, "unexpected argument 400"),
        ("-L foo", 2, "unexpected argument foo"),
        ("-A -t x:80", 2, "illegal virtual server address[:port] specified"),
        ("-A -t 80", 2, "illegal virtual server address[:port] specified"),
        ("-A -t 1.1.1.1:99999", 2, "illegal virtual server address[:port] specified"),
        ("-A -t [::1]", 2, "illegal virtual server address[:port] specified"),
        ("-A -t ::1", 2, "Zero port specified for non-persistent service"),
        ("-A -f 0", 2, "invalid fwmark value `0' specified"),
        ("-A -f -1", 2, "invalid fwmark value `-1' specified"),
        ("-A -t 1.1.1.1:80 -o", 2, "One-Packet Scheduling is only for UDP virtual services"),
        ("-A -t 1.1.1.1:80 -b foo", 2, "invalid scheduler flag `foo'"),
        ("-A -t 1.1.1.1:80 -b sh-port", 2, "incompatible scheduler flag `sh-port'"),
        ("-A -t 1.1.1.1:80 -s sh -b mh-port", 2, "incompatible scheduler flag `mh-port'"),
        ("-a -t 1.1.1.1:80", 2, "You need to supply the 'real-server' option for the 'add-server' command"),
        ("-a -t 1.1.1.1:80 -r 80", 2, "illegal real server address[:port] specified"),
        ("-a -t 1.1.1.1:80 -r 1.1.1.1:90 -m -i", 2, "multiple 'forwarding-method' options specified"),
        ("-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m --tun-type ipip", 2, "Tunnel options conflict with forward method"),
        ("-A -t 1.1.1.1:80 -p 0", 2, "invalid timeout value `0' specified"),
        ("-A -t 1.1.1.1:80 -p -5", 255, "-5: unknown option"),
        ("-A -t 1.1.1.1:80 -M x", 2, "illegal virtual server persistent mask specified"),
        ("-A -t", 255, "-t: missing argument"),
        ("-L --stats=5", 255, "--stats=5: option does not take an argument"),
        ("-C -n", 2, "Illegal 'numeric' option with the 'flush' command"),
        ("-S -c", 2, "Illegal 'connection' option with the 'save' command"),
        ("-d -t 1.1.1.1:80 -r 2.2.2.2:80 -w 3", 2, "Illegal 'weight' option with the 'delete-server' command"),
        ("-A -6 -f 5", 2, "-6 used before -f\n"),
        ("-L --numeric --numeric", 2, "multiple 'numeric' options specified"),
        ("-A -t 1.1.1.1:80 -s nosuch", 255, "Scheduler or persistence engine not found"),
    ] {
        let e = parse(&format!("ipvsadm {line}")).expect_err(line);
        assert_eq!((e.message.as_str(), e.status), (words, status), "{line}");
    }
    for line in ["--start-daemon master", "-h", "-A -t 1.1.1.1:80 --pe sip", "-a -t 1.1.1.1:80 -r 2.2.2.2 -i --tun-type gue --tun-port 5"] {
        assert!(parse(&format!("ipvsadm {line}")).expect_err(line).not_simulated, "{line}");
    }
}

#[test]
fn changes_print_as_they_are_read() {
    for (line, expect) in [
        ("-A -t 10.96.0.10:80", "-A -t 10.96.0.10:80 -s wlc"),
        ("-At 1.1.1.1:80 -s rr", "-A -t 1.1.1.1:80 -s rr"),
        ("-A -t1.1.1.1:http -srr", "-A -t 1.1.1.1:80 -s rr"),
        ("--add-service --tcp-service=1.1.1.1:80 --scheduler=rr", "-A -t 1.1.1.1:80 -s rr"),
        ("-A -t 1.1.1.1:80 -p -s rr", "-A -t 1.1.1.1:80 -s rr -p 360"),
        ("-A -t 1.1.1.1:80 -p300 -M 255.255.255.0", "-A -t 1.1.1.1:80 -s wlc -p 300 -M 255.255.255.0"),
        ("-A -t 10.1:80 -s sh -b sh-port,sh-fallback", "-A -t 10.0.0.1:80 -s sh -b sh-fallback,sh-port"),
        ("-A -u 1.1.1.1:domain -o", "-A -u 1.1.1.1:53 -s wlc -o"),
        ("-A --sctp-service 1.1.1.1:80 -s mh -b flag-1,flag-3", "-A --sctp-service 1.1.1.1:80 -s mh -b mh-fallback,flag-3"),
        ("-A -t [fd00::1]:80 -p 5 -M 64", "-A -t [fd00::1]:80 -s wlc -p 5 -M 64"),
        ("-A -f 5 -6 -s rr", "-A -f 5 -6 -s rr"),
        ("-E -f 5 -s wrr", "-E -f 5 -s wrr"),
        ("-a -t 1.1.1.1:80 -r 2.2.2.2", "-a -t 1.1.1.1:80 -r 2.2.2.2:80 -g -w 1"),
        ("-a -t 1.1.1.1:80 -r 2.2.2.2:99 -g", "-a -t 1.1.1.1:80 -r 2.2.2.2:80 -g -w 1"),
        ("-a -f 5 -r 2.2.2.2:99 -g", "-a -f 5 -r 2.2.2.2:99 -g -w 1"),
        ("-a -f 5 -r 2.2.2.2 -m", "-a -f 5 -r 2.2.2.2:0 -m -w 1"),
        ("-a -t 1.1.1.1:80 -r 2.2.2.2 -i -w 2", "-a -t 1.1.1.1:80 -r 2.2.2.2:80 -i -w 2 --tun-type ipip"),
        ("-e -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 5 -x 10 -y 5", "-e -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 5 -x 10 -y 5"),
        ("-d -t 1.1.1.1:80 -r 2.2.2.2:80", "-d -t 1.1.1.1:80 -r 2.2.2.2:80"),
        ("-D -u 1.1.1.1:53", "-D -u 1.1.1.1:53"),
        ("--set 900 120 0", "--set 900 120 0"),
        ("-Z", "-Z"),
        ("-Z -t 1.1.1.1:80", "-Z -t 1.1.1.1:80"),
        ("-C", "-C"),
    ] {
        let Ok(Command::Ops(ops)) = parse(&format!("ipvsadm {line}")) else { panic!("{line}") };
        let printed = print(&ops[0]);
        assert_eq!(printed, [format!("ipvsadm {expect}")], "{line}");
        assert_eq!(parse(&printed[0]), Ok(Command::Ops(ops)), "{line}");
    }
}

#[test]
fn a_restore_file_is_one_change() {
    let text = "ipvsadm -R <<EOF\n-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 -r 10.244.0.3:8080 -m -w 1\nEOF";
    let Ok(Command::Ops(ops)) = parse(text) else { panic!() };
    assert_eq!(print(&ops[0]).join("\n"), text);
    assert!(parse("ipvsadm -R <<EOF\n-A -t x\nEOF").is_err());
}

fn namespace() -> Netns {
    let mut ns = Netns::empty(NetnsId(0));
    for line in [
        "-A -t 10.96.0.10:80 -s rr",
        "-A -t 203.0.113.10:80 -s sh -p 300 -b sh-fallback,sh-port",
        "-A -u 10.96.0.10:53 -o",
        "-A --sctp-service 192.168.0.1:3868 -s mh -p -M 255.255.255.0 -b mh-port",
        "-A -f 7 -s rr -p 50",
        "-A -t 172.16.0.1:443 -s rr -b flag-1,flag-3",
        "-a -t 172.16.0.1:443 -r 192.244.100.103:8080 -m",
        "-a -t 10.96.0.10:80 -r 10.244.0.3:8080 -i -w 2",
        "-a -t 10.96.0.10:80 -r 192.244.100.103:8080 -m -x 10 -y 5",
    ] {
        let Ok(Command::Ops(ops)) = parse(&format!("ipvsadm {line}")) else { panic!("{line}") };
        for OpIn { op, .. } in ops {
            apply(&mut ns, &op, Time::ZERO, Source::Kernel).expect(line);
        }
    }
    ns
}

fn shown(ns: &Netns, line: &str) -> String {
    let Ok(Command::Query(q)) = parse(&format!("ipvsadm {line}")) else { panic!("{line}") };
    let a = crate::shell::answer(ns, &q.query, &());
    assert_eq!((a.stderr.as_str(), a.status), ("", 0), "{line}");
    a.stdout
}

#[test]
fn listings_are_the_tools() {
    let ns = namespace();
    let head = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n";
    assert_eq!(
        shown(&ns, "-Ln"),
        format!(
            "{head}  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  172.16.0.1:443 rr (flag-1,flag-3)
  -> 192.244.100.103:8080         Masq    1      0          0         
TCP  203.0.113.10:80 sh (sh-fallback,sh-port) persistent 300
TCP  10.96.0.10:80 rr
  -> 192.244.100.103:8080         Masq    1      0          0         
  -> 10.244.0.3:80                Tunnel  2      0          0         
UDP  10.96.0.10:53 wlc ops
SCTP 192.168.0.1:3868 mh (mh-port) persistent 360 mask 255.255.255.0
FWM  7 rr persistent 50
"
        )
    );
    assert_eq!(
        shown(&ns, "-Sn"),
        "-A -t 172.16.0.1:443 -s rr -b flag-1,flag-3
-a -t 172.16.0.1:443 -r 192.244.100.103:8080 -m -w 1
-A -t 203.0.113.10:80 -s sh -p 300 -b sh-fallback,sh-port
-A -t 10.96.0.10:80 -s rr
-a -t 10.96.0.10:80 -r 192.244.100.103:8080 -m -w 1
-a -t 10.96.0.10:80 -r 10.244.0.3:80 -i -w 2 --tun-type ipip
-A -u 10.96.0.10:53 -s wlc -o
-A --sctp-service 192.168.0.1:3868 -s mh -p 360 -M 255.255.255.0 -b mh-port
-A -f 7 -s rr -p 50
"
    );
    let line = |text: &str, which: usize| text.lines().nth(which).unwrap_or("").to_owned();
    let plain = shown(&ns, "-L");
    assert_eq!(line(&plain, 3), "TCP  172.16.0.1:https rr (flag-1,flag-3)");
    assert_eq!(line(&plain, 4), "  -> 192.244.100.103:http-alt     Masq    1      0          0         ");
    assert_eq!(line(&shown(&ns, "-Ln --stats"), 3), "TCP  172.16.0.1:443                      0        0        0        0        0");
    assert_eq!(line(&shown(&ns, "-Ln --thresholds"), 7), "  -> 192.244.100.103:8080         10         5          0          0         ");
    assert_eq!(
        line(&shown(&ns, "-Ln --persistent-conn"), 4),
        "  -> 192.244.100.103:8080         1         0           0          0         "
    );
    assert_eq!(line(&shown(&ns, "-Ln --rate"), 4), "  -> 192.244.100.103:8080                0        0        0        0        0");
    assert_eq!(line(&shown(&ns, "-Ln -u 10.96.0.10:53"), 2), "UDP  10.96.0.10:53 wlc ops");
    assert_eq!(shown(&ns, "-L --timeout"), "Timeout (tcp tcpfin udp): 900 120 300\n");
    assert_eq!(shown(&ns, "-Lnc"), "IPVS connection entries\npro expire state       source             virtual            destination\n");
}

#[test]
fn large_numbers_are_shortened() {
    for (n, exact, expect) in [
        (5, false, "        5"),
        (99_999_999, false, " 99999999"),
        (123_456_789, false, "  123456K"),
        (1_000_000_000, false, "    1000M"),
        (123_456_789_012, false, "     123G"),
        (123_456_789_012_345, false, "     123T"),
        (5, true, "        5"),
        (123_456_789, true, " 123456789"),
    ] {
        assert_eq!(list::large(n, exact), expect);
    }
}
