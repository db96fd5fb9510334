//! Words for IPv6 routes.

use super::Words;
use crate::linux::IfIndex;
use crate::linux::fib::RouteType;
use crate::packet::Ipv6Addr;
use crate::report::doc::{Line, Role};
use crate::report::view::{Report, StepView};
use crate::trace::Evidence;

pub(super) fn lookup(report: &Report<'_>, v: &StepView<'_>, dst: Ipv6Addr) -> Words {
    let Evidence::RouteLookup { input, row, kind, oif, next_hop, src, .. } = v.step.evidence else { return Words::default() };
    let oif = IfIndex(u32::from(oif));
    let config = report.config(v.step.netns, v.n - 1);
    let found = config.and_then(|c| crate::report::route_row::of(c, row, dst.into(), oif).map(|r| (c, r)));
    let Some((config, route)) = found else {
        if kind == RouteType::Multicast {
            return Words::new(Line::plain(format!("{dst} is a group on the link: taken in")));
        }
        let what = Line::of(Role::Bad, "no route").and(Role::Plain, format!(" to {dst}"));
        return Words::new(what.clone()).short(what);
    };
    let what = Line::plain(format!("{dst} takes ")).and(Role::Won, &route.text);
    match kind {
        RouteType::Local | RouteType::Anycast => {
            let end = if input { ": the packet is for us" } else { ": the packet stays here" };
            let what = Line::plain(format!("{dst} is an address of this host")).and(Role::Plain, end);
            return Words::new(what.and(Role::Muted, format!(" ({}, table {})", route.text, route.table)))
                .short(Line::plain(format!("{dst} is an address of this host")));
        }
        RouteType::Broadcast | RouteType::Multicast => return Words::new(what.and(Role::Plain, ": a group on the link")),
        RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw => {
            let short = Line::of(Role::Bad, kind.name()).and(Role::Plain, " route");
            return Words::new(what.and(Role::Bad, ": refused")).short(short);
        }
        RouteType::Unicast => {}
    }
    let dev = config.devices.name(oif);
    let mut words = Words::new(what);
    words = match route.via {
        Some(via) => words.why(format!("The next hop is the gateway {via}, a neighbour on {dev}.")),
        None => words.why(format!("No gateway: {} itself is a neighbour on {dev}.", report.addr(next_hop))),
    };
    let src = report.addr(src);
    if !input && !src.is_unspecified() {
        words = words.why(format!("Source {src}: chosen by the rules of RFC 6724."));
    }
    words.short(Line::plain("route ").and(Role::Won, route.text))
}
