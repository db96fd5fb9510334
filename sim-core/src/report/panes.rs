//! What a stepping reader shows of one step, as documents: the table consulted, the packet, the reasons.

use super::doc::{Doc, Line, Mark, Role};
use super::headers::Layer;
use super::losers::Loser;
use super::value::Value;
use super::view::{Report, StepView};
use super::{Kind, words};
use crate::trace::StepId;

/// The decision and its reasons.
pub fn why(report: &Report<'_>, v: &StepView<'_>) -> Doc {
    let w = words::of(report, v);
    let mut doc = Doc::new();
    doc.para(0, w.what);
    for line in w.why {
        doc.para(0, line);
    }
    doc
}

/// The headers, outermost first, each field with what it becomes if the step changes it.
pub fn packet(v: &StepView<'_>) -> Doc {
    let mut doc = Doc::new();
    layers(v, &v.headers, "", 0, &mut doc);
    doc
}

fn layers(v: &StepView<'_>, list: &[Layer], prefix: &str, indent: u8, doc: &mut Doc) {
    for l in list {
        doc.heading(3, indent, Line::of(Role::Layer, l.name), Line::new());
        for (name, value) in &l.fields {
            let path = format!("{prefix}{}.{name}", l.name);
            let mut text = Line::new();
            match v.changed.iter().find(|c| c.field == path) {
                Some(c) => text.push(Role::Changed, format!("{} -> {}", c.from, c.to)),
                None if *value == Value::Null => {}
                None => text.push(Role::Plain, value.to_string()),
            }
            doc.columns(indent + 1, vec![Line::plain(*name), text]);
        }
        if let Some(q) = &l.quoted {
            doc.heading(3, indent + 1, Line::of(Role::Muted, "quoted packet"), Line::new());
            layers(v, q, "quoted.", indent + 2, doc);
        }
    }
}

/// What the rows are that a step consulted: the title of its table.
pub fn table_title(v: &StepView<'_>) -> String {
    let told = |name: &str| v.evidence(name).map(Value::to_string).unwrap_or_default();
    match v.kind {
        Kind::PolicyRule => format!("policy rules of {}", v.netns),
        Kind::RouteLookup => format!("routes of {}", v.netns),
        Kind::NeighbourLookup | Kind::NeighbourUpdate | Kind::ArpInput => format!("neighbours of {}", v.netns),
        Kind::VlanFilter => format!("VLANs of the bridge's ports on {}", v.netns),
        Kind::FdbLearn | Kind::FdbLookup => format!("forwarding database of {} on {}", v.dev, v.netns),
        Kind::RemoteLookup | Kind::RemoteLearn => format!("tunnel endpoints of {} on {}", v.dev, v.netns),
        Kind::Encap | Kind::Decap => format!("tunnels of {}", v.netns),
        Kind::Rule if !told("family").is_empty() => {
            format!("nft list chain {} {} {} on {}", told("family"), told("table"), told("chain"), v.netns)
        }
        Kind::Rule => format!("iptables -t {} on {}, chain {}", told("table"), v.netns, told("chain")),
        Kind::Hook => format!("{} {} on {}", told("family"), told("hook"), v.netns),
        Kind::StatefulMatch => format!("rules of {}", v.netns),
        Kind::IpvsSchedule | Kind::IpvsConn | Kind::IpvsForward => format!("IPVS of {}", v.netns),
        Kind::ConntrackLookup | Kind::ConntrackConfirm | Kind::NatBind | Kind::NatRewrite => format!("conntrack of {}", v.netns),
        Kind::Receive | Kind::Transmit => format!("device {} of {}", v.dev, v.netns),
        Kind::SocketSend | Kind::Deliver | Kind::SocketError | Kind::TcpState => format!("sockets of {}", v.netns),
        Kind::TtlDecrement | Kind::Fragment | Kind::Defrag | Kind::IcmpError | Kind::Timer | Kind::Drop => v.netns.to_owned(),
    }
}

/// The rows of the table that a step consulted, in the order in which they were looked at, each with its mark.
pub fn table(report: &Report<'_>, v: &StepView<'_>) -> Doc {
    let mut doc = Doc::new();
    let lost = report.losers(StepId(v.n - 1));
    let place = winner_at(v, &lost);
    for (i, l) in lost.iter().enumerate() {
        if i == place {
            winner(v, &mut doc);
        }
        let (mark, why) = if l.reached {
            (Mark::Lost, Line::of(Role::Why, format!("{}: wanted {}, saw {}", l.field, l.wanted, l.seen)))
        } else {
            (Mark::NotReached, Line::of(Role::Muted, format!("not reached: {}", l.seen)))
        };
        let number = if l.number > 0 { format!("{:>3}  ", l.number) } else { String::new() };
        doc.row(0, mark, Line::of(Role::Lost, format!("{number}{}", l.row)), why, Line::of(Role::Muted, format!("from {}", l.made_by)));
    }
    if place >= lost.len() {
        winner(v, &mut doc);
    }
    for name in ["original", "reply"] {
        if let Some(t) = v.evidence(name) {
            doc.columns(0, vec![Line::plain(name), Line::plain(t.to_string())]);
        }
    }
    doc
}

/// Where the winner stands among the rows that lost: rules by number, routes before the rows of their own table.
fn winner_at(v: &StepView<'_>, lost: &[Loser]) -> usize {
    match v.kind {
        Kind::Rule | Kind::PolicyRule => lost.iter().position(|l| !l.reached).unwrap_or(lost.len()),
        Kind::RouteLookup => {
            let table = v.evidence("table").map(Value::to_string).unwrap_or_default();
            let own = |l: &&Loser| l.table == table && l.field != "device";
            lost.iter().position(|l| own(&l)).or(lost.iter().position(|l| !l.reached)).unwrap_or(lost.len())
        }
        _ => 0,
    }
}

fn winner(v: &StepView<'_>, doc: &mut Doc) {
    let Some(row) = &v.row else { return };
    let number = match (v.kind, v.evidence("rule")) {
        (Kind::Rule, Some(Value::Num(n))) => format!("{n:>3}  "),
        _ => String::new(),
    };
    let mark = match v.kind {
        Kind::FdbLearn | Kind::RemoteLearn | Kind::NeighbourUpdate | Kind::ConntrackConfirm => Mark::Learned,
        _ => Mark::Won,
    };
    let verdict = v.verdict.as_ref().map(|w| Line::of(Role::Good, w)).unwrap_or_default();
    let from = v.made_by.as_ref().map(|m| Line::of(Role::Muted, format!("from {}", m.text))).unwrap_or_default();
    doc.row(0, mark, Line::of(Role::Won, format!("{number}{row}")), verdict, from);
}
