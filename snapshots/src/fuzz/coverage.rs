//! What the cases covered, and what of the registries none of them had.

use sim_core::linux::netfilter::{matches, targets};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Counts by feature.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    /// Counts the features of a case.
    pub fn add(&mut self, features: &BTreeSet<String>) {
        for f in features {
            *self.0.entry(f.clone()).or_insert(0) += 1;
        }
    }

    /// How often a feature was there.
    pub fn of(&self, feature: &str) -> usize {
        self.0.get(feature).copied().unwrap_or(0)
    }

    /// All counts, by kind of feature, and what was never there.
    pub fn text(&self) -> String {
        let mut s = String::new();
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (f, n) in &self.0 {
            let (kind, rest) = f.split_once(' ').unwrap_or((f, ""));
            kinds.entry(kind).or_default().push(format!("{} {n}", if rest.is_empty() { kind } else { rest }));
        }
        for (kind, list) in kinds {
            let _ = writeln!(s, "{kind:8} {}", list.join(", "));
        }
        let never = |kind: &str, names: &[&str]| -> Vec<String> {
            names.iter().filter(|n| self.of(&format!("{kind} {n}")) == 0).map(|n| format!("{kind} {n}")).collect()
        };
        let mut none = never("match", matches::NAMES);
        none.extend(never("target", targets::NAMES));
        let _ = writeln!(s, "never    {}", if none.is_empty() { "nothing of the registries".to_owned() } else { none.join(", ") });
        s
    }
}
