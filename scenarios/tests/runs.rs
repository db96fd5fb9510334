//! Every lesson is run: its flows end as it says, what it expects holds, and its story finds its steps.
#![allow(clippy::unwrap_used, reason = "tests")]

use scenarios::assemble::run::{Options, challenge, findings, run, silent, story};
use scenarios::diag::draw;
use scenarios::{library, load};
use std::path::Path;

fn check(l: &load::Loaded) -> Vec<String> {
    let ran = match run(l, &Options::default()) {
        Ok(r) => r,
        Err(report) => return vec![draw::all(&report, draw::Style::default())],
    };
    let checks = match challenge(l) {
        Ok(c) => c,
        Err(report) => return vec![draw::all(&report, draw::Style::default())],
    };
    let mut bad: Vec<String> = findings(l, &ran)
        .iter()
        .chain(&checks)
        .filter(|f| !f.ok)
        .map(|f| format!("{}:{} {}: {}", l.id, l.line(f.span), f.wanted, f.found))
        .collect();
    bad.extend(silent(l, &ran).iter().map(|d| format!("{}:{} {} {}", l.id, l.line(d.span()), d.message, d.labels[0].text)));
    if l.scenario.story.len() != story(l, &ran).len() {
        bad.push(format!("{}: a text of the story has no step", l.id));
    }
    bad
}

#[test]
fn every_lesson_holds() {
    let bad: Vec<String> = library::lessons().iter().flat_map(|x| check(&load::by_name(&x.id).unwrap())).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_examples_that_can_run_hold() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut ran = 0;
    for name in ["minimal.ron", "pod-to-pod-host-gw.ron", "docker-publish.ron", "broken-no-route.ron"] {
        let l = load::by_path(&dir.join(name)).unwrap();
        assert!(l.can_run(), "{}", draw::all(&l.report, draw::Style::default()));
        let bad = check(&l);
        assert!(bad.is_empty(), "{}", bad.join("\n"));
        ran += 1;
    }
    assert_eq!(ran, 4);
}
