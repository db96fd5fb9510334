//! The table that a step asked: the row that won, the rows that lost and why, and where the winner came from.

use crate::lesson::Lesson;
use sim_core::linux::device::{Attach, Device, DeviceKind};
use sim_core::linux::netfilter::{NfFamily, TableKind};
use sim_core::report::doc::{Doc, Line, Mark, Role};
use sim_core::report::losers::Loser;
use sim_core::report::{Kind, StepView, Value, words};
use sim_core::trace::Evidence;

/// Rows of a table that nobody scrolls past.
const ROWS: usize = 2_000;

/// A table and what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which: `routes of node-a, table main`.
    pub title: String,
    /// What was asked: `for 10.244.1.3`.
    pub asked: String,
    /// Its rows.
    pub doc: Doc,
}

/// The table that the step asked. `all` shows rows of other tables too, which else are counted.
pub fn table(lesson: &Lesson<'_>, view: &StepView<'_>, all: bool) -> Table {
    let place = view.netns;
    let get = |name: &str| view.evidence(name).filter(|v| **v != Value::Null).map(Value::to_string).unwrap_or_default();
    match view.kind {
        Kind::RouteLookup => {
            let name = get("table");
            let title = if name.is_empty() { format!("routes of {place}") } else { format!("routes of {place}, table {name}") };
            Table { title, asked: format!("for {}", get("dst")), doc: routes(lesson, view, &name, all) }
        }
        Kind::NeighbourLookup => Table {
            title: format!("neighbours of {place}"),
            asked: format!("who is {} on {}", get("addr"), view.dev),
            doc: plain_rows(lesson, view, &format!("no entry for {}", get("addr"))),
        },
        Kind::FdbLookup => Table {
            title: format!("forwarding table of bridge {} on {place}", bridge(lesson, view)),
            asked: format!("for {}", get("mac")),
            doc: plain_rows(
                lesson,
                view,
                if get("mac") == "ff:ff:ff:ff:ff:ff" { "for everyone: to every other port" } else { "no entry: to every other port" },
            ),
        },
        Kind::Rule => {
            let (table, chain) = (get("table"), get("chain"));
            Table { title: format!("iptables -t {table}, chain {chain}"), asked: place.to_owned(), doc: rules(lesson, view, &chain) }
        }
        Kind::Hook => Table {
            title: format!("{} hook {} of {place}", get("family"), get("hook")),
            asked: [get("iif"), get("oif")].into_iter().filter(|d| !d.is_empty()).collect::<Vec<_>>().join(" > "),
            doc: hook(lesson, view),
        },
        Kind::Receive | Kind::Transmit => {
            Table { title: format!("device {} of {place}", view.dev), asked: "ip link, ip address".to_owned(), doc: device(lesson, view) }
        }
        Kind::ConntrackLookup | Kind::ConntrackConfirm | Kind::NatBind | Kind::NatRewrite => {
            let mut doc = plain_rows(lesson, view, "");
            doc.append(facts(view));
            Table { title: format!("connection tracking of {place}"), asked: String::new(), doc }
        }
        _ => Table { title: format!("{} on {place}", view.kind.name()), asked: view.kind.meaning().to_owned(), doc: facts(view) },
    }
}

/// Why a row lost, in a few words.
fn reason(l: &Loser) -> String {
    if !l.reached {
        return "not reached".to_owned();
    }
    match l.field {
        "destination" => "does not hold it".to_owned(),
        "prefix length" => format!("{} is shorter", l.seen),
        "address" | "mac" => format!("not {}", l.wanted),
        field => format!("{field} is {}, not {}", l.seen, l.wanted),
    }
}

/// The reason of the winner, in a few words.
fn won(lesson: &Lesson<'_>, view: &StepView<'_>) -> String {
    let short = words::of(&lesson.report, view).short;
    let why = short.0.iter().rfind(|s| s.role == Role::Why).map(|s| s.text.trim().trim_matches(|c| c == '(' || c == ')').to_owned());
    match why.or_else(|| view.verdict.clone()).unwrap_or_default() {
        only if only == "the only route that holds it" => "only this holds it".to_owned(),
        other => other,
    }
}

fn winner(lesson: &Lesson<'_>, view: &StepView<'_>, number: &str, doc: &mut Doc) {
    if let Some(row) = &view.row {
        let from = view.made_by.as_ref().map(|m| Line::of(Role::Muted, format!("from {}", m.text))).unwrap_or_default();
        doc.row(0, Mark::Won, Line::of(Role::Won, format!("{number}{row}")), Line::of(Role::Why, won(lesson, view)), from);
    }
}

fn loser(l: &Loser, number: &str, doc: &mut Doc) {
    let mark = if l.reached { Mark::Lost } else { Mark::NotReached };
    doc.row(0, mark, Line::of(Role::Lost, format!("{number}{}", l.row)), Line::of(Role::Muted, reason(l)), Line::new());
}

fn plain_rows(lesson: &Lesson<'_>, view: &StepView<'_>, empty: &str) -> Doc {
    let mut doc = Doc::new();
    winner(lesson, view, "", &mut doc);
    if doc.0.is_empty() && !empty.is_empty() {
        doc.para(0, Line::of(Role::Bad, empty));
    }
    for l in lesson.report.losers(view_id(view)).iter().take(ROWS) {
        loser(l, "", &mut doc);
    }
    doc
}

fn view_id(view: &StepView<'_>) -> sim_core::trace::StepId {
    sim_core::trace::StepId(view.n.saturating_sub(1))
}

fn routes(lesson: &Lesson<'_>, view: &StepView<'_>, table: &str, all: bool) -> Doc {
    let mut doc = Doc::new();
    let losers = lesson.report.losers(view_id(view));
    winner(lesson, view, "", &mut doc);
    if doc.0.is_empty() {
        doc.para(0, Line::of(Role::Bad, "no route holds it"));
    }
    for l in losers.iter().filter(|l| l.table == table || table.is_empty() && l.table == "main").take(ROWS) {
        loser(l, "", &mut doc);
    }
    let mut others: Vec<&str> =
        losers.iter().map(|l| l.table.as_str()).filter(|t| *t != table && (!table.is_empty() || *t != "main")).collect();
    others.dedup();
    for name in others {
        let rows: Vec<&Loser> = losers.iter().filter(|l| l.table == name).collect();
        let reached = rows.iter().any(|l| l.reached);
        let what = match (reached, rows.len()) {
            (true, 1) => format!("table {name}, asked before: 1 row, which does not hold it"),
            (true, n) => format!("table {name}, asked before: {n} rows, none holds it"),
            (false, _) => format!("table {name}, asked after: not reached"),
        };
        if all {
            doc.heading(3, 0, Line::of(Role::Muted, what), Line::new());
            for l in rows.into_iter().take(ROWS) {
                loser(l, "", &mut doc);
            }
        } else {
            doc.para(0, Line::of(Role::Muted, what));
        }
    }
    doc
}

fn rules(lesson: &Lesson<'_>, view: &StepView<'_>, chain: &str) -> Doc {
    let mut doc = Doc::new();
    let losers = lesson.report.losers(view_id(view));
    let number = match view.evidence("rule") {
        Some(Value::Num(n)) => Some(u32::try_from(*n).unwrap_or(u32::MAX)),
        _ => None,
    };
    let width = losers.iter().map(|l| l.number).chain(number).max().unwrap_or(0).to_string().len();
    let label = |l: &Loser| {
        let place = if l.table == chain || l.table.is_empty() { String::new() } else { format!("{} ", l.table) };
        if l.number > 0 { format!("{:>width$}  {place}", l.number) } else { place }
    };
    let before = |l: &&Loser| number.is_none_or(|n| l.number < n) && l.reached;
    for l in losers.iter().filter(before).take(ROWS) {
        loser(l, &label(l), &mut doc);
    }
    match (number, &view.row) {
        (Some(n), Some(_)) => winner(lesson, view, &format!("{n:>width$}  "), &mut doc),
        (None, Some(_)) => winner(lesson, view, &format!("{:>width$}  ", ""), &mut doc),
        (_, None) => {
            let verdict = view.verdict.clone().unwrap_or_default();
            doc.row(
                0,
                Mark::Won,
                Line::of(Role::Won, format!("{:>width$}  end of {chain}", "")),
                Line::of(Role::Why, verdict),
                Line::new(),
            );
        }
    }
    for l in losers.iter().filter(|l| !before(l)).take(ROWS) {
        loser(l, &label(l), &mut doc);
    }
    doc
}

fn hook(lesson: &Lesson<'_>, view: &StepView<'_>) -> Doc {
    let mut doc = Doc::new();
    let Evidence::Hook { hook, family, .. } = view.step.evidence else { return doc };
    if family == NfFamily::Ip
        && let Some(config) = lesson.report.config(view.step.netns, view.n.saturating_sub(1))
    {
        for kind in TableKind::ALL.into_iter().filter(|t| t.hooks().contains(&hook)) {
            let Some(table) = config.xt.table(kind) else { continue };
            for (_, chain) in table.chains().filter(|(_, c)| c.base.is_some_and(|(h, _)| h == hook)) {
                let rules = match chain.rules.len() {
                    0 => "no rules".to_owned(),
                    1 => "1 rule".to_owned(),
                    n => format!("{n} rules"),
                };
                doc.row(0, Mark::Shown, Line::plain(format!("{} {}", kind.name(), chain.name)), Line::of(Role::Muted, rules), Line::new());
            }
        }
    }
    if doc.0.is_empty() {
        let text = match family {
            NfFamily::Bridge => "The bridge's own hook: no rules here, the frame passes.",
            NfFamily::Ip | NfFamily::Ip6 => "No table has a chain here: the packet passes.",
        };
        doc.para(0, Line::of(Role::Muted, text));
    }
    doc.append(facts(view));
    doc
}

/// What is known of the device: what `ip -d address show dev` tells.
fn device(lesson: &Lesson<'_>, view: &StepView<'_>) -> Doc {
    let mut doc = Doc::new();
    let place = view.n.saturating_sub(1);
    let Some(config) = lesson.report.config(view.step.netns, place) else { return doc };
    let Some(device) = config.devices.get(view.step.dev) else { return doc };
    let mut fact = |name: &str, value: String| doc.columns(0, vec![Line::of(Role::Muted, name), Line::plain(value)]);
    let way = if view.kind == Kind::Receive { "in" } else { "out" };
    fact("direction", way.to_owned());
    fact("kind", kind_words(device).to_owned());
    fact("address", device.mac.to_string());
    fact("mtu", format!("{} bytes; this packet has {}", device.mtu, view.evidence("payload").map(Value::to_string).unwrap_or_default()));
    let addrs: Vec<String> = device.addrs.iter().map(|a| format!("{}/{}", a.local, a.prefix.len())).collect();
    if !addrs.is_empty() {
        fact("inet", addrs.join(", "));
    }
    let master = config.devices.name(device.master);
    if !master.is_empty() {
        fact("port of", master.to_owned());
    }
    match device.attach {
        Attach::Veth { netns, index } => {
            fact("other end", format!("{} of {}", lesson.report.dev(netns, index, place), lesson.report.label(netns)));
        }
        Attach::Wire(end) => {
            if let Some(name) = crate::path::segment(lesson, end) {
                fact("wire", format!("segment {name}"));
            }
        }
        Attach::Lower { .. } | Attach::None | Attach::Loopback => {}
    }
    doc
}

fn kind_words(device: &Device) -> &'static str {
    match device.kind {
        DeviceKind::Loopback => "loopback",
        DeviceKind::Veth => "veth, one end of a pair",
        DeviceKind::Bridge(_) => "bridge, the host's own port of it",
        DeviceKind::Physical => "network card",
        DeviceKind::Dummy => "dummy",
        DeviceKind::Vlan(_) => "a VLAN of the device below",
        DeviceKind::Macvlan(_) => "macvlan, a further hardware address of the device below",
        DeviceKind::Ipvlan(_) => "ipvlan, further IP addresses of the device below",
        DeviceKind::Tun(_) => "tun, with a program at the other end",
        DeviceKind::IpTunnel(_) => "a tunnel: packets in IP packets",
        DeviceKind::Vxlan(_) => "VXLAN: Ethernet frames in UDP packets",
    }
}

fn bridge(lesson: &Lesson<'_>, view: &StepView<'_>) -> String {
    let Some(config) = lesson.report.config(view.step.netns, view.n.saturating_sub(1)) else { return view.dev.to_owned() };
    let master = config.devices.get(view.step.dev).map(|d| config.devices.name(d.master)).unwrap_or_default();
    if master.is_empty() { view.dev.to_owned() } else { master.to_owned() }
}

/// The evidence, name by name.
fn facts(view: &StepView<'_>) -> Doc {
    let mut doc = Doc::new();
    for (name, value) in &view.evidence {
        if matches!(*name, "row" | "made_by" | "lost" | "missed" | "headers" | "before" | "after" | "socket" | "entry" | "family" | "hook")
        {
            continue;
        }
        let text = value.to_string();
        if !text.is_empty() {
            doc.columns(0, vec![Line::of(Role::Muted, name.replace('_', " ")), Line::plain(text)]);
        }
    }
    doc
}
