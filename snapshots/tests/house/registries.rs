//! A file in a folder with a registry is in the registry; a file of a crate is in its module tree; a lesson has a snapshot.

use super::files::{self, CRATES};
use std::collections::BTreeSet;

/// Files of `folder` (not below it), without their ending; `mod` and tests left out. A folder counts as its name.
fn entries(folder: &str) -> BTreeSet<String> {
    files::rust(folder)
        .iter()
        .filter_map(|f| {
            let name = f.path.strip_prefix(folder)?.strip_prefix('/')?;
            let name = name.split('/').next()?.trim_end_matches(".rs");
            (!matches!(name, "mod" | "tests") && !name.starts_with("tests_")).then(|| name.to_owned())
        })
        .collect()
}

/// The text between `from` and the next `to` behind it.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

/// Entries that the list does not name as `NAME::`.
fn forgotten(entries: &BTreeSet<String>, list: &str) -> Vec<String> {
    entries.iter().filter(|e| !list.contains(&format!("{e}::")) && !list.contains(&format!("{e} ::"))).cloned().collect()
}

#[test]
fn every_match_and_target_is_registered() {
    for folder in ["sim-core/src/linux/netfilter/matches", "sim-core/src/linux/netfilter/targets"] {
        let text = files::read(&format!("{folder}/mod.rs"));
        let list = between(&text, "\nregistry! {", "\n}").expect("the registry");
        let all = entries(folder);
        assert!(all.len() > 5, "{folder}: {all:?}");
        assert_eq!(forgotten(&all, list), [""; 0], "files of {folder} that its registry does not name");
    }
}

#[test]
fn every_cni_plugin_is_registered() {
    let folder = "sim-core/src/control/cni";
    let plugins: BTreeSet<String> = files::rust(folder)
        .iter()
        .filter(|f| f.text.contains("impl Plugin for "))
        .filter_map(|f| Some(f.path.rsplit('/').next()?.trim_end_matches(".rs").to_owned()))
        .filter(|n| n != "mod")
        .collect();
    let text = files::read(&format!("{folder}/mod.rs"));
    let list = between(&text, "pub static PLUGINS", "];").expect("the registry");
    assert!(plugins.len() >= 3, "{plugins:?}");
    assert_eq!(forgotten(&plugins, list), [""; 0], "plugins of {folder} that PLUGINS does not name");
}

#[test]
fn every_emulated_command_is_registered() {
    let folder = "sim-core/src/shell";
    let text = files::read(&format!("{folder}/mod.rs"));
    let list = between(&text, "pub static COMMANDS", "];").expect("the registry");
    // A folder's own file (ip/mod.rs) is its entry; files inside belong to the command of the folder.
    let mut specs = 0;
    let mut missing = Vec::new();
    for entry in entries(folder) {
        let file = files::below(&format!("{folder}/{entry}")).into_iter().find(|f| f.path.ends_with("/mod.rs"));
        let source = match file {
            Some(f) => f.text,
            None if files::root().join(format!("{folder}/{entry}.rs")).exists() => files::read(&format!("{folder}/{entry}.rs")),
            None => continue,
        };
        for line in source.lines() {
            let Some((name, _)) = line.strip_prefix("pub static ").and_then(|l| l.split_once(": Spec ")) else { continue };
            specs += 1;
            let wanted = format!("&{entry}::{name}");
            if !list.contains(&wanted) {
                missing.push(wanted);
            }
        }
    }
    assert!(specs > 5, "only {specs} commands were found");
    assert!(missing.is_empty(), "commands that COMMANDS does not name: {missing:?}");
}

#[test]
fn every_subcommand_of_the_binary_is_registered() {
    let folder = "cli/src/commands";
    if !files::root().join(folder).exists() {
        return;
    }
    let text = files::read(&format!("{folder}/mod.rs"));
    let list = between(&text, "\ncommands! {", "\n}").expect("the registry");
    let all = entries(folder);
    let missing: Vec<&String> = all.iter().filter(|e| !list.contains(&format!(" {e},"))).collect();
    assert!(missing.is_empty(), "files of {folder} that its registry does not name: {missing:?}");
}

/// A file that no `mod` names is compiled by nobody, and its tests never run.
#[test]
fn every_file_is_in_the_module_tree() {
    let mut orphans = Vec::new();
    for dir in CRATES {
        for file in files::rust(&format!("{dir}/src")) {
            let inside = file.path.strip_prefix(&format!("{dir}/src/")).expect("asked for");
            if matches!(inside, "lib.rs" | "main.rs") || inside.starts_with("bin/") {
                continue;
            }
            let (folder, name) = inside
                .trim_end_matches(".rs")
                .trim_end_matches("/mod")
                .rsplit_once('/')
                .unwrap_or(("", inside.trim_end_matches(".rs").trim_end_matches("/mod")));
            let parents = match folder {
                "" => vec![format!("{dir}/src/lib.rs"), format!("{dir}/src/main.rs")],
                f => vec![format!("{dir}/src/{f}/mod.rs"), format!("{dir}/src/{f}.rs")],
            };
            let named = parents.iter().filter(|p| files::root().join(p).exists()).any(|p| declares(&files::read(p), name));
            if !named {
                orphans.push(file.path.clone());
            }
        }
    }
    assert!(orphans.is_empty(), "files that no module declares: {orphans:#?}");
}

/// Whether a file declares the module, by `mod` or as the first word of a line of its registry.
fn declares(text: &str, name: &str) -> bool {
    text.lines().any(|l| {
        let l = l.trim();
        let l = l.strip_prefix("pub(crate) ").or_else(|| l.strip_prefix("pub(super) ")).or_else(|| l.strip_prefix("pub ")).unwrap_or(l);
        l == format!("mod {name};") || l.starts_with(&format!("{name}::"))
    })
}

#[test]
fn every_lesson_is_in_the_library_and_has_a_snapshot() {
    let lessons: BTreeSet<String> = files::below("scenarios/library")
        .iter()
        .filter_map(|f| Some(f.path.strip_prefix("scenarios/library/")?.split('/').next()?.to_owned()))
        .collect();
    assert!(!lessons.is_empty());
    let snapshots: Vec<String> = files::below("snapshots/tests").into_iter().map(|f| f.path).filter(|p| p.ends_with(".snap")).collect();
    for lesson in &lessons {
        let (number, slug) = lesson.split_once('-').unwrap_or_else(|| panic!("{lesson}: folders are NNN-slug"));
        assert!(number.len() == 3 && number.bytes().all(|b| b.is_ascii_digit()), "{lesson}: folders are NNN-slug");
        assert!(files::root().join(format!("scenarios/library/{lesson}/lesson.ron")).exists(), "{lesson} has no lesson.ron");
        let wanted = format!("{slug}__hops.snap");
        assert!(snapshots.iter().any(|s| s.ends_with(&wanted)), "{lesson} has no snapshot {wanted}");
    }
}

#[test]
fn what_is_not_named_is_found() {
    let entries: BTreeSet<String> = ["mark", "mac"].into_iter().map(str::to_owned).collect();
    assert_eq!(forgotten(&entries, "mark::Mark \"mark\","), ["mac"]);
    assert!(declares("pub mod x;\n", "x") && declares("    x::X \"x\",\n", "x") && !declares("pub mod xy;\n", "x"));
}
