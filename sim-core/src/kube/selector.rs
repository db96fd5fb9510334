//! Label selectors.
//!
//! Models: apimachinery pkg/labels/selector.go Requirement.Matches, pkg/apis/meta/v1 LabelSelector.

use super::meta::Labels;
use std::fmt;
use std::sync::Arc;

/// How the value of a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorOp {
    /// The value is one of those given.
    In,
    /// There is no such label, or its value is none of those given.
    NotIn,
    /// There is such a label.
    Exists,
    /// There is no such label.
    DoesNotExist,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Label key.
    pub key: Arc<str>,
    /// How.
    pub op: SelectorOp,
    /// With what.
    pub values: Vec<Arc<str>>,
}

impl Requirement {
    /// Whether the labels fit.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.op {
            SelectorOp::In => value.is_some_and(|v| self.values.contains(v)),
            SelectorOp::NotIn => value.is_none_or(|v| !self.values.contains(v)),
            SelectorOp::Exists => value.is_some(),
            SelectorOp::DoesNotExist => value.is_none(),
        }
    }
}

/// A selector: all that it says must hold. One that says nothing fits everything.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Selector {
    /// `matchLabels`, or the plain map of a Service.
    pub match_labels: Labels,
    /// `matchExpressions`.
    pub match_expressions: Vec<Requirement>,
}

impl Selector {
    /// A selector of exact values.
    pub fn of(match_labels: Labels) -> Self {
        Selector { match_labels, match_expressions: Vec::new() }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether the labels fit.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(k, v)| labels.get(k) == Some(v)) && self.match_expressions.iter().all(|r| r.matches(labels))
    }
}

impl fmt::Display for Selector {
    /// `app=web,tier in (a,b),!old`, as `kubectl get -l` takes it; `<none>` for the empty one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("<none>");
        }
        let mut parts: Vec<String> = self.match_labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        for r in &self.match_expressions {
            let values = r.values.join(",");
            parts.push(match r.op {
                SelectorOp::In => format!("{} in ({values})", r.key),
                SelectorOp::NotIn => format!("{} notin ({values})", r.key),
                SelectorOp::Exists => r.key.to_string(),
                SelectorOp::DoesNotExist => format!("!{}", r.key),
            });
        }
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    fn req(key: &str, op: SelectorOp, values: &[&str]) -> Requirement {
        Requirement { key: key.into(), op, values: values.iter().map(|v| (*v).into()).collect() }
    }

    #[test]
    fn letters_count_and_all_must_hold() {
        let s = Selector::of(labels(&[("app", "shop"), ("tier", "web")]));
        assert!(s.matches(&labels(&[("app", "shop"), ("tier", "web"), ("x", "y")])));
        assert!(!s.matches(&labels(&[("app", "Shop"), ("tier", "web")])));
        assert!(!s.matches(&labels(&[("app", "shop")])));
        assert!(Selector::default().matches(&labels(&[])));
    }

    #[test]
    fn expressions() {
        let have = labels(&[("app", "a")]);
        let cases = [
            (req("app", SelectorOp::In, &["a", "b"]), true),
            (req("app", SelectorOp::In, &["b"]), false),
            (req("none", SelectorOp::In, &["a"]), false),
            (req("app", SelectorOp::NotIn, &["a"]), false),
            // A label that is not there is in no list.
            (req("none", SelectorOp::NotIn, &["a"]), true),
            (req("app", SelectorOp::Exists, &[]), true),
            (req("app", SelectorOp::DoesNotExist, &[]), false),
            (req("none", SelectorOp::DoesNotExist, &[]), true),
        ];
        for (r, want) in cases {
            assert_eq!(r.matches(&have), want, "{r:?}");
        }
    }

    #[test]
    fn prints_as_kubectl_takes_it() {
        let s = Selector {
            match_labels: labels(&[("app", "web")]),
            match_expressions: vec![req("tier", SelectorOp::In, &["a", "b"]), req("old", SelectorOp::DoesNotExist, &[])],
        };
        assert_eq!(s.to_string(), "app=web,tier in (a,b),!old");
        assert_eq!(Selector::default().to_string(), "<none>");
    }
}
