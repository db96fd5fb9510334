//! Which steps fit a pattern.

use crate::assemble::flows::Resolver;
use crate::schema::expect::ServedBy;
use crate::schema::pattern::Direction;
use crate::schema::{StepPattern, Target};
use sim_core::linux::{FlowId, NetnsId};
use sim_core::packet::IpAddr;
use sim_core::report::{Kind, Report, StepView, Value};
use sim_core::trace::StepId;
use std::fmt::Write as _;

/// Steps by pattern, over one run.
#[derive(Debug)]
pub struct Matcher<'a> {
    /// The run.
    pub report: &'a Report<'a>,
    /// What names mean.
    pub names: &'a Resolver<'a>,
    /// The flow of each step; 0 for the background.
    flow_of: Vec<FlowId>,
}

/// A pattern made ready: names looked up.
struct Ready<'p> {
    p: &'p StepPattern,
    flow: Option<Option<FlowId>>,
    kind: Option<Kind>,
    places: Option<Vec<NetnsId>>,
    src: Option<String>,
    dst: Option<String>,
}

impl<'a> Matcher<'a> {
    /// A matcher over a run.
    pub fn new(report: &'a Report<'a>, names: &'a Resolver<'a>) -> Self {
        let mut flow_of: Vec<FlowId> = (0..report.len() as u32)
            .map(|n| report.index.packet_of(n).and_then(|p| report.index.packets.get(p)).map_or(FlowId::NONE, |p| p.flow))
            .collect();
        for flow in 1..=report.run.flows.len() as u32 {
            for n in report.loose_of(FlowId(flow)) {
                if let Some(slot) = flow_of.get_mut(n as usize) {
                    *slot = FlowId(flow);
                }
            }
        }
        Matcher { report, names, flow_of }
    }

    /// The flow under whose step, counted from 0, a table was written.
    pub(super) fn flow_of_delta(&self, step: u32) -> FlowId {
        self.flow_of.get(step as usize).copied().unwrap_or_default()
    }

    /// The flow of that name.
    pub fn flow(&self, name: &str) -> Option<FlowId> {
        self.report.run.flows.iter().find(|f| &*f.spec.name == name).map(|f| f.id)
    }

    /// The namespaces that a place means; `*` stands for any text.
    pub fn places(&self, on: &str) -> Vec<NetnsId> {
        let world = &self.report.run.end;
        if on.contains('*') {
            let fits = |i: &sim_core::engine::NetnsInfo| wild(on, &i.label);
            return world.info.iter().enumerate().filter(|(_, i)| fits(i)).map(|(n, _)| NetnsId(n as u32)).collect();
        }
        self.names.netns(world, on).or_else(|| world.by_label(on)).into_iter().collect()
    }

    /// The address that a text means: an address, or a reference to one.
    pub fn address(&self, text: &str) -> Option<IpAddr> {
        match Target::parse(text).ok()? {
            Target::Addr(a) => Some(a),
            Target::Ref(r) => self.names.address(&self.report.run.end, &r).or_else(|| self.names.address(&self.report.run.start, &r)),
            Target::Name(_) => None,
        }
    }

    fn ready<'p>(&self, p: &'p StepPattern, flow: Option<&str>) -> Ready<'p> {
        let addr = |a: &Option<crate::schema::At<String>>| {
            a.as_ref().map(|a| self.address(&a.value).map_or_else(|| a.value.clone(), |x| x.to_string()))
        };
        Ready {
            p,
            flow: p.flow.as_ref().map(|f| f.value.as_str()).or(flow).map(|f| self.flow(f)),
            kind: p.kind.as_ref().and_then(|k| Kind::by_name(&k.value.0)),
            places: p.on.as_ref().map(|on| self.places(&on.value)),
            src: addr(&p.src),
            dst: addr(&p.dst),
        }
    }

    /// All steps that fit, in order; of the flow `flow` if the pattern names none.
    pub fn steps(&self, p: &StepPattern, flow: Option<&str>) -> Vec<StepId> {
        let ready = self.ready(p, flow);
        // a kind that is not made yet fits nothing
        if p.kind.is_some() && ready.kind.is_none() {
            return Vec::new();
        }
        (0..self.report.len() as u32).map(StepId).filter(|id| self.misfit(&ready, *id).is_none()).collect()
    }

    /// The first field in which a step does not fit.
    fn misfit(&self, r: &Ready<'_>, id: StepId) -> Option<&'static str> {
        let Some(step) = self.report.raw(id) else { return Some("step") };
        if r.kind.is_some_and(|k| k != Kind::of(&step.evidence)) {
            return Some("kind");
        }
        if r.places.as_ref().is_some_and(|p| !p.contains(&step.netns)) {
            return Some("on");
        }
        let flow = self.flow_of.get(id.0 as usize).copied().unwrap_or_default();
        if r.flow.is_some_and(|f| f != Some(flow)) {
            return Some("flow");
        }
        let Some(v) = self.report.step(id) else { return Some("step") };
        let p = r.p;
        if let Some(d) = &p.direction {
            let name = match d.value {
                Direction::Request => "request",
                Direction::Reply => "reply",
            };
            if self.report.direction_of(v.packet).map(|d| d.name()) != Some(name) {
                return Some("direction");
            }
        }
        let text = |name: &str| v.field(name).unwrap_or_default();
        let misfit = |field: &'static str, wanted: Option<&str>, value: String| match wanted {
            Some(w) if !wild(w, &value) => Some(field),
            _ => None,
        };
        let word = |field: &'static str, wanted: Option<&str>, value: String| match wanted {
            Some(w) if !same_word(w, &value) => Some(field),
            _ => None,
        };
        let s = |x: &'_ Option<crate::schema::At<String>>| x.as_ref().map(|a| a.value.clone());
        let w = |x: &Option<crate::schema::At<crate::schema::Word>>| x.as_ref().map(|a| a.value.0.clone());
        let n = |x: Option<u64>| x.map(|v| v.to_string());
        misfit("dev", s(&p.dev).as_deref(), v.dev.to_owned())
            .or_else(|| misfit("kernel", s(&p.kernel).as_deref(), v.kernel.to_owned()))
            .or_else(|| word("hook", w(&p.hook).as_deref(), self.hook(&v)))
            .or_else(|| misfit("table", s(&p.table).as_deref(), text("table")))
            .or_else(|| misfit("chain", s(&p.chain).as_deref(), text("chain")))
            .or_else(|| misfit("rule", n(p.rule.as_ref().map(|x| u64::from(x.value))).as_deref(), text("rule")))
            .or_else(|| p.matched.as_ref().filter(|x| x.value != matched(&v)).map(|_| "matched"))
            .or_else(|| misfit("row", s(&p.row).as_deref(), v.row.clone().unwrap_or_default()))
            .or_else(|| word("verdict", w(&p.verdict).as_deref(), v.verdict.clone().unwrap_or_default()))
            .or_else(|| word("reason", w(&p.reason).as_deref(), text("reason")))
            .or_else(|| misfit("object", s(&p.object).as_deref(), text("object")))
            .or_else(|| word("protocol", w(&p.protocol).as_deref(), protocol(&v)))
            .or_else(|| misfit("src", r.src.as_deref(), text("src")))
            .or_else(|| misfit("dst", r.dst.as_deref(), text("dst")))
            .or_else(|| misfit("sport", n(p.sport.as_ref().map(|x| u64::from(x.value))).as_deref(), header(&v, "sport")))
            .or_else(|| misfit("dport", n(p.dport.as_ref().map(|x| u64::from(x.value))).as_deref(), header(&v, "dport")))
            .or_else(|| misfit("ttl", n(p.ttl.as_ref().map(|x| u64::from(x.value))).as_deref(), header(&v, "ttl")))
            .or_else(|| p.changed.as_ref().filter(|c| !v.changes(&c.value)).map(|_| "changed"))
    }

    /// The hook that a step belongs to.
    fn hook(&self, v: &StepView<'_>) -> String {
        if v.kind == Kind::Hook {
            return v.field("hook").unwrap_or_default();
        }
        let hook = self.report.index.hook_of(v.n - 1).and_then(|n| self.report.step(StepId(n)));
        hook.and_then(|h| h.field("hook")).unwrap_or_default()
    }

    /// What came nearest to a pattern, in words.
    pub fn nearest(&self, p: &StepPattern) -> String {
        const ORDER: &[&str] = &[
            "step",
            "kind",
            "on",
            "flow",
            "direction",
            "dev",
            "kernel",
            "hook",
            "table",
            "chain",
            "rule",
            "matched",
            "row",
            "verdict",
            "reason",
            "object",
            "protocol",
            "src",
            "dst",
            "sport",
            "dport",
            "ttl",
            "changed",
        ];
        let ready = self.ready(p, None);
        let rank = |f: &str| ORDER.iter().position(|x| *x == f).unwrap_or(0);
        let mut best: Option<(usize, StepId, &str)> = None;
        for n in 0..self.report.len() as u32 {
            if let Some(field) = self.misfit(&ready, StepId(n))
                && best.is_none_or(|(r, ..)| rank(field) > r)
            {
                best = Some((rank(field), StepId(n), field));
            }
        }
        match best {
            Some((r, id, field)) if r > rank("flow") => {
                let value = self.report.step(id).and_then(|v| v.field(field)).unwrap_or_default();
                let value = if value.is_empty() { String::new() } else { format!(" ({value})") };
                format!("none does; step {} comes nearest, and differs in {field}{value}: {}", id.0 + 1, self.tell(id))
            }
            _ => "none does".to_owned(),
        }
    }

    /// A step in a line.
    pub fn tell(&self, id: StepId) -> String {
        let Some(v) = self.report.step(id) else { return String::new() };
        let mut out = format!("{}{} {}", v.netns, if v.dev.is_empty() { String::new() } else { format!(" {}", v.dev) }, v.kind.name());
        if let Some(row) = &v.row {
            let _ = write!(out, " {row}");
        }
        out
    }

    /// Whether a pod of the list served a flow.
    pub(super) fn served_by(&self, s: &ServedBy) -> Result<(), String> {
        let flow = self.flow(&s.flow.value).and_then(|id| self.report.flow(id)).ok_or("it did not run")?;
        let server = flow.outcome.server.ok_or("no server saw it")?;
        let label = self.report.label(server.netns);
        let fits = |name: &str| wild(name.strip_prefix("pod/").unwrap_or(name), label);
        if s.pods.iter().any(|p| fits(&p.value)) { Ok(()) } else { Err(format!("{label} did")) }
    }
}

fn matched(v: &StepView<'_>) -> bool {
    match v.evidence("matched") {
        Some(Value::Bool(b)) => *b,
        // a rule step exists where a rule matched; the end of a chain and a policy match nothing
        _ => v.kind == Kind::Rule && matches!(v.evidence("rule"), Some(Value::Num(_))),
    }
}

/// A field of the innermost header that has one.
fn header(v: &StepView<'_>, name: &str) -> String {
    sim_core::report::headers::innermost(&v.headers, name).map(Value::to_string).unwrap_or_default()
}

fn protocol(v: &StepView<'_>) -> String {
    v.headers.last().map(|l| l.name.to_owned()).unwrap_or_default()
}

/// Whether two words are the same, as files and traces spell them.
fn same_word(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes().zip(b.bytes()).all(|(x, y)| x.eq_ignore_ascii_case(&y) || (matches!(x, b'-' | b'_') && matches!(y, b'-' | b'_')))
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
pub fn wild(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for p in parts {
        match rest.find(p) {
            Some(i) => rest = &rest[i + p.len()..],
            None => return false,
        }
    }
    // `… *` at the end of a row stands for nothing too
    rest.ends_with(last)
}

/// A pattern in a line.
pub fn print(p: &StepPattern) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut add = |name: &str, value: Option<String>| out.extend(value.map(|v| format!("{name} {v}")));
    let s = |x: &Option<crate::schema::At<String>>| x.as_ref().map(|a| a.value.clone());
    let w = |x: &Option<crate::schema::At<crate::schema::Word>>| x.as_ref().map(|a| a.value.0.clone());
    add("flow", s(&p.flow));
    add("direction", p.direction.as_ref().map(|d| format!("{:?}", d.value).to_lowercase()));
    add("on", s(&p.on));
    add("dev", s(&p.dev));
    add("kind", w(&p.kind));
    add("kernel", s(&p.kernel));
    add("hook", w(&p.hook));
    add("table", s(&p.table));
    add("chain", s(&p.chain));
    add("rule", p.rule.as_ref().map(|r| r.value.to_string()));
    add("matched", p.matched.as_ref().map(|m| m.value.to_string()));
    add("row", s(&p.row).map(|r| format!("\"{r}\"")));
    add("verdict", w(&p.verdict));
    add("reason", w(&p.reason));
    add("object", s(&p.object));
    add("protocol", w(&p.protocol));
    add("src", s(&p.src));
    add("dst", s(&p.dst));
    add("sport", p.sport.as_ref().map(|r| r.value.to_string()));
    add("dport", p.dport.as_ref().map(|r| r.value.to_string()));
    add("ttl", p.ttl.as_ref().map(|r| r.value.to_string()));
    add("changed", s(&p.changed));
    add("nth", p.nth.as_ref().map(|r| r.value.to_string()));
    out.join(", ")
}

#[cfg(test)]
mod tests {
    use super::wild;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, fits) in [
            ("10.244.1.0/24 via 10.168.0.3 *", "10.244.1.0/24 via 10.168.0.3 dev eth0", true),
            ("default via 10.168.0.1 *", "default via 10.168.0.1 dev eth0", true),
            ("KUBE-SVC-*", "KUBE-SVC-QK3T", true),
            ("KUBE-SVC-*", "KUBE-SEP-QK3T", false),
            ("*", "", true),
            ("a*b*c", "aXbXXc", true),
            ("a*b*c", "aXcXXb", false),
            ("a*a", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(wild(pattern, text), fits, "{pattern} {text}");
        }
    }
}
