//! Replays packets through a NAT router as Linux 6.18 translated them, byte for byte.
//!
//! `nat-6.18.txt` was recorded by injecting packets into a namespace with these rules and reading what came out:
//! DNAT of 10.96.0.1:80 to 10.0.2.2:8080 (TCP, UDP) and of everything else for 10.96.0.1 to 10.0.2.2 with the port kept;
//! MASQUERADE of TCP and UDP to port 81, and of ICMP to 10.0.2.2.

use super::lab::{Lab, unhex};
use crate::datapath::conntrack::{nf_conntrack_confirm, nf_conntrack_in};
use crate::datapath::hook::{HookState, NfVerdict};
use crate::datapath::nat::{nf_nat_inet_fn, nf_nat_masquerade, nf_nat_setup_info};
use crate::linux::conntrack::{Manip, NatRange};
use crate::linux::netfilter::Hook;
use crate::linux::{IfIndex, RowId};
use crate::packet::{Body, Ipv4Addr, Ipv4Packet, Net};
use crate::trace::NoTrace;

const VIP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const KEEP: NatRange<Ipv4Addr> = NatRange { addrs: None, ports: None, random: false, random_fully: false, persistent: false };

fn ports(ip: &Ipv4Packet) -> (u16, u16) {
    match &ip.body {
        Body::Tcp(t) => (t.src_port, t.dst_port),
        Body::Udp(u) => (u.src_port, u.dst_port),
        _ => (0, 0),
    }
}

/// What leaves the router; none if the packet is dropped or is for the router itself.
fn forward(lab: &mut Lab<NoTrace>, from: usize, ip: Ipv4Packet) -> Option<Ipv4Packet> {
    let (iif, oif) = (IfIndex(1 + from as u32), IfIndex(2 - from as u32));
    lab.with(|w| {
        let mut skb = w.new_skb(Net::Ipv4(ip), crate::linux::FlowId::NONE);
        let pre = HookState { hook: Hook::Prerouting, iif, oif: IfIndex::NONE };
        if nf_conntrack_in(w, &mut skb, &pre) != NfVerdict::Accept {
            return None;
        }
        let verdict = nf_nat_inet_fn(w, &mut skb, &pre, |w, skb| {
            let ip = skb.frame.ipv4().unwrap();
            if ip.header.dst != VIP {
                return NfVerdict::Accept;
            }
            let port = (ports(ip).1 == 80).then_some((8080, 8080));
            nf_nat_setup_info(w, skb, &NatRange { ports: port, ..NatRange::to_addr(SERVER) }, Manip::Dst, RowId(1))
        });
        if verdict != NfVerdict::Accept {
            w.release_ct(&skb);
            return None;
        }
        let dst = skb.frame.ipv4().unwrap().header.dst;
        let routed = if dst.octets()[..3] == [10, 0, 1] { IfIndex(1) } else { IfIndex(2) };
        if dst.octets()[3] == 1 || (routed == iif && oif == iif) {
            w.release_ct(&skb);
            return None;
        }
        skb.frame.ipv4_mut().unwrap().header.ttl -= 1;
        let post = HookState { hook: Hook::Postrouting, iif, oif: routed };
        let verdict = nf_nat_inet_fn(w, &mut skb, &post, |w, skb| {
            let ip = skb.frame.ipv4().unwrap();
            let wanted = ports(ip).1 == 81 || (matches!(ip.body, Body::Icmp(_)) && ip.header.dst == SERVER);
            if wanted { nf_nat_masquerade(w, skb, &post, &KEEP, RowId(2)) } else { NfVerdict::Accept }
        });
        if verdict != NfVerdict::Accept || nf_conntrack_confirm(w, &mut skb, &post) != NfVerdict::Accept {
            w.release_ct(&skb);
            return None;
        }
        skb.frame.ipv4().cloned()
    })
}

fn same_class(a: u16, b: u16) -> bool {
    let class = |p: u16| match p {
        0..512 => 0,
        512..1024 => 1,
        _ => 2,
    };
    class(a) == class(b)
}

fn replay(text: &str) -> (usize, usize) {
    let mut lab = Lab::router(NoTrace);
    let (mut compared, mut drawn) = (0, 0);
    let mut out_of_step = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [from, sent, _, came] = words[..] else {
            lab.next_run();
            out_of_step = false;
            continue;
        };
        if out_of_step {
            continue;
        }
        let sent = Ipv4Packet::decode(&unhex(sent)).unwrap();
        let model = forward(&mut lab, from.parse().unwrap(), sent.clone());
        let kernel = (came != "-").then(|| Ipv4Packet::decode(&unhex(came)).unwrap());
        if let (Some(m), Some(k)) = (&model, &kernel)
            && m != k
        {
            // A port or identifier that was searched for is drawn by chance: from there on the two runs differ.
            let id = |p: &Ipv4Packet| match crate::packet::Tuple::<Ipv4Addr>::of(p).map(|t| t.l4) {
                Some(crate::packet::L4::Ports { src, .. }) => src,
                Some(crate::packet::L4::Icmp { id, .. }) => id,
                _ => 0,
            };
            let (was, a, b) = (id(&sent), id(m), id(k));
            let icmp = matches!(sent.body, Body::Icmp(_));
            assert!(
                a != b && a != was && b != was && (icmp || (same_class(a, was) && same_class(b, was))),
                "{line}\nmodel {m:?}\nkernel {k:?}"
            );
            drawn += 1;
            out_of_step = true;
            continue;
        }
        assert_eq!(model, kernel, "{line}");
        if let Some(m) = &model {
            assert_eq!(m.encode(), unhex(came), "{line}");
        }
        compared += 1;
    }
    (compared, drawn)
}

#[test]
fn packets_are_translated_as_by_linux() {
    let (compared, drawn) = replay(include_str!("data/nat-6.18.txt"));
    assert!(compared > 400, "{compared} packets compared");
    assert!(drawn > 10, "{drawn} searches for a port");
}
