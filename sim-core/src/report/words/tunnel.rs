//! Words for tunnels.

use super::Words;
use crate::packet::{Ipv4Addr, Mac};
use crate::report::doc::{Line, Role};
use crate::report::view::StepView;
use crate::trace::evidence::{RemoteHit, Tunnel};

/// The number that tells tunnels of one kind apart, as people say it.
fn number(t: Tunnel, id: u32) -> String {
    match t {
        Tunnel::Vxlan => format!("VXLAN network {id}"),
        Tunnel::Ipip => "IP in IP".to_owned(),
        Tunnel::Gre | Tunnel::Gretap if id == 0 => "GRE".to_owned(),
        Tunnel::Gre | Tunnel::Gretap => format!("GRE with key {id}"),
        Tunnel::Wireguard => "WireGuard".to_owned(),
    }
}

pub(super) fn lookup(v: &StepView<'_>, mac: Mac, hit: RemoteHit, count: u16) -> Words {
    let remote = v.evidence("remote").map(|r| r.to_string()).unwrap_or_default();
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    let dev = Line::of(Role::Device, v.dev);
    match hit {
        RemoteHit::Entry => {
            let what = Line::plain(format!("{mac} is behind the tunnel endpoint ")).and(Role::Won, &remote).and(Role::Plain, &more);
            let short = dev.and(Role::Plain, format!(": {mac} is behind ")).and(Role::Won, remote).and(Role::Plain, more);
            Words::new(what).short(short)
        }
        RemoteHit::Default => {
            let what = if mac.is_multicast() { "for everyone".to_owned() } else { format!("{mac} is not known") };
            let what = Line::plain(format!("{what}: a copy to each endpoint of the default entry, "))
                .and(Role::Won, &remote)
                .and(Role::Plain, &more);
            let short = dev.and(Role::Plain, ": to all endpoints, ").and(Role::Won, remote).and(Role::Plain, more);
            Words::new(what).short(short).why("The entry of the address 00:00:00:00:00:00 takes the frames that no other entry tells of.")
        }
        RemoteHit::Miss => {
            let what = Line::of(Role::Bad, "nowhere").and(Role::Plain, format!(": no entry for {mac}, and no default entry"));
            Words::new(what.clone())
                .short(what)
                .why("The route and the neighbour are not enough: `bridge fdb` must say behind which host the hardware address is.")
        }
    }
}

pub(super) fn learn(v: &StepView<'_>, mac: Mac, remote: Ipv4Addr, new: bool) -> Words {
    if new {
        Words::new(Line::plain("learned: ").and(Role::Won, mac.to_string()).and(Role::Plain, format!(" is behind {remote}")))
            .why(format!("{} learns from the source of each frame and the outer source of its packet.", v.dev))
    } else {
        Words::new(Line::plain(format!("{mac} is still behind {remote}")))
    }
}

pub(super) fn encap(t: Tunnel, id: u32, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Words {
    let end = |(addr, port): (Ipv4Addr, u16)| if to.1 == 0 { addr.to_string() } else { format!("{addr}:{port}") };
    let what = Line::plain("into a packet ")
        .and(Role::Won, format!("{} > {}", end(from), end(to)))
        .and(Role::Plain, format!(" ({})", number(t, id)));
    let words = Words::new(what.clone()).short(what);
    match t {
        Tunnel::Vxlan => words.why("Outer headers of 50 bytes: IP 20, UDP 8, VXLAN 8, and the frame's own Ethernet header of 14. The source port stands for the flow inside."),
        Tunnel::Ipip => words.why("An outer IP header of 20 bytes."),
        Tunnel::Gre => words.why("An outer IP header of 20 bytes and a GRE header of 4, with 4 more each for key, checksum and sequence number."),
        Tunnel::Gretap => words.why("An outer IP header of 20 bytes, a GRE header of 4 or more, and the frame's own Ethernet header of 14."),
        Tunnel::Wireguard => words,
    }
}

pub(super) fn decap(v: &StepView<'_>, t: Tunnel, id: u32, from: Ipv4Addr) -> Words {
    let device = v.evidence("device").map(|d| d.to_string()).unwrap_or_default();
    let what = Line::plain(format!("out of the packet of {from} ({}), for ", number(t, id))).and(Role::Device, device);
    Words::new(what.clone()).short(what)
}
