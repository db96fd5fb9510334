//! The files of a node that agents and plugins leave for each other.
//!
//! Simplifies: no directories, owners or modes; a file is its path and its text.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Files by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<Arc<str>, Arc<str>>);

impl Files {
    /// The text of a file.
    pub fn read(&self, path: &str) -> Option<&Arc<str>> {
        self.0.get(path)
    }

    /// Writes a file.
    pub fn write(&mut self, path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        self.0.insert(path.into(), text.into());
    }

    /// Removes a file; says whether it was there.
    pub fn remove(&mut self, path: &str) -> bool {
        self.0.remove(path).is_some()
    }

    /// The files of a directory, by name.
    pub fn under<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)> {
        let from = (std::ops::Bound::Included(dir), std::ops::Bound::Unbounded);
        self.0.range::<str, _>(from).take_while(move |(p, _)| p.starts_with(dir)).filter(move |(p, _)| p[dir.len()..].starts_with('/'))
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter()
    }
}
