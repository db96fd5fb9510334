//! `docs/fidelity.md` is what the file headers say: written from them, and compared with them.
//!
//! `UPDATE=1 cargo test -p snapshots --test house fidelity` writes it anew.

use super::files;
use super::words::is_test;
use std::fmt::Write;

const PAGE: &str = "docs/fidelity.md";
const ABSENT: &str = "docs/fidelity-absent.md";

const ROOMS: &[(&str, &str)] = &[
    ("packet", "Packets"),
    ("linux", "State of a Linux host"),
    ("datapath", "The path of a packet through a kernel"),
    ("apps", "Programs"),
    ("control", "Kubernetes: agents and plugins"),
    ("shell", "Commands"),
];

/// What the header of a file says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    title: String,
    models: Option<String>,
    spec: Option<String>,
    simplifies: Option<String>,
    /// Goldens of a real kernel and scenarios of the library that go through it.
    seen_in: Option<String>,
    /// Whether the file tests itself.
    tested: bool,
}

/// Reads the `//!` lines at the top of a file.
fn header(text: &str) -> Header {
    let mut out = Header::default();
    let mut field: Option<usize> = None;
    let mut parts: [Option<String>; 4] = [None, None, None, None];
    for (n, line) in text.lines().map_while(|l| l.strip_prefix("//!")).map(str::trim).enumerate() {
        if n == 0 {
            out.title = line.trim_end_matches('.').to_owned();
            continue;
        }
        let keys = ["Models:", "Spec:", "Simplifies:", "Seen in:"];
        if let Some(k) = keys.iter().position(|k| line.starts_with(k)) {
            field = Some(k);
            parts[k] = Some(line[keys[k].len()..].trim().to_owned());
        } else if line.is_empty() || line.starts_with("```") {
            field = None;
        } else if let Some(text) = field.and_then(|k| parts[k].as_mut()) {
            text.push(' ');
            text.push_str(line);
        }
    }
    [out.models, out.spec, out.simplifies, out.seen_in] = parts;
    out.tested = text.contains("\n#[cfg(test)]");
    out
}

impl Header {
    /// What there is to show that it is so.
    fn evidence(&self) -> String {
        let seen = self.seen_in.as_deref().map(|s| s.trim_end_matches('.').to_owned());
        let tests = self.tested.then(|| "its tests".to_owned());
        let all: Vec<String> = seen.into_iter().chain(tests).collect();
        if all.is_empty() { "the sources named".to_owned() } else { all.join(", ") }
    }
}

/// Takes what Markdown would read as a table's border or a link to the source away.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace("[`", "`").replace("`]", "`")
}

fn page() -> String {
    let mut out = String::from(
        "# Fidelity\n\nWhat is modelled, what is simplified, and what is absent. The first two lists are written from the headers of the source\n\
         files by a test (`UPDATE=1 cargo test -p snapshots --test house fidelity`), and a test fails when they differ; the third is kept by hand\n\
         in `fidelity-absent.md`.\n\nThe evidence names goldens (`snapshots/golden`: what a real kernel did, compared frame by frame) and scenarios of the library\n\
         (`packetwalk verify` holds those of bare hosts against the kernel at hand); a line that rests on the kernel's source alone says so.\n\n\
         ## Modelled\n",
    );
    let mut simplified = String::from("\n## Simplified\n");
    for (room, title) in ROOMS {
        let all: Vec<(String, Header)> = files::rust(&format!("sim-core/src/{room}"))
            .iter()
            .filter(|f| !is_test(&f.path))
            .map(|f| (f.path.strip_prefix("sim-core/src/").unwrap_or(&f.path).to_owned(), header(&f.text)))
            .collect();
        let modelled: Vec<_> = all.iter().filter(|(_, h)| h.models.is_some() || h.spec.is_some()).collect();
        if !modelled.is_empty() {
            let _ = write!(out, "\n### {title}\n\n| file | what | models | specification | evidence |\n|---|---|---|---|---|\n");
            for (path, h) in modelled {
                let cell = |t: &Option<String>| plain(t.as_deref().unwrap_or("").trim_end_matches('.'));
                let _ = writeln!(out, "| `{path}` | {} | {} | {} | {} |", plain(&h.title), cell(&h.models), cell(&h.spec), h.evidence());
            }
        }
        let departs: Vec<_> = all.iter().filter_map(|(p, h)| Some((p, h.simplifies.as_ref()?))).collect();
        if !departs.is_empty() {
            let _ = write!(simplified, "\n### {title}\n\n");
            for (path, how) in departs {
                let _ = writeln!(simplified, "- `{path}`: {}", plain(how));
            }
        }
    }
    out.push_str(&simplified);
    out.push_str("\n## Absent\n\n");
    let absent = files::read(ABSENT);
    out.push_str(absent.split_once("\n\n").map_or("", |(_, rest)| rest).trim_start());
    out
}

#[test]
fn the_page_is_what_the_headers_say() {
    let page = page();
    let path = files::root().join(PAGE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("docs is writable");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((n, (a, b))) = there.lines().zip(page.lines()).enumerate().find(|(_, (a, b))| a != b) {
        panic!(
            "{PAGE}:{} says\n  {a}\nthe headers say\n  {b}\nwrite it anew: UPDATE=1 cargo test -p snapshots --test house fidelity",
            n + 1
        );
    }
    assert_eq!(there.len(), page.len(), "{PAGE} is not what the headers say: UPDATE=1 cargo test -p snapshots --test house fidelity");
}

#[test]
fn the_evidence_is_there() {
    let known: Vec<String> = files::below("snapshots/golden")
        .into_iter()
        .filter_map(|f| f.path.strip_suffix(".json").and_then(|p| p.rsplit('/').next().map(ToOwned::to_owned)))
        .chain(files::below("scenarios/library").into_iter().filter_map(|f| f.path.split('/').nth(2).map(ToOwned::to_owned)))
        .collect();
    let mut wrong = Vec::new();
    for (room, _) in ROOMS {
        for f in files::rust(&format!("sim-core/src/{room}")) {
            let Some(seen) = header(&f.text).seen_in else { continue };
            for name in seen.trim_end_matches('.').split(", ").filter(|n| !known.iter().any(|k| k == n)) {
                wrong.push(format!("{}: there is no golden and no scenario {name}", f.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_header_is_read() {
    let text = "//! Routes.\n//!\n//! Models: a.c f,\n//! b.c g.\n//! Spec: RFC 1.\n//! Simplifies: no x | y.\n//! Seen in: 01-same-node-bridge.\n//!\n//! More.\nuse x;\n//! Models: no\n#[cfg(test)]\n";
    assert_eq!(
        header(text),
        Header {
            title: "Routes".to_owned(),
            models: Some("a.c f, b.c g.".to_owned()),
            spec: Some("RFC 1.".to_owned()),
            simplifies: Some("no x | y.".to_owned()),
            seen_in: Some("01-same-node-bridge.".to_owned()),
            tested: true,
        }
    );
    assert_eq!(plain("a | [`b`]"), "a \\| `b`");
}
