//! The lessons that come with packetwalk: `library/NNN-slug/lesson.ron`, in order of their numbers.

use include_dir::{Dir, include_dir};
use std::sync::OnceLock;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/library");

/// A lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// Identifier: the folder's name without its number.
    pub id: String,
    /// Number of the folder.
    pub number: u32,
    /// Path in the library: `010-pod-to-pod-host-gw/lesson.ron`.
    pub path: String,
    /// Name of the file as messages show it.
    pub file: String,
    /// What stands in it.
    pub text: String,
    /// `lesson.md`, if there is one.
    pub story: Option<String>,
}

/// All lessons, in order.
pub fn lessons() -> &'static [Lesson] {
    static LESSONS: OnceLock<Vec<Lesson>> = OnceLock::new();
    LESSONS.get_or_init(|| {
        let mut all: Vec<Lesson> = FILES
            .dirs()
            .filter_map(|d| {
                let folder = d.path().file_name()?.to_str()?;
                let read = |name: &str| d.files().find(|f| f.path().file_name().is_some_and(|n| n == name)).and_then(|f| f.contents_utf8());
                Some(Lesson {
                    id: slug(folder).to_owned(),
                    number: folder.split('-').next()?.parse().ok()?,
                    path: format!("{folder}/lesson.ron"),
                    file: format!("{folder}/lesson.ron"),
                    text: read("lesson.ron")?.to_owned(),
                    story: read("lesson.md").map(str::to_owned),
                })
            })
            .collect();
        all.sort_by_key(|l| (l.number, l.id.clone()));
        all
    })
}

/// The lesson of that identifier, or of that folder.
pub fn find(id: &str) -> Option<&'static Lesson> {
    lessons().iter().find(|l| l.id == id || l.path.strip_suffix("/lesson.ron") == Some(id))
}

/// A folder's name without its number: `010-pod-to-pod` is `pod-to-pod`.
pub fn slug(folder: &str) -> &str {
    match folder.split_once('-') {
        Some((number, rest)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => folder,
    }
}
