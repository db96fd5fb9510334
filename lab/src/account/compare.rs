//! The comparison of what a real kernel did with what the simulator did.
//!
//! Compared are: outcomes, every key in order; frames, every key but `n`, in order within a namespace; hooks, every key but
//! `step`, in order within a namespace; conntrack entries, as a set of lines per namespace. Ports that are not among the
//! known ones are `EPH1`, `EPH2`, … there and `#40001` here: they must be the same up to one consistent renaming.
//! On kernel 6.1 the conntrack state of a hook is not compared, and a rule number `end` with verdict return also stands for
//! an explicit RETURN: its trace has neither.

use super::observe::Observed;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The first difference, with both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where: `steps of nodeA, 7th: ttl`.
    pub at: String,
    /// What the kernel did.
    pub golden: String,
    /// What the simulator did.
    pub ours: String,
    /// What is compared: `steps`, `hooks`, `outcome`, `conntrack`.
    pub what: &'static str,
    /// Of which namespace, and the how manieth row there, from 0, if it is about a row.
    pub netns: Option<String>,
    /// See `netns`.
    pub index: Option<usize>,
}

impl Difference {
    fn new(at: impl Into<String>, golden: impl Into<String>, ours: impl Into<String>) -> Self {
        Difference { at: at.into(), golden: golden.into(), ours: ours.into(), what: "", netns: None, index: None }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n      kernel     {}\n      simulator  {}", self.at, self.golden, self.ours)
    }
}

/// One consistent renaming of ports.
#[derive(Clone, Debug, Default)]
struct Renaming {
    there: IndexMap<String, String>,
    here: IndexMap<String, String>,
}

impl Renaming {
    fn same(&mut self, there: &str, here: &str) -> bool {
        match (self.there.get(there), self.here.get(here)) {
            (None, None) => {
                self.there.insert(there.to_owned(), here.to_owned());
                self.here.insert(here.to_owned(), there.to_owned());
                true
            }
            (Some(h), Some(t)) => h == here && t == there,
            _ => false,
        }
    }

    /// Whether two texts are equal, ports renamed.
    fn text(&mut self, golden: &str, ours: &str) -> bool {
        let (g, o) = (pieces(golden), pieces(ours));
        let kept = self.clone();
        let same = g.len() == o.len()
            && g.iter().zip(&o).all(|(g, o)| match (g.starts_with("EPH") && g.len() > 3, o.starts_with('#')) {
                (true, true) => self.same(g, o),
                (false, false) => g == o,
                _ => false,
            });
        if !same {
            *self = kept;
        }
        same
    }

    fn value(&mut self, golden: &Value, ours: &Value) -> bool {
        match (golden, ours) {
            (Value::String(g), Value::String(o)) => self.text(g, o),
            (Value::Array(g), Value::Array(o)) => g.len() == o.len() && g.iter().zip(o).all(|(g, o)| self.value(g, o)),
            (Value::Object(g), Value::Object(o)) => g.len() == o.len() && g.iter().all(|(k, g)| o.get(k).is_some_and(|o| self.value(g, o))),
            _ => golden == ours,
        }
    }
}

/// Cuts a text into symbolic ports and what stands between them.
fn pieces(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    let find = |s: &str| {
        let eph = s.find("EPH").filter(|i| s[i + 3..].starts_with(|c: char| c.is_ascii_digit()));
        let hash = s.find('#').filter(|i| s[i + 1..].starts_with(|c: char| c.is_ascii_digit()));
        match (eph, hash) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    };
    while let Some(at) = find(rest) {
        out.push(rest[..at].to_owned());
        let skip = if rest[at..].starts_with('#') { 1 } else { 3 };
        let digits = rest[at + skip..].chars().take_while(char::is_ascii_digit).count();
        out.push(rest[at..at + skip + digits].to_owned());
        rest = &rest[at + skip + digits..];
    }
    out.push(rest.to_owned());
    out
}

/// What the comparison must know beside the two accounts.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The namespaces to be compared, in order.
    pub netns: Vec<String>,
    /// What was done: one word for each outcome.
    pub actions: Vec<String>,
    /// A kernel whose rule trace has no conntrack state and no handle for an explicit RETURN (6.1).
    pub old_trace: bool,
}

/// The first difference between what a real kernel did and what the simulator did; none if they are equal.
pub fn compare(terms: &Terms, golden: &Observed, ours: &Observed) -> Option<Difference> {
    let mut names = Renaming::default();
    let old = terms.old_trace;
    rows(terms, "steps", &golden.steps, &ours.steps, &["n"], &mut names)
        .or_else(|| outcomes(terms, golden, ours, &mut names))
        .or_else(|| {
            let fit = |m: &Map<String, Value>| if old { without_ct(m) } else { m.clone() };
            let (g, o): (Vec<_>, Vec<_>) = (golden.hooks.iter().map(fit).collect(), ours.hooks.iter().map(fit).collect());
            let relaxed = if old { relax_returns(&g, &o) } else { g };
            rows(terms, "hooks", &relaxed, &o, &["step"], &mut names)
        })
        .or_else(|| conntrack(terms, golden, ours, &mut names))
}

fn outcomes(terms: &Terms, golden: &Observed, ours: &Observed, names: &mut Renaming) -> Option<Difference> {
    for (i, g) in golden.outcome.iter().enumerate() {
        let action = terms.actions.get(i).map_or("", String::as_str);
        let empty = Map::new();
        let o = ours.outcome.get(i).unwrap_or(&empty);
        if let Some(d) = object(&format!("outcome of action {i} {action}"), g, o, &[], names) {
            return Some(d);
        }
    }
    (golden.outcome.len() != ours.outcome.len())
        .then(|| Difference::new("number of outcomes", golden.outcome.len().to_string(), ours.outcome.len().to_string()))
}

fn object(at: &str, g: &Map<String, Value>, o: &Map<String, Value>, ignore: &[&str], names: &mut Renaming) -> Option<Difference> {
    let keys: Vec<&String> = g.keys().chain(o.keys().filter(|k| !g.contains_key(*k))).filter(|k| !ignore.contains(&k.as_str())).collect();
    for k in keys {
        let same = match (g.get(k), o.get(k)) {
            (Some(a), Some(b)) => names.value(a, b),
            (None, None) => true,
            _ => false,
        };
        if !same {
            let show = |v: Option<&Value>| v.map_or_else(|| "(no such key)".to_owned(), ToString::to_string);
            return Some(Difference::new(
                format!("{at}: `{k}`"),
                format!("{}   in {}", show(g.get(k)), Value::Object(g.clone())),
                format!("{}   in {}", show(o.get(k)), Value::Object(o.clone())),
            ));
        }
    }
    None
}

fn by_namespace(rows: &[Map<String, Value>]) -> IndexMap<String, Vec<&Map<String, Value>>> {
    let mut out: IndexMap<String, Vec<&Map<String, Value>>> = IndexMap::new();
    for r in rows {
        let ns = r.get("netns").and_then(Value::as_str).unwrap_or("").to_owned();
        out.entry(ns).or_default().push(r);
    }
    out
}

fn rows(
    terms: &Terms,
    what: &'static str,
    g: &[Map<String, Value>],
    o: &[Map<String, Value>],
    ignore: &[&str],
    names: &mut Renaming,
) -> Option<Difference> {
    let (gs, os) = (by_namespace(g), by_namespace(o));
    let none = Vec::new();
    let mut found: Option<(usize, Difference)> = None;
    for ns in &terms.netns {
        let (gr, or) = (gs.get(ns).unwrap_or(&none), os.get(ns).unwrap_or(&none));
        for i in 0..gr.len().max(or.len()) {
            let at = format!("{what} of {ns}, number {}", i + 1);
            let d = match (gr.get(i), or.get(i)) {
                (Some(g), Some(o)) if what == "hooks" => hooks(&at, g, o, names),
                (Some(g), Some(o)) => object(&at, g, o, ignore, names),
                (Some(g), None) => {
                    Some(Difference::new(at, Value::Object((*g).clone()).to_string(), format!("nothing: {} {what} in all", or.len())))
                }
                (None, Some(o)) => {
                    Some(Difference::new(at, format!("nothing: {} {what} in all", gr.len()), Value::Object((*o).clone()).to_string()))
                }
                (None, None) => None,
            };
            if let Some(d) = d {
                let d = Difference { what, netns: Some(ns.clone()), index: Some(i), ..d };
                // the earliest difference in the golden's own order is the one to look at
                let order =
                    gr.get(i).and_then(|r| r.get("n").or_else(|| r.get("step"))).and_then(Value::as_u64).unwrap_or(u64::MAX) as usize;
                if found.as_ref().is_none_or(|(best, _)| order < *best) {
                    found = Some((order, d));
                }
                break;
            }
        }
    }
    found.map(|(_, d)| d)
}

/// Two packets at the hooks: hook by hook, so that the difference names the hook.
fn hooks(at: &str, g: &Map<String, Value>, o: &Map<String, Value>, names: &mut Renaming) -> Option<Difference> {
    let list = |m: &Map<String, Value>| m.get("hooks").and_then(Value::as_array).cloned().unwrap_or_default();
    let (gh, oh) = (list(g), list(o));
    let name = |v: &Value| v.get("hook").and_then(Value::as_str).unwrap_or("").to_owned();
    for (i, (a, b)) in gh.iter().zip(&oh).enumerate() {
        if let (Value::Object(a), Value::Object(b)) = (a, b)
            && let Some(d) = object(&format!("{at}, hook {} ({})", i + 1, name(&gh[i])), a, b, &[], names)
        {
            return Some(d);
        }
    }
    let names_of = |h: &[Value]| h.iter().map(name).collect::<Vec<_>>().join(" ");
    if gh.len() != oh.len() {
        return Some(Difference::new(format!("{at}: hooks visited"), names_of(&gh), names_of(&oh)));
    }
    object(at, g, o, &["step", "hooks"], names)
}

fn without_ct(packet: &Map<String, Value>) -> Map<String, Value> {
    let mut packet = packet.clone();
    if let Some(Value::Array(hooks)) = packet.get_mut("hooks") {
        for h in hooks {
            if let Value::Object(h) = h {
                h.remove("ct");
            }
        }
    }
    packet
}

/// On kernel 6.1: where the golden says `end` and ours names a rule, both returning, the golden's row becomes ours.
fn relax_returns(g: &[Map<String, Value>], o: &[Map<String, Value>]) -> Vec<Map<String, Value>> {
    let (gs, os) = (by_namespace(g), by_namespace(o));
    let mut out = Vec::new();
    for (ns, rows) in gs {
        for (i, row) in rows.into_iter().enumerate() {
            let mut row = row.clone();
            let ours = os.get(&ns).and_then(|r| r.get(i));
            if let (Some(Value::Array(hooks)), Some(Value::Array(our_hooks))) = (row.get_mut("hooks"), ours.and_then(|o| o.get("hooks"))) {
                for (h, oh) in hooks.iter_mut().zip(our_hooks) {
                    let (Some(Value::Array(rules)), Some(Value::Array(our_rules))) = (h.get_mut("rules"), oh.get("rules")) else {
                        continue;
                    };
                    drop_base_ends(rules, our_rules);
                    for (r, or) in rules.iter_mut().zip(our_rules) {
                        if r.get(2) == Some(&Value::from("end"))
                            && r.get(3) == Some(&Value::from("return"))
                            && or.get(3) == r.get(3)
                            && or.get(1) == r.get(1)
                        {
                            *r = or.clone();
                        }
                    }
                }
            }
            out.push(row);
        }
    }
    out
}

/// On kernel 6.1 the trace tells of the end of a base chain before it tells of its policy; later ones do not. The row stays where
/// ours names a rule that returned.
fn drop_base_ends(rules: &mut Vec<Value>, ours: &[Value]) {
    let mut i = 0;
    while i + 1 < rules.len() {
        let (end, policy) = (&rules[i], &rules[i + 1]);
        let is = |v: &Value, at: usize, text: &str| v.get(at) == Some(&Value::from(text));
        let ends = is(end, 2, "end") && is(end, 3, "return") && is(policy, 2, "policy");
        let same = end.get(0) == policy.get(0) && end.get(1) == policy.get(1);
        let ours_returned = ours.get(i).is_some_and(|o| o.get(1) == end.get(1) && is(o, 3, "return"));
        if ends && same && !ours_returned {
            rules.remove(i);
        } else {
            i += 1;
        }
    }
}

fn conntrack(terms: &Terms, golden: &Observed, ours: &Observed, names: &mut Renaming) -> Option<Difference> {
    let none = Vec::new();
    for ns in &terms.netns {
        let (g, o) = (golden.conntrack.get(ns).unwrap_or(&none), ours.conntrack.get(ns).unwrap_or(&none));
        let mut left: Vec<&String> = o.iter().collect();
        for line in g {
            match left.iter().position(|l| names.text(line, l)) {
                Some(i) => {
                    left.remove(i);
                }
                None => return Some(Difference::new(format!("conntrack of {ns}"), line.clone(), format!("{left:?}"))),
            }
        }
        if let Some(extra) = left.first() {
            return Some(Difference::new(format!("conntrack of {ns}"), "no such entry", (*extra).clone()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renaming_is_one_to_one() {
        let mut r = Renaming::default();
        assert!(r.text("10.0.0.1:EPH1>10.0.0.2:80", "10.0.0.1:#40000>10.0.0.2:80"));
        assert!(r.text("sport=EPH1 dport=EPH2", "sport=#40000 dport=#40001"));
        assert!(!r.text("EPH2", "#40000"));
        assert!(!r.text("EPH3", "#40001"));
        assert!(!r.text("EPH1", "40000"));
        assert!(!r.text("EPH1 x", "#40000 y"));
    }
}
