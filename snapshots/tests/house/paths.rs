//! Finds every path in a Rust file that begins with `crate`, `super`, `self` or the name of a crate of the workspace, and
//! resolves it to the modules that it names.
//!
//! It works on tokens, so that paths in macros (`$crate::…` too), in types, in expressions, in `use` with nested groups and
//! in `pub use` are all seen alike. Doc comments are string literals to it, and are not looked into.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// A path in a file, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Crate that it leads to: `sim_core`, `scenarios`, …
    pub(crate) krate: String,
    /// Modules and item below the crate's root; ends with `*` for a glob.
    pub(crate) segments: Vec<String>,
    /// Line, from 1.
    pub(crate) line: usize,
}

/// What cannot be resolved, and is therefore not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unclear {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

/// Everything found in a file.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    pub(crate) found: Vec<Found>,
    pub(crate) unclear: Vec<Unclear>,
}

/// Resolves the paths of a file which is the module `module` of the crate `krate`.
pub(crate) fn resolve(text: &str, krate: &str, module: &[String], crates: &[&str]) -> Result<Paths, String> {
    let tokens: TokenStream = text.parse().map_err(|e| format!("{e}"))?;
    let mut scan = Scan { krate, crates, out: Paths::default() };
    scan.stream(tokens, module);
    Ok(scan.out)
}

struct Scan<'a> {
    krate: &'a str,
    crates: &'a [&'a str],
    out: Paths,
}

impl Scan<'_> {
    fn stream(&mut self, stream: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Group(g) => self.stream(g.stream(), module),
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    if let Some(body) = inline_module(&tokens, i, &word) {
                        let TokenTree::Ident(name) = &tokens[i + 1] else { unreachable!("inline_module looked") };
                        let mut inner = module.to_vec();
                        inner.push(name.to_string());
                        self.stream(body, &inner);
                        i += 3;
                        continue;
                    }
                    self.refuse(&tokens, i, &word);
                    if !after_colons(&tokens, i)
                        && colons(&tokens, i + 1)
                        && let Some((krate, base)) = self.start(&word, module, tokens[i].span())
                    {
                        i = self.path(&tokens, i + 1, &krate, base, tokens[i].span());
                        continue;
                    }
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// Words that would lead around the test.
    fn refuse(&mut self, tokens: &[TokenTree], i: usize, word: &str) {
        let why = match word {
            "crate" if i > 0 && is_ident(&tokens[i - 1], "extern") => "extern crate gives a crate another name",
            "crate" if i > 0 && is_ident(&tokens[i - 1], "use") && !colons(tokens, i + 1) => "the crate's root under another name",
            "macro_use" => "macro_use brings macros without a path",
            "path" if i + 1 < tokens.len() && is_punct(&tokens[i + 1], '=') && module_attribute(tokens, i) => "#[path] moves a module",
            _ => return,
        };
        self.out.unclear.push(Unclear { line: tokens[i].span().start().line, why });
    }

    /// Where a path that begins with `word` starts.
    fn start(&mut self, word: &str, module: &[String], span: Span) -> Option<(String, Vec<String>)> {
        match word {
            "crate" => Some((self.krate.to_owned(), Vec::new())),
            "self" => Some((self.krate.to_owned(), module.to_vec())),
            "super" => match module.split_last() {
                Some((_, up)) => Some((self.krate.to_owned(), up.to_vec())),
                None => {
                    self.out.unclear.push(Unclear { line: span.start().line, why: "super of the crate's root" });
                    None
                }
            },
            w if self.crates.contains(&w) => Some((w.to_owned(), Vec::new())),
            _ => None,
        }
    }

    /// Reads on from the `::` at `i`; returns the place behind the path.
    fn path(&mut self, tokens: &[TokenTree], mut i: usize, krate: &str, mut segments: Vec<String>, mut span: Span) -> usize {
        while colons(tokens, i) {
            match tokens.get(i + 2) {
                Some(TokenTree::Ident(id)) => {
                    let id = id.to_string();
                    span = tokens[i + 2].span();
                    match id.as_str() {
                        "super" => {
                            segments.pop();
                        }
                        "self" => {}
                        _ => segments.push(id),
                    }
                    i += 3;
                }
                Some(TokenTree::Punct(p)) if p.as_char() == '*' => {
                    segments.push("*".to_owned());
                    span = p.span();
                    i += 3;
                    break;
                }
                Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Brace => {
                    self.group(g.stream(), krate, &segments);
                    return i + 3;
                }
                // A turbofish, or the end of a macro's fragment: the path ends here.
                _ => {
                    i += 2;
                    break;
                }
            }
        }
        self.out.found.push(Found { krate: krate.to_owned(), segments, line: span.start().line });
        i
    }

    /// The entries of a `{…}` in a `use`.
    fn group(&mut self, stream: TokenStream, krate: &str, base: &[String]) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut i = 0;
        while i < tokens.len() {
            let mut segments = base.to_vec();
            match &tokens[i] {
                TokenTree::Ident(id) => {
                    let word = id.to_string();
                    match word.as_str() {
                        "self" => {}
                        "super" => {
                            segments.pop();
                        }
                        _ => segments.push(word),
                    }
                    self.path(&tokens, i + 1, krate, segments, tokens[i].span());
                }
                TokenTree::Punct(p) if p.as_char() == '*' => {
                    segments.push("*".to_owned());
                    self.out.found.push(Found { krate: krate.to_owned(), segments, line: p.span().start().line });
                }
                _ => {}
            }
            while i < tokens.len() && !is_punct(&tokens[i], ',') {
                i += 1;
            }
            i += 1;
        }
    }
}

/// The body of `mod name { … }` at `i`.
fn inline_module(tokens: &[TokenTree], i: usize, word: &str) -> Option<TokenStream> {
    match (word, tokens.get(i + 1), tokens.get(i + 2)) {
        ("mod", Some(TokenTree::Ident(_)), Some(TokenTree::Group(g))) if g.delimiter() == Delimiter::Brace => Some(g.stream()),
        _ => None,
    }
}

/// Whether `path =` at `i` is the whole of an attribute's content.
fn module_attribute(tokens: &[TokenTree], i: usize) -> bool {
    i == 0 && matches!(tokens.get(2), Some(TokenTree::Literal(_))) && tokens.len() == 3
}

fn is_punct(t: &TokenTree, c: char) -> bool {
    matches!(t, TokenTree::Punct(p) if p.as_char() == c)
}

fn is_ident(t: &TokenTree, word: &str) -> bool {
    matches!(t, TokenTree::Ident(i) if i == word)
}

fn colons(tokens: &[TokenTree], i: usize) -> bool {
    matches!((tokens.get(i), tokens.get(i + 1)), (Some(a), Some(b)) if is_punct(a, ':') && is_punct(b, ':'))
}

fn after_colons(tokens: &[TokenTree], i: usize) -> bool {
    i >= 2 && colons(tokens, i - 2)
}

/// The module that a file is: `src/a/b.rs` and `src/a/b/mod.rs` are both `a::b`.
pub(crate) fn module_of(path_in_src: &str) -> Vec<String> {
    let stem = path_in_src.strip_suffix(".rs").unwrap_or(path_in_src);
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod")) || matches!(stem, "lib" | "main") {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Resolves a text that is the module `linux::fib` of sim_core, and prints what was found.
    fn check(text: &str, expect: &str) {
        let module = ["linux".to_owned(), "fib".to_owned()];
        let paths = resolve(text, "sim_core", &module, &["sim_core", "scenarios"]).expect("tokens");
        let mut lines: Vec<String> = paths.found.iter().map(|f| format!("{} {}::{}", f.line, f.krate, f.segments.join("::"))).collect();
        lines.extend(paths.unclear.iter().map(|u| format!("{} ? {}", u.line, u.why)));
        assert_eq!(lines.join("\n"), expect, "in {text}");
    }

    #[test]
    fn every_form_of_a_path_is_resolved() {
        check("use crate::engine::World;", "1 sim_core::engine::World");
        check("pub use super::id::RowId;", "1 sim_core::linux::id::RowId");
        check("use super::super::engine;", "1 sim_core::engine");
        check("use self::inner::X;", "1 sim_core::linux::fib::inner::X");
        check(
            "fn f() { let x: Vec<crate::trace::Step> = g::<super::hot::Hot>(); }",
            "1 sim_core::trace::Step\n1 sim_core::linux::hot::Hot",
        );
        check("macro_rules! m { ($x:ident) => { $crate::shell::$x() } }", "1 sim_core::shell");
        check("println!(\"{}\", crate::report::name());", "1 sim_core::report::name");
        check("use scenarios::library;", "1 scenarios::library");
        check("use super::super::super::x;", "1 sim_core::x");
    }

    #[test]
    fn groups_are_opened_and_lines_are_their_own() {
        check(
            "use crate::{\n    packet::{self, Mac, arp::*},\n    engine::{queue::{Queue as Q}},\n    self as root,\n};",
            "2 sim_core::packet\n2 sim_core::packet::Mac\n2 sim_core::packet::arp::*\n3 sim_core::engine::queue::Queue\n4 sim_core::",
        );
        check("use super::{super::engine::X, id};", "1 sim_core::engine::X\n1 sim_core::linux::id");
    }

    #[test]
    fn inline_modules_have_a_super_of_their_own() {
        check(
            "mod tests { use super::*; use super::super::id; use crate::report; }",
            "1 sim_core::linux::fib::*\n1 sim_core::linux::id\n1 sim_core::report",
        );
    }

    #[test]
    fn comments_strings_and_visibilities_are_no_paths() {
        check("/// [`crate::engine`]\npub(crate) fn f() -> &'static str { \"crate::engine\" } // crate::engine", "");
        check("pub(super) struct X; impl X { fn g(self) -> Self { self } }", "");
    }

    #[test]
    fn ways_around_are_refused() {
        check("extern crate self as me;", "1 ? extern crate gives a crate another name");
        check("use crate as root;", "1 ? the crate's root under another name");
        check("#[path = \"../engine/world.rs\"] mod w;", "1 ? #[path] moves a module");
        check("#[macro_use] mod m;", "1 ? macro_use brings macros without a path");
    }

    #[test]
    fn files_are_modules() {
        for (file, module) in [("lib.rs", ""), ("linux/mod.rs", "linux"), ("linux/fib.rs", "linux::fib"), ("a/b/mod.rs", "a::b")] {
            assert_eq!(module_of(file).join("::"), module);
        }
    }
}
