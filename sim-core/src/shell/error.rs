//! What is wrong with a command line, and where.

use super::lex::Word;
use std::fmt;

/// Why a command line is refused, in the words of the tool that would refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellError {
    /// What the tool prints.
    pub message: String,
    /// What may be meant, or what to do instead.
    pub help: Option<String>,
    /// Exit status of the tool.
    pub status: u8,
    /// Line of the script, from 1.
    pub line: u32,
    /// Column of the word at fault, from 1.
    pub col: u32,
    /// How many characters are at fault.
    pub len: u32,
    /// Whether a real host could do this and the simulation cannot.
    pub not_simulated: bool,
}

impl ShellError {
    /// An error at a word.
    pub fn at(message: impl Into<String>, status: u8, word: &Word) -> Self {
        ShellError { message: message.into(), help: None, status, line: word.line, col: word.col, len: word.len, not_simulated: false }
    }

    /// The same, with what to do instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        ShellError { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for ShellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n{help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ShellError {}

/// The one of `names` that is nearest to `word`, if it is near.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (word.chars().count() / 3).max(1);
    names.into_iter().map(|n| (distance(word, n), n)).filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, n)| n)
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let mut d = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(rows[i - 2][j - 2] + 1);
            }
            row.push(d);
        }
        rows.push(row);
    }
    rows.last().and_then(|r| r.last()).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let names = ["ip", "iptables", "bridge", "sysctl", "conntrack"];
        assert_eq!(nearest("iptabels", names), Some("iptables"));
        assert_eq!(nearest("sysctrl", names), Some("sysctl"));
        assert_eq!(nearest("systemd", names), None);
        assert_eq!(nearest("", names), None);
    }
}
