//! Lines of a script into commands and words, as a shell splits them.
//!
//! Quotes, escapes, comments, continued lines, here-documents (`CMD <<EOF … EOF`), pipes, lists (`;`, `&&`, `||`) and redirections are
//! understood. What else a shell can do (variables, jobs, groups) is refused by name.

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

/// What joins a pipeline to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// `;`, or the beginning.
    Then,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// Where the output of a command goes, or its input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// 0 input, 1 output, 2 errors; 3 for output and errors (`&>`).
    pub fd: u8,
    /// `2>&1`: where that one goes.
    pub same_as: Option<u8>,
    /// The file otherwise.
    pub file: Word,
}

/// A command of a line.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stage {
    /// Its words.
    pub line: Line,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
}

/// Commands joined by pipes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piped {
    /// How it is joined to those before it.
    pub join: Join,
    /// `!`: its status is turned round.
    pub negated: bool,
    /// The commands, in order.
    pub stages: Vec<Stage>,
}

/// A line of a script, with those that continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Line that it begins in, from 1.
    pub number: u32,
    /// The line as written.
    pub text: String,
    /// Its pipelines; never empty.
    pub list: Vec<Piped>,
}

impl CommandLine {
    /// Its one command, if it is nothing but that.
    pub fn simple(&self) -> Option<&Line> {
        match self.list.as_slice() {
            [Piped { negated: false, stages, .. }] => match stages.as_slice() {
                [Stage { line, redirects }] if redirects.is_empty() => Some(line),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Splits a script into command lines. Empty lines and comments vanish.
pub fn lines(script: &str) -> Vec<Result<CommandLine, ShellError>> {
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
        '|' | ';' | '>' => "put it in quotes if it is meant as it stands",
        '&' => "there are no jobs in the background",
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

    fn command(&mut self) -> Result<Option<CommandLine>, Box<ShellError>> {
        let number = self.at as u32 + 1;
        let (text, chars, places) = self.joined();
        let fresh = |join| Piped { join, negated: false, stages: vec![Stage::default()] };
        let mut list = vec![fresh(Join::Then)];
        let mut heredoc: Option<(String, bool, Word, (usize, usize))> = None;
        let mut i = 0;
        while let Some(&c) = chars.get(i) {
            let spot = |len: usize| place(&places, i, len);
            let begins = |s: &str| chars[i..].iter().copied().take(s.len()).eq(s.chars());
            let at = (list.len() - 1, list.last().map_or(0, |p| p.stages.len() - 1));
            let stage = &mut list[at.0].stages[at.1];
            if c.is_whitespace() {
                i += 1;
            } else if c == '#' {
                break;
            } else if begins("<<") && !begins("<<<") {
                let tabs = begins("<<-");
                let mark = spot(2);
                i += 2 + usize::from(tabs);
                while chars.get(i).is_some_and(|c| *c == ' ' || *c == '\t') {
                    i += 1;
                }
                let (word, end) = word(&chars, &places, i)?;
                if word.text.is_empty() {
                    return Err(Box::new(ShellError::at("a here-document needs a word that ends it: `<<EOF`", 2, &mark)));
                }
                heredoc = Some((word.text.clone(), tabs, word, at));
                i = end;
            } else if let Some(len) = redirection(&chars[i..]) {
                let (redirect, end) = self::redirect(&chars, &places, i, len)?;
                stage.redirects.push(redirect);
                i = end;
            } else if let Some((sign, join)) =
                [("&&", Some(Join::And)), ("||", Some(Join::Or)), (";", Some(Join::Then)), ("|&", None), ("|", None)]
                    .into_iter()
                    .find(|(s, _)| begins(s))
            {
                if stage.line.words.is_empty() {
                    return Err(Box::new(ShellError::at(
                        format!("bash: syntax error near unexpected token `{sign}'"),
                        2,
                        &spot(sign.len()),
                    )));
                }
                match join {
                    Some(join) => list.push(fresh(join)),
                    None => {
                        if sign == "|&" {
                            stage.redirects.push(Redirect { fd: 2, same_as: Some(1), file: spot(2) });
                        }
                        list[at.0].stages.push(Stage::default());
                    }
                }
                i += sign.len();
            } else if let Some(instead) = refused(c) {
                let message = format!("packetwalk runs plain commands; `{c}` is not understood");
                return Err(Box::new(ShellError::at(message, 2, &spot(1)).help(instead)));
            } else {
                let (word, end) = word(&chars, &places, i)?;
                if word.text == "!" && chars[i] == '!' && at.1 == 0 && stage.line.words.is_empty() {
                    list[at.0].negated ^= true;
                } else {
                    stage.line.words.push(word);
                }
                i = end;
            }
        }
        let bare = |p: &Piped| p.stages.len() == 1 && p.stages[0].line.words.is_empty();
        // a list may end in `;`, and a line may be empty
        if list.last().is_some_and(|p| bare(p) && p.join == Join::Then && !p.negated) {
            list.pop();
        }
        for p in &list {
            if p.stages.iter().any(|s| s.line.words.is_empty()) {
                let end = place(&places, chars.len(), 1);
                return Err(Box::new(ShellError::at("bash: syntax error: unexpected end of file", 2, &end)));
            }
        }
        for stage in list.iter_mut().flat_map(|p| &mut p.stages) {
            stage.line.number = number;
            stage.line.text.clone_from(&text);
        }
        if let Some((end, tabs, at, (p, s))) = heredoc {
            let body = self.heredoc(&end, tabs, &at)?;
            if let Some(stage) = list.get_mut(p).and_then(|p| p.stages.get_mut(s)) {
                stage.line.heredoc = Some(body);
            }
        }
        Ok(if list.is_empty() { None } else { Some(CommandLine { number, text, list }) })
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

/// How many characters the sign of a redirection takes, if one stands here: `>`, `>>`, `2>`, `&>`, `<`.
fn redirection(chars: &[char]) -> Option<usize> {
    let first = *chars.first()?;
    let lead = usize::from(first.is_ascii_digit() || (first == '&' && chars.get(1) == Some(&'>')));
    match chars.get(lead)? {
        '>' => Some(lead + 1 + usize::from(chars.get(lead + 1) == Some(&'>'))),
        '<' if chars.get(lead + 1).is_none_or(|c| !matches!(c, '<' | '(')) => Some(lead + 1),
        _ => None,
    }
}

/// The redirection whose sign takes `len` characters at place `i`; returns it and the place behind it.
fn redirect(chars: &[char], places: &[(u32, u32)], mut i: usize, len: usize) -> Result<(Redirect, usize), Box<ShellError>> {
    let first = chars[i];
    let input = chars[i..i + len].contains(&'<');
    let fd = match first.to_digit(10) {
        Some(n) => n as u8,
        None if first == '&' => 3,
        None => u8::from(!input),
    };
    let sign = place(places, i, len);
    i += len;
    if chars.get(i) == Some(&'&') {
        let to = chars.get(i + 1).and_then(|c| c.to_digit(10)).filter(|n| matches!(n, 1 | 2));
        let Some(to) = to.filter(|_| !input && fd != 3) else {
            return Err(Box::new(ShellError::at("not simulated: this redirection", 1, &sign)));
        };
        return Ok((Redirect { fd, same_as: Some(to as u8), file: place(places, i, 2) }, i + 2));
    }
    while chars.get(i).is_some_and(|c| *c == ' ' || *c == '\t') {
        i += 1;
    }
    let (file, end) = word(chars, places, i)?;
    if file.text.is_empty() {
        return Err(Box::new(ShellError::at("bash: syntax error near unexpected token `newline'", 2, &sign)));
    }
    Ok((Redirect { fd, same_as: None, file }, end))
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
                        Some('$' | '`')
                            if c == '"'
                                && (chars.get(i) == Some(&'`')
                                    || chars.get(i + 1).is_some_and(|n| n.is_alphabetic() || matches!(n, '_' | '{' | '('))) =>
                        {
                            let sign = chars.get(i).copied().unwrap_or('$');
                            let message = format!("packetwalk runs plain commands; `{sign}` is not understood");
                            let help = refused(sign).unwrap_or_default();
                            return Err(Box::new(ShellError::at(message, 2, &place(places, i, 1)).help(help)));
                        }
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
        first(s).words.into_iter().map(|w| w.text).collect()
    }

    fn first(s: &str) -> Line {
        lines(s).remove(0).unwrap().list.remove(0).stages.remove(0).line
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
        let last = line.list[0].stages[0].line.words.last().unwrap();
        assert_eq!((last.line, last.col, last.len), (4, 9, 5));
    }

    #[test]
    fn here_documents_are_kept_whole() {
        let all = lines("iptables-restore -n <<EOF\n*nat\n# x | y\nCOMMIT\nEOF\nip link");
        let first = &all[0].as_ref().unwrap().list[0].stages[0].line;
        assert_eq!(first.heredoc.as_deref(), Some("*nat\n# x | y\nCOMMIT\n"));
        assert_eq!(all[1].as_ref().unwrap().number, 6);
        let open = lines("cat <<EOF\nx").remove(0).unwrap_err();
        assert_eq!((open.line, open.col), (1, 7));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (s, col) in [
            ("sleep 9 &", 9),
            ("x $Y", 3),
            ("a 'b", 3),
            ("a \"$Y\"", 4),
            ("(a)", 1),
            ("a | | b", 5),
            ("&& a", 1),
            ("a >", 3),
            ("a <<< b", 3),
        ] {
            let e = lines(s).remove(0).unwrap_err();
            assert_eq!(e.col, col, "{s}: {e}");
        }
        assert_eq!(lines("a &").remove(0).unwrap_err().message, "packetwalk runs plain commands; `&` is not understood");
        assert_eq!(lines("a ||").remove(0).unwrap_err().message, "bash: syntax error: unexpected end of file");
    }

    #[test]
    fn lists_pipes_and_redirections_are_taken_apart() {
        let line = lines("a b | c 2>&1 >/dev/null; ! d && e || f <<X\nin\nX").remove(0).unwrap();
        let told: Vec<(Join, bool, usize)> = line.list.iter().map(|p| (p.join, p.negated, p.stages.len())).collect();
        assert_eq!(told, [(Join::Then, false, 2), (Join::Then, true, 1), (Join::And, false, 1), (Join::Or, false, 1)]);
        let redirects = &line.list[0].stages[1].redirects;
        assert_eq!((redirects[0].fd, redirects[0].same_as), (2, Some(1)));
        assert_eq!((redirects[1].fd, redirects[1].file.text.as_str()), (1, "/dev/null"));
        assert_eq!(line.list[3].stages[0].line.heredoc.as_deref(), Some("in\n"));
        assert_eq!(lines("a;").remove(0).unwrap().list.len(), 1);
        assert_eq!(words("echo 2 >/dev/null"), ["echo", "2"]);
        assert_eq!(words("echo a2>/dev/null"), ["echo", "a2"]);
        assert_eq!(words("echo 'a|b;c>d'"), ["echo", "a|b;c>d"]);
    }

    #[test]
    fn quoting_is_undone_by_reading() {
        for w in ["a", "", "a b", "it's", "a\"b'c", "$x", "a;b", "#", "x#y", "\\", "ü"] {
            assert_eq!(words(&format!("c {}", quote(w)))[1], w);
        }
    }
}
