//! Questions, expectations and challenges: what they refer to.

use super::Subject;
use super::commands::place;
use super::flows::target;
use super::patterns::{HEADER_FIELDS, flow, step};
use crate::diag::Diagnostic;
use crate::schema::{At, Expect, Question};

pub(super) fn check(s: &mut Subject<'_>) {
    let sc = s.scenario;
    for q in &sc.questions {
        match &q.value {
            Question::Row(r) => step(s, &r.when.value, r.when.span, None),
            Question::Value(v) => {
                step(s, &v.when.value, v.when.span, None);
                if !HEADER_FIELDS.contains(&v.field.value.as_str()) {
                    s.say(Diagnostic::error(v.field.span, format!("there is no header field `{}`", v.field.value)).near(
                        &v.field.value,
                        HEADER_FIELDS.iter().copied(),
                        "written as in \"ipv4.src\"",
                    ));
                }
            }
            Question::Outcome(o) => flow(s, &o.flow),
            Question::Order(o) => {
                if o.steps.len() < 2 {
                    s.say(Diagnostic::error(q.span, "an order needs two steps at least").label("add steps"));
                }
                for p in &o.steps {
                    step(s, &p.value, p.span, None);
                }
            }
            Question::Choice(c) => {
                if c.options.len() < 2 {
                    s.say(Diagnostic::error(q.span, "a choice needs two options at least").label("add options"));
                } else if !c.options.iter().any(|o| o.right) {
                    s.say(Diagnostic::error(q.span, "no option is right").label("a choice needs one").help("write `right: true` in it"));
                }
            }
        }
    }
    let checks: Vec<&At<Expect>> = sc.challenge.iter().flat_map(|c| &c.checks).filter_map(|c| c.expect.as_ref()).collect();
    for e in sc.expect.iter().chain(checks) {
        expect(s, e);
    }
    if let Some(c) = &sc.challenge {
        for k in &c.checks {
            match (&k.flow, &k.expect) {
                (Some(f), None) => {
                    if f.common().expect.is_none() {
                        s.say(
                            Diagnostic::error(f.span, "this check cannot fail")
                                .label("no `expect`")
                                .help("say how the flow must end: `expect: replied`"),
                        );
                    }
                }
                (None, Some(_)) => {}
                (Some(f), Some(x)) => s.say(
                    Diagnostic::error(x.span, "a check is a flow or an expectation")
                        .label("this")
                        .and(f.span, "or this")
                        .help("make two checks of it"),
                ),
                (None, None) => s.say(Diagnostic::error(k.span, "nothing is checked here").label("neither `flow` nor `expect`")),
            }
        }
        if c.checks.is_empty() {
            s.say(
                Diagnostic::warning(sc.challenge.as_ref().map_or_else(Default::default, |c| c.span), "the challenge has no checks")
                    .label("nobody can tell when it is solved"),
            );
        }
    }
}

fn expect(s: &mut Subject<'_>, e: &At<Expect>) {
    match &e.value {
        Expect::ServedBy(x) => flow(s, &x.flow),
        Expect::Conntrack(x) => {
            place(s, &x.on);
            if let Some(f) = &x.flow {
                flow(s, f);
            }
            for t in [&x.src, &x.dst, &x.reply_src, &x.reply_dst].into_iter().flatten() {
                target(s, t);
            }
            if let Some(st) = &x.state {
                const STATES: &[&str] = &[
                    "SYN_SENT",
                    "SYN_RECV",
                    "ESTABLISHED",
                    "FIN_WAIT",
                    "CLOSE_WAIT",
                    "LAST_ACK",
                    "TIME_WAIT",
                    "CLOSE",
                    "UNREPLIED",
                    "ASSURED",
                ];
                if !STATES.contains(&st.value.0.as_str()) {
                    s.say(
                        Diagnostic::error(st.span, format!("conntrack has no state `{}`", st.value.0))
                            .near(&st.value.0, STATES.iter().copied(), "not a state")
                            .help(format!("one of: {}", STATES.join(", "))),
                    );
                }
            }
        }
        Expect::Rules(x) => {
            place(s, &x.on);
            if !["filter", "nat", "mangle", "raw"].contains(&x.table.value.as_str()) {
                s.say(
                    Diagnostic::error(x.table.span, format!("iptables has no table `{}`", x.table.value))
                        .label("filter, nat, mangle or raw"),
                );
            }
        }
        Expect::Output(x) => {
            place(s, &x.on);
            if x.contains.is_none() && x.lacks.is_none() && x.lines.is_none() {
                s.say(Diagnostic::error(e.span, "nothing is asked of the output").label("neither `contains`, `lacks` nor `lines`"));
            }
        }
        Expect::Reach(x) => {
            place(s, &x.from);
            target(s, &x.to);
        }
        _ => {}
    }
}
