//! Verdicts in words: one line where both kernels agree, two columns where they do not.

use crate::account::Observed;
use crate::account::compare::Difference;
use crate::verify::{Sides, Verdict};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Rows shown before the first difference, and behind it.
const AROUND: usize = 4;

/// A verdict to be read.
pub fn text(id: &str, verdict: &Verdict, width: usize) -> String {
    match verdict {
        Verdict::Equal(sides) => {
            let o = &sides.real;
            let ct: usize = o.conntrack.values().map(Vec::len).sum();
            format!(
                "{id}: equal ({} frames, {} packets at hooks, {} outcomes, {ct} conntrack entries)\n",
                o.steps.len(),
                o.hooks.len(),
                o.outcome.len()
            )
        }
        Verdict::Skipped(why) => format!("{id}: skipped: {why}\n"),
        Verdict::Command(e) => format!("{id}: different: {e}\n"),
        Verdict::Failed(e) => format!("{id}: not verified: {e}\n"),
        Verdict::Different(d, sides) => {
            let mut s = format!("{id}: different: {}\n", d.at);
            let _ = writeln!(s, "  simulated    {}", d.ours);
            let _ = writeln!(s, "  real kernel  {}", d.golden);
            s.push_str(&columns(d, sides, width));
            s
        }
    }
}

/// Both sides around the difference.
fn columns(d: &Difference, sides: &Sides, width: usize) -> String {
    let (Some(netns), Some(index)) = (&d.netns, d.index) else { return String::new() };
    let of = |o: &Observed| -> Vec<String> {
        let rows = if d.what == "hooks" { &o.hooks } else { &o.steps };
        rows.iter().filter(|r| r.get("netns").and_then(Value::as_str) == Some(netns)).flat_map(lines).collect()
    };
    // what is told in several lines is counted in rows
    let before = |o: &Observed| -> usize {
        let rows = if d.what == "hooks" { &o.hooks } else { &o.steps };
        rows.iter().filter(|r| r.get("netns").and_then(Value::as_str) == Some(netns)).take(index).map(|r| lines(r).len()).sum()
    };
    let (ours, real) = (of(&sides.simulated), of(&sides.real));
    let (a, b) = (before(&sides.simulated), before(&sides.real));
    let half = (width.saturating_sub(5) / 2).max(30);
    let mut s = format!("\n  {:half$} | {}\n", format!("{netns}, simulated"), "real kernel");
    let from = AROUND.min(a).min(b);
    for i in 0..(from + AROUND + 3) {
        let (l, r) = (ours.get(a + i - from), real.get(b + i - from));
        if l.is_none() && r.is_none() {
            break;
        }
        let mark = if i == from { '>' } else { ' ' };
        let _ = writeln!(s, "{mark} {:half$} | {}", cut(l, half), cut(r, half));
    }
    s
}

fn cut(text: Option<&String>, width: usize) -> String {
    let text = text.map_or("-", String::as_str);
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width - 1).chain(['…']).collect() }
}

/// A row in short lines: a frame is one, a packet at the hooks is one a hook.
fn lines(row: &Map<String, Value>) -> Vec<String> {
    let word = |m: &Map<String, Value>, k: &str| match m.get(k) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Null) | None => String::new(),
        Some(v) => v.to_string(),
    };
    if let Some(Value::Array(hooks)) = row.get("hooks") {
        return hooks
            .iter()
            .filter_map(Value::as_object)
            .map(|h| {
                let mut s = format!("{} {}", word(h, "hook"), word(h, "before"));
                match h.get("after").and_then(Value::as_str) {
                    Some("=") => {}
                    Some(a) => s.push_str(&format!(" => {a}")),
                    None if h.contains_key("after") => s.push_str(" => gone"),
                    None => {}
                }
                for r in h.get("rules").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_array) {
                    let words: Vec<String> = r.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect();
                    s.push_str(&format!(" [{}]", words.join(" ")));
                }
                if let Some(ct) = h.get("ct").and_then(Value::as_str) {
                    s.push_str(&format!(" ct {ct}"));
                }
                s
            })
            .collect();
    }
    let what = if row.contains_key("arp") {
        word(row, "arp")
    } else if row.contains_key("src") {
        crate::account::words::line_of(row)
    } else {
        word(row, "ethertype")
    };
    vec![format!("{} {} {what}", word(row, "dev"), word(row, "dir"))]
}

/// A verdict as JSON.
pub fn document(id: &str, verdict: &Verdict) -> Value {
    let account = |o: &Observed| json!({"steps": o.steps, "hooks": o.hooks, "outcome": o.outcome, "conntrack": o.conntrack});
    match verdict {
        Verdict::Equal(s) => {
            json!({"scenario": id, "verdict": "equal", "frames": s.real.steps.len(), "packets_at_hooks": s.real.hooks.len()})
        }
        Verdict::Skipped(why) => json!({"scenario": id, "verdict": "skipped", "why": why}),
        Verdict::Command(e) => json!({"scenario": id, "verdict": "different", "at": "command", "why": e.to_string()}),
        Verdict::Failed(e) => json!({"scenario": id, "verdict": "failed", "why": e.to_string()}),
        Verdict::Different(d, s) => json!({
            "scenario": id,
            "verdict": "different",
            "at": d.at,
            "simulated": d.ours,
            "real": d.golden,
            "accounts": {"simulated": account(&s.simulated), "real": account(&s.real)},
        }),
    }
}
