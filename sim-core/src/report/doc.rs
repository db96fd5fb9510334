//! A semantic document: what is to be shown, by its meaning, before anybody decides how.
//!
//! The text printer, the plain mode and the terminal's panes all draw the same documents.

/// What a piece of text means; a printer may give each a colour of its own, and must not need to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Ordinary words.
    Plain,
    /// A title.
    Title,
    /// A namespace or a host.
    Place,
    /// A device.
    Device,
    /// A layer or a kind of step.
    Layer,
    /// A packet in one line.
    Packet,
    /// A row of a table that won.
    Won,
    /// A row of a table that lost.
    Lost,
    /// A header field that changed.
    Changed,
    /// A reason.
    Why,
    /// A drop or an error.
    Bad,
    /// Something that worked.
    Good,
    /// A time.
    Time,
    /// A number of a step or a packet.
    Number,
    /// What may be skipped: where a row came from.
    Muted,
}

/// A piece of text of one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it means.
    pub role: Role,
    /// The text, without line breaks.
    pub text: String,
}

/// Text of several meanings in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Span>);

impl Line {
    /// No text.
    pub fn new() -> Self {
        Line::default()
    }

    /// Text of one meaning.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Line::new().and(role, text)
    }

    /// Ordinary words.
    pub fn plain(text: impl Into<String>) -> Self {
        Line::of(Role::Plain, text)
    }

    /// This, and more after it.
    #[must_use]
    pub fn and(mut self, role: Role, text: impl Into<String>) -> Self {
        self.push(role, text);
        self
    }

    /// Adds text.
    pub fn push(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Span { role, text });
        }
    }

    /// Adds another line's text.
    pub fn append(&mut self, other: Line) {
        self.0.extend(other.0);
    }

    /// This, and another line's text after it.
    #[must_use]
    pub fn join(mut self, other: Line) -> Self {
        self.append(other);
        self
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text alone.
    pub fn text(&self) -> String {
        self.0.iter().map(|s| s.text.as_str()).collect()
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// It won.
    Won,
    /// It was looked at and lost.
    Lost,
    /// It was not looked at.
    NotReached,
    /// It was written at this step.
    Learned,
    /// It is only shown.
    Shown,
}

impl Mark {
    /// The sign in front of the row, in ASCII.
    pub fn sign(self) -> char {
        match self {
            Mark::Won => '>',
            Mark::Lost => 'x',
            Mark::NotReached => '.',
            Mark::Learned => '+',
            Mark::Shown => ' ',
        }
    }
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading; level 1 is a flow, 2 a packet, 3 a place or a table.
    Heading {
        /// 1 to 3.
        level: u8,
        /// Steps of indentation.
        indent: u8,
        /// The text.
        line: Line,
        /// What stands at the right end of it, if there is room.
        right: Line,
    },
    /// A paragraph, folded at the margin.
    Para {
        /// Steps of indentation.
        indent: u8,
        /// The text.
        line: Line,
    },
    /// A line with its number and label in columns of their own; the text is folded beside them.
    Item {
        /// Steps of indentation.
        indent: u8,
        /// A number, or nothing.
        number: String,
        /// The label: a layer, a field.
        label: Line,
        /// The text.
        line: Line,
    },
    /// A line of several columns; those of neighbouring `Columns` line up.
    Columns {
        /// Steps of indentation.
        indent: u8,
        /// The cells; the last is folded.
        cells: Vec<Line>,
    },
    /// A row of a table.
    Row {
        /// Steps of indentation.
        indent: u8,
        /// What became of it.
        mark: Mark,
        /// The row as the real command prints it.
        row: Line,
        /// Why, in a few words.
        why: Line,
        /// Where it came from.
        from: Line,
    },
    /// An empty line.
    Gap,
}

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc(pub Vec<Block>);

impl Doc {
    /// An empty document.
    pub fn new() -> Self {
        Doc::default()
    }

    /// Adds a heading.
    pub fn heading(&mut self, level: u8, indent: u8, line: Line, right: Line) {
        self.0.push(Block::Heading { level, indent, line, right });
    }

    /// Adds a paragraph.
    pub fn para(&mut self, indent: u8, line: Line) {
        if !line.is_empty() {
            self.0.push(Block::Para { indent, line });
        }
    }

    /// Adds a numbered, labelled line.
    pub fn item(&mut self, indent: u8, number: impl Into<String>, label: Line, line: Line) {
        self.0.push(Block::Item { indent, number: number.into(), label, line });
    }

    /// Adds a line of columns.
    pub fn columns(&mut self, indent: u8, cells: Vec<Line>) {
        self.0.push(Block::Columns { indent, cells });
    }

    /// Adds a row.
    pub fn row(&mut self, indent: u8, mark: Mark, row: Line, why: Line, from: Line) {
        self.0.push(Block::Row { indent, mark, row, why, from });
    }

    /// Adds an empty line, unless there is one already.
    pub fn gap(&mut self) {
        if !matches!(self.0.last(), None | Some(Block::Gap)) {
            self.0.push(Block::Gap);
        }
    }

    /// Adds another document.
    pub fn append(&mut self, other: Doc) {
        self.0.extend(other.0);
    }
}
