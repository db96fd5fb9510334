//! Commands.
//!
//! Models: nft 1.0.6 src/parser_bison.y (base_cmd), src/rule.c do_command_…, src/cache.c (what nft itself finds missing).
//! Simplifies: `monitor`, `export` and `describe` are not there; `reset` changes nothing, as nothing is counted.

use super::super::apply::Place;
use super::super::{NftFamily, ObjKind};
use super::error::{Refused, Span};
use super::lex::{Kind, Tok};
use super::rule::At;
use super::{Parsed, Session};

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Create,
    Insert,
    Replace,
    Delete,
    Flush,
    Rename,
    Reset,
}

const OBJECTS: &str = "string";

impl<'a> Session<'a> {
    /// All commands, to the end of the text.
    pub(super) fn commands(&mut self) -> Parsed<()> {
        loop {
            self.skip_ends();
            if self.peek().kind == Kind::End {
                return Ok(());
            }
            self.command()?;
        }
    }

    fn command(&mut self) -> Parsed<()> {
        let from = self.peek();
        let verb = match from.text {
            "add" => Verb::Add,
            "create" => Verb::Create,
            "insert" => Verb::Insert,
            "replace" => Verb::Replace,
            "delete" => Verb::Delete,
            "flush" => Verb::Flush,
            "rename" => Verb::Rename,
            "reset" => Verb::Reset,
            "define" | "redefine" => {
                self.next();
                return self.define(from.text == "redefine");
            }
            "undefine" => return Err(Refused::not_simulated(from.at, "nft `undefine`")),
            "include" => return Err(Refused::not_simulated(from.at, "nft `include`: write the rules into one text")),
            "monitor" | "export" | "describe" | "import" => {
                return Err(Refused::not_simulated(from.at, format!("nft `{}`", from.text)));
            }
            "list" | "get" => return Err(Refused::not_simulated(from.at, "nft `list` among changes")),
            "table" | "chain" | "rule" | "set" | "map" | "element" | "counter" | "quota" | "limit" => {
                self.object_command(Verb::Add, from)?;
                return self.end();
            }
            _ if from.kind == Kind::Word => {
                // a name at the beginning is read as that of a table's chain, and then something is missing
                self.next();
                return self.unexpected("string");
            }
            _ => return self.unexpected(""),
        };
        self.next();
        self.object_command(verb, from)?;
        self.end()
    }

    /// An optional family.
    fn family(&mut self) -> Parsed<NftFamily> {
        let t = self.peek();
        // the family is followed by a name; alone it is a name itself
        let follows = self.peek_at(1);
        if t.text == "netdev" && follows.kind == Kind::Word {
            return Err(Refused::not_simulated(t.at, "nft tables of the netdev family"));
        }
        match NftFamily::by_name(t.text) {
            Some(f) if t.kind == Kind::Word => {
                self.next();
                Ok(f)
            }
            _ => Ok(NftFamily::Ip),
        }
    }

    fn object_command(&mut self, verb: Verb, from: Tok<'a>) -> Parsed<()> {
        let what = self.peek();
        match (what.text, verb) {
            ("ruleset", Verb::Flush) => {
                self.next();
                let family = NftFamily::by_name(self.peek().text);
                if family.is_some() {
                    self.next();
                }
                let all: Vec<u32> = self.tx.nft.tables.iter().filter(|t| family.is_none_or(|f| t.family == f)).map(|t| t.handle).collect();
                all.into_iter().for_each(|h| self.tx.delete_table(h));
                Ok(())
            }
            ("table", _) => {
                self.next();
                self.table_command(verb)
            }
            ("chain", _) => {
                self.next();
                self.chain_command(verb, from)
            }
            ("rule", _) => {
                self.next();
                self.rule_command(verb, from)
            }
            ("set" | "map", _) => {
                self.next();
                self.set_command(verb, what.text == "map")
            }
            ("element", Verb::Add | Verb::Create | Verb::Delete) => {
                self.next();
                self.element_command(verb)
            }
            ("counter" | "quota" | "limit", Verb::Add | Verb::Create | Verb::Delete | Verb::Reset) => {
                self.next();
                self.named_object(verb, what)
            }
            ("counters" | "quotas" | "rules", Verb::Reset) => {
                while !self.at_end() {
                    self.next();
                }
                Ok(())
            }
            ("flowtable" | "ct" | "secmark" | "synproxy" | "meter", _) => {
                Err(Refused::not_simulated(what.at, format!("nft object `{}`", what.text)))
            }
            // `add` alone may be followed by a rule's table
            _ if matches!(verb, Verb::Add | Verb::Insert | Verb::Replace) && what.kind == Kind::Word => self.rule_command(verb, from),
            _ => self.unexpected(if verb == Verb::Add { OBJECTS } else { "" }),
        }
    }

    /// A command with the end of its line.
    fn whole(&self, from: Tok<'a>) -> Span {
        Span { from: from.at.from, to: self.last_at().to + 1 }
    }

    fn handle(&mut self) -> Parsed<Option<(u32, Span)>> {
        if !self.eat("handle") {
            return Ok(None);
        }
        let at = self.peek().at;
        Ok(Some((self.number32()?, at)))
    }

    fn table_command(&mut self, verb: Verb) -> Parsed<()> {
        let family = self.family()?;
        if verb == Verb::Delete
            && let Some((h, at)) = self.handle()?
        {
            let found = self.tx.nft.table(h).filter(|t| t.family == family).is_some();
            if !found {
                return Err(Refused::kernel(at, "No such file or directory"));
            }
            self.tx.delete_table(h);
            return Ok(());
        }
        let name = self.identifier()?;
        match verb {
            Verb::Add | Verb::Create => {
                let (comment, dormant) = self.table_head()?;
                let handle = self.tx.add_table(family, name.text, comment, dormant, verb == Verb::Create, name.at)?;
                if self.eat("{") { self.table_body(family, handle) } else { Ok(()) }
            }
            Verb::Delete => {
                let h = self.tx.table(family, name.text, name.at, false)?;
                self.tx.delete_table(h);
                Ok(())
            }
            Verb::Flush => {
                let h = self.tx.table(family, name.text, name.at, false)?;
                self.tx.flush_table(h);
                Ok(())
            }
            _ => self.unexpected(""),
        }
    }

    /// What the body of a table says of the table itself.
    fn table_head(&self) -> Parsed<(Option<std::sync::Arc<str>>, bool)> {
        let (mut comment, mut dormant, mut depth) = (None, false, 0);
        if !self.is("{") {
            return Ok((None, false));
        }
        for pair in self.toks[self.i..].windows(2) {
            match pair[0].text {
                "{" if pair[0].kind == Kind::Sign => depth += 1,
                "}" if pair[0].kind == Kind::Sign => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                "comment" if depth == 1 && pair[0].kind == Kind::Word => comment = Some(pair[1].text.into()),
                "flags" if depth == 1 && pair[0].kind == Kind::Word => {
                    if pair[1].text != "dormant" {
                        return Err(Refused::not_simulated(pair[1].at, format!("tables with flag `{}`", pair[1].text)));
                    }
                    dormant = true;
                }
                _ => {}
            }
        }
        Ok((comment, dormant))
    }

    fn chain_command(&mut self, verb: Verb, from: Tok<'a>) -> Parsed<()> {
        let family = self.family()?;
        let table = self.identifier()?;
        let by_nft = matches!(verb, Verb::Add | Verb::Create | Verb::Rename);
        let handle = self.tx.table(family, table.text, table.at, by_nft)?;
        if verb == Verb::Delete
            && let Some((h, at)) = self.handle()?
        {
            let slot = self.tx.nft.table(handle).and_then(|t| t.chains.iter().find(|(_, c)| c.handle == h).map(|(s, _)| s));
            let Some(slot) = slot else { return Err(Refused::kernel(at, "No such file or directory")) };
            return self.tx.delete_chain(handle, slot, at);
        }
        let name = self.identifier()?;
        match verb {
            Verb::Add | Verb::Create => {
                let head = if self.eat("{") { self.chain_body(family)? } else { super::block::ChainHead::default() };
                let behind = self.i;
                let whole = self.whole(from);
                let slot =
                    self.tx.add_chain(handle, name.text, head.base, head.policy, head.comment, verb == Verb::Create, (name.at, whole))?;
                for i in head.rules {
                    self.i = i;
                    let start = self.peek().at;
                    let rule = self.rule(At { family, table: handle })?;
                    self.tx.add_rule(handle, slot, Place::End, rule, start.to(self.last_at()))?;
                }
                self.i = behind;
                Ok(())
            }
            Verb::Delete => {
                let slot = self.tx.chain(handle, name.text, name.at, false)?;
                self.tx.delete_chain(handle, slot, name.at)
            }
            Verb::Flush => {
                let slot = self.tx.chain(handle, name.text, name.at, false)?;
                self.tx.flush_chain(handle, slot);
                Ok(())
            }
            Verb::Rename => {
                let slot = self.tx.chain(handle, name.text, name.at, true)?;
                let to = self.identifier()?;
                self.tx.rename_chain(handle, slot, to.text, self.whole(from))
            }
            _ => self.unexpected(""),
        }
    }

    fn rule_command(&mut self, verb: Verb, from: Tok<'a>) -> Parsed<()> {
        let family = self.family()?;
        let table = self.identifier()?;
        let chain = self.identifier()?;
        let handle = self.tx.table(family, table.text, table.at, false)?;
        let slot = self.tx.chain(handle, chain.text, chain.at, false)?;
        let at = At { family, table: handle };
        if matches!(verb, Verb::Delete | Verb::Replace) {
            if !self.is("handle") {
                return self.unexpected("handle");
            }
            let Some((h, h_at)) = self.handle()? else { return Ok(()) };
            let Some(i) = self.tx.find_rule(handle, slot, h) else {
                return Err(Refused::kernel(h_at, "No such file or directory"));
            };
            if verb == Verb::Delete {
                self.tx.delete_rule(handle, slot, i);
                return Ok(());
            }
            let rule = self.rule(at)?;
            return self.tx.add_rule(handle, slot, Place::Instead(i), rule, self.whole(from));
        }
        if !matches!(verb, Verb::Add | Verb::Insert | Verb::Create) {
            return self.unexpected("");
        }
        let place = self.position(handle, slot, verb == Verb::Insert)?;
        let rule = self.rule(at)?;
        self.tx.add_rule(handle, slot, place, rule, self.whole(from))
    }

    /// `position N`, `handle N`, `index N`: where a new rule goes.
    fn position(&mut self, table: u32, chain: u32, insert: bool) -> Parsed<Place> {
        let t = self.peek();
        if !matches!(t.text, "position" | "handle" | "index") || self.peek_at(1).kind != Kind::Word {
            return Ok(if insert { Place::Start } else { Place::End });
        }
        self.next();
        let n = self.number32()?;
        let at = t.at.to(self.last_at());
        let missing = || Refused::kernel(at, "No such file or directory");
        let i = if t.text == "index" {
            (n as usize).lt(&self.tx.rule_count(table, chain)).then_some(n as usize).ok_or_else(missing)?
        } else {
            self.tx.find_rule(table, chain, n).ok_or_else(missing)?
        };
        Ok(if insert { Place::Before(i) } else { Place::After(i) })
    }

    fn set_command(&mut self, verb: Verb, map: bool) -> Parsed<()> {
        let family = self.family()?;
        let table = self.identifier()?;
        let handle = self.tx.table(family, table.text, table.at, matches!(verb, Verb::Add | Verb::Create | Verb::Flush))?;
        let name = self.identifier()?;
        match verb {
            Verb::Add | Verb::Create => {
                self.expect("{")?;
                let at = At { family, table: handle };
                let (slot, elements, place) = self.set_body(at, name.text, name.at, map, verb == Verb::Create)?;
                if elements != 0 {
                    let behind = std::mem::replace(&mut self.i, elements);
                    self.fill(at, slot, place, false)?;
                    self.i = behind;
                }
                Ok(())
            }
            Verb::Delete | Verb::Flush => {
                let found = self.find_set(handle, name.text).map(|(slot, _)| slot);
                let Some(slot) = found else {
                    let message = "No such file or directory";
                    return Err(if verb == Verb::Flush { Refused::missing(name.at, message) } else { Refused::kernel(name.at, message) });
                };
                if verb == Verb::Flush {
                    self.tx.flush_set(handle, slot);
                    return Ok(());
                }
                self.tx.delete_set(handle, slot, name.at)
            }
            _ => self.unexpected(""),
        }
    }

    fn element_command(&mut self, verb: Verb) -> Parsed<()> {
        let family = self.family()?;
        let table = self.identifier()?;
        let handle = self.tx.table(family, table.text, table.at, true)?;
        let name = self.identifier()?;
        let Some((slot, set)) = self.find_set(handle, name.text) else {
            return Err(Refused::missing(name.at, "No such file or directory"));
        };
        let of = set.of.clone();
        let at = At { family, table: handle };
        if verb == Verb::Delete {
            // what an element leads to need not be said to take it away
            let bare = super::super::SetType { data: super::super::SetData::None, ..of.clone() };
            let start = self.i;
            let elems = match self.elements(&bare, at) {
                Ok(elems) => elems,
                Err(_) => {
                    self.i = start;
                    self.elements(&of, at)?
                }
            };
            return self.tx.delete_elements(handle, slot, elems);
        }
        self.fill(at, slot, name.at, verb == Verb::Create)
    }

    fn named_object(&mut self, verb: Verb, what: Tok<'a>) -> Parsed<()> {
        let family = self.family()?;
        let table = self.identifier()?;
        let handle = self.tx.table(family, table.text, table.at, true)?;
        match verb {
            Verb::Add | Verb::Create => self.object_body(handle, what.text, verb == Verb::Create),
            _ => {
                let name = self.identifier()?;
                let kind = match what.text {
                    "counter" => ObjKind::Counter,
                    "quota" => ObjKind::Quota,
                    _ => ObjKind::Limit,
                };
                if verb == Verb::Reset {
                    let there =
                        self.tx.nft.table(handle).is_some_and(|t| t.objects.iter().any(|o| o.kind() == kind && *o.name == *name.text));
                    return if there { Ok(()) } else { Err(Refused::missing(name.at, "No such file or directory")) };
                }
                self.tx.delete_object(handle, kind, name.text, name.at)
            }
        }
    }
}
