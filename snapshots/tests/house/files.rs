//! The files of the project.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates, from the lowest.
pub(crate) const CRATES: &[&str] = &["sim-core", "scenarios", "tui", "lab", "cli", "snapshots"];

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// A file: its path from the root, with slashes, and its text.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Reads one file.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Every text file below `under` (a path from the root, empty for all), in order of their paths.
///
/// Left out is what a build or a version control system writes.
pub(crate) fn below(under: &str) -> Vec<File> {
    let mut paths = Vec::new();
    collect(&root().join(under), &mut paths);
    let mut all: Vec<File> = paths
        .into_iter()
        .filter_map(|p| {
            let text = String::from_utf8(fs::read(&p).ok()?).ok()?;
            let path = p.strip_prefix(root()).ok()?.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            Some(File { path, text })
        })
        .collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Every Rust file below `under`.
pub(crate) fn rust(under: &str) -> Vec<File> {
    below(under).into_iter().filter(|f| f.path.ends_with(".rs")).collect()
}

fn collect(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if matches!(&*name, "target" | ".git") || name.ends_with(".snap.new") || name == ".pending-snap" {
            continue;
        }
        if path.is_dir() { collect(&path, out) } else { out.push(path) }
    }
}
