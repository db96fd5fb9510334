//! One text to one [`Scenario`] with all that is wrong in its form.

use crate::diag::Diagnostic;
use crate::schema::Scenario;
use crate::text::{Kind, Node, Span, de, parse};
use ron::extensions::Extensions;

/// What came of a text.
#[derive(Debug)]
pub struct Text {
    /// The tree, for places and for names that stand in entries with errors.
    pub root: Node,
    /// The scenario, without what did not fit; none if nothing could be read.
    pub scenario: Option<Scenario>,
    /// What is wrong with the form.
    pub errors: Vec<Diagnostic>,
}

/// The language: what stands in no file needs no `Some`, no newtype's name.
pub fn language() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_NEWTYPES)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// Reads a text. Never fails: what is wrong is in `errors`.
pub fn text(src: &str) -> Text {
    let parsed = parse::parse(src);
    let mut errors = parsed.errors;
    if !parsed.whole {
        return Text { root: parsed.root, scenario: None, errors };
    }
    twice(&parsed.root, &mut errors);
    let read = de::read::<Scenario>(&parsed.root);
    errors.extend(read.errors);
    if let Some(s) = &read.value {
        required(s, &parsed.root, &mut errors);
    }
    if errors.is_empty()
        && let Err(e) = language().from_str::<Scenario>(src.strip_prefix('\u{feff}').unwrap_or(src))
    {
        errors.push(from_ron(src, &e));
    }
    Text { root: parsed.root, scenario: read.value, errors }
}

fn from_ron(src: &str, e: &ron::error::SpannedError) -> Diagnostic {
    let byte = |line: usize, column: usize| {
        let start: usize = src.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let rest = &src[start.min(src.len())..];
        start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
    };
    let span = Span::new(byte(e.span.start.line, e.span.start.col), byte(e.span.end.line, e.span.end.col));
    Diagnostic::error(span, e.code.to_string().to_lowercase())
}

fn required(s: &Scenario, root: &Node, errors: &mut Vec<Diagnostic>) {
    let head = match &root.kind {
        Kind::Struct { name: Some((_, span)), .. } => *span,
        _ => Span::new(root.span.start, root.span.start + 1),
    };
    for (there, field, help) in [
        (s.format.is_some(), "format", "write `format: 1,`"),
        (s.title.is_some(), "title", "write `title: \"…\",`: what the list of lessons shows"),
    ] {
        if !there && root.get(field).is_none() {
            errors.push(Diagnostic::error(head, format!("a scenario needs `{field}`")).label(format!("`{field}` is missing")).help(help));
        }
    }
}

/// Fields and keys that are given twice.
fn twice(root: &Node, errors: &mut Vec<Diagnostic>) {
    root.walk(&mut |node| {
        let mut seen: Vec<(String, Span)> = Vec::new();
        let mut add = |kind: &str, name: String, span: Span| {
            if let Some((_, first)) = seen.iter().find(|(n, _)| *n == name) {
                let what =
                    if kind == "key" { format!("the key \"{name}\" is given twice") } else { format!("the field `{name}` is given twice") };
                errors.push(Diagnostic::error(span, what).label("second time").and(*first, "first time").help("keep one of the two"));
            } else {
                seen.push((name, span));
            }
        };
        match &node.kind {
            Kind::Struct { fields, .. } => fields.iter().for_each(|f| add("field", f.name.clone(), f.name_span)),
            Kind::Map(pairs) => {
                pairs.iter().filter_map(|(k, _)| Some((k.as_str()?, k.span))).for_each(|(k, s)| add("key", k.to_owned(), s))
            }
            _ => {}
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn examples() -> Vec<(String, String)> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let mut files: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|x| x == "ron")).collect();
        files.sort();
        files.iter().map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(p).unwrap())).collect()
    }

    #[test]
    fn every_example_reads_and_ron_says_the_same() {
        let files = examples();
        assert_eq!(files.len(), 6);
        for (name, src) in files {
            let t = text(&src);
            assert_eq!(t.errors, [], "{name}");
            let by_ron: Scenario = language().from_str(&src).unwrap();
            assert_eq!(t.scenario.unwrap(), by_ron, "{name}");
        }
    }

    #[test]
    fn a_mark_carriage_returns_and_tabs_are_harmless() {
        for (name, src) in examples() {
            let odd = format!("\u{feff}{}", src.replace('\n', "\r\n").replace("    ", "\t"));
            assert_eq!(text(&odd).errors, [], "{name}");
        }
    }

    fn messages(src: &str) -> Vec<String> {
        let t = text(src);
        t.errors.iter().map(|d| format!("{}..{} {} | {}", d.span().start, d.span().end, d.message, d.labels[0].text)).collect()
    }

    #[test]
    fn all_errors_at_once() {
        let found = messages(
            "Scenario(format: 1, title: 7, cluster: (cni: Bridge(), nodes: [(name: \"a\", cidr: \"x\"), (pod_cidr: \"10.0.0.1/24\", name: \"b\"), ()], pods: (), ), \
             flows: [Pign(from: \"x\"), Ping(from: \"a\", to: \"10.0.0.300\", expect: conected), Ping(to: \"b\")], hosts: [(name: \"h\", etc_hosts: {\"a\": \"1.1.1.1\", \"a\": \"1.1.1.2\"})])",
        );
        for part in [
            "`title` takes a string | this is a number",
            "a node has no field `cidr` | did you mean `pod_cidr`?",
            "`10.0.0.1/24` is no address range | bits are set behind /24",
            "a node needs `name` | `name` is missing",
            "`pods` takes a list, in [ ] | this is `()`",
            "there is no `Pign` here | did you mean `Ping`?",
            "`10.0.0.300` is no address | each part is 0 to 255",
            "there is no `conected` for `expect` | did you mean `connected`?",
            "`Ping` needs `from` | `from` is missing",
            "the key \"a\" is given twice | second time",
        ] {
            assert!(found.iter().any(|m| m.contains(part)), "{part} not in {found:#?}");
        }
        assert_eq!(found.len(), 10, "{found:#?}");
    }

    #[test]
    fn syntax() {
        let one = |src: &str, part: &str| {
            let found = messages(src);
            assert!(found.iter().any(|m| m.contains(part)), "{src}: {part} not in {found:#?}");
        };
        one("", "there is nothing in this file");
        one("Scenario(format: 1", "the file ends before this is closed");
        one("Scenario(format: 1 title: \"x\")", "a comma is missing");
        one("Scenario(format: 1, title: \"x\"]", "`]` does not close");
        one("Scenario(format: 1, title: \"x)", "no closing quote");
        one("Scenario(format: 1, title: 10.0.0.1)", "stand in quotes");
        one("Scenario(format: 1, \"title\": \"x\")", "without quotes");
        one("Scenario(format = 1)", "`format` has no value");
        one("Scenario(format: 1) 7", "something follows");
        one("(format: Some(1), title: \"x\")", "`format` takes a number");
        one("#![enable(implicit_some)]\nScenario(format: 1, title: \"x\")", "enables no extensions");
        one("Scenario(format: 1.5, title: \"x\")", "`format` takes a number");
        one("Scenario(format: 99999999999, title: \"x\")", "`format` takes a number from 0 to 4294967295");
        one(&format!("Scenario(title: {}", "[".repeat(10_000)), "nested too deeply");
    }
}
