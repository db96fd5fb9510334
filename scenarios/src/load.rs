//! A name or a path to a checked scenario.

use crate::check::{self, commands, names::Names};
use crate::diag::{Diagnostic, Report, Severity, Source};
use crate::library;
use crate::read;
use crate::schema::Scenario;
use crate::text::{Kind, Node, Span};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// Longest chain of `based_on`.
const CHAIN: usize = 16;

/// Where a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On disk.
    Disk(PathBuf),
    /// In the library, by its path there.
    Library(String),
    /// Nowhere: text that was handed over.
    Text,
}

/// A scenario could not even be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Neither a lesson nor a file.
    #[error("there is neither a lesson nor a file `{name}`")]
    NotFound {
        /// What was asked for.
        name: String,
        /// The lesson that was probably meant.
        near: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("{path} is no text: byte {at} is not UTF-8")]
    NotText {
        /// The file.
        path: String,
        /// Where.
        at: usize,
    },
    /// The file is too large.
    #[error("{path} is larger than 4 MB; a scenario is a few kB")]
    TooLarge {
        /// The file.
        path: String,
    },
}

/// A scenario that was read and checked.
#[derive(Debug)]
pub struct Loaded {
    /// Its identifier: as written, or the name of its file or folder.
    pub id: String,
    /// Where it stands.
    pub origin: Origin,
    /// What stands in it; without the entries that have errors.
    pub scenario: Scenario,
    /// The scenario whose world it has, if that is another one.
    pub base: Option<Box<Scenario>>,
    /// Names.
    pub names: Names,
    /// What is to be said about it.
    pub report: Report,
}

impl Loaded {
    /// The scenario whose world it has.
    pub fn world(&self) -> &Scenario {
        self.base.as_deref().unwrap_or(&self.scenario)
    }

    /// Title, or the identifier if it has none.
    pub fn title(&self) -> &str {
        self.scenario.title.as_ref().map_or(self.id.as_str(), |t| t.value.as_str())
    }

    /// Whether it can be run: no errors, and nothing that is not simulated yet.
    pub fn can_run(&self) -> bool {
        self.report.is_usable() && self.report.count(Severity::NotYet) == 0
    }

    /// The source line that a span begins on, from 1.
    pub fn line(&self, span: Span) -> usize {
        self.report.files.first().map_or(0, |f| crate::diag::line_column(&f.text, span.start).0)
    }
}

/// Loads a lesson of the library by its identifier, or a file by its path.
///
/// # Errors
/// If there is no such lesson or file, or it cannot be read. What is wrong *in* it is in [`Loaded::report`].
pub fn by_name(name: &str) -> Result<Loaded, LoadError> {
    if let Some(lesson) = library::find(name) {
        return Ok(text_of(&lesson.text, lesson.file.clone(), Origin::Library(lesson.path.clone())));
    }
    let path = Path::new(name);
    if path.is_dir() {
        return by_path(&path.join("lesson.ron"));
    }
    if path.exists() || name.ends_with(".ron") || name.contains('/') {
        return by_path(path);
    }
    let ids: Vec<String> = library::lessons().iter().map(|l| l.id.clone()).collect();
    let near = crate::diag::near::nearest(name, ids.iter().map(String::as_str)).map(str::to_owned);
    Err(LoadError::NotFound { name: name.to_owned(), near })
}

/// Loads a file.
///
/// # Errors
/// If it cannot be read.
pub fn by_path(path: &Path) -> Result<Loaded, LoadError> {
    let text = read_file(path)?;
    Ok(text_of(&text, path.display().to_string(), Origin::Disk(path.to_owned())))
}

/// Loads a text that stands in no file.
pub fn from_text(name: &str, text: &str) -> Loaded {
    text_of(text, name.to_owned(), Origin::Text)
}

fn read_file(path: &Path) -> Result<String, LoadError> {
    let shown = path.display().to_string();
    let io = |source| LoadError::Io { path: shown.clone(), source };
    let meta = std::fs::metadata(path).map_err(io)?;
    if meta.len() > LARGEST {
        return Err(LoadError::TooLarge { path: shown });
    }
    let bytes = std::fs::read(path).map_err(|source| LoadError::Io { path: shown.clone(), source })?;
    String::from_utf8(bytes).map_err(|e| LoadError::NotText { path: shown, at: e.utf8_error().valid_up_to() })
}

fn text_of(text: &str, file: String, origin: Origin) -> Loaded {
    let mut report = Report { files: vec![Arc::new(Source { name: file, text: text.to_owned() })], list: Vec::new() };
    let read = read::text(text);
    report.list.extend(read.errors);
    let scenario = read.scenario.unwrap_or_default();
    let mut names = Names::default();
    names.add(&read.root, true);
    let broken = matches!(read.root.kind, Kind::Broken) || (scenario == Scenario::default() && !report.list.is_empty());
    let mut base = None;
    if !broken {
        let mut chain = vec![match &origin {
            Origin::Disk(p) => Origin::Disk(tidy(p)),
            other => other.clone(),
        }];
        if let Some(b) = &scenario.based_on {
            match based_on(&b.value, &origin, &mut chain, &mut names) {
                Ok(world) => base = Some(Box::new(world)),
                Err(problem) => {
                    let at = base_span(&read.root).unwrap_or(b.span);
                    report.list.push(Diagnostic::error(at, problem.0).label(problem.1));
                }
            }
        }
        manifests(&scenario, &origin, &mut report);
        // A world that could not be had makes every name in the rest unknown: that was said already.
        if scenario.based_on.is_none() || base.is_some() {
            let world = base.as_deref().unwrap_or(&scenario);
            report.list.extend(check::all(&scenario, world, &names));
        }
    }
    for d in &mut report.list {
        commands::settle(text, d);
    }
    report.sort();
    let id = scenario.id.as_ref().map_or_else(|| id_of(&origin), |i| i.value.clone());
    Loaded { id, origin, scenario, base, names, report }
}

fn base_span(root: &Node) -> Option<Span> {
    root.get("based_on").map(|n| n.span)
}

fn manifests(s: &Scenario, origin: &Origin, report: &mut Report) {
    let Origin::Disk(path) = origin else { return };
    let dir = path.parent().unwrap_or(Path::new("."));
    for m in s.cluster.iter().flat_map(|c| &c.manifests) {
        let there = dir.join(&m.value);
        if !there.is_file() {
            report.list.push(
                Diagnostic::error(m.span, format!("there is no file {}", m.value))
                    .label("not found")
                    .help(format!("paths are relative to this file; looked for {}", there.display())),
            );
        }
    }
}

/// The identifier that a file has by its place: the folder's name without its number, or the file's name.
fn id_of(origin: &Origin) -> String {
    let path = match origin {
        Origin::Disk(p) => p.clone(),
        Origin::Library(p) => PathBuf::from(p),
        Origin::Text => return "scenario".to_owned(),
    };
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    if stem == "lesson"
        && let Some(folder) = path.parent().and_then(|p| p.file_name())
    {
        return library::slug(&folder.to_string_lossy()).to_owned();
    }
    stem
}

/// The world that a scenario is based on: the first of the chain that has one of its own.
fn based_on(name: &str, from: &Origin, chain: &mut Vec<Origin>, names: &mut Names) -> Result<Scenario, (String, String)> {
    let (text, origin) = base_file(name, from)?;
    if chain.contains(&origin) {
        let round = chain.iter().chain([&origin]).map(short).collect::<Vec<_>>().join(" → ");
        return Err(("`based_on` goes round in a circle".to_owned(), round));
    }
    if chain.len() >= CHAIN {
        return Err(("this chain of `based_on` is too long".to_owned(), format!("more than {CHAIN} files")));
    }
    chain.push(origin.clone());
    let read = read::text(&text);
    let Some(scenario) = read.scenario.filter(|_| read.errors.is_empty()) else {
        return Err((format!("{} has errors of its own", short(&origin)), format!("see: packetwalk check {}", short(&origin))));
    };
    if let Some(next) = scenario.based_on.clone() {
        return based_on(&next.value, &origin, chain, names);
    }
    let mut own = Names::default();
    own.add(&read.root, true);
    let errors = check::all(&scenario, &scenario, &own);
    if errors.iter().any(|d| d.severity == Severity::Error) {
        return Err((format!("{} has errors of its own", short(&origin)), format!("see: packetwalk check {}", short(&origin))));
    }
    names.add(&read.root, false);
    Ok(scenario)
}

fn short(o: &Origin) -> String {
    match o {
        Origin::Disk(p) => p.file_name().map_or_else(|| p.display().to_string(), |f| f.to_string_lossy().into_owned()),
        Origin::Library(p) => library::slug(p.rsplit('/').nth(1).unwrap_or(p)).to_owned(),
        Origin::Text => "this text".to_owned(),
    }
}

fn base_file(name: &str, from: &Origin) -> Result<(String, Origin), (String, String)> {
    if let Origin::Disk(path) = from {
        let there = path.parent().unwrap_or(Path::new(".")).join(name);
        if there.is_file() {
            return match read_file(&there) {
                Ok(text) => Ok((text, Origin::Disk(tidy(&there)))),
                Err(e) => Err((e.to_string(), "cannot be read".to_owned())),
            };
        }
    }
    if let Some(lesson) = library::find(name.strip_suffix(".ron").unwrap_or(name)) {
        return Ok((lesson.text.clone(), Origin::Library(lesson.path.clone())));
    }
    Err((format!("there is no file or lesson `{name}`"), "paths are relative to this file".to_owned()))
}

/// A path without `.` and `..`, so that two ways to a file are one.
fn tidy(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
