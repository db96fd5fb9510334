//! The tree: values with their places in the source.

/// A place in the source: bytes `start` to `end`, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Span {
    /// From `start` to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// From the beginning of this to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.start) }
    }

    /// Whether `other` lies within.
    pub fn holds(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether it holds nothing.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A named field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// Its value.
    pub value: Node,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction or an exponent: always an error, but named as what it is.
    Float,
    /// `"…"`, `r#"…"#`, escapes resolved.
    Str(String),
    /// `'c'`.
    Char(char),
    /// `b"…"`.
    Bytes,
    /// A bare word: `host_gw`.
    Word(String),
    /// `(a: 1)` or `Name(a: 1)`; `()` too.
    Struct {
        /// The word before the parenthesis.
        name: Option<(String, Span)>,
        /// The fields in order.
        fields: Vec<Field>,
    },
    /// `(1, 2)` or `Name(1)`.
    Tuple {
        /// The word before the parenthesis.
        name: Option<(String, Span)>,
        /// The values.
        items: Vec<Node>,
    },
    /// `[…]`.
    List(Vec<Node>),
    /// `{…}`.
    Map(Vec<(Node, Node)>),
    /// Something that could not be read; it was reported.
    Broken,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, quotes and parentheses included.
    pub span: Span,
}

impl Node {
    /// The value of the field `name` of a struct.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.field(name).map(|f| &f.value)
    }

    /// The field `name` of a struct.
    pub fn field(&self, name: &str) -> Option<&Field> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields.iter().find(|f| f.name == name),
            _ => None,
        }
    }

    /// The values of a list.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) | Kind::Tuple { items, .. } => items,
            _ => &[],
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The word before the parenthesis, or the bare word.
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(w) => Some(w),
            Kind::Struct { name: Some((n, _)), .. } | Kind::Tuple { name: Some((n, _)), .. } => Some(n),
            _ => None,
        }
    }

    /// What it is, in words: `a string`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Bool(b) => format!("`{b}`"),
            Kind::Int(_) => "a number".to_owned(),
            Kind::Float => "a number with a fraction".to_owned(),
            Kind::Str(_) => "a string".to_owned(),
            Kind::Char(_) => "a character".to_owned(),
            Kind::Bytes => "a byte string".to_owned(),
            Kind::Word(w) => format!("the bare word `{w}`"),
            Kind::Struct { name: Some((n, _)), .. } | Kind::Tuple { name: Some((n, _)), .. } => format!("`{n}(…)`"),
            Kind::Struct { fields, .. } if fields.is_empty() => "`()`".to_owned(),
            Kind::Struct { .. } => "named fields in ( )".to_owned(),
            Kind::Tuple { .. } => "values in ( )".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Broken => "something unreadable".to_owned(),
        }
    }

    /// Calls `f` for this value and all below it, outermost first.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Node)) {
        f(self);
        match &self.kind {
            Kind::Struct { fields, .. } => fields.iter().for_each(|x| x.value.walk(f)),
            Kind::Tuple { items, .. } | Kind::List(items) => items.iter().for_each(|x| x.walk(f)),
            Kind::Map(pairs) => pairs.iter().for_each(|(k, v)| {
                k.walk(f);
                v.walk(f);
            }),
            _ => {}
        }
    }
}
