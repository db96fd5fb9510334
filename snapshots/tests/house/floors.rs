//! A room uses only the floors below its own.
//!
//! Test modules are held to the same rule as the code beside them: a test that needs a higher floor lives on that floor, in
//! the `tests/` folder of the crate, or in this crate, which sees everything.

use super::files::{self, CRATES, File};
use super::paths::{self, Found};

/// The rooms of sim-core and their floors. Rooms of one floor do not know each other.
const ROOMS: &[(&str, u8)] = &[
    ("packet", 0),
    ("linux", 1),
    ("kube", 1),
    ("trace", 2),
    ("datapath", 3),
    ("apps", 3),
    ("control", 4),
    ("engine", 5),
    ("shell", 6),
    ("report", 7),
];

/// What a room must not know although it lies below.
const BLIND: &[(&str, &str, &str)] = &[("control", "datapath", "controllers see what a kernel holds, never how it walks")];

/// Of `linux`, programs know only the words of system calls: no table.
const APPS_SEE_OF_LINUX: &[&str] =
    &["Errno", "FlowId", "IfIndex", "NetnsId", "Op", "PacketId", "SocketId", "Time", "errno", "id", "op", "socket", "time"];

/// The crates, and which others each may name. `snapshots` sees everything, and nothing sees it.
const CRATES_SEE: &[(&str, &[&str])] = &[
    ("sim_core", &[]),
    ("scenarios", &["sim_core"]),
    ("tui", &["sim_core", "scenarios"]),
    ("lab", &["sim_core", "scenarios"]),
    ("packetwalk", &["sim_core", "scenarios", "tui", "lab"]),
    ("snapshots", &["sim_core", "scenarios", "tui", "lab"]),
];

/// Rooms of sim-core that the `src` of a crate above must not know; its tests and examples may build worlds.
const CRATES_BLIND: &[(&str, &[&str], &str)] = &[
    ("scenarios", &["datapath"], "a scenario is told what came of its traffic, by the engine and the report"),
    ("tui", &["datapath", "apps", "control", "shell"], "the terminal reads recordings"),
    ("lab", &["datapath", "control"], "a real kernel is told commands and given sockets, no more"),
    ("packetwalk", &["datapath", "apps"], "the command line does not know how anything is computed"),
];

const ALL_CRATES: &[&str] = &["sim_core", "scenarios", "tui", "lab", "packetwalk", "snapshots"];

fn floor(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(r, _)| *r == room).map(|(_, f)| *f)
}

/// Why a file of the room `from` must not name what was found.
fn wrong_in_core(from: &str, to: &Found) -> Option<String> {
    let room = match to.segments.first().map(String::as_str) {
        None => return Some("names the crate's root".to_owned()),
        Some("*") => return Some("takes all from the crate's root".to_owned()),
        Some(room) => room,
    };
    if room == from {
        return None;
    }
    let mine = floor(from).expect("checked by the caller");
    let Some(its) = floor(room) else { return Some(format!("`{room}` is not a room")) };
    if its > mine {
        return Some(format!("{from} (floor {mine}) looks up to {room} (floor {its})"));
    }
    if its == mine {
        return Some(format!("{from} and {room} share floor {mine} and do not know each other"));
    }
    if let Some((.., why)) = BLIND.iter().find(|(f, t, _)| *f == from && *t == room) {
        return Some(format!("{from} must not know {room}: {why}"));
    }
    if from == "apps" && room == "linux" {
        let what = to.segments.get(1).map_or("", String::as_str);
        if !APPS_SEE_OF_LINUX.contains(&what) {
            return Some(format!("apps must not know linux::{what}: a program makes system calls, it sees no tables"));
        }
    }
    None
}

/// Holds one file of sim-core's `src` against the floors.
fn check_core(path_in_src: &str, text: &str) -> Vec<String> {
    let module = paths::module_of(path_in_src);
    let at = |line: usize, what: &str| format!("sim-core/src/{path_in_src}:{line}: {what}");
    let found = match paths::resolve(text, "sim_core", &module, ALL_CRATES) {
        Ok(found) => found,
        Err(e) => return vec![at(1, &e)],
    };
    let mut wrong: Vec<String> = found.unclear.iter().map(|u| at(u.line, u.why)).collect();
    match module.first() {
        None => {}
        Some(room) if floor(room).is_none() => wrong.push(at(1, &format!("`{room}` is not a room of the house"))),
        Some(room) => {
            for f in &found.found {
                let why = if f.krate == "sim_core" { wrong_in_core(room, f) } else { Some(format!("sim-core must not know {}", f.krate)) };
                wrong.extend(why.map(|w| at(f.line, &format!("{w} ({})", f.segments.join("::")))));
            }
        }
    }
    wrong
}

/// Holds a file of another crate against the order of the crates.
fn check_crate(krate: &str, file: &File) -> Vec<String> {
    let sees = CRATES_SEE.iter().find(|(k, _)| *k == krate).map(|(_, s)| *s).expect("a crate of the workspace");
    // The module does not matter here: only names of crates are looked at, and no `super` may fail.
    let deep: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let at = |line: usize, what: &str| format!("{}:{line}: {what}", file.path);
    match paths::resolve(&file.text, krate, &deep, ALL_CRATES) {
        Err(e) => vec![at(1, &e)],
        Ok(found) => found
            .found
            .iter()
            .filter_map(|f| {
                let room = f.segments.first().map_or("", String::as_str);
                let blind = CRATES_BLIND
                    .iter()
                    .filter(|_| f.krate == "sim_core" && file.path.contains("/src/"))
                    .find(|(k, rooms, _)| *k == krate && rooms.contains(&room));
                match blind {
                    _ if f.krate != krate && !sees.contains(&f.krate.as_str()) => Some(format!("{krate} must not know {}", f.krate)),
                    Some((.., why)) => Some(format!("{krate} must not know sim_core::{room}: {why}")),
                    None => None,
                }
                .map(|why| at(f.line, &why))
            })
            .collect(),
    }
}

#[test]
fn rooms_of_sim_core_use_only_the_floors_below() {
    let mut wrong = Vec::new();
    let all = files::rust("sim-core/src");
    assert!(all.len() > 100, "found only {} files", all.len());
    for file in &all {
        let inside = file.path.strip_prefix("sim-core/src/").expect("asked for");
        wrong.extend(check_core(inside, &file.text));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_root_of_sim_core_is_the_list_of_rooms() {
    let text = files::read("sim-core/src/lib.rs");
    let mut listed: Vec<&str> = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with("//") && !l.trim().is_empty() && !l.starts_with("#!")) {
        let room = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';'));
        listed.push(room.unwrap_or_else(|| panic!("lib.rs holds more than modules: {line}")));
    }
    let mut rooms: Vec<&str> = ROOMS.iter().map(|(r, _)| *r).collect();
    rooms.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, rooms);
}

#[test]
fn crates_name_only_crates_below() {
    let mut wrong = Vec::new();
    for dir in CRATES {
        let krate = match *dir {
            "sim-core" => "sim_core",
            "cli" => "packetwalk",
            other => other,
        };
        for file in files::rust(dir) {
            wrong.extend(check_crate(krate, &file));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn manifests_name_only_crates_below() {
    for (dir, below) in [
        ("sim-core", &[][..]),
        ("scenarios", &["sim-core"]),
        ("tui", &["sim-core", "scenarios"]),
        ("lab", &["sim-core", "scenarios"]),
        ("cli", &["sim-core", "scenarios", "tui", "lab"]),
    ] {
        let text = files::read(&format!("{dir}/Cargo.toml"));
        for name in ["sim-core", "scenarios", "tui", "lab", "packetwalk", "snapshots"] {
            let depends = text.lines().any(|l| l.split(['.', ' ', '=']).next() == Some(name));
            assert!(!depends || below.contains(&name), "{dir}/Cargo.toml must not name {name}");
        }
    }
}

#[test]
fn a_look_upwards_is_reported_with_file_and_line() {
    let text = "//! Doc.\n\nuse crate::packet::Mac;\nuse crate::{\n    packet::Frame,\n    engine::{World, queue},\n};\n";
    assert_eq!(
        check_core("linux/fib.rs", text),
        [
            "sim-core/src/linux/fib.rs:6: linux (floor 1) looks up to engine (floor 5) (engine::World)",
            "sim-core/src/linux/fib.rs:6: linux (floor 1) looks up to engine (floor 5) (engine::queue)",
        ]
    );
}

#[test]
fn each_kind_of_violation_is_reported() {
    let one = |file: &str, text: &str, expect: &str| {
        let wrong = check_core(file, text);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
        assert!(wrong[0].contains(expect), "{text}: {wrong:?}");
    };
    one("linux/fib.rs", "\nuse super::super::kube::Pod;", "linux/fib.rs:2: linux and kube share floor 1");
    one("datapath/tcp/mod.rs", "fn f(_: &crate::apps::Echo) {}", "datapath and apps share floor 3");
    one("control/kubelet.rs", "use crate::datapath::walk;", "control must not know datapath");
    one("apps/ping.rs", "use crate::linux::fib::Fib;", "apps must not know linux::fib");
    one("packet/mod.rs", "mod tests { use crate::linux::Time; }", "packet (floor 0) looks up to linux (floor 1)");
    one("linux/mod.rs", "use super::*;", "takes all from the crate's root");
    one("linux/mod.rs", "macro_rules! m { () => { $crate::trace::Step } }", "looks up to trace");
    one("trace/mod.rs", "use scenarios::load;", "sim-core must not know scenarios");
    one("trace/mod.rs", "use crate::World;", "`World` is not a room");
    one("trace/mod.rs", "use crate as c;", "another name");
    one("helpers/mod.rs", "", "`helpers` is not a room of the house");
    assert!(check_core("report/text.rs", "use crate::engine::World; use super::words; use crate::linux::*;").is_empty());

    let file = File { path: "scenarios/src/load.rs".to_owned(), text: "\nuse tui::model::Model;".to_owned() };
    assert_eq!(check_crate("scenarios", &file), ["scenarios/src/load.rs:2: scenarios must not know tui"]);
    let file = File { path: "tui/src/app.rs".to_owned(), text: "use sim_core::{report::Doc, datapath::Walk};".to_owned() };
    assert_eq!(check_crate("tui", &file), ["tui/src/app.rs:1: tui must not know sim_core::datapath: the terminal reads recordings"]);
}
