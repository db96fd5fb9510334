//! What the screen shows: the lesson, where the reader is in it, and what the terminal can do.

use crate::caps::{Caps, SizeClass};
use crate::lesson::Lesson;

/// A pane; its number is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// The hosts on the path, and the packet.
    Cluster,
    /// The headers.
    Packet,
    /// The table that was asked.
    Table,
    /// Why.
    Why,
    /// The steps as letters.
    Time,
}

impl Pane {
    /// All, by number.
    pub const ALL: [Pane; 5] = [Pane::Cluster, Pane::Packet, Pane::Table, Pane::Why, Pane::Time];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Pane::Cluster => "cluster",
            Pane::Packet => "packet",
            Pane::Table => "table",
            Pane::Why => "why",
            Pane::Time => "time",
        }
    }

    /// Its place, from 0.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// At which steps the reader stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Density {
    /// Once at every device.
    Hops,
    /// At every decision.
    Steps,
}

/// Everything that the screen depends on but the lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Which stop, from 0.
    pub cursor: usize,
    /// At which steps to stop.
    pub density: Density,
    /// The pane that has the keys.
    pub focus: Pane,
    /// Whether it has the whole screen.
    pub zoom: bool,
    /// How far the text of each pane was moved.
    pub scroll: [usize; 5],
    /// Whether the keys are shown, and how far they were moved.
    pub help: Option<usize>,
    /// Whether the last key meant nothing.
    pub puzzled: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// How much room that is.
    pub class: SizeClass,
    /// What the terminal can show.
    pub caps: Caps,
}

/// What the screen shows.
#[derive(Clone, Debug)]
pub struct Model<'l> {
    /// The lesson.
    pub lesson: &'l Lesson<'l>,
    /// Where the reader is in it.
    pub state: State,
}

impl<'l> Model<'l> {
    /// The lesson at its first step.
    pub fn new(lesson: &'l Lesson<'l>, caps: Caps, size: (u16, u16)) -> Self {
        let state = State {
            cursor: 0,
            density: Density::Steps,
            focus: Pane::Table,
            zoom: false,
            scroll: [0; 5],
            help: None,
            puzzled: false,
            size,
            class: SizeClass::of(size.0, size.1, None),
            caps,
        };
        Model { lesson, state }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.lesson.stops.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lesson.stops.is_empty()
    }
}
