//! Words for hooks, rules, connection tracking and address translation.

use super::Words;
use crate::linux::conntrack::CtId;
use crate::linux::netfilter::{Hook, NfFamily, TableKind};
use crate::packet::IpAddr;
use crate::report::doc::{Line, Role};
use crate::report::names::ct_words;
use crate::report::value::Value;
use crate::report::view::{Report, StepView};
use crate::trace::Evidence;
use crate::trace::evidence::{CtCode, RuleAt, Verdict};

fn told(v: &StepView<'_>, name: &str) -> Option<String> {
    v.evidence(name).filter(|x| **x != Value::Null).map(|x| x.to_string())
}

/// How many rules the base chains of nftables have at a hook; a policy that drops counts as one.
fn nft_rules(config: &crate::linux::Config, family: NfFamily, hook: Hook) -> usize {
    let own = config.nft.tables.iter().filter(|t| !t.dormant && t.family.hook_families().contains(&family));
    own.flat_map(|t| t.chains.iter())
        .filter_map(|(_, c)| {
            c.base.filter(|b| b.hook == hook).map(|b| c.rules.len() + usize::from(b.policy == crate::linux::netfilter::Policy::Drop))
        })
        .sum()
}

pub(super) fn hook(report: &Report<'_>, v: &StepView<'_>, family: NfFamily, hook: Hook) -> Words {
    let devices = match (told(v, "iif"), told(v, "oif")) {
        (Some(i), Some(o)) => format!(" from {i} to {o}"),
        (Some(i), None) => format!(" from {i}"),
        (None, Some(o)) => format!(" to {o}"),
        (None, None) => String::new(),
    };
    let config = report.config(v.step.netns, v.n - 1);
    let rules = TableKind::ALL
        .into_iter()
        .filter(|t| t.hooks().contains(&hook))
        .filter_map(|t| config.and_then(|c| c.xt.table(t)))
        .flat_map(|t| t.chains().map(|(_, c)| c))
        .filter(|c| c.base.is_some_and(|(h, _)| h == hook))
        .map(|c| c.rules.len())
        .sum::<usize>();
    let own = config.map_or(0, |c| nft_rules(c, family, hook));
    let rules = if family == NfFamily::Bridge { own } else { rules + own };
    let name = match family {
        NfFamily::Bridge => format!("bridge {hook}"),
        NfFamily::Ip | NfFamily::Ip6 => hook.to_string(),
    };
    let verdict = v.verdict.as_deref().unwrap_or_default();
    let end = match verdict {
        "ACCEPT" => Line::plain(if rules == 0 { ": no rules here" } else { ": passed" }),
        "DROP" => Line::plain(": ").and(Role::Bad, "did not come out"),
        _ => Line::plain(": taken out of the way"),
    };
    let mut what = Line::plain(format!("{name}{devices}"));
    if family == NfFamily::Bridge && verdict != "DROP" && rules == 0 {
        what.push(Role::Plain, ": no rules here");
    } else {
        what.append(end);
    }
    let why = match (family, hook) {
        (NfFamily::Bridge, _) => "",
        (_, Hook::Prerouting) => "Before the route is looked up: here a destination may still be changed.",
        (_, Hook::Input) => "On its way to a socket of this host.",
        (_, Hook::Forward) => "On its way through this host.",
        (_, Hook::Output) => "Made by this host.",
        (_, Hook::Postrouting) => "The last look before the device: here a source may be changed.",
    };
    let words = Words::new(what);
    if rules == 0 { words } else { words.why(why) }
}

/// A rule of nftables: its table is named with its family.
pub(super) fn nft_rule(v: &StepView<'_>, at: RuleAt, verdict: Verdict) -> Words {
    let table = format!("{} {}", told(v, "family").unwrap_or_default(), told(v, "table").unwrap_or_default());
    rule(v, &table, at, verdict)
}

pub(super) fn rule(v: &StepView<'_>, table: &str, at: RuleAt, verdict: Verdict) -> Words {
    let chain = told(v, "chain").unwrap_or_default();
    let text = told(v, "text").unwrap_or_default();
    let said = v.verdict.clone().unwrap_or_default();
    let role = match verdict {
        Verdict::Drop | Verdict::Stolen => Role::Bad,
        Verdict::Accept => Role::Good,
        Verdict::Jump | Verdict::Goto | Verdict::Return | Verdict::Continue => Role::Plain,
    };
    let (place, what) = match at {
        RuleAt::Rule(i) => {
            let place = format!("{table} {chain} rule {}", i + 1);
            (place.clone(), Line::plain(format!("{place}: ")).and(Role::Won, &text))
        }
        RuleAt::Policy => {
            let place = format!("{table} {chain} policy");
            (place.clone(), Line::plain(format!("{place}: no rule decided, so the chain's policy does: ")).and(role, &said))
        }
        RuleAt::End => {
            let place = format!("{table} {chain}");
            (place.clone(), Line::plain(format!("{place}: no rule decided; back to the calling chain")))
        }
    };
    let why = match (at, verdict) {
        (RuleAt::Rule(_), Verdict::Accept) => "Matched, and it decides: the packet passes this table.",
        (RuleAt::Rule(_), Verdict::Drop) => "Matched, and it decides: the packet ends here.",
        (RuleAt::Rule(_), Verdict::Stolen) => "Matched: the packet is answered instead of passed on.",
        (RuleAt::Rule(_), Verdict::Return) => "Matched: back to the calling chain.",
        (RuleAt::Rule(_), Verdict::Continue) => "Matched; the next rule is asked too.",
        (RuleAt::Rule(_), Verdict::Jump) => "Matched: on in that chain, and back here at its end.",
        (RuleAt::Rule(_), Verdict::Goto) => "Matched: on in that chain, and not back here.",
        (RuleAt::Policy | RuleAt::End, _) => "",
    };
    let short = match verdict {
        Verdict::Drop | Verdict::Stolen if matches!(at, RuleAt::Rule(_)) => {
            Line::plain(format!("{table}: ")).and(Role::Won, &text).and(Role::Plain, " matches")
        }
        Verdict::Drop | Verdict::Stolen => Line::plain(format!("{place}: ")).and(Role::Bad, &said),
        Verdict::Accept | Verdict::Jump | Verdict::Goto | Verdict::Return | Verdict::Continue => Line::new(),
    };
    Words::new(what).short(short).why(why)
}

pub(super) fn stateful(v: &StepView<'_>, matched: bool, value: u32) -> Words {
    let text = told(v, "text").unwrap_or_default();
    let draws = text.contains("-m statistic");
    let what = match (draws, matched) {
        (true, true) => "the draw fits: ",
        (true, false) => "the draw does not fit: ",
        (false, true) => "what is remembered fits: ",
        (false, false) => "what is remembered does not fit: ",
    };
    let words = Words::new(Line::plain(what).and(Role::Plain, text));
    if draws { words.why(format!("The value was {value}.")) } else { words }
}

pub(super) fn conntrack_lookup(v: &StepView<'_>, id: Option<CtId>, created: bool, ct: CtCode) -> Words {
    let (state, dir) = ct_words(ct);
    if id.is_none() {
        return Words::new(Line::of(Role::Bad, "INVALID").and(Role::Plain, ": the packet belongs to no flow and cannot begin one"));
    }
    let own = || Some(format!("{} > {}", v.field("ipv4.src")?, v.field("ipv4.dst")?));
    let flow = told(v, "original").or_else(own).map(|t| format!(" {t}")).unwrap_or_default();
    let what = if created {
        Line::of(Role::Won, "NEW").and(Role::Plain, format!(": no entry fits, so one is made:{flow}"))
    } else {
        let dir = match dir {
            Some("reply") => "in the reply direction of",
            _ => "in the original direction of",
        };
        Line::of(Role::Won, state.to_uppercase()).and(Role::Plain, format!(": {dir}{flow}"))
    };
    let words = Words::new(what);
    if created {
        words.why("It goes into the table only when the packet has come through all hooks.")
    } else if let Some(reply) = told(v, "reply")
        .filter(|_| ct.status.has(crate::linux::conntrack::CtStatus::DST_NAT) || ct.status.has(crate::linux::conntrack::CtStatus::SRC_NAT))
    {
        words.why(format!("The flow is translated; its replies are {reply}. The nat table is not asked again."))
    } else {
        words
    }
}

pub(super) fn conntrack_confirm(v: &StepView<'_>) -> Words {
    let row = v.row.clone().unwrap_or_default();
    let text = if row.is_empty() { "the entry goes into the table".to_owned() } else { format!("the entry goes into the table: {row}") };
    Words::new(Line::plain(text)).why("The packet has come through; from now on packets of both directions are found by it.")
}

pub(super) fn nat_bind(v: &StepView<'_>, asked: bool, source: bool, addr: IpAddr, port: u16) -> Words {
    let side = if source { "source" } else { "destination" };
    // what stands in the port's place of an ICMP query is its identifier
    let end = if v.field("protocol").as_deref() == Some("icmp") || port == 0 { addr.to_string() } else { format!("{addr}:{port}") };
    if !asked {
        return Words::new(Line::plain(format!("no rule asks for another {side}: it stays {end} for the whole flow")));
    }
    let what = Line::plain(format!("the flow's {side} becomes ")).and(Role::Won, end);
    let rule = v.row.clone().unwrap_or_default();
    let words = Words::new(what);
    if rule.is_empty() { words } else { words.why(format!("Asked for by {rule}")) }
}

pub(super) fn nat_rewrite(v: &StepView<'_>, source: bool) -> Words {
    let (side, addr, port) = if source { ("source", "src", "sport") } else { ("destination", "dst", "dport") };
    let change = |name: &str| v.changed.iter().find(|c| c.field.rsplit('.').next() == Some(name) && !c.field.starts_with("quoted"));
    let value = |name: &str, after: bool| match change(name) {
        Some(c) if after => c.to.to_string(),
        Some(c) => c.from.to_string(),
        None => crate::report::headers::innermost(&v.headers, name).map(|x| x.to_string()).unwrap_or_default(),
    };
    let end = |after: bool| {
        let p = value(port, after);
        if p.is_empty() { value(addr, after) } else { format!("{}:{p}", value(addr, after)) }
    };
    let (from, to) = (end(false), end(true));
    let line = if v.changed.is_empty() {
        Line::plain(format!("{side} rewritten from the flow's translation: {from}"))
    } else {
        Line::of(Role::Changed, format!("{side} {from} -> {to}"))
    };
    let reply = matches!(v.step.evidence, Evidence::NatRewrite { .. })
        && told(v, "reply").is_some_and(|r| r.starts_with(&from) && !from.is_empty());
    let why = if reply {
        "A reply of a translated flow: the address that the client knows is put back."
    } else {
        "The flow's translation is applied to every packet of it; checksums are corrected."
    };
    Words::new(line.clone()).short(Line::plain("nat ").join(line)).why(why)
}
