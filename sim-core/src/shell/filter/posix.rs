//! Regular expressions of POSIX, basic and extended with GNU's additions, as those of the `regex` crate.
//!
//! Simplifies: of alternatives the first that fits is taken, not the longest; back references are refused.

use regex::{Regex, RegexBuilder};

/// Largest program that an expression may become, in bytes.
const SIZE_LIMIT: usize = 1 << 20;

/// Reads an expression.
///
/// # Errors
/// In the words of GNU's regcomp, as far as it is known what is wrong.
pub fn compile(pattern: &str, extended: bool, ignore_case: bool) -> Result<Regex, String> {
    let translated = translate(pattern, extended)?;
    RegexBuilder::new(&translated)
        .case_insensitive(ignore_case)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| "Invalid regular expression".to_owned())
}

/// The expression in the crate's language.
///
/// # Errors
/// As [`compile`].
pub fn translate(pattern: &str, extended: bool) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::new();
    let mut i = 0;
    let mut depth = 0;
    // whether an atom stands before, which a repetition can be of
    let mut atom = false;
    while let Some(&c) = chars.get(i) {
        i += 1;
        let escaped = c == '\\';
        let c = if escaped {
            let Some(&n) = chars.get(i) else { return Err("Trailing backslash".to_owned()) };
            i += 1;
            n
        } else {
            c
        };
        // a character that groups and repeats does so bare in extended, escaped in basic expressions
        let special = matches!(c, '(' | ')' | '{' | '}' | '|' | '+' | '?') && escaped != extended;
        match c {
            '(' if special => {
                depth += 1;
                out.push('(');
                atom = false;
            }
            ')' if special && depth > 0 => {
                depth -= 1;
                out.push(')');
                atom = true;
            }
            ')' if special && !extended => return Err("Unmatched ) or \\)".to_owned()),
            '|' if special => {
                out.push('|');
                atom = false;
            }
            '+' | '?' if special && atom => out.push(c),
            '{' if special && atom => {
                let close: &[char] = if extended { &['}'] } else { &['\\', '}'] };
                let Some(len) = (0..chars.len() - i).find(|n| chars[i + n..].starts_with(close)) else {
                    return Err("Unmatched { or \\{".to_owned());
                };
                let bounds: String = chars[i..i + len].iter().collect();
                let number = |s: &str| !s.is_empty() && s.len() < 5 && s.bytes().all(|b| b.is_ascii_digit());
                let fits = match bounds.split_once(',') {
                    None => number(&bounds),
                    Some((a, b)) => (a.is_empty() || number(a)) && (b.is_empty() || number(b)),
                };
                if !fits {
                    return Err("Invalid content of \\{\\}".to_owned());
                }
                let bounds = if bounds.starts_with(',') { format!("0{bounds}") } else { bounds };
                out.push_str(&format!("{{{bounds}}}"));
                i += len + close.len();
            }
            '*' if !escaped && atom => out.push('*'),
            '.' if !escaped => {
                out.push('.');
                atom = true;
            }
            '^' if !escaped && (extended || !atom) => out.push('^'),
            '$' if !escaped
                && (extended || i == chars.len() || chars[i..].starts_with(&['\\', ')']) || chars[i..].starts_with(&['\\', '|'])) =>
            {
                out.push('$');
            }
            '[' if !escaped => {
                i = bracket(&chars, i, &mut out)?;
                atom = true;
            }
            'n' if escaped => {
                out.push('\n');
                atom = true;
            }
            't' if escaped => {
                out.push('\t');
                atom = true;
            }
            's' | 'S' | 'w' | 'W' if escaped => {
                out.push('\\');
                out.push(c);
                atom = true;
            }
            'b' | 'B' if escaped => {
                out.push('\\');
                out.push(c);
            }
            '<' if escaped => out.push_str("\\b{start}"),
            '>' if escaped => out.push_str("\\b{end}"),
            '1'..='9' if escaped => return Err(format!("not simulated: the back reference \\{c}")),
            c => {
                let mut b = [0; 4];
                out.push_str(&regex::escape(c.encode_utf8(&mut b)));
                atom = true;
            }
        }
    }
    if depth > 0 {
        return Err("Unmatched ( or \\(".to_owned());
    }
    Ok(out)
}

/// A bracket expression from behind its `[`; returns the place behind its `]`.
fn bracket(chars: &[char], mut i: usize, out: &mut String) -> Result<usize, String> {
    out.push('[');
    if chars.get(i) == Some(&'^') {
        out.push('^');
        i += 1;
    }
    let first = i;
    loop {
        let Some(&c) = chars.get(i) else { return Err("Unmatched [, [^, [:, [., or [=".to_owned()) };
        i += 1;
        match c {
            ']' if i - 1 > first => break,
            '[' if chars.get(i) == Some(&':') => {
                let Some(len) = (0..chars.len() - i).find(|n| chars[i + n..].starts_with(&[':', ']']) && *n > 0) else {
                    return Err("Unmatched [, [^, [:, [., or [=".to_owned());
                };
                let name: String = chars[i + 1..i + len].iter().collect();
                const CLASSES: &[&str] =
                    &["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit"];
                if !CLASSES.contains(&name.as_str()) {
                    return Err("Invalid character class name".to_owned());
                }
                out.push_str(&format!("[:{name}:]"));
                i += len + 2;
            }
            // a range's hyphen keeps its meaning between two characters
            '-' if i - 1 > first && chars.get(i).is_some_and(|n| *n != ']') => out.push('-'),
            c => {
                if matches!(c, '\\' | '[' | ']' | '^' | '-' | '&' | '~') {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
    out.push(']');
    Ok(i)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions_fit_what_they_fit_in_posix() {
        for (pattern, extended, text, fits) in [
            ("a+b", false, "a+b", true),
            ("a+b", true, "aab", true),
            ("a\\+b", false, "aab", true),
            ("\\(a\\|b\\)c", false, "xbc", true),
            ("(a|b)c", false, "bc", false),
            ("x\\{2,3\\}y", false, "xxy", true),
            ("^x{2}$", true, "xx", true),
            ("*a", false, "*a", true),
            ("a^b", false, "a^b", true),
            ("a$b", false, "a$b", true),
            ("[[:digit:]]*sec", false, "597sec", true),
            ("[]x]", false, "]", true),
            ("[^]x]", false, "]", false),
            ("[\\n]", false, "\\", true),
            ("[a-c&&b]", false, "&", true),
            ("10\\.0", false, "10x0", false),
            ("\\<dev\\>", false, "a dev b", true),
            ("\\<dev\\>", false, "devs", false),
            ("a{", true, "a{", false),
            ("", false, "any", true),
        ] {
            match compile(pattern, extended, false) {
                Ok(r) => assert_eq!(r.is_match(text), fits, "{pattern} on {text}: {r}"),
                Err(e) => assert!(!fits, "{pattern}: {e}"),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_as_gnu_says_it() {
        for (pattern, extended, words) in [
            ("a\\", false, "Trailing backslash"),
            ("\\(a", false, "Unmatched ( or \\("),
            ("(a", true, "Unmatched ( or \\("),
            ("a\\)", false, "Unmatched ) or \\)"),
            ("[a", false, "Unmatched [, [^, [:, [., or [="),
            ("[[:foo:]]", false, "Invalid character class name"),
            ("a\\{x\\}", false, "Invalid content of \\{\\}"),
            ("\\(a\\)\\1", false, "not simulated: the back reference \\1"),
        ] {
            assert_eq!(compile(pattern, extended, false).unwrap_err(), words, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_expression_makes_it_panic(pattern in "[a-c.*+?{}()|\\[\\]^$\\\\1:,-]{0,12}", extended in any::<bool>()) {
            let _ = compile(&pattern, extended, false);
        }
    }
}
