//! Filters held against frames, and lines against what tcpdump 4.99.3 printed.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::Tcpdump;
use super::filter::Filter;
use super::line::Printer;
use crate::linux::Time;
use crate::packet::{
    Arp, ArpOp, Body, Bytes, Ethernet, Frame, Icmp, IcmpKind, Ipv4Addr, Ipv4Header, Ipv4Packet, Mac, Net, Tcp, TcpFlags, TcpOptions, Udp,
};

const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn ip(body: Body) -> Frame {
    let header = Ipv4Header {
        tos: 0,
        id: 7,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        src: Ipv4Addr::new(10, 1, 0, 1),
        dst: Ipv4Addr::new(10, 2, 0, 3),
        checksum_error: 0,
    };
    Frame { eth: Ethernet::new(B, A), net: Net::Ipv4(Ipv4Packet { header, body }) }
}

fn tcp(src_port: u16, dst_port: u16, seq: u32, ack: u32, flags: TcpFlags, data: &str) -> Frame {
    ip(Body::Tcp(Tcp {
        src_port,
        dst_port,
        seq,
        ack,
        flags,
        window: 64240,
        urgent: 0,
        checksum_error: 0,
        options: TcpOptions::default(),
        payload: Bytes::from(data),
    }))
}

fn back(mut f: Frame) -> Frame {
    if let Net::Ipv4(p) = &mut f.net {
        std::mem::swap(&mut p.header.src, &mut p.header.dst);
    }
    f
}

fn check(filter: &str, passes: &[&str]) {
    let arp = Arp {
        op: ArpOp::Request,
        sender_mac: A,
        sender: Ipv4Addr::new(10, 1, 0, 1),
        target_mac: Mac::ZERO,
        target: Ipv4Addr::new(10, 1, 0, 2),
    };
    let udp = Udp { src_port: 40000, dst_port: 53, no_checksum: false, checksum_error: 0, payload: Bytes::from("hello") };
    let frames = [
        ("arp", Frame { eth: Ethernet::new(Mac([255; 6]), A), net: Net::Arp(arp) }),
        ("echo", ip(Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: 1, seq: 1, payload: Bytes::from("x") })))),
        ("syn", tcp(40000, 80, 100, 0, TcpFlags::SYN, "")),
        ("data", tcp(40000, 80, 101, 501, TcpFlags::ACK.with(TcpFlags::PSH), "hello")),
        ("reset", back(tcp(80, 40000, 501, 0, TcpFlags::RST, ""))),
        ("dns", ip(Body::Udp(udp))),
    ];
    let f = Filter::parse(filter).unwrap_or_else(|e| panic!("{filter}: {e}"));
    let seen: Vec<&str> = frames.iter().filter(|(_, frame)| f.passes(&frame.encode())).map(|(n, _)| *n).collect();
    assert_eq!(seen, passes, "{filter}");
}

#[test]
fn primitives_and_their_qualifiers() {
    check("", &["arp", "echo", "syn", "data", "reset", "dns"]);
    check("arp", &["arp"]);
    check("ip", &["echo", "syn", "data", "reset", "dns"]);
    check("ip6", &[]);
    check("icmp or arp", &["arp", "echo"]);
    check("tcp", &["syn", "data", "reset"]);
    check("host 10.1.0.1", &["arp", "echo", "syn", "data", "reset", "dns"]);
    check("src host 10.2.0.3", &["reset"]);
    check("dst 10.1.0.2", &["arp"]);
    check("ip host 10.1.0.1 and not tcp", &["echo", "dns"]);
    check("arp host 10.1.0.2", &["arp"]);
    check("net 10.2.0.0/16", &["echo", "syn", "data", "reset", "dns"]);
    check("net 10.1 and udp", &["dns"]);
    check("port 80", &["syn", "data", "reset"]);
    check("port http", &["syn", "data", "reset"]);
    check("dst port 80 or 53", &["syn", "data", "dns"]);
    check("udp port 53", &["dns"]);
    check("tcp port 53", &[]);
    check("portrange 50-60", &["dns"]);
    check("ether broadcast", &["arp"]);
    check("broadcast", &["arp"]);
    check("ether src 02:00:00:00:00:01", &["arp", "echo", "syn", "data", "reset", "dns"]);
    check("ether host 02:00:00:00:00:09", &[]);
    check("ip proto 17", &["dns"]);
    check("ip proto \\tcp", &["syn", "data", "reset"]);
    check("ether proto 0x0806", &["arp"]);
    check("less 42", &["arp"]);
    check("vlan", &[]);
}

#[test]
fn and_and_or_have_equal_rank() {
    check("arp or tcp and dst port 80", &["syn", "data"]);
    check("arp or (tcp and dst port 80)", &["arp", "syn", "data"]);
    check("not arp and not icmp and not udp", &["syn", "data", "reset"]);
    check("!(tcp || udp)", &["arp", "echo"]);
}

#[test]
fn bytes_of_packets() {
    check("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", &["syn"]);
    check("tcp[tcpflags] == tcp-rst", &["reset"]);
    check("tcp[13] & 4 != 0", &["reset"]);
    check("icmp[icmptype] == icmp-echo", &["echo"]);
    check("ip[8] < 65", &["echo", "syn", "data", "reset", "dns"]);
    check("ip[2:2] > 44", &["data"]);
    check("udp[2:2] = 53", &["dns"]);
    check("len < 43", &["arp"]);
    check("tcp[100] = 0", &[]);
}

#[test]
fn what_is_wrong_is_said() {
    let said = |f: &str| Filter::parse(f).unwrap_err();
    for f in ["foo bar", "tcp and", "(", "port", "and", "tcp[", "tcp[1", "host", "src port", "10.1.0.1.2.3"] {
        let e = said(f);
        assert!(e.contains("syntax error") || e.contains("unknown host"), "{f}: {e}");
    }
    assert_eq!(said("port abc"), "unknown port 'abc'");
    assert_eq!(said("port 70000"), "illegal port number 70000 > 65535");
    assert_eq!(said("net 10.1.2.3/8"), "non-network bits set in \"10.1.2.3/8\"");
    assert_eq!(said("tcp[0:3] = 1"), "data size must be 1, 2, or 4");
    let deep = format!("{}tcp{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(said(&deep), "expression is too deeply nested");
}

#[test]
fn sequence_numbers_count_from_the_first_of_each_direction() {
    let t = Tcpdump { times: 1, ..Tcpdump::default() };
    let mut out = Printer::new(&t, false);
    for f in [
        tcp(40000, 80, 1000, 0, TcpFlags::SYN, ""),
        back(tcp(80, 40000, 5000, 1001, TcpFlags::SYN.with(TcpFlags::ACK), "")),
        tcp(40000, 80, 1001, 5001, TcpFlags::ACK, ""),
        tcp(40000, 80, 1001, 5001, TcpFlags::ACK.with(TcpFlags::PSH), "hello"),
        back(tcp(80, 40000, 5001, 1006, TcpFlags::ACK, "")),
    ] {
        out.frame(Time(1_000), ("eth0", 2), "Out", f);
    }
    assert_eq!(
        out.text,
        "IP 10.1.0.1.40000 > 10.2.0.3.80: Flags [S], seq 1000, win 64240, length 0\n\
         IP 10.2.0.3.80 > 10.1.0.1.40000: Flags [S.], seq 5000, ack 1001, win 64240, length 0\n\
         IP 10.1.0.1.40000 > 10.2.0.3.80: Flags [.], ack 1, win 64240, length 0\n\
         IP 10.1.0.1.40000 > 10.2.0.3.80: Flags [P.], seq 1:6, ack 1, win 64240, length 5: HTTP\n\
         IP 10.2.0.3.80 > 10.1.0.1.40000: Flags [.], ack 6, win 64240, length 0\n"
    );
}

#[test]
fn headers_of_the_link_and_of_ip() {
    let echo = || ip(Body::Icmp(Icmp::new(IcmpKind::EchoRequest { id: 9, seq: 1, payload: Bytes::filled(b'x', 56) })));
    let shown = |t: &Tcpdump, any: bool| {
        let mut out = Printer::new(t, any);
        out.frame(Time(3_661_000_002_000), ("a1", 7), "Out", echo());
        out.text
    };
    let words = "10.1.0.1 > 10.2.0.3: ICMP echo request, id 9, seq 1, length 64\n";
    assert_eq!(shown(&Tcpdump::default(), false), format!("01:01:01.000002 IP {words}"));
    assert_eq!(shown(&Tcpdump::default(), true), format!("01:01:01.000002 a1    Out IP {words}"));
    let link = Tcpdump { link: true, ..Tcpdump::default() };
    let ethernet = "01:01:01.000002 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 98: ";
    assert_eq!(shown(&link, false), format!("{ethernet}{words}"));
    let cooked = "01:01:01.000002 a1    Out ifindex 7 02:00:00:00:00:01 ethertype IPv4 (0x0800), length 104: ";
    assert_eq!(shown(&link, true), format!("{cooked}{words}"));
    let verbose = Tcpdump { verbose: 1, times: 1, ..Tcpdump::default() };
    let header = "IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto ICMP (1), length 84)\n    ";
    assert_eq!(shown(&verbose, false), format!("{header}{words}"));
}
