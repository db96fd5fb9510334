//! Words for routing: which row won, and why.

use super::Words;
use crate::linux::IfIndex;
use crate::linux::config::Config;
use crate::linux::fib::{Route, RouteType, TableId};
use crate::linux::rule::Action;
use crate::packet::{IpAddr, Ipv4Addr};
use crate::report::doc::{Line, Role};
use crate::report::losers::{covering, find_covering};
use crate::report::policy::{find_policy, rule_words};
use crate::report::rows;
use crate::report::view::{Report, StepView};
use crate::trace::Evidence;

/// Why `won` won against the other rows of its table: in a few words, and at length.
fn reason(config: &Config, table: TableId, won: &Route<Ipv4Addr>, dst: Ipv4Addr) -> (String, String) {
    let holds = config.fib.table(table).map(|t| covering(t, dst)).unwrap_or_default();
    let rivals: Vec<&Route<Ipv4Addr>> = holds.into_iter().filter(|r| r.row != won.row).collect();
    let usable = |r: &&Route<Ipv4Addr>| r.nexthops.is_empty() || r.nexthops.iter().any(|h| config.devices.get(h.dev).is_some_and(|d| d.up));
    let Some(next) = rivals.iter().find(|r| usable(r)) else {
        return ("the only route that holds it".to_owned(), format!("It is the only route in table {table} that holds {dst}."));
    };
    let (a, b) = (won.prefix.len(), next.prefix.len());
    let name = rows::prefix(next.prefix);
    if a > b {
        let rival = if name == "default" { format!("default (/{b})") } else { name };
        return (format!("/{a} beats /{b}"), format!("Longest prefix: /{a} holds {dst} more closely than {rival}."));
    }
    if won.metric < next.metric {
        return (
            format!("metric {} beats {}", won.metric, next.metric),
            format!("Of the routes to {name} the lowest metric wins: {} before {}.", won.metric, next.metric),
        );
    }
    ("the first of equals".to_owned(), format!("Other routes to {name} are as good; the first wins."))
}

/// The row without what only `ip route` asks for: prefix, gateway, device.
fn brief(config: &Config, r: &Route<Ipv4Addr>, oif: IfIndex) -> String {
    let kind = if r.kind == RouteType::Unicast { String::new() } else { format!("{} ", r.kind.name()) };
    let via = r.nexthops.iter().find(|h| h.dev == oif).and_then(|h| h.via).map(|v| format!(" via {v}")).unwrap_or_default();
    let dev = config.devices.name(oif);
    let dev = if dev.is_empty() { String::new() } else { format!(" dev {dev}") };
    format!("{kind}{}{via}{dev}", rows::prefix(r.prefix))
}

/// A policy rule led to a table, or refused the packet.
pub(super) fn policy_rule(report: &Report<'_>, v: &StepView<'_>) -> Words {
    let Evidence::PolicyRule { pref, row, mark } = v.step.evidence else { return Words::default() };
    let found = report.config(v.step.netns, v.n - 1).and_then(|c| find_policy(c, pref, row).map(|r| (c, r)));
    let Some((config, rule)) = found else { return Words::new(Line::plain(format!("rule {pref}"))) };
    let said = rule_words(config, rule);
    let what = Line::plain(format!("rule {pref} fits: ")).and(Role::Won, &said);
    let short = Line::plain(format!("rule {pref}: ")).and(Role::Won, &said);
    let words = Words::new(what).short(short);
    match rule.spec.does() {
        Action::Lookup(t) => {
            let words =
                words.why(format!("The first rule by preference that the packet fits and whose table has a route for it: table {t}."));
            if rule.spec.mark.is_some() { words.why(format!("The packet's mark is {mark:#x}.")) } else { words }
        }
        _ => words.why("The rule refuses the packet; no table is asked after it."),
    }
}

pub(super) fn lookup(report: &Report<'_>, v: &StepView<'_>) -> Words {
    let Evidence::RouteLookup { input, dst, row, kind, oif, next_hop, src } = v.step.evidence else { return Words::default() };
    let dst = match report.addr(dst) {
        IpAddr::V4(dst) => dst,
        IpAddr::V6(dst) => return super::route6::lookup(report, v, dst),
    };
    let config = report.config(v.step.netns, v.n - 1);
    let found = config.and_then(|c| find_covering(c, row, dst).map(|(t, r)| (c, t, r)));
    let oif = IfIndex(u32::from(oif));
    let Some((config, table, route)) = found else {
        if kind == RouteType::Broadcast {
            return Words::new(Line::plain(format!("{dst} is for everyone on the link: taken in")));
        }
        let what = Line::of(Role::Bad, "no route").and(Role::Plain, format!(" to {dst}"));
        let rows = config.map_or(0, |c| c.fib.main.all().len());
        let why = match rows {
            0 => "Table main is empty.".to_owned(),
            1 => format!("Table main has one route, and it does not hold {dst}."),
            n => format!("Table main has {n} routes and none holds {dst}; there is no default route either."),
        };
        return Words::new(what.clone()).short(what).why(why);
    };
    let (short_why, why) = reason(config, table, route, dst);
    let text = rows::route(config, route);
    let mut what = Line::plain(format!("{dst} takes ")).and(Role::Won, &text);
    match kind {
        RouteType::Local | RouteType::Anycast => {
            let whose = config.devices.iter().find(|d| d.addrs.iter().any(|a| a.local == dst)).map(|d| d.name.to_string());
            let what = match (&whose, input) {
                (Some(dev), _) => format!("{dst} is an address of this host, on {dev}: "),
                (None, _) => format!("{dst} belongs to this host: "),
            };
            let end = if input { "the packet is for us" } else { "the packet stays here" };
            return Words::new(Line::plain(what).and(Role::Plain, end).and(Role::Muted, format!(" ({text}, table {table})")))
                .short(Line::plain(format!("{dst} is an address of this host")));
        }
        RouteType::Broadcast | RouteType::Multicast => {
            return Words::new(what.and(Role::Plain, ": for everyone on the link"));
        }
        RouteType::Blackhole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw => {
            let means = match kind {
                RouteType::Blackhole => "swallowed without a word",
                RouteType::Prohibit => "refused: administratively prohibited",
                _ => "refused: host unreachable",
            };
            let short = Line::of(Role::Bad, kind.name()).and(Role::Plain, format!(" route {}", rows::prefix(route.prefix)));
            return Words::new(what.and(Role::Bad, format!(": {means}"))).short(short).why(why);
        }
        RouteType::Unicast => {}
    }
    let hop = next_hop.ipv4();
    let mut words = match route.nexthops.iter().find(|h| h.dev == oif).and_then(|h| h.via) {
        Some(via) => {
            Words::new(what).why(why).why(format!("The next hop is the gateway {via}, a neighbour on {}.", config.devices.name(oif)))
        }
        None => {
            what.push(Role::Plain, "");
            Words::new(what).why(why).why(format!("No gateway: {hop} itself is a neighbour on {}.", config.devices.name(oif)))
        }
    };
    if src.0 != 0
        && let Some(src_why) = v.evidence("src_why")
    {
        words = words.why(format!("Source {}: {src_why}.", src.ipv4()));
    }
    let short = Line::plain("route ").and(Role::Won, brief(config, route, oif)).and(Role::Why, format!(" ({short_why})"));
    words.short(short)
}

pub(super) fn ttl(from: u8, to: u8) -> Words {
    let line = Line::of(Role::Changed, format!("ttl {from} -> {to}"));
    Words::new(line.clone()).short(line).why("Each router takes one off, so that a packet cannot go round for ever.")
}

/// A fragment waits, or the whole is there.
pub(super) fn defrag(offset: u16, parts: u16) -> Words {
    if parts == 0 {
        let line = Line::plain(format!("the fragment at offset {offset} waits for the others of its packet"));
        return Words::new(line.clone()).short(line).why("Only the whole packet has ports that can be looked at.");
    }
    let line = Line::plain(format!("{parts} fragments put together"));
    Words::new(line.clone()).short(line).why("All parts are here: the packet is whole again.")
}

pub(super) fn fragment(mtu: u32, parts: u16) -> Words {
    let line = Line::plain(format!("cut into {parts} parts to fit an MTU of {mtu} bytes"));
    Words::new(line.clone()).short(line).why("DF is not set, so it may be cut; the destination puts the parts together.")
}
