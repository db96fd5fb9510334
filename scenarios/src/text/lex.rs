//! Tokens of RON.

use super::node::Span;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Tok {
    /// One of `( ) [ ] { } , : # !`.
    Punct(char),
    /// A word: a name or a bare value.
    Ident(String),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float,
    /// A string, escapes resolved.
    Str(String),
    /// A character.
    Char(char),
    /// A byte string.
    Bytes,
    /// Something that is none of these, with the reason.
    Bad(String),
    /// The end.
    Eof,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub struct Token {
    /// What.
    pub tok: Tok,
    /// Where.
    pub span: Span,
}

fn is_ident_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_ident_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// All tokens of `src`; the last is [`Tok::Eof`]. A byte order mark, white space and comments are passed over.
pub fn tokens(src: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = if src.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    loop {
        match skip_space(src, at) {
            Ok(next) => at = next,
            Err(open) => {
                out.push(Token {
                    tok: Tok::Bad("this comment has no end `*/`".to_owned()),
                    span: Span::new(open, (open + 2).min(src.len())),
                });
                at = src.len();
            }
        }
        let Some(c) = src[at..].chars().next() else {
            out.push(Token { tok: Tok::Eof, span: Span::new(src.len(), src.len()) });
            return out;
        };
        let (tok, end) = token(src, at, c);
        let end = end.max(at + c.len_utf8()).min(src.len());
        out.push(Token { tok, span: Span::new(at, end) });
        at = end;
    }
}

/// Passes over white space and comments.
fn skip_space(src: &str, mut at: usize) -> Result<usize, usize> {
    loop {
        let rest = &src[at..];
        let Some(c) = rest.chars().next() else { return Ok(at) };
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            let open = at;
            let mut depth = 0usize;
            loop {
                let rest = &src[at..];
                if rest.starts_with("/*") {
                    depth += 1;
                    at += 2;
                } else if rest.starts_with("*/") {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        break;
                    }
                } else if let Some(c) = rest.chars().next() {
                    at += c.len_utf8();
                } else {
                    return Err(open);
                }
            }
        } else {
            return Ok(at);
        }
    }
}

fn token(src: &str, at: usize, c: char) -> (Tok, usize) {
    let rest = &src[at..];
    match c {
        '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' | '#' | '!' => (Tok::Punct(c), at + 1),
        '"' => {
            let (text, end, _) = string_body(src, at);
            (text.map_or_else(Tok::Bad, Tok::Str), end)
        }
        'r' if rest[1..].starts_with('"') || (rest[1..].starts_with('#') && raw_open(&rest[1..]).is_some()) => {
            let (text, end, _) = string_body(src, at);
            (text.map_or_else(Tok::Bad, Tok::Str), end)
        }
        'r' if rest[1..].starts_with('#') => {
            let len = rest[2..].find(|c: char| !(is_ident_char(c) || matches!(c, '.' | '+' | '-'))).unwrap_or(rest.len() - 2);
            (Tok::Ident(rest[2..2 + len].to_owned()), at + 2 + len)
        }
        'b' if rest[1..].starts_with('"') => {
            let (text, end, _) = string_body(src, at + 1);
            (text.map_or_else(Tok::Bad, |_| Tok::Bytes), end)
        }
        '\'' => character(src, at),
        '0'..='9' | '+' | '-' | '.' => number(rest, at),
        c if is_ident_start(c) => {
            let len = rest.find(|c: char| !is_ident_char(c)).unwrap_or(rest.len());
            (Tok::Ident(rest[..len].to_owned()), at + len)
        }
        '“' | '”' | '‘' | '’' => (Tok::Bad(format!("`{c}` is a typographic quote; RON's quote is \"")), at + c.len_utf8()),
        c => (Tok::Bad(format!("`{}` has no meaning here", c.escape_default())), at + c.len_utf8()),
    }
}

/// The number of `#` of a raw string's opening, if it is one.
fn raw_open(after_r: &str) -> Option<usize> {
    let hashes = after_r.bytes().take_while(|b| *b == b'#').count();
    after_r[hashes..].starts_with('"').then_some(hashes)
}

fn number(rest: &str, at: usize) -> (Tok, usize) {
    let sign_len = usize::from(rest.starts_with(['+', '-']));
    let len = rest[sign_len..]
        .char_indices()
        .find(|(i, c)| {
            let exponent_sign =
                matches!(c, '+' | '-') && rest[sign_len..][..*i].ends_with(['e', 'E']) && !rest[sign_len..].starts_with("0x");
            !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || exponent_sign)
        })
        .map_or(rest.len(), |(i, _)| i + sign_len);
    let text = &rest[..len];
    let end = at + len;
    let digits = text.trim_start_matches(['+', '-']).replace('_', "");
    let negative = text.starts_with('-');
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (digits[2..].to_owned(), 16),
        Some("0b") => (digits[2..].to_owned(), 2),
        Some("0o") => (digits[2..].to_owned(), 8),
        _ => (digits, 10),
    };
    if let Ok(n) = i128::from_str_radix(&digits, radix)
        && !digits.starts_with(['+', '-'])
    {
        return (Tok::Int(if negative { -n } else { n }), end);
    }
    if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.bytes().any(|b| b.is_ascii_digit()) {
        if digits.matches('.').count() > 1 || digits.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E' | 'f')) {
            return (Tok::Bad(format!("`{text}` is no number; addresses, ranges and durations stand in quotes: \"{text}\"")), end);
        }
        return (Tok::Float, end);
    }
    (Tok::Bad(format!("`{text}` is no number")), end)
}

fn character(src: &str, at: usize) -> (Tok, usize) {
    let rest = &src[at + 1..];
    let mut chars = rest.char_indices();
    match chars.next() {
        Some((_, '\\')) => match chars.next() {
            Some((i, c)) if rest[i + c.len_utf8()..].starts_with('\'') => (Tok::Char(c), at + 1 + i + c.len_utf8() + 1),
            _ => (Tok::Bad("this character has no closing quote".to_owned()), at + 1),
        },
        Some((_, c)) if rest[c.len_utf8()..].starts_with('\'') => (Tok::Char(c), at + 1 + c.len_utf8() + 1),
        _ => (Tok::Bad("strings stand in \"double quotes\"".to_owned()), at + 1),
    }
}

/// How the bytes of a string's value lie in the source: (byte of the value, byte of the source), ascending; between two
/// marks both run in step.
pub type Marks = Vec<(usize, usize)>;

/// Reads the string literal that begins at `at` (with `"` or `r`): its value, its end, and how the two correspond.
pub fn string_body(src: &str, at: usize) -> (Result<String, String>, usize, Marks) {
    let rest = &src[at..];
    if let Some(after) = rest.strip_prefix('r') {
        let Some(hashes) = raw_open(after) else { return (Err("no string begins here".to_owned()), at + 1, Vec::new()) };
        let start = at + 1 + hashes + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        return match src[start..].find(&close) {
            Some(len) => (Ok(src[start..start + len].to_owned()), start + len + close.len(), vec![(0, start)]),
            None => (Err(format!("this raw string has no end `{close}`")), line_end(src, at), Vec::new()),
        };
    }
    let mut value = String::new();
    let mut marks = vec![(0, at + 1)];
    let mut problem = None;
    let mut i = at + 1;
    loop {
        let Some(c) = src[i..].chars().next() else {
            return (Err("this string has no closing quote".to_owned()), line_end(src, at), Vec::new());
        };
        match c {
            '"' => break,
            '\\' => {
                match escape(&src[i + 1..]) {
                    Ok((text, used)) => {
                        value.push_str(&text);
                        i += 1 + used;
                    }
                    Err(why) => {
                        problem.get_or_insert(why);
                        i += 1 + src[i + 1..].chars().next().map_or(0, char::len_utf8);
                    }
                }
                marks.push((value.len(), i));
            }
            c => {
                value.push(c);
                i += c.len_utf8();
            }
        }
    }
    (problem.map_or(Ok(value), Err), i + 1, marks)
}

fn line_end(src: &str, at: usize) -> usize {
    src[at..].find('\n').map_or(src.len(), |n| at + n)
}

/// What stands for the escape after a backslash, and how many bytes it takes.
fn escape(rest: &str) -> Result<(String, usize), String> {
    let Some(c) = rest.chars().next() else { return Err("this string has no closing quote".to_owned()) };
    let one = |s: &str| Ok((s.to_owned(), 1));
    match c {
        'n' => one("\n"),
        't' => one("\t"),
        'r' => one("\r"),
        '0' => one("\0"),
        '\\' => one("\\"),
        '"' => one("\""),
        '\'' => one("'"),
        '\n' | '\r' => {
            let used = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
            Ok((String::new(), used))
        }
        'x' => {
            let hex = rest.get(1..3).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
            let byte = hex.and_then(|h| u8::from_str_radix(h, 16).ok()).ok_or("`\\x` wants two hexadecimal digits")?;
            Ok((char::from(byte).to_string(), 3))
        }
        'u' => {
            let body = rest[1..].strip_prefix('{').and_then(|b| b.split_once('}')).map(|(b, _)| b).ok_or("`\\u` wants digits in { }")?;
            let c = u32::from_str_radix(body, 16).ok().and_then(char::from_u32).ok_or("`\\u{…}` names no character")?;
            Ok((c.to_string(), body.len() + 3))
        }
        c => Err(format!("`\\{c}` is no escape; a backslash itself is written `\\\\`, or use r\"…\"")),
    }
}

/// The byte of the source where byte `offset` of the value of the string literal at `literal` stands.
pub fn source_offset(src: &str, literal: Span, offset: usize) -> usize {
    if literal.start >= src.len() || !src.is_char_boundary(literal.start) {
        return literal.start;
    }
    let (_, _, marks) = string_body(src, literal.start);
    let found = marks.iter().rev().find(|(value, _)| *value <= offset);
    found.map_or(literal.start, |(value, source)| (source + (offset - value)).min(literal.end))
}
