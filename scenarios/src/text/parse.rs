//! Tokens to tree, going on after an error where one can.

use super::lex::{Tok, Token, tokens};
use super::node::{Field, Kind, Node, Span};
use crate::diag::Diagnostic;

/// Deepest nesting that is read.
const DEPTH: usize = 60;

/// What came of a text.
#[derive(Debug)]
pub struct Parsed {
    /// The value; [`Kind::Broken`] if there is none.
    pub root: Node,
    /// What is wrong with the syntax.
    pub errors: Vec<Diagnostic>,
    /// Whether the tree can be trusted: nothing was skipped to go on.
    pub whole: bool,
}

/// Reads a text. Does not fail: what cannot be read is reported, and the rest is read.
pub fn parse(src: &str) -> Parsed {
    let mut p = Parser { src, tokens: tokens(src), at: 0, errors: Vec::new(), whole: true };
    p.attributes();
    if matches!(p.peek().tok, Tok::Eof) {
        p.fail(Diagnostic::error(p.peek().span, "there is nothing in this file").label("a scenario is one value, `Scenario(…)`"));
        return Parsed { root: Node { kind: Kind::Broken, span: Span::default() }, errors: p.errors, whole: false };
    }
    let root = p.value(0);
    if !matches!(p.peek().tok, Tok::Eof) && p.whole {
        let span = p.peek().span;
        p.fail(
            Diagnostic::error(span, "something follows after the scenario's end")
                .label("not part of it")
                .and(Span::new(root.span.end.saturating_sub(1), root.span.end), "it ends here"),
        );
    }
    Parsed { root, errors: p.errors, whole: p.whole }
}

struct Parser<'a> {
    src: &'a str,
    tokens: Vec<Token>,
    at: usize,
    errors: Vec<Diagnostic>,
    whole: bool,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_at(&self, n: usize) -> &Tok {
        &self.tokens[(self.at + n).min(self.tokens.len() - 1)].tok
    }

    fn next(&mut self) -> Token {
        let t = self.peek().clone();
        self.at += 1;
        t
    }

    fn is(&self, c: char) -> bool {
        self.peek().tok == Tok::Punct(c)
    }

    fn fail(&mut self, d: Diagnostic) {
        self.whole = false;
        if self.errors.len() < 50 {
            self.errors.push(d);
        }
    }

    /// `#![…]` at the top.
    fn attributes(&mut self) {
        while self.is('#') && *self.peek_at(1) == Tok::Punct('!') && *self.peek_at(2) == Tok::Punct('[') {
            let start = self.peek().span;
            let enable = *self.peek_at(3) == Tok::Ident("enable".to_owned());
            while !self.is(']') && !matches!(self.peek().tok, Tok::Eof) {
                self.at += 1;
            }
            let end = self.next().span;
            if enable {
                self.errors.push(
                    Diagnostic::error(start.to(end), "a scenario enables no extensions")
                        .label("leave this line out")
                        .help("what it needs is always on"),
                );
            }
        }
    }

    fn value(&mut self, depth: usize) -> Node {
        let t = self.next();
        if depth > DEPTH {
            self.fail(Diagnostic::error(t.span, "nested too deeply").label(format!("more than {DEPTH} levels")));
            self.at = self.tokens.len() - 1;
            return Node { kind: Kind::Broken, span: t.span };
        }
        let node = |kind| Node { kind, span: t.span };
        match t.tok {
            Tok::Int(n) => node(Kind::Int(n)),
            Tok::Float => node(Kind::Float),
            Tok::Str(s) => node(Kind::Str(s)),
            Tok::Char(c) => node(Kind::Char(c)),
            Tok::Bytes => node(Kind::Bytes),
            Tok::Ident(w) if w == "true" || w == "false" => node(Kind::Bool(w == "true")),
            Tok::Ident(w) if self.is('(') => {
                let open = self.next().span;
                self.parens(Some((w, t.span)), open, depth)
            }
            Tok::Ident(w) => node(Kind::Word(w)),
            Tok::Punct('(') => self.parens(None, t.span, depth),
            Tok::Punct('[') => {
                let mut items = Vec::new();
                let end = self.separated(t.span, ']', &mut |p| items.push(p.value(depth + 1)));
                Node { kind: Kind::List(items), span: t.span.to(end) }
            }
            Tok::Punct('{') => {
                let mut pairs = Vec::new();
                let end = self.separated(t.span, '}', &mut |p| {
                    let key = p.value(depth + 1);
                    if p.is(':') {
                        p.at += 1;
                        let value = p.value(depth + 1);
                        pairs.push((key, value));
                    } else if !matches!(key.kind, Kind::Broken) {
                        let d = Diagnostic::error(key.span, "a map holds keys with values")
                            .label("no `: value` follows")
                            .help("write {\"key\": \"value\"}");
                        p.fail(d);
                    }
                });
                Node { kind: Kind::Map(pairs), span: t.span.to(end) }
            }
            Tok::Bad(why) => {
                self.fail(Diagnostic::error(t.span, why));
                node(Kind::Broken)
            }
            Tok::Eof => {
                self.fail(Diagnostic::error(t.span, "the file ends where a value is expected"));
                node(Kind::Broken)
            }
            Tok::Punct(c) => {
                self.fail(Diagnostic::error(t.span, format!("a value is expected here, not `{c}`")));
                if matches!(c, ')' | ']' | '}' | ',') {
                    self.at -= 1; // it belongs to what is around
                }
                node(Kind::Broken)
            }
        }
    }

    fn parens(&mut self, name: Option<(String, Span)>, open: Span, depth: usize) -> Node {
        let start = name.as_ref().map_or(open, |(_, s)| *s);
        let named =
            matches!(self.peek().tok, Tok::Ident(_)) && !matches!(self.peek_at(1), Tok::Punct(',' | '(' | ')' | ']' | '}') | Tok::Eof);
        if named || self.is(')') {
            let mut fields = Vec::new();
            let end = self.separated(open, ')', &mut |p| p.field(&mut fields, depth));
            return Node { kind: Kind::Struct { name, fields }, span: start.to(end) };
        }
        let mut items = Vec::new();
        let end = self.separated(open, ')', &mut |p| {
            let v = p.value(depth + 1);
            if p.is(':') {
                let span = v.span;
                let what = match &v.kind {
                    Kind::Str(_) => "names of fields stand without quotes",
                    _ => "a field is written `name: value`",
                };
                p.at += 1;
                p.value(depth + 1);
                p.fail(Diagnostic::error(span, what));
            }
            items.push(v);
        });
        Node { kind: Kind::Tuple { name, items }, span: start.to(end) }
    }

    fn field(&mut self, fields: &mut Vec<Field>, depth: usize) {
        let t = self.peek().clone();
        let Tok::Ident(name) = t.tok else {
            let quoted = matches!(t.tok, Tok::Str(_)) && *self.peek_at(1) == Tok::Punct(':');
            let d = if quoted {
                Diagnostic::error(t.span, "names of fields stand without quotes")
            } else if let Tok::Bad(why) = t.tok {
                Diagnostic::error(t.span, why)
            } else {
                Diagnostic::error(t.span, "a field is expected here, `name: value`")
            };
            if quoted {
                self.at += 2;
                self.value(depth + 1);
            } else {
                self.value(depth + 1);
                if d.span() == self.errors.last().map_or(Span::default(), Diagnostic::span) {
                    return;
                }
            }
            return self.fail(d);
        };
        self.at += 1;
        if self.is(':') {
            self.at += 1;
            let value = self.value(depth + 1);
            return fields.push(Field { name, name_span: t.span, value });
        }
        let value_follows = !matches!(self.peek().tok, Tok::Punct(_) | Tok::Eof);
        let eq = self.src[t.span.end..].trim_start().starts_with('=');
        if eq {
            self.at += 1;
        }
        let d = Diagnostic::error(t.span, format!("`{name}` has no value"))
            .label("a colon is expected after it")
            .help(format!("write `{name}: …`"));
        self.fail(d);
        if value_follows || eq {
            self.value(depth + 1);
        }
    }

    /// Values with commas between them, up to `close`. Returns the place of the end.
    fn separated(&mut self, open: Span, close: char, one: &mut dyn FnMut(&mut Self)) -> Span {
        loop {
            if self.is(close) {
                return self.next().span;
            }
            if matches!(self.peek().tok, Tok::Eof) {
                return self.unclosed(open, close);
            }
            let before = self.at;
            one(self);
            if self.is(',') {
                self.at += 1;
                continue;
            }
            if self.is(close) {
                continue;
            }
            match self.peek().tok.clone() {
                Tok::Eof => return self.unclosed(open, close),
                Tok::Punct(c @ (')' | ']' | '}')) => {
                    let span = self.peek().span;
                    self.fail(
                        Diagnostic::error(span, format!("`{c}` does not close what is open"))
                            .label(format!("`{close}` is expected"))
                            .and(open, "opened here"),
                    );
                    self.at += 1;
                    return span;
                }
                _ if self.at > before && !matches!(self.tokens[self.at - 1].tok, Tok::Bad(_)) => {
                    // A comma was forgotten: say so behind what stands before, and go on as if it were there.
                    let last = self.tokens[self.at - 1].span;
                    let whole = self.whole;
                    let next = self.peek().span;
                    self.fail(
                        Diagnostic::error(Span::new(last.end.saturating_sub(1).max(last.start), last.end), "a comma is missing")
                            .label("expected after this")
                            .and(next, "before this"),
                    );
                    self.whole = whole;
                }
                _ => {
                    if self.at == before {
                        self.at += 1;
                    }
                    self.recover(close);
                }
            }
        }
    }

    /// Goes on behind the next comma of this level, or at its end.
    fn recover(&mut self, _close: char) {
        let mut depth = 0usize;
        loop {
            match &self.peek().tok {
                Tok::Eof => return,
                Tok::Punct('(' | '[' | '{') => depth += 1,
                Tok::Punct(')' | ']' | '}') if depth == 0 => return,
                Tok::Punct(')' | ']' | '}') => depth -= 1,
                Tok::Punct(',') if depth == 0 => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn unclosed(&mut self, open: Span, close: char) -> Span {
        let end = self.peek().span;
        // The innermost says it; those around it would only repeat it.
        if !self.errors.iter().any(|d| d.message.starts_with("the file ends before") || d.message.contains("has no")) {
            self.fail(
                Diagnostic::error(end, format!("the file ends before this is closed: `{close}` is missing")).and(open, "opened here"),
            );
        }
        self.whole = false;
        end
    }
}
