//! Steps with holes: a pattern that no step can fit is an error.

use super::Subject;
use super::names::listed;
use crate::diag::Diagnostic;
use crate::schema::{At, Expect, StepPattern, Target};
use crate::text::Span;
use sim_core::trace::DropReason;

/// What a kind of step has beside place, time and packet.
struct KindInfo {
    name: &'static str,
    noun: &'static str,
    fields: &'static [&'static str],
}

/// Kinds of steps, as the trace names them, with `_` for `-`.
const KINDS: &[KindInfo] = &[
    KindInfo { name: "receive", noun: "a receive step", fields: &[] },
    KindInfo { name: "transmit", noun: "a transmit step", fields: &[] },
    KindInfo { name: "socket_send", noun: "a socket send step", fields: &[] },
    KindInfo { name: "deliver", noun: "a deliver step", fields: &[] },
    KindInfo { name: "socket_error", noun: "a socket error step", fields: &["verdict", "reason"] },
    KindInfo { name: "tcp_state", noun: "a TCP state step", fields: &["verdict", "row"] },
    KindInfo { name: "route_lookup", noun: "a route lookup step", fields: &["table", "row", "verdict"] },
    KindInfo { name: "policy_rule", noun: "a policy rule step", fields: &["row", "verdict"] },
    KindInfo { name: "neighbour_lookup", noun: "a neighbour lookup step", fields: &["row", "verdict"] },
    KindInfo { name: "neighbour_update", noun: "a neighbour update step", fields: &["row", "verdict"] },
    KindInfo { name: "hook", noun: "a hook step", fields: &["hook", "verdict", "changed"] },
    KindInfo { name: "rule", noun: "a rule step", fields: &["hook", "table", "chain", "rule", "matched", "row", "verdict", "object"] },
    KindInfo { name: "stateful_match", noun: "a stateful match step", fields: &["table", "chain", "rule", "matched", "row"] },
    KindInfo { name: "conntrack_lookup", noun: "a conntrack lookup step", fields: &["row", "verdict"] },
    KindInfo { name: "conntrack_confirm", noun: "a conntrack confirm step", fields: &["row", "verdict"] },
    KindInfo { name: "nat_bind", noun: "a NAT binding step", fields: &["row", "verdict", "table", "chain", "rule"] },
    KindInfo { name: "nat_rewrite", noun: "a NAT rewrite step", fields: &["changed", "row", "verdict"] },
    KindInfo { name: "ipvs_schedule", noun: "an IPVS scheduling step", fields: &["row", "verdict"] },
    KindInfo { name: "ipvs_conn", noun: "an IPVS connection step", fields: &["verdict"] },
    KindInfo { name: "ipvs_forward", noun: "an IPVS forwarding step", fields: &["changed", "verdict"] },
    KindInfo { name: "fdb_learn", noun: "an FDB learning step", fields: &["row", "verdict"] },
    KindInfo { name: "fdb_lookup", noun: "an FDB lookup step", fields: &["row", "verdict"] },
    KindInfo { name: "vlan_filter", noun: "a VLAN filter step", fields: &["verdict"] },
    KindInfo { name: "remote_lookup", noun: "a lookup of a tunnel's endpoint", fields: &["verdict", "row"] },
    KindInfo { name: "remote_learn", noun: "a learned tunnel endpoint", fields: &["verdict"] },
    KindInfo { name: "encap", noun: "an encapsulation step", fields: &["changed", "row"] },
    KindInfo { name: "decap", noun: "a decapsulation step", fields: &["changed", "row"] },
    KindInfo { name: "ttl_decrement", noun: "a TTL step", fields: &["changed"] },
    KindInfo { name: "fragment", noun: "a fragmentation step", fields: &["verdict"] },
    KindInfo { name: "defrag", noun: "a defragmentation step", fields: &["verdict"] },
    KindInfo { name: "icmp_error", noun: "an ICMP error step", fields: &["verdict", "reason"] },
    KindInfo { name: "arp_input", noun: "an ARP input step", fields: &["verdict"] },
    KindInfo { name: "timer", noun: "a timer step", fields: &["verdict"] },
    KindInfo { name: "drop", noun: "a drop step", fields: &["reason", "verdict"] },
    KindInfo { name: "object_change", noun: "an object change step", fields: &["object", "verdict"] },
    KindInfo { name: "sync", noun: "a sync step", fields: &["object", "verdict"] },
];

/// Kinds that only later parts of packetwalk make.
pub(super) const LATER_KINDS: &[&str] = &["object_change", "sync"];

const HOOKS: &[&str] = &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
const VERDICTS: &[&str] = &[
    "ACCEPT",
    "DROP",
    "REJECT",
    "RETURN",
    "CONTINUE",
    "STOLEN",
    "JUMP",
    "GOTO",
    "MARK",
    "DNAT",
    "SNAT",
    "MASQUERADE",
    "REDIRECT",
    "NEW",
    "ESTABLISHED",
    "RELATED",
    "INVALID",
    "UNTRACKED",
    "no_route",
    "unicast",
    "local",
    "broadcast",
    "unreachable",
    "prohibit",
    "blackhole",
    "sent",
    "queued",
    "dropped",
    "deliver",
    "drop",
    "learned",
    "known",
    "match",
    "no_match",
    "port",
    "flood",
    "nowhere",
    "entry",
    "default",
    "miss",
];
const PROTOCOLS: &[&str] = &["ICMP", "TCP", "UDP", "ARP", "ICMPv6", "SCTP"];

/// Header fields by the names of the trace document.
pub const HEADER_FIELDS: &[&str] = &[
    "eth.dst",
    "eth.src",
    "eth.type",
    "arp.op",
    "arp.sender_mac",
    "arp.sender",
    "arp.target_mac",
    "arp.target",
    "ipv4.src",
    "ipv4.dst",
    "ipv4.ttl",
    "ipv4.id",
    "ipv4.df",
    "ipv4.mf",
    "ipv4.offset",
    "ipv4.tos",
    "ipv4.len",
    "ipv4.protocol",
    "ipv4.checksum",
    "tcp.sport",
    "tcp.dport",
    "tcp.seq",
    "tcp.ack",
    "tcp.flags",
    "tcp.window",
    "tcp.urgent",
    "tcp.mss",
    "tcp.wscale",
    "tcp.options",
    "tcp.checksum",
    "tcp.len",
    "udp.sport",
    "udp.dport",
    "udp.len",
    "udp.checksum",
    "icmp.type",
    "icmp.code",
    "icmp.id",
    "icmp.seq",
    "icmp.mtu",
    "icmp.gateway",
    "icmp.checksum",
];

/// Fields that a story's text may show beside header fields.
const TEXT_FIELDS: &[&str] = &[
    "row", "from", "to", "next_hop", "rule", "chain", "table", "verdict", "reason", "dev", "on", "flow", "src", "dst", "sport", "dport",
    "ttl", "object", "kernel", "hook", "kind", "state", "time",
];

pub(super) fn check(s: &mut Subject<'_>) {
    let sc = s.scenario;
    for e in &sc.story {
        step(s, &e.when.value, e.when.span, None);
        match (&e.text, &e.section) {
            (Some(t), None) => placeholders(s, t.span, &t.value.0),
            (None, Some(_)) => {}
            (Some(t), Some(_)) => s.say(Diagnostic::error(t.span, "a `text` and a `section` at one step").label("keep one of the two")),
            (None, None) => s.say(Diagnostic::error(e.span, "nothing is told here").label("neither `text` nor `section`")),
        }
    }
    if let Some(c) = &sc.challenge
        && let Some(d) = &c.diagnosis
    {
        step(s, &d.value, d.span, None);
    }
    let checks: Vec<&At<Expect>> = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.expect.as_ref()).collect();
    for e in sc.expect.iter().chain(checks) {
        match &e.value {
            Expect::Passes(p) | Expect::Avoids(p) => step(s, p, e.span, None),
            Expect::Counts(c) => step(s, &c.step.value, c.step.span, None),
            Expect::InOrder(o) => {
                if let Some(f) = &o.flow {
                    flow(s, f);
                }
                if o.steps.len() < 2 {
                    s.say(Diagnostic::error(e.span, "an order needs two steps at least").label("add steps"));
                }
                for p in &o.steps {
                    step(s, &p.value, p.span, o.flow.as_ref());
                }
            }
            _ => {}
        }
    }
}

/// A reference to a flow.
pub(super) fn flow(s: &mut Subject<'_>, f: &At<String>) {
    let all: Vec<&str> = s.names.flows.iter().map(|n| n.name.as_str()).collect();
    if !all.contains(&f.value.as_str()) {
        let d = Diagnostic::error(f.span, format!("there is no flow `{}`", f.value))
            .near(&f.value, all.iter().copied(), "not among `flows`")
            .help(format!("the flows: {}", listed(&all)));
        s.out.push(d);
    }
}

fn word(s: &mut Subject<'_>, what: &str, w: &str, span: Span, list: &[&str]) {
    let upper = list.iter().find(|x| x.eq_ignore_ascii_case(w));
    // verdicts are compared without regard to case: tools differ in theirs
    if what == "verdict" && upper.is_some() {
        return;
    }
    match upper {
        Some(x) if *x == w => {}
        Some(x) => s.say(Diagnostic::error(span, format!("there is no {what} `{w}`")).label(format!("did you mean `{x}`?"))),
        None => {
            let d = Diagnostic::error(span, format!("there is no {what} `{w}`")).near(w, list.iter().copied(), "not known");
            let d = if list.len() <= 24 { d.help(format!("one of: {}", list.join(", "))) } else { d };
            s.say(d);
        }
    }
}

/// One pattern; `of` is the flow of the list that it stands in.
pub(super) fn step(s: &mut Subject<'_>, p: &StepPattern, span: Span, of: Option<&At<String>>) {
    let empty = StepPattern { nth: p.nth.clone(), ..StepPattern::default() };
    if *p == empty {
        s.say(
            Diagnostic::error(span, "every step fits this")
                .label("nothing is asked of it")
                .help("say `kind`, `on`, `flow` or any other field"),
        );
    }
    if let Some(f) = &p.flow {
        flow(s, f);
        if let Some(of) = of {
            s.say(Diagnostic::error(f.span, "the flow is named already").label("here again").and(of.span, "here"));
        }
    }
    if let Some(on) = &p.on {
        super::commands::place(s, on);
    }
    let info = p.kind.as_ref().map(|k| (k, KINDS.iter().find(|i| i.name == k.value.0)));
    if let Some((k, None)) = info {
        let names: Vec<&str> = KINDS.iter().map(|i| i.name).collect();
        s.say(
            Diagnostic::error(k.span, format!("there is no kind of step `{}`", k.value.0))
                .near(&k.value.0, names.iter().copied(), "not a kind of the trace")
                .help(format!("the kinds: {}", names.join(", "))),
        );
    }
    let present: [(&str, Option<Span>); 8] = [
        ("hook", p.hook.as_ref().map(|x| x.span)),
        ("table", p.table.as_ref().map(|x| x.span)),
        ("chain", p.chain.as_ref().map(|x| x.span)),
        ("rule", p.rule.as_ref().map(|x| x.span)),
        ("matched", p.matched.as_ref().map(|x| x.span)),
        ("row", p.row.as_ref().map(|x| x.span)),
        ("reason", p.reason.as_ref().map(|x| x.span)),
        ("object", p.object.as_ref().map(|x| x.span)),
    ];
    for (field, at) in present {
        let Some(at) = at else { continue };
        if let Some((k, Some(info))) = info
            && !info.fields.contains(&field)
        {
            let having: Vec<&KindInfo> = KINDS.iter().filter(|i| i.fields.contains(&field) && !LATER_KINDS.contains(&i.name)).collect();
            let (label, help) = match &having[..] {
                [] => ("no such step is made yet".to_owned(), format!("leave {field} out")),
                [one] => (format!("only {} has one", one.noun), format!("write kind: {}, or leave {field} out", one.name)),
                many if field == "chain" || field == "rule" || field == "matched" => {
                    let _ = many;
                    ("only rule steps have one".to_owned(), format!("write kind: rule, or leave {field} out"))
                }
                many => (
                    format!("kinds that have one: {}", many.iter().map(|i| i.name).collect::<Vec<_>>().join(", ")),
                    format!("choose another kind, or leave {field} out"),
                ),
            };
            s.say(Diagnostic::error(at, format!("no step can fit: {} has no {field}", info.noun)).label(label).and(k.span, "").help(help));
        }
    }
    if let Some(h) = &p.hook {
        word(s, "hook", &h.value.0, h.span, HOOKS);
    }
    if let Some(v) = &p.verdict {
        word(s, "verdict", &v.value.0, v.span, VERDICTS);
    }
    if let Some(r) = &p.reason {
        let all: Vec<&str> = DropReason::ALL.iter().map(|r| r.name()).collect();
        word(s, "reason", &r.value.0, r.span, &all);
    }
    if let Some(x) = &p.protocol {
        word(s, "protocol", &x.value.0, x.span, PROTOCOLS);
    }
    if let Some(c) = &p.changed
        && !HEADER_FIELDS.contains(&c.value.as_str())
    {
        s.say(Diagnostic::error(c.span, format!("there is no header field `{}`", c.value)).near(
            &c.value,
            HEADER_FIELDS.iter().copied(),
            "written as in \"ipv4.dst\"",
        ));
    }
    for a in [&p.src, &p.dst].into_iter().flatten() {
        address(s, a);
    }
    if let Some(n) = &p.nth
        && n.value == 0
    {
        s.say(Diagnostic::error(n.span, "steps are counted from 1").label("the first is 1"));
    }
}

/// An address or reference that is compared; `*` stands for any text.
fn address(s: &mut Subject<'_>, a: &At<String>) {
    if a.value.contains('*') {
        return;
    }
    match Target::parse(&a.value) {
        Ok(Target::Name(n)) => {
            let d = Diagnostic::error(a.span, format!("`{n}` is no address"))
                .label("an address or a reference")
                .help("\"10.244.0.2\", \"pod/web\", \"host/client\", \"node/node-a\"");
            s.say(d);
        }
        Ok(t) => super::flows::target(s, &At { value: t, span: a.span }),
        Err(c) => s.say(Diagnostic::error(a.span, c.what).label(c.label).help(c.help)),
    }
}

/// Fields in braces.
fn placeholders(s: &mut Subject<'_>, span: Span, text: &str) {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|i| from + i) {
        let Some(close) = text[open..].find('}').map(|i| open + i) else {
            s.say(
                Diagnostic::error(mark(span, open, open + 1), "this brace is not closed").help("a field of the step stands in { }: {row}"),
            );
            return;
        };
        let name = &text[open + 1..close];
        if !TEXT_FIELDS.contains(&name) && !HEADER_FIELDS.contains(&name) {
            let all: Vec<&str> = TEXT_FIELDS.iter().chain(HEADER_FIELDS).copied().collect();
            s.say(
                Diagnostic::error(mark(span, open, close + 1), format!("a step has no field `{{{name}}}`"))
                    .near(name, all.iter().copied(), "not a field of a step")
                    .help("fields: {row} {from} {to} {next_hop} {rule} {chain} {reason} {dev}, and header fields such as {ipv4.ttl}"),
            );
        }
        from = close + 1;
    }
}

fn mark(literal: Span, from: usize, to: usize) -> Span {
    use super::commands::INSIDE;
    Span::new(literal.start + INSIDE * (from + 1), literal.start + INSIDE * (to + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{HEADER_FIELDS, HOOKS, KINDS, LATER_KINDS};
    use sim_core::report::{Kind, Report};

    #[test]
    fn the_kinds_are_those_of_the_trace() {
        let mut known: Vec<String> =
            KINDS.iter().map(|k| k.name.replace('_', "-")).filter(|k| !LATER_KINDS.contains(&&*k.replace('-', "_"))).collect();
        let mut made: Vec<String> = Kind::ALL.iter().map(|k| k.name().to_owned()).collect();
        known.sort();
        made.sort();
        assert_eq!(known, made);
    }

    #[test]
    fn header_fields_and_hooks_are_those_of_traces() {
        let mut unseen: Vec<&str> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut hooks = std::collections::BTreeSet::new();
        for id in ["pod-to-internet", "docker-publish"] {
            let l = crate::load::by_name(id).unwrap();
            let ran = crate::assemble::run::run(&l, &Default::default()).unwrap();
            let report = Report::new(&ran.run);
            for step in report.steps() {
                for layer in &step.headers {
                    seen.extend(layer.fields.iter().map(|(n, _)| format!("{}.{n}", layer.name)));
                }
                hooks.extend(step.evidence("hook").map(ToString::to_string));
            }
        }
        // what these lessons have no packets of
        let rare = ["udp.sport", "udp.dport", "udp.len", "udp.checksum", "icmp.mtu", "icmp.gateway", "tcp.urgent", "tcp.len"];
        unseen.extend(HEADER_FIELDS.iter().filter(|f| !seen.contains(**f) && !rare.contains(f)));
        assert!(unseen.is_empty(), "{unseen:?} of {seen:?}");
        assert!(hooks.iter().all(|h| HOOKS.contains(&h.to_uppercase().as_str())), "{hooks:?}");
    }
}
