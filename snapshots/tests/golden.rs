//! The goldens of the real kernel hold, and a golden that says something else is reported.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use lab::account::Observed;
use serde_json::Value;
use snapshots::golden::{self, Golden, Verdict, compare};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/kernel")
}

fn all() -> Vec<(String, Golden)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("a folder of goldens")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    paths.iter().map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), golden::read(p).unwrap())).collect()
}

#[test]
fn every_golden_holds() {
    let goldens = all();
    assert!(goldens.len() >= 9, "goldens 01, 02, 05, 06, 13, 16, 17, 20 and 21 at least");
    let wrong: Vec<String> = goldens
        .iter()
        .filter_map(|(name, g)| match golden::check(g) {
            Verdict::Equal => None,
            Verdict::Different(d) => Some(format!("{name}: {d}")),
            Verdict::CannotRun(why) => Some(format!("{name}: cannot be run: {why}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Calls `visit` with a copy of `root` in which one scalar is another, for every scalar below it that is compared.
fn each_change(
    root: &Value,
    at: &mut Vec<String>,
    whole: &Value,
    skip: &dyn Fn(&[String]) -> bool,
    visit: &mut dyn FnMut(&[String], Value),
) {
    match root {
        Value::Object(m) => {
            for (k, v) in m {
                at.push(k.clone());
                if !skip(at) {
                    each_change(v, at, whole, skip, visit);
                }
                at.pop();
            }
        }
        Value::Array(a) => {
            for (i, v) in a.iter().enumerate() {
                at.push(i.to_string());
                each_change(v, at, whole, skip, visit);
                at.pop();
            }
        }
        scalar => {
            let other = match scalar {
                Value::Bool(b) => Value::Bool(!b),
                Value::Number(n) => Value::from(n.as_u64().map_or(1, |n| n + 1)),
                Value::String(s) => Value::String(format!("{s}x")),
                _ => Value::from("x"),
            };
            let mut changed = whole.clone();
            let mut place = &mut changed;
            for key in at.iter() {
                place = match place {
                    Value::Object(m) => m.get_mut(key).unwrap(),
                    Value::Array(a) => &mut a[key.parse::<usize>().unwrap()],
                    _ => unreachable!("a path leads through objects and lists"),
                };
            }
            *place = other;
            visit(at, changed);
        }
    }
}

#[test]
fn a_golden_changed_in_any_compared_field_is_reported() {
    let (name, original) = all().into_iter().find(|(n, _)| n.starts_with("13-")).expect("golden 13");
    let ours = golden::observe(&original).unwrap();
    assert_eq!(compare(&original, &ours), None, "{name} holds as it is");
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    let mut tried = 0;
    let mut missed = Vec::new();
    for part in ["outcome", "steps", "hooks", "conntrack"] {
        let mut at = vec![part.to_owned()];
        // `n` and `step` number the kernel's capture, and `action` is the input
        let skip = |at: &[String]| matches!(at.last().map(String::as_str), Some("n" | "step" | "action"));
        each_change(&whole[part], &mut at, &whole, &skip, &mut |at, changed| {
            tried += 1;
            let changed: Golden = match serde_json::from_value(changed) {
                Ok(g) => g,
                // a golden that cannot be read is reported before it is compared
                Err(_) => return,
            };
            if compare(&changed, &ours).is_none() {
                missed.push(at.join("."));
            }
        });
    }
    assert!(tried > 500, "only {tried} fields were changed");
    assert!(missed.is_empty(), "changes that went unnoticed: {missed:?}");
}

#[test]
fn a_row_more_or_less_is_reported() {
    let (_, original) = all().into_iter().find(|(n, _)| n.starts_with("01-")).expect("golden 01");
    let ours: Observed = golden::observe(&original).unwrap();
    for cut in 0..4 {
        let mut g = original.clone();
        match cut {
            0 => drop(g.steps.pop()),
            1 => drop(g.hooks.pop()),
            2 => drop(g.outcome.pop()),
            _ => drop(g.conntrack.insert("podA1".to_owned(), vec!["udp src=1.1.1.1".to_owned()])),
        }
        assert!(compare(&g, &ours).is_some(), "cut {cut}");
    }
}

#[test]
fn kernel_6_1_is_compared_without_conntrack_and_with_its_returns() {
    let (_, mut g) = all().into_iter().find(|(n, _)| n.starts_with("05-")).expect("golden 05");
    let ours = golden::observe(&g).unwrap();
    let strip = |hooks: &mut Vec<serde_json::Map<String, Value>>| {
        for h in hooks.iter_mut().filter_map(|p| p.get_mut("hooks")).filter_map(Value::as_array_mut).flatten() {
            let m = h.as_object_mut().unwrap();
            m.shift_remove("ct");
            for r in m.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
                if r[3] == "return" {
                    r[2] = Value::from("end");
                }
            }
        }
    };
    strip(&mut g.hooks);
    assert!(compare(&g, &ours).is_some(), "on 6.18 both are differences");
    g.kernel = "6.1".to_owned();
    assert_eq!(compare(&g, &ours), None);
}
