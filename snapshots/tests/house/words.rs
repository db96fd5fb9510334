//! What a reader of the files must be able to rely on: their size, their first lines, and that nothing in them points to a
//! place that the reader has not got.

use super::files;

/// No file is longer. A room with more than one thing in it is two rooms.
const MOST_LINES: usize = 600;

/// Files that may be longer, how long, and why.
const LONG: &[(&str, usize, &str)] = &[("scenarios/src/text/de.rs", 660, "one serde Deserializer: its methods belong together")];

/// Files of the rooms that mirror the kernel or Kubernetes which mirror neither: front pages and machinery of our own.
const OWN_MACHINERY: &[&str] = &[
    "sim-core/src/control/action.rs",
    "sim-core/src/control/agents.rs",
    "sim-core/src/control/hash.rs",
    "sim-core/src/control/mod.rs",
    "sim-core/src/control/node_files.rs",
    "sim-core/src/control/outbox.rs",
    "sim-core/src/control/providers/mod.rs",
    "sim-core/src/control/view.rs",
    "sim-core/src/datapath/mod.rs",
    "sim-core/src/datapath/tcp/conn.rs",
    "sim-core/src/datapath/walk.rs",
    "sim-core/src/linux/config.rs",
    "sim-core/src/linux/hot.rs",
    "sim-core/src/linux/id.rs",
    "sim-core/src/linux/mod.rs",
    "sim-core/src/linux/netfilter/matches/mod.rs",
    "sim-core/src/linux/netfilter/mod.rs",
    "sim-core/src/linux/netfilter/targets/mod.rs",
    "sim-core/src/linux/op/mod.rs",
    "sim-core/src/linux/rng.rs",
    "sim-core/src/linux/time.rs",
];

/// Whether a file is a test.
pub(crate) fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.rsplit('/').next().is_some_and(|n| n.starts_with("tests_") || n == "testing.rs")
}

/// Places that only exist on the machine where something was written. Written in parts, so that this file does not hold them.
fn places() -> Vec<String> {
    [["/wo", "rk/"], ["sha", "red/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"], ["C:", "\\Users"], ["target/", "debug/deps"]]
        .iter()
        .map(|p| p.concat())
        .collect()
}

/// Words of unfinished work.
fn marks() -> Vec<String> {
    [["TO", "DO"], ["FIX", "ME"], ["XX", "X "], ["un", "implemented!("], ["to", "do!("]].iter().map(|p| p.concat()).collect()
}

#[test]
fn no_file_points_to_a_place_of_the_machine_it_was_written_on() {
    let mut wrong = Vec::new();
    for file in files::below("") {
        for (n, line) in file.text.lines().enumerate() {
            for place in places() {
                if line.match_indices(&place).any(|(at, _)| !inside_a_word(line, at)) {
                    wrong.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// `framework/` holds no place, and a URL is no place of a machine.
fn inside_a_word(line: &str, at: usize) -> bool {
    let before = &line[..at];
    let word = before.rsplit(|c: char| c.is_whitespace()).next().unwrap_or("");
    word.contains("://") || before.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[test]
fn no_source_is_marked_as_unfinished() {
    let mut wrong = Vec::new();
    for file in files::below("").iter().filter(|f| f.path.ends_with(".rs") || f.path.ends_with(".ron") || f.path.ends_with(".md")) {
        for (n, line) in file.text.lines().enumerate() {
            if marks().iter().any(|m| line.contains(m.as_str())) {
                wrong.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn files_are_rooms_and_not_halls() {
    let mut wrong = Vec::new();
    for file in files::rust("") {
        let lines = file.text.lines().count();
        let most = LONG.iter().find(|(p, ..)| *p == file.path).map_or(MOST_LINES, |(_, most, _)| *most);
        if lines > most {
            wrong.push(format!("{}: {lines} lines, at most {most}", file.path));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is() {
    let wrong: Vec<String> = files::rust("")
        .iter()
        .filter(|f| f.text.lines().next().is_none_or(|l| !l.starts_with("//! ") || l.len() < 8))
        .map(|f| f.path.clone())
        .collect();
    assert!(wrong.is_empty(), "without an opening //! line: {wrong:#?}");
}

#[test]
fn files_of_the_mirroring_rooms_say_what_they_mirror() {
    let mut wrong = Vec::new();
    for room in ["linux", "datapath", "control"] {
        for file in files::rust(&format!("sim-core/src/{room}")).iter().filter(|f| !is_test(&f.path)) {
            let says = file.text.lines().take_while(|l| l.starts_with("//!")).any(|l| l.starts_with("//! Models: "));
            if !says && !OWN_MACHINERY.contains(&file.path.as_str()) {
                wrong.push(file.path.clone());
            }
        }
    }
    assert!(wrong.is_empty(), "without `//! Models:` {wrong:#?}");
}

#[test]
fn lists_of_exceptions_name_only_what_is_there() {
    for path in OWN_MACHINERY.iter().chain(LONG.iter().map(|(p, ..)| p)) {
        assert!(files::root().join(path).exists(), "{path} is gone: take it from the list");
    }
    for (path, most, why) in LONG {
        let lines = files::read(path).lines().count();
        assert!(lines > MOST_LINES, "{path} has {lines} lines and needs no exception ({most}, {why})");
    }
}

#[test]
fn a_place_is_told_from_a_word() {
    let place = ["/wo", "rk/"].concat();
    let found = |line: &str| line.match_indices(&place).any(|(at, _)| !inside_a_word(line, at));
    assert!(found(&format!("see {place}x")) && found(&format!("\"{place}\"")));
    assert!(!found(&format!("https://a.b{place}x")) && !found("framework/x"));
}
