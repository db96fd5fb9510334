//! Filters: commands that read text and write text, and know nothing of the host.
//!
//! ```text
//!  ip route | grep via | sort | uniq -c
//!             └──────── filters ──────┘
//! ```
//!
//! One filter is one file: its doc, its parser, what it does; and one line in [`FILTERS`].

pub mod awk;
pub mod cut;
pub mod echo;
pub mod grep;
pub mod head;
pub mod posix;
pub mod sed;
pub mod sort;
pub mod tail;
pub mod tr;
pub mod truth;
pub mod uniq;
pub mod wc;

use super::Spec;
use super::answer::Answer;

/// The filters.
pub static FILTERS: &[&Spec] = &[
    &awk::SPEC,
    &cut::SPEC,
    &echo::SPEC,
    &grep::SPEC,
    &grep::EGREP,
    &head::SPEC,
    &sed::SPEC,
    &sort::SPEC,
    &tail::SPEC,
    &tr::SPEC,
    &truth::TRUE,
    &truth::FALSE,
    &uniq::SPEC,
    &wc::SPEC,
];

/// A filter with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `awk`.
    Awk(awk::Awk),
    /// `cat` without files.
    Cat,
    /// `cut`.
    Cut(cut::Cut),
    /// `echo`.
    Echo(String),
    /// `grep`.
    Grep(grep::Grep),
    /// `head`.
    Head(head::Head),
    /// `sed`.
    Sed(sed::Sed),
    /// `sort`.
    Sort(sort::Sort),
    /// `tail`.
    Tail(tail::Tail),
    /// `tr`.
    Tr(tr::Tr),
    /// `true` and `false`.
    Truth(bool),
    /// `uniq`.
    Uniq(uniq::Uniq),
    /// `wc`.
    Wc(wc::Wc),
}

impl Filter {
    /// What it makes of `input`.
    pub fn run(&self, input: &str) -> Answer {
        match self {
            Filter::Awk(f) => f.run(input),
            Filter::Cat => Answer::printed(input.to_owned()),
            Filter::Cut(f) => f.run(input),
            Filter::Echo(text) => Answer::printed(text.clone()),
            Filter::Grep(f) => f.run(input),
            Filter::Head(f) => f.run(input),
            Filter::Sed(f) => f.run(input),
            Filter::Sort(f) => f.run(input),
            Filter::Tail(f) => f.run(input),
            Filter::Tr(f) => f.run(input),
            Filter::Truth(yes) => Answer { status: u8::from(!yes), ..Answer::default() },
            Filter::Uniq(f) => f.run(input),
            Filter::Wc(f) => f.run(input),
        }
    }
}

/// The lines of a text; a last one without newline counts.
fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.strip_suffix('\n').unwrap_or(text).split('\n').collect() }
}

/// Lines as a text, each with its newline.
fn text<S: AsRef<str>>(lines: impl IntoIterator<Item = S>) -> String {
    let mut out = String::new();
    for line in lines {
        out.push_str(line.as_ref());
        out.push('\n');
    }
    out
}

#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::shell::{Command, parse};

    /// What a filter prints for an input.
    pub(in crate::shell) fn run(line: &str, input: &str) -> (String, u8) {
        match parse(line).unwrap_or_else(|e| panic!("{line}: {e}")) {
            Command::Filter(f) => {
                let a = f.run(input);
                (a.stdout, a.status)
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    /// What a filter says of arguments that it does not take.
    pub(in crate::shell) fn refused(line: &str) -> (String, u8) {
        let e = parse(line).unwrap_err();
        (e.message, e.status)
    }
}
