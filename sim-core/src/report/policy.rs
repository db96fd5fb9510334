//! Policy rules of a step: the one that decided, those before it that the packet did not fit, and the tables that were asked.

use super::losers::Loser;
use super::view::Report;
use crate::linux::config::Config;
use crate::linux::fib::TableId;
use crate::linux::rule::{Action, FlowKey, Rule, RuleSpec};
use crate::linux::{RowId, VersionId};
use crate::packet::{Ipv4Addr, Protocol};
use crate::trace::{Evidence, Step, StepId};

/// The rule of that preference and row number.
pub(super) fn find_policy(config: &Config, pref: u32, row: RowId) -> Option<&Rule<Ipv4Addr>> {
    config.fib.rules.list().iter().find(|r| r.pref == pref && r.row == row)
}

/// A rule as `ip rule` prints it, without its preference.
pub(super) fn rule_words(config: &Config, r: &Rule<Ipv4Addr>) -> String {
    let rules = config.fib.rules.list();
    let line = crate::shell::ip::rule::line(r, false, |n| config.devices.by_name(n).is_some(), |n| rules.iter().any(|r| r.pref == n));
    line.split_once('\t').map_or(line.clone(), |(_, said)| said.to_owned())
}

/// What a packet shows in the part that a rule looks at.
fn seen(key: &FlowKey<'_, Ipv4Addr>, part: &str) -> String {
    match part {
        "iif" => key.iif.to_owned(),
        "oif" => {
            if key.oif.is_empty() {
                "none".to_owned()
            } else {
                key.oif.to_owned()
            }
        }
        "fwmark" => format!("{:#x}", key.mark),
        "uidrange" => key.uid.to_string(),
        "from" => key.src.to_string(),
        "to" => key.dst.to_string(),
        "tos" => format!("{:#04x}", key.tos),
        "ipproto" => key.protocol.to_string(),
        "sport" => key.ports.0.to_string(),
        _ => key.ports.1.to_string(),
    }
}

/// What a rule wants there.
fn wanted(s: &RuleSpec<Ipv4Addr>, part: &str) -> String {
    let prefix = |p: Option<(Ipv4Addr, u8)>| p.map_or_else(|| "all".to_owned(), |(a, l)| format!("{a}/{l}"));
    let ports = |r: Option<(u16, u16)>| r.map_or_else(String::new, |(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    match part {
        "iif" => s.iif.as_deref().unwrap_or("").to_owned(),
        "oif" => s.oif.as_deref().unwrap_or("").to_owned(),
        "fwmark" => s.mark.map_or_else(String::new, |(v, m)| if m == u32::MAX { format!("{v:#x}") } else { format!("{v:#x}/{m:#x}") }),
        "uidrange" => s.uids.map_or_else(String::new, |(a, b)| format!("{a}-{b}")),
        "from" => prefix(s.from),
        "to" => prefix(s.to),
        "tos" => format!("{:#04x}", s.tos),
        "ipproto" => s.protocol.map_or_else(String::new, |p| p.to_string()),
        "sport" => ports(s.sport),
        _ => ports(s.dport),
    }
}

impl Report<'_> {
    /// What the rules could see of the packet of a step; none where there was no packet yet.
    fn flow_key<'c>(&self, config: &'c Config, step: &Step, mark: u32) -> Option<FlowKey<'c, Ipv4Addr>> {
        let frame = self.run.recording.frame(step.version)?;
        let p = frame.ipv4()?;
        let ports = match &p.body {
            crate::packet::Body::Tcp(t) => (t.src_port, t.dst_port),
            crate::packet::Body::Udp(u) => (u.src_port, u.dst_port),
            _ => (0, 0),
        };
        let iif = if step.dev.is_some() { config.devices.name(step.dev) } else { "lo" };
        let protocol: Protocol = p.body.protocol();
        Some(FlowKey { src: p.header.src, iif, mark, tos: p.header.tos & 0x1c, protocol, ports, ..FlowKey::to(p.header.dst) })
    }

    /// The rules before the one that decided: the part in which the packet did not fit, or the table that had no route.
    pub(super) fn lost_rules(&self, config: &Config, step: &Step, pref: u32, row: RowId, mark: u32) -> Vec<Loser> {
        let Some(key) = self.flow_key(config, step, mark) else { return Vec::new() };
        let mut out = Vec::new();
        let mut decided = false;
        for r in config.fib.rules.list() {
            if r.pref == pref && r.row == row {
                decided = true;
                continue;
            }
            let (field, want, saw) = match r.spec.differs(&key) {
                _ if decided => ("pref", format!("before {pref}"), r.pref.to_string()),
                Some(part) if !r.spec.not => (part, wanted(&r.spec, part), seen(&key, part)),
                None if r.spec.not => ("not", "another packet".to_owned(), "this one".to_owned()),
                _ => match r.spec.does() {
                    Action::Lookup(t) => ("table", format!("a route to {} in table {t}", key.dst), "none that counts".to_owned()),
                    Action::Goto(to) => ("goto", "a decision".to_owned(), format!("on from rule {to}")),
                    _ => ("nop", "a decision".to_owned(), "nothing to do".to_owned()),
                },
            };
            out.push(Loser {
                table: "rules".to_owned(),
                number: 0,
                row: format!("{}: {}", r.pref, rule_words(config, r)),
                field,
                wanted: want,
                seen: saw,
                made_by: self.provenance(config, r.source).text,
                reached: !decided,
            });
        }
        out
    }

    /// The tables that a lookup asked, in order; `n` is its step. With the kernel's own rules these are local, main, default.
    pub(super) fn tables_asked(&self, config: &Config, n: StepId) -> Vec<TableId> {
        let rules = &config.fib.rules;
        let before = n.0.checked_sub(1).and_then(|b| self.raw(StepId(b)));
        let (Some(step), Some(before)) = (self.raw(n), before) else { return Vec::new() };
        let key = match before.evidence {
            Evidence::PolicyRule { mark, .. } if before.packet == step.packet => self.flow_key(config, step, mark),
            _ if step.version == VersionId::NONE => None,
            _ => self.flow_key(config, step, 0),
        };
        let mut out: Vec<TableId> = Vec::new();
        for r in rules.list() {
            if let Action::Lookup(t) = r.spec.does()
                && key.is_none_or(|k| r.spec.fits(&k))
                && !out.contains(&t)
            {
                out.push(t);
            }
        }
        out
    }
}
