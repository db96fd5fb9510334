//! The language of nft: read, carried out command by command, and printed.
//!
//! Models: nft 1.0.6 src/parser_bison.y, src/evaluate.c, src/rule.c.
//! Simplifies: no `include`, no JSON; host names are not resolved; not every construct of the language is known, and one that is
//! not is refused.
//!
//! ```text
//!   text ─ lex ─► words ─ command ─┬─ block     table, chain and set bodies
//!                                  ├─ rule ───── exprs, value     statements
//!                                  └─ element                     sets, maps and their elements
//!                                        │
//!                                        ▼
//!                                   Transaction (apply.rs)        all or nothing
//! ```
//!
//! What a value means depends on the types of sets, which may have been made a line before: so a command is carried out on
//! the transaction's copy of the tables as soon as it is read.

pub mod block;
pub mod command;
pub mod element;
pub mod error;
pub mod exprs;
pub mod lex;
pub mod list;
mod meaning;
pub mod nat;
pub mod normal;
pub mod print;
pub mod rule;
#[cfg(test)]
mod tests;
pub mod value;

pub use error::{NftError, Refused, Span};
pub use print::Style;

use super::apply::{Outcome, Transaction};
use super::{Nftables, Set};
use crate::linux::id::{RowId, Source};
use crate::linux::time::Time;
use indexmap::IndexMap;
use lex::{Kind, Tok};
use std::sync::Arc;

/// What a text is read with.
#[expect(missing_debug_implementations, reason = "it holds functions")]
pub struct Env<'a> {
    /// The index of a device by its name.
    pub device: &'a dyn Fn(&str) -> Option<u32>,
    /// Now: when elements with a time to live begin.
    pub now: Time,
    /// What new rows say made them.
    pub source: Source,
    /// Whether names that are not there are let pass: the text alone is looked at.
    pub lenient: bool,
}

/// A text on its way into the tables.
pub(super) struct Session<'a> {
    pub toks: Vec<Tok<'a>>,
    pub i: usize,
    pub env: &'a Env<'a>,
    pub tx: Transaction<'a>,
    defines: IndexMap<String, Vec<Tok<'a>>>,
}

/// Carries `text` out on `nft`: all of it, or nothing.
///
/// # Errors
/// The first thing that nft or the kernel would refuse.
pub fn run(nft: &mut Nftables, text: &str, env: &Env<'_>, new_row: &mut dyn FnMut() -> RowId) -> Result<Outcome, Refused> {
    let toks = lex::lex(text)?;
    let tx = Transaction::new(nft.clone(), env.source, env.now, new_row);
    let mut s = Session { toks, i: 0, env, tx, defines: IndexMap::new() };
    s.commands()?;
    let (done, outcome) = s.tx.finish()?;
    *nft = done;
    Ok(outcome)
}

/// Looks at `text` alone: what would be refused wherever it were said.
///
/// # Errors
/// What nft refuses whatever the tables hold.
pub fn check(text: &str) -> Result<(), Refused> {
    let env = Env { device: &|_| Some(1), now: Time::ZERO, source: Source::Kernel, lenient: true };
    match run(&mut Nftables::default(), text, &env, &mut || RowId::NONE) {
        Err(e) if e.by_kernel => Ok(()),
        other => other.map(|_| ()),
    }
}

pub(super) type Parsed<T> = Result<T, Refused>;

impl<'a> Session<'a> {
    /// The word that is next; what `define` named is put in its place.
    pub(super) fn peek(&self) -> Tok<'a> {
        self.toks[self.i.min(self.toks.len() - 1)]
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Tok<'a> {
        self.toks[(self.i + ahead).min(self.toks.len() - 1)]
    }

    pub(super) fn next(&mut self) -> Tok<'a> {
        let t = self.peek();
        if self.i + 1 < self.toks.len() {
            self.i += 1;
        }
        t
    }

    /// Where the word before the next one ended.
    pub(super) fn last_at(&self) -> Span {
        self.toks[self.i.saturating_sub(1)].at
    }

    pub(super) fn unexpected<T>(&self, expecting: &str) -> Parsed<T> {
        let t = self.peek();
        let mut message = format!("syntax error, unexpected {}", t.described());
        if !expecting.is_empty() {
            message.push_str(", expecting ");
            message.push_str(expecting);
        }
        Err(Refused::new(t.at, message))
    }

    pub(super) fn is(&self, word: &str) -> bool {
        let t = self.peek();
        t.text == word && matches!(t.kind, Kind::Word | Kind::Sign)
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let hit = self.is(word);
        if hit {
            self.next();
        }
        hit
    }

    pub(super) fn expect(&mut self, sign: &str) -> Parsed<Span> {
        if self.is(sign) {
            Ok(self.next().at)
        } else {
            self.unexpected(&Tok { kind: Kind::Sign, text: sign, at: Span::default() }.described())
        }
    }

    /// The name of a table, a chain, a set: no word of the language.
    pub(super) fn identifier(&mut self) -> Parsed<Tok<'a>> {
        let t = self.peek();
        if t.kind == Kind::Word && lex::KEYWORDS.contains(&t.text) || t.text.bytes().all(|b| b.is_ascii_digit()) {
            return self.unexpected("string");
        }
        self.name()
    }

    /// A word, or a text in quotes.
    pub(super) fn name(&mut self) -> Parsed<Tok<'a>> {
        let t = self.peek();
        if matches!(t.kind, Kind::Word | Kind::Quoted) && !t.text.is_empty() { Ok(self.next()) } else { self.unexpected("string") }
    }

    /// A text in quotes, or a word.
    pub(super) fn string(&mut self) -> Parsed<Arc<str>> {
        self.name().map(|t| t.text.into())
    }

    /// A number, decimal or with 0x.
    pub(super) fn number(&mut self) -> Parsed<u64> {
        let t = self.peek();
        match value::parse_number(t.text).filter(|_| t.kind == Kind::Word) {
            Some(n) => {
                self.next();
                Ok(n)
            }
            None => self.unexpected("number"),
        }
    }

    pub(super) fn number32(&mut self) -> Parsed<u32> {
        let at = self.peek().at;
        let n = self.number()?;
        u32::try_from(n).map_err(|_| Refused::new(at, format!("Value {n} exceeds valid range 0-4294967295")))
    }

    /// Whether a command or a line of a block ends here.
    pub(super) fn at_end(&self) -> bool {
        let t = self.peek();
        matches!(t.kind, Kind::Newline | Kind::End) || (t.kind == Kind::Sign && matches!(t.text, ";" | "}"))
    }

    /// Past the ends of lines.
    pub(super) fn skip_ends(&mut self) {
        while self.peek().kind == Kind::Newline || self.is(";") {
            self.next();
        }
    }

    pub(super) fn skip_lines(&mut self) {
        while self.peek().kind == Kind::Newline {
            self.next();
        }
    }

    /// The end of a command or of a line of a block.
    pub(super) fn end(&mut self) -> Parsed<()> {
        let t = self.peek();
        match t.kind {
            Kind::Newline => {
                self.next();
                Ok(())
            }
            Kind::End => Ok(()),
            _ if self.eat(";") => Ok(()),
            _ => self.unexpected("end of file or newline or semicolon"),
        }
    }

    /// `define NAME = …`.
    pub(super) fn define(&mut self, redefine: bool) -> Parsed<()> {
        let name = self.name()?;
        self.expect("=")?;
        if !redefine && self.defines.contains_key(name.text) {
            return Err(Refused::new(name.at, format!("redefinition of symbol '{}'", name.text)));
        }
        let mut value = Vec::new();
        let mut depth = 0;
        while depth > 0 || !self.at_end() {
            let t = self.next();
            match t.text {
                "{" if t.kind == Kind::Sign => depth += 1,
                "}" if t.kind == Kind::Sign => depth -= 1,
                _ if t.kind == Kind::End => return self.unexpected(""),
                _ => {}
            }
            value.push(t);
        }
        if value.is_empty() {
            return self.unexpected("");
        }
        self.defines.insert(name.text.to_owned(), value);
        self.expand();
        self.end()
    }

    /// Puts what was defined in the place of `$NAME`, from here on.
    fn expand(&mut self) {
        let mut at = self.i;
        while at + 1 < self.toks.len() {
            let (sign, name) = (self.toks[at], self.toks[at + 1]);
            if sign.kind == Kind::Sign
                && sign.text == "$"
                && let Some(value) = self.defines.get(name.text)
            {
                let here = sign.at.to(name.at);
                let value: Vec<Tok<'a>> = value.iter().map(|t| Tok { at: here, ..*t }).collect();
                self.toks.splice(at..at + 2, value);
                continue;
            }
            at += 1;
        }
    }

    /// The set of that name in the table that is worked on.
    pub(super) fn find_set(&self, table: u32, name: &str) -> Option<(u32, &Set)> {
        let t = self.tx.nft.table(table)?;
        let slot = t.sets.slot(name)?;
        Some((slot, t.sets.get(slot)?))
    }
}
