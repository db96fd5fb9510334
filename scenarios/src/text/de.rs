//! Tree to schema values, all complaints at once.
//!
//! The schema is read again and again: what does not fit is reported and left out the next time, until the rest fits.
//! So an entry with an error hides neither the errors of its neighbours nor their names.

use super::node::{Field, Kind, Node, Span};
use crate::diag::{Diagnostic, near};
use serde::de::{self, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

/// The name by which [`crate::schema::At`] asks for its place.
pub(crate) const AT: &str = "$At";
/// Between the parts of an error of a value's own: what is wrong, words at the place, repair.
pub(crate) const PART: char = '\u{1f}';

/// What came of a tree.
#[derive(Debug)]
pub struct Read<T> {
    /// The value, without what did not fit; none if nothing did.
    pub value: Option<T>,
    /// What did not fit.
    pub errors: Vec<Diagnostic>,
    /// Places of what was left out.
    pub left_out: BTreeSet<Span>,
}

/// Reads `root` as a `T`.
pub fn read<'a, T: de::Deserialize<'a>>(root: &'a Node) -> Read<T> {
    let mut errors = Vec::new();
    let mut left_out = BTreeSet::new();
    for _ in 0..400 {
        let cx = Cx { skip: std::mem::take(&mut left_out), failure: RefCell::default(), in_field: Cell::default() };
        let result = T::deserialize(De { node: root, cx: &cx, bare: false });
        left_out = cx.skip;
        match (result, cx.failure.into_inner()) {
            (Ok(value), _) => return Read { value: Some(value), errors, left_out },
            (Err(_), Some(failure)) => {
                errors.extend(failure.say);
                let at_root = failure.skip == root.span;
                if at_root || !left_out.insert(failure.skip) {
                    break;
                }
            }
            (Err(fault), None) => {
                errors.extend(fault.say(root, None));
                break;
            }
        }
    }
    Read { value: None, errors, left_out }
}

#[derive(Debug)]
struct Failure {
    /// What to say; nothing if it was said before.
    say: Option<Diagnostic>,
    /// What to leave out.
    skip: Span,
}

struct Cx<'a> {
    skip: BTreeSet<Span>,
    failure: RefCell<Option<Failure>>,
    in_field: Cell<Option<&'a str>>,
}

impl Cx<'_> {
    fn fail(&self, skip: Span, say: Option<Diagnostic>) -> Fault {
        let mut slot = self.failure.borrow_mut();
        if slot.is_none() {
            *slot = Some(Failure { say, skip });
        }
        Fault::Located
    }
}

/// What serde complains about, before its place is known.
#[derive(Debug)]
enum Fault {
    Located,
    Custom(String),
    Wanted(String),
    Variant(String, &'static [&'static str]),
    UnknownField(String, &'static [&'static str]),
    Missing(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(msg: T) -> Self {
        Fault::Custom(msg.to_string())
    }
    fn invalid_type(_: Unexpected<'_>, exp: &dyn Expected) -> Self {
        Fault::Wanted(exp.to_string())
    }
    fn invalid_value(_: Unexpected<'_>, exp: &dyn Expected) -> Self {
        Fault::Wanted(exp.to_string())
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Fault::Variant(variant.to_owned(), expected)
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Fault::UnknownField(field.to_owned(), expected)
    }
    fn missing_field(field: &'static str) -> Self {
        Fault::Missing(field)
    }
}

/// What a number type takes, in words.
fn range_of(expected: &str) -> String {
    match expected {
        "u8" => "a number from 0 to 255".to_owned(),
        "u16" => "a number from 0 to 65535".to_owned(),
        "u32" => "a number from 0 to 4294967295".to_owned(),
        "u64" | "usize" => "a number, not below 0".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "a string" | "string" => "a string".to_owned(),
        other => other.to_owned(),
    }
}

impl Fault {
    fn say(self, node: &Node, field: Option<&str>) -> Option<Diagnostic> {
        let takes = |what: &str| match field {
            Some(f) => format!("`{f}` takes {what}"),
            None => format!("{what} is expected here"),
        };
        Some(match self {
            Fault::Located => return None,
            Fault::Custom(text) => {
                let mut parts = text.split(PART);
                let d = Diagnostic::error(node.span, parts.next().unwrap_or_default());
                let d = match parts.next() {
                    Some(label) if !label.is_empty() => d.label(label),
                    _ => d,
                };
                match parts.next() {
                    Some(help) => d.help(help),
                    None => d,
                }
            }
            Fault::Wanted(what) => {
                let what = range_of(&what);
                let d = Diagnostic::error(node.span, takes(&what)).label(format!("this is {}", node.describe()));
                match (&node.kind, what.as_str()) {
                    (Kind::Str(s), w) if w.starts_with("a number") && s.parse::<i128>().is_ok() => {
                        d.help(format!("write {s}, without quotes"))
                    }
                    (Kind::Word(w), "a string") => d.help(format!("strings stand in quotes: \"{w}\"")),
                    (Kind::Int(n), "a string") => d.help(format!("strings stand in quotes: \"{n}\"")),
                    (Kind::Word(w), _) if w == "None" => d.help("what is not there is not written: leave the field out"),
                    (Kind::Tuple { name: Some((n, _)), .. }, _) if n == "Some" => d.help("write the value alone, without `Some( )`"),
                    (Kind::Float, _) => d.help("there are no fractions here; durations are written \"1.5s\", shares \"0.5%\""),
                    _ => d,
                }
            }
            Fault::Variant(found, names) => {
                let span = match &node.kind {
                    Kind::Struct { name: Some((_, s)), .. } | Kind::Tuple { name: Some((_, s)), .. } => *s,
                    _ => node.span,
                };
                let what = field.map_or_else(|| "here".to_owned(), |f| format!("for `{f}`"));
                Diagnostic::error(span, format!("there is no `{found}` {what}"))
                    .near(&found, names.iter().copied(), "not one of the words of the list")
                    .help(format!("one of: {}", names.join(", ")))
            }
            Fault::UnknownField(found, _) => Diagnostic::error(node.span, format!("there is no field `{found}`")),
            Fault::Missing(name) => {
                let (noun, _) = noun(node, "");
                Diagnostic::error(head(node), format!("{noun} needs `{name}`")).label(format!("`{name}` is missing"))
            }
        })
    }
}

/// The first part of a value: its word and opening parenthesis, or all of it if it is short.
fn head(node: &Node) -> Span {
    match &node.kind {
        Kind::Struct { name: Some((_, s)), .. } | Kind::Tuple { name: Some((_, s)), .. } => *s,
        Kind::Struct { fields, .. } => fields.first().map_or(node.span, |f| Span::new(node.span.start, f.name_span.end)),
        _ => node.span,
    }
}

/// What a struct of the schema is called in a message.
fn noun(node: &Node, name: &str) -> (String, bool) {
    let words = match (name, node.word()) {
        ("Scenario", _) => "a scenario",
        ("Network", _) => "a network",
        ("LinkDef", _) => "a link",
        ("Host", _) => "a host",
        ("HostNetns", _) => "a namespace",
        ("Interface", _) => "an interface",
        ("Cluster", _) => "a cluster",
        ("Node", _) => "a node",
        ("Pod", _) => "a pod",
        ("Container", _) => "a container",
        ("Deployment", _) => "a Deployment",
        ("Service", _) => "a Service",
        ("ServicePort", _) => "a Service's port",
        ("Endpoints", _) => "Endpoints",
        ("Ingress", _) => "an Ingress",
        ("NetworkPolicy", _) => "a NetworkPolicy",
        ("TimelineEntry", _) => "an entry of the timeline",
        ("StepPattern", None) => "a step",
        ("StoryEntry", _) => "an entry of the story",
        ("Challenge", _) => "a challenge",
        ("Check", _) => "a check",
        ("Command", _) => "a command",
        ("ListenSpec", _) => "a listener",
        (_, Some(word)) => return (format!("`{word}`"), true),
        _ => "this",
    };
    (words.to_owned(), false)
}

#[derive(Clone, Copy)]
struct De<'a, 'c> {
    node: &'a Node,
    cx: &'c Cx<'a>,
    /// The word before the parenthesis has been used up (it was the kind).
    bare: bool,
}

impl<'a, 'c> De<'a, 'c> {
    /// Gives a fault its place: this value.
    fn locate<T>(self, field: Option<&'a str>, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| match fault {
            Fault::Located => Fault::Located,
            Fault::Missing(name) if self.node.field(name).is_some_and(|f| self.cx.skip.contains(&f.value.span)) => {
                self.cx.fail(self.node.span, None)
            }
            fault => {
                let say = fault.say(self.node, field);
                self.cx.fail(self.node.span, say)
            }
        })
    }

    fn wanted<T>(self, what: &str) -> Result<T, Fault> {
        self.locate(self.cx.in_field.get(), Err(Fault::Wanted(what.to_owned())))
    }

    fn scalar<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        self.locate(self.cx.in_field.get(), result)
    }

    fn int<V: Visitor<'a>>(self, visitor: V, what: &str) -> Result<V::Value, Fault> {
        let Kind::Int(n) = self.node.kind else { return self.wanted(what) };
        let field = self.cx.in_field.get();
        let result = match (u64::try_from(n), i64::try_from(n)) {
            (Ok(n), _) => visitor.visit_u64::<Fault>(n),
            (_, Ok(n)) => visitor.visit_i64::<Fault>(n),
            _ => Err(Fault::Wanted(what.to_owned())),
        };
        result.map_err(|_| {
            let want = range_of(what);
            let d = Diagnostic::error(
                self.node.span,
                field.map_or_else(|| format!("{want} is expected here"), |f| format!("`{f}` takes {want}")),
            )
            .label("out of range");
            self.cx.fail(self.node.span, Some(d))
        })
    }

    fn fields<V: Visitor<'a>>(
        self,
        struct_name: &'static str,
        names: &'static [&'static str],
        visitor: V,
        fields: &'a [Field],
    ) -> Result<V::Value, Fault> {
        let result = visitor.visit_map(Fields { de: self, struct_name, names, fields, at: 0 });
        let result = match result {
            Err(Fault::Missing(name)) => {
                if self.node.field(name).is_some() {
                    return Err(self.cx.fail(self.node.span, None));
                }
                let (noun, _) = noun(self.node, struct_name);
                let d = Diagnostic::error(head(self.node), format!("{noun} needs `{name}`")).label(format!("`{name}` is missing"));
                return Err(self.cx.fail(self.node.span, Some(d)));
            }
            other => other,
        };
        self.locate(None, result)
    }
}

macro_rules! ints {
    ($($method:ident $what:literal),*) => {
        $(fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.int(visitor, $what)
        })*
    };
}

impl<'a> de::Deserializer<'a> for De<'a, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Bool(b) => self.scalar(visitor.visit_bool(*b)),
            Kind::Int(n) => match (u64::try_from(*n), i64::try_from(*n)) {
                (Ok(n), _) => self.scalar(visitor.visit_u64(n)),
                (_, Ok(n)) => self.scalar(visitor.visit_i64(n)),
                _ => self.wanted("a number that is not so large"),
            },
            Kind::Str(s) => self.scalar(visitor.visit_borrowed_str(s)),
            Kind::Char(c) => self.scalar(visitor.visit_char(*c)),
            Kind::Struct { fields, .. } => self.fields("", &[], visitor, fields),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            _ => {
                let mut want = String::new();
                use fmt::Write as _;
                let _ = write!(want, "{}", Expecting(&visitor));
                self.wanted(&want)
            }
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.kind {
            Kind::Bool(b) => self.scalar(visitor.visit_bool(b)),
            _ => self.wanted("true or false"),
        }
    }

    ints!(
        deserialize_i8 "a whole number", deserialize_i16 "a whole number", deserialize_i32 "i32", deserialize_i64 "i64",
        deserialize_u8 "u8", deserialize_u16 "u16", deserialize_u32 "u32", deserialize_u64 "u64"
    );

    fn deserialize_f32<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Fault> {
        self.wanted("a whole number")
    }
    fn deserialize_f64<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Fault> {
        self.wanted("a whole number")
    }
    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.kind {
            Kind::Char(c) => self.scalar(visitor.visit_char(c)),
            _ => self.wanted("a character"),
        }
    }
    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Str(s) => self.scalar(visitor.visit_borrowed_str(s)),
            _ => self.wanted("a string"),
        }
    }
    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }
    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }
    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }
    fn deserialize_unit<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Fault> {
        self.wanted("nothing")
    }
    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, _: V) -> Result<V::Value, Fault> {
        self.wanted("nothing")
    }
    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name == AT {
            return visitor.visit_seq(Placed { de: self, at: 0 });
        }
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::List(items) => {
                let result = visitor.visit_seq(Items { cx: self.cx, items, at: 0 });
                self.locate(self.cx.in_field.get(), result)
            }
            _ => self.wanted("a list, in [ ]"),
        }
    }
    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        self.wanted("values in ( )")
    }
    fn deserialize_tuple_struct<V: Visitor<'a>>(self, _: &'static str, _: usize, _: V) -> Result<V::Value, Fault> {
        self.wanted("values in ( )")
    }
    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Map(pairs) => {
                let result = visitor.visit_map(Pairs { cx: self.cx, pairs, at: 0 });
                self.locate(self.cx.in_field.get(), result)
            }
            _ => self.wanted("a map, in { }"),
        }
    }
    fn deserialize_struct<V: Visitor<'a>>(self, name: &'static str, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Struct { name: word, fields } => match word {
                Some((word, span)) if !self.bare && word != name => {
                    let d = Diagnostic::error(*span, format!("no word stands before the parenthesis here: `{word}`"));
                    let d = if name == "Scenario" { d.label("did you mean `Scenario`?") } else { d.label("leave it out") };
                    Err(self.cx.fail(self.node.span, Some(d)))
                }
                _ => self.fields(name, names, visitor, fields),
            },
            _ => self.wanted("named fields in ( )"),
        }
    }
    fn deserialize_enum<V: Visitor<'a>>(self, _: &'static str, variants: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        let field = self.cx.in_field.get();
        let Some(word) = self.node.word() else {
            let d = match &self.node.kind {
                Kind::Str(s) => {
                    let d = Diagnostic::error(self.node.span, "a bare word stands here, without quotes");
                    match near::nearest(s, variants.iter().copied()) {
                        Some(w) => d.label(format!("write {w}")),
                        None => d.help(format!("one of: {}", variants.join(", "))),
                    }
                }
                _ => {
                    let what = field.map_or_else(|| "a kind is expected here".to_owned(), |f| format!("`{f}` takes a word of a list"));
                    let d = Diagnostic::error(head(self.node), what).label(format!("this is {}", self.node.describe()));
                    if variants.is_empty() { d } else { d.help(format!("one of: {}", variants.join(", "))) }
                }
            };
            return Err(self.cx.fail(self.node.span, Some(d)));
        };
        let result = visitor.visit_enum(Variant { de: self, word });
        self.locate(field, result)
    }
    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Word(w) => self.scalar(visitor.visit_borrowed_str(w)),
            _ => self.wanted("a bare word"),
        }
    }
    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

struct Expecting<'v, V>(&'v V);

impl<'a, V: Visitor<'a>> fmt::Display for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

/// A value with its place: start, end, the value.
struct Placed<'a, 'c> {
    de: De<'a, 'c>,
    at: u8,
}

impl<'a> SeqAccess<'a> for Placed<'a, '_> {
    type Error = Fault;
    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.at += 1;
        match self.at {
            1 => seed.deserialize((self.de.node.span.start as u64).into_deserializer()).map(Some),
            2 => seed.deserialize((self.de.node.span.end as u64).into_deserializer()).map(Some),
            3 => seed.deserialize(self.de).map(Some),
            _ => Ok(None),
        }
    }
}

struct Items<'a, 'c> {
    cx: &'c Cx<'a>,
    items: &'a [Node],
    at: usize,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Fault;
    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        loop {
            let Some(node) = self.items.get(self.at) else { return Ok(None) };
            self.at += 1;
            if self.cx.skip.contains(&node.span) || matches!(node.kind, Kind::Broken) {
                continue;
            }
            self.cx.in_field.set(None);
            let de = De { node, cx: self.cx, bare: false };
            return de.locate(None, seed.deserialize(de)).map(Some);
        }
    }
}

struct Pairs<'a, 'c> {
    cx: &'c Cx<'a>,
    pairs: &'a [(Node, Node)],
    at: usize,
}

impl<'a> MapAccess<'a> for Pairs<'a, '_> {
    type Error = Fault;
    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some((key, value)) = self.pairs.get(self.at) {
            if self.cx.skip.contains(&key.span) || self.cx.skip.contains(&value.span) {
                self.at += 1;
                continue;
            }
            self.cx.in_field.set(None);
            let de = De { node: key, cx: self.cx, bare: false };
            return de.locate(None, seed.deserialize(de)).map(Some);
        }
        Ok(None)
    }
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((_, value)) = self.pairs.get(self.at) else { return Err(de::Error::custom("a value without key")) };
        self.at += 1;
        let de = De { node: value, cx: self.cx, bare: false };
        de.locate(None, seed.deserialize(de))
    }
}

struct Fields<'a, 'c> {
    de: De<'a, 'c>,
    struct_name: &'static str,
    names: &'static [&'static str],
    fields: &'a [Field],
    at: usize,
}

impl<'a> MapAccess<'a> for Fields<'a, '_> {
    type Error = Fault;
    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(field) = self.fields.get(self.at) {
            let twice = self.fields[..self.at].iter().any(|f| f.name == field.name);
            if twice || self.de.cx.skip.contains(&field.value.span) || matches!(field.value.kind, Kind::Broken) {
                self.at += 1;
                continue;
            }
            let key: de::value::BorrowedStrDeserializer<'a, Fault> = de::value::BorrowedStrDeserializer::new(&field.name);
            return seed.deserialize(key).map(Some).map_err(|fault| match fault {
                Fault::UnknownField(found, expected) => {
                    let names = if expected.is_empty() { self.names } else { expected };
                    let (noun, _) = noun(self.de.node, self.struct_name);
                    let d = Diagnostic::error(field.name_span, format!("{noun} has no field `{found}`"))
                        .near(&found, names.iter().copied(), "no such field")
                        .help(format!("its fields: {}", names.join(", ")));
                    self.de.cx.fail(field.value.span, Some(d))
                }
                other => {
                    let say = other.say(self.de.node, None);
                    self.de.cx.fail(field.value.span, say)
                }
            });
        }
        Ok(None)
    }
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(field) = self.fields.get(self.at) else { return Err(de::Error::custom("a value without name")) };
        self.at += 1;
        self.de.cx.in_field.set(Some(&field.name));
        let de = De { node: &field.value, cx: self.de.cx, bare: false };
        let result = seed.deserialize(de);
        let result = de.locate(Some(&field.name), result);
        self.de.cx.in_field.set(None);
        result
    }
}

struct Variant<'a, 'c> {
    de: De<'a, 'c>,
    word: &'a str,
}

impl<'a, 'c> EnumAccess<'a> for Variant<'a, 'c> {
    type Error = Fault;
    type Variant = De<'a, 'c>;
    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, De<'a, 'c>), Fault> {
        let key: de::value::BorrowedStrDeserializer<'a, Fault> = de::value::BorrowedStrDeserializer::new(self.word);
        Ok((seed.deserialize(key)?, De { bare: true, ..self.de }))
    }
}

impl<'a> VariantAccess<'a> for De<'a, '_> {
    type Error = Fault;
    fn unit_variant(self) -> Result<(), Fault> {
        match self.node.kind {
            Kind::Word(_) => Ok(()),
            _ => {
                let word = self.node.word().unwrap_or_default();
                let d = Diagnostic::error(self.node.span, format!("`{word}` takes nothing in ( )")).help(format!("write {word} alone"));
                Err(self.cx.fail(self.node.span, Some(d)))
            }
        }
    }
    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Fault> {
        match &self.node.kind {
            Kind::Struct { .. } => seed.deserialize(self),
            Kind::Tuple { items, .. } if items.len() == 1 => {
                let de = De { node: &items[0], cx: self.cx, bare: false };
                de.locate(None, seed.deserialize(de))
            }
            _ => {
                let word = self.node.word().unwrap_or_default();
                let d = Diagnostic::error(self.node.span, format!("`{word}` needs its fields"))
                    .label("no ( ) follows")
                    .help(format!("write {word}(…)"));
                Err(self.cx.fail(self.node.span, Some(d)))
            }
        }
    }
    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        self.wanted("values in ( )")
    }
    fn struct_variant<V: Visitor<'a>>(self, names: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Struct { fields, .. } => self.fields("", names, visitor, fields),
            _ => self.wanted("named fields in ( )"),
        }
    }
}
