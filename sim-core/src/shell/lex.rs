//! Lines of a script into words, as a shell splits them.
//!
//! Quotes, escapes, comments, continued lines and here-documents (`CMD <<EOF … EOF`) are understood. What else a shell can do
//! (pipes, variables, redirections, several commands in a line) is refused by name.

use super::error::ShellError;

/// A word with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word, quotes and escapes resolved.
    pub text: String,
    /// Line, from 1.
    pub line: u32,
    /// Column of its first character, from 1.
    pub col: u32,
    /// How many characters it takes as written.
    pub len: u32,
}

/// A command with its words.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Line {
    /// Line that it begins in, from 1.
    pub number: u32,
    /// The line as written, continued lines included, here-document not.
    pub text: String,
    /// The words; never empty.
    pub words: Vec<Word>,
    /// The here-document, each line with its newline.
    pub heredoc: Option<String>,
}

/// Splits a script into commands. Empty lines and comments vanish.
pub fn lines(script: &str) -> Vec<Result<Line, ShellError>> {
    let mut lexer = Lexer { rest: script.split('\n').collect(), at: 0 };
    let mut out = Vec::new();
    while lexer.at < lexer.rest.len() {
        match lexer.command() {
            Ok(Some(line)) => out.push(Ok(line)),
            Ok(None) => {}
            Err(e) => out.push(Err(*e)),
        }
    }
    out
}

struct Lexer<'t> {
    rest: Vec<&'t str>,
    at: usize,
}

/// What a special character is called, and what to do instead.
fn refused(c: char) -> Option<&'static str> {
    Some(match c {
        '|' => "pipes are not simulated",
        '&' | ';' => "write the next command on a line of its own",
        '>' => "output cannot be redirected; a sysctl is set with `sysctl -w KEY=VALUE`",
        '<' => "only here-documents (`<<EOF`) are read",
        '$' | '`' => "there are no variables; put it in single quotes if it is meant as it stands",
        '(' | ')' => "put it in single quotes if it is meant as it stands",
        _ => return None,
    })
}

impl<'t> Lexer<'t> {
    /// The next line with those that continue it: its text, its characters, and where each stands.
    fn joined(&mut self) -> (String, Vec<char>, Vec<(u32, u32)>) {
        let (mut text, mut chars, mut places) = (String::new(), Vec::new(), Vec::new());
        loop {
            let line = self.take();
            let row = self.at as u32;
            let is_comment = chars.is_empty() && line.trim_start().starts_with('#');
            let backslashes = line.chars().rev().take_while(|c| *c == '\\').count();
            let goes_on = !is_comment && backslashes % 2 == 1 && self.at < self.rest.len();
            text.push_str(line);
            let kept = if goes_on { line.get(..line.len() - 1).unwrap_or(line) } else { line };
            for (n, c) in kept.chars().enumerate() {
                chars.push(c);
                places.push((row, n as u32 + 1));
            }
            if !goes_on {
                places.push((row, kept.chars().count() as u32 + 1));
                return (text, chars, places);
            }
            text.push('\n');
        }
    }

    fn command(&mut self) -> Result<Option<Line>, Box<ShellError>> {
        let number = self.at as u32 + 1;
        let (text, chars, places) = self.joined();
        let mut line = Line { number, text, ..Line::default() };
        let mut heredoc: Option<(String, bool, Word)> = None;
        let mut i = 0;
        while let Some(&c) = chars.get(i) {
            let spot = |len: usize| place(&places, i, len);
            if c.is_whitespace() {
                i += 1;
            } else if c == '#' {
                break;
            } else if c == '<' && chars.get(i + 1) == Some(&'<') && chars.get(i + 2) != Some(&'<') {
                let tabs = chars.get(i + 2) == Some(&'-');
                let mark = spot(2);
                i += 2 + usize::from(tabs);
                while chars.get(i).is_some_and(|c| *c == ' ' || *c == '\t') {
                    i += 1;
                }
                let (word, end) = word(&chars, &places, i)?;
                if word.text.is_empty() {
                    return Err(Box::new(ShellError::at("a here-document needs a word that ends it: `<<EOF`", 2, &mark)));
                }
                heredoc = Some((word.text.clone(), tabs, word));
                i = end;
            } else if let Some(instead) = refused(c) {
                let message = format!("packetwalk runs one command a line; `{c}` is not understood");
                return Err(Box::new(ShellError::at(message, 2, &spot(1)).help(instead)));
            } else {
                let (word, end) = word(&chars, &places, i)?;
                line.words.push(word);
                i = end;
            }
        }
        if let Some((end, tabs, at)) = heredoc {
            line.heredoc = Some(self.heredoc(&end, tabs, &at)?);
        }
        Ok(if line.words.is_empty() { None } else { Some(line) })
    }

    fn take(&mut self) -> &'t str {
        let line = self.rest.get(self.at).copied().unwrap_or("");
        self.at += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn heredoc(&mut self, end: &str, tabs: bool, at: &Word) -> Result<String, Box<ShellError>> {
        let mut body = String::new();
        while self.at < self.rest.len() {
            let line = self.take();
            let plain = if tabs { line.trim_start_matches('\t') } else { line };
            // Indented scripts may indent the end too.
            if plain == end || line.trim() == end {
                return Ok(body);
            }
            body.push_str(plain);
            body.push('\n');
        }
        Err(Box::new(ShellError::at(format!("the here-document is not ended by a line `{end}`"), 2, at)))
    }
}

/// A word without text, at a place.
fn place(places: &[(u32, u32)], at: usize, len: usize) -> Word {
    let (line, col) = places.get(at).or(places.last()).copied().unwrap_or((1, 1));
    Word { text: String::new(), line, col, len: len as u32 }
}

/// One word from place `i`; returns it and the place behind it.
fn word(chars: &[char], places: &[(u32, u32)], mut i: usize) -> Result<(Word, usize), Box<ShellError>> {
    let from = i;
    let mut text = String::new();
    while let Some(&c) = chars.get(i) {
        match c {
            c if c.is_whitespace() || refused(c).is_some() => break,
            '\\' => {
                text.push(chars.get(i + 1).copied().unwrap_or('\\'));
                i += 2;
            }
            '\'' | '"' => {
                let open = i;
                i += 1;
                loop {
                    match chars.get(i) {
                        None => {
                            let open = place(places, open, 1);
                            return Err(Box::new(ShellError::at(format!("the quote {c} is not closed"), 2, &open)));
                        }
                        Some(q) if *q == c => break,
                        Some('\\') if c == '"' && chars.get(i + 1).is_some_and(|n| matches!(n, '"' | '\\' | '$' | '`')) => {
                            text.extend(chars.get(i + 1));
                            i += 2;
                        }
                        Some(other) => {
                            text.push(*other);
                            i += 1;
                        }
                    }
                }
                i += 1;
            }
            c => {
                text.push(c);
                i += 1;
            }
        }
    }
    let i = i.min(chars.len());
    Ok((Word { text, ..place(places, from, i - from) }, i))
}

/// A word as it must be written so that it is read back as it is.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-+=./:,@%!{}[]^~*?".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains('\'') {
        return format!("'{word}'");
    }
    let mut out = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn words(s: &str) -> Vec<String> {
        lines(s).remove(0).unwrap().words.into_iter().map(|w| w.text).collect()
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        assert_eq!(words(r#"a 'b c' "d \" e"f g\ h # gone"#), ["a", "b c", "d \" ef", "g h"]);
        assert_eq!(words("a \\\n  b"), ["a", "b"]);
        assert_eq!(words("a b#c ''"), ["a", "b#c", ""]);
    }

    #[test]
    fn places_are_of_the_script() {
        let all = lines("\n# note\n  ip link\\\n   set  'a b'\n");
        let line = all[0].as_ref().unwrap();
        assert_eq!((all.len(), line.number), (1, 3));
        let last = line.words.last().unwrap();
        assert_eq!((last.line, last.col, last.len), (4, 9, 5));
    }

    #[test]
    fn here_documents_are_kept_whole() {
        let all = lines("iptables-restore -n <<EOF\n*nat\n# x | y\nCOMMIT\nEOF\nip link");
        assert_eq!(all[0].as_ref().unwrap().heredoc.as_deref(), Some("*nat\n# x | y\nCOMMIT\n"));
        assert_eq!(all[1].as_ref().unwrap().number, 6);
        let open = lines("cat <<EOF\nx").remove(0).unwrap_err();
        assert_eq!((open.line, open.col), (1, 7));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (s, col) in [("ip a | grep x", 6), ("a; b", 2), ("a && b", 3), ("echo 1 > /x", 8), ("x $Y", 3), ("a 'b", 3)] {
            let e = lines(s).remove(0).unwrap_err();
            assert_eq!(e.col, col, "{s}: {e}");
        }
        assert_eq!(lines("ip a | grep x").remove(0).unwrap_err().message, "packetwalk runs one command a line; `|` is not understood");
    }

    #[test]
    fn quoting_is_undone_by_reading() {
        for w in ["a", "", "a b", "it's", "a\"b'c", "$x", "a;b", "#", "x#y", "\\", "ü"] {
            assert_eq!(words(&format!("c {}", quote(w)))[1], w);
        }
    }
}
