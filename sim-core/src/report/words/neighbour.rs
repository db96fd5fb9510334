//! Words for neighbours, ARP and timers.

use super::Words;
use crate::linux::neighbour::NudState;
use crate::packet::{IpAddr, Ipv4Addr, Mac};
use crate::report::doc::{Line, Role};
use crate::report::headers::lookup as header;
use crate::report::view::StepView;
use crate::trace::evidence::{ArpVerdict, NeighAction, TimerKind};

pub(super) fn lookup(v: &StepView<'_>, addr: IpAddr, state: NudState, after: NudState, action: NeighAction, mac: Mac) -> Words {
    match action {
        NeighAction::Sent => {
            let known = match state {
                NudState::Permanent => "set by the administrator",
                NudState::Reachable => "confirmed lately",
                NudState::Stale => "not confirmed lately, used all the same; it is to be confirmed within 5 s",
                NudState::Delay => "in use, to be confirmed within 5 s",
                NudState::Probe => "being probed",
                NudState::Noarp => "a device without ARP",
                NudState::None | NudState::Incomplete | NudState::Failed => "the answer has come",
            };
            let moved = if after == state { state.name().to_owned() } else { format!("{} -> {}", state.name(), after.name()) };
            let what =
                Line::plain(format!("{addr} is at ")).and(Role::Won, mac.to_string()).and(Role::Muted, format!(" ({moved}: {known})"));
            Words::new(what)
        }
        NeighAction::Queued => {
            let what = match state {
                NudState::Incomplete => Line::plain(format!("{addr} is being asked for: the packet waits too")),
                _ => Line::plain(format!("the hardware address of {addr} on {} is not known: the packet waits for ARP", v.dev)),
            };
            let short = Line::plain(format!("waits for ARP: who has {addr}?"));
            Words::new(what)
                .short(short)
                .why("A frame needs a destination hardware address; ARP asks the link who has the next hop's IP address.")
        }
        NeighAction::Dropped => {
            let what = Line::plain(format!("{addr} ")).and(Role::Bad, after.name()).and(Role::Plain, ": the packet cannot be sent");
            Words::new(what.clone()).short(what).why(format!("Nobody on {} answered for {addr}.", v.dev))
        }
    }
}

pub(super) fn update(v: &StepView<'_>, addr: IpAddr, from: NudState, to: NudState, mac: Mac) -> Words {
    let states = if from == to { to.name().to_owned() } else { format!("{} -> {}", from.name(), to.name()) };
    let what = if to.is_valid() {
        Line::plain(format!("learned on {}: {addr} is at ", v.dev)).and(Role::Won, mac.to_string()).and(Role::Muted, format!(" ({states})"))
    } else {
        Line::plain(format!("{addr} on {}: ", v.dev)).and(Role::Bad, states)
    };
    let why = match to {
        NudState::Stale => "It spoke, but to ask, not to answer us: noted, not confirmed.",
        NudState::Reachable => "It answered us: confirmed.",
        NudState::Failed => "No answer: packets that waited are given up.",
        NudState::Probe => "Asked directly whether it is still there.",
        NudState::None | NudState::Incomplete | NudState::Delay | NudState::Noarp | NudState::Permanent => "",
    };
    Words::new(what).why(why)
}

pub(super) fn arp_input(v: &StepView<'_>, verdict: ArpVerdict, target: Ipv4Addr) -> Words {
    let asker = header(&v.headers, "arp.sender").map(|s| s.to_string()).unwrap_or_default();
    let gratuitous = asker == target.to_string();
    let asks = format!("{asker} asks for {target}");
    let dev = &v.dev;
    let (what, short, why) = match verdict {
        ArpVerdict::Local => {
            (format!("{asks}: answered with the address of {dev}"), format!("ARP: {target} is here, answered"), String::new())
        }
        ArpVerdict::Proxy => (
            format!("{asks}: answered in its place with the address of {dev}"),
            format!("ARP: answered for {target}"),
            "This host stands in for others (proxy_arp): what is sent to it in their place it forwards.".to_owned(),
        ),
        ArpVerdict::ProxyLater => (
            format!("{asks}: to be answered in its place, after a while"),
            String::new(),
            "A proxy waits for a random part of proxy_delay, so that the host itself may come first.".to_owned(),
        ),
        ArpVerdict::Ignored => (
            format!("{asks}: it is here, but arp_ignore forbids the answer"),
            format!("ARP: {target} is here, not answered (arp_ignore)"),
            format!("arp_ignore is set: what the rule wants of the address does not hold of {dev}."),
        ),
        ArpVerdict::Filtered => (
            format!("{asks}: it is here, but the way back to {asker} does not lead by {dev} (arp_filter)"),
            format!("ARP: {target} is here, not answered (arp_filter)"),
            String::new(),
        ),
        ArpVerdict::Probe => (format!("somebody tries whether {target} is free: it is not ours, no answer"), String::new(), String::new()),
        ArpVerdict::NotHere if gratuitous => (
            format!("{asker} tells everyone where it is (gratuitous ARP)"),
            String::new(),
            "Who knows it already takes the new hardware address over; strangers do so only with arp_accept.".to_owned(),
        ),
        ArpVerdict::NotHere => (format!("{asks}: not ours, no answer"), String::new(), String::new()),
        ArpVerdict::Reply => (format!("the answer of {asker}"), String::new(), String::new()),
    };
    Words::new(Line::plain(what)).short(if short.is_empty() { Line::new() } else { Line::plain(short) }).why(why)
}

pub(super) fn timer(timer: TimerKind) -> Words {
    Words::new(Line::plain(match timer {
        TimerKind::Neighbour => "time is up for a neighbour entry: asked again, or given up",
        TimerKind::TcpRetransmit => "no acknowledgment came in time: the segment is sent again",
        TimerKind::TcpDelayedAck => "the delayed acknowledgment is due",
        TimerKind::TcpTimeWait => "the wait for stray segments is over",
        TimerKind::Conntrack => "a connection tracking entry has expired",
        TimerKind::Fdb => "a learned hardware address has expired",
    }))
}
