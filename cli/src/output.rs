//! Standard output: colours, and readers that go away.

#![allow(clippy::disallowed_methods, reason = "the environment is read here, and nowhere below")]

use clap::ValueEnum;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, if `NO_COLOR` is not set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether `stream` gets colours.
    pub(crate) fn on(self, is_terminal: bool) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                is_terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
            }
        }
    }
}

/// Standard output.
pub(crate) struct Out {
    inner: BufWriter<StdoutLock<'static>>,
    /// With colours.
    pub(crate) color: bool,
    /// Whether a person reads it.
    pub(crate) is_terminal: bool,
    /// Columns; 100 where nobody says.
    pub(crate) width: usize,
}

impl Out {
    /// Standard output with or without colours.
    pub(crate) fn new(color: Color) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let width = columns.unwrap_or(100).clamp(40, 160);
        Out { inner: BufWriter::new(io::stdout().lock()), color: color.on(is_terminal), is_terminal, width }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.inner.write_all(text.as_ref().as_bytes())?;
        self.inner.write_all(b"\n")
    }

    /// Writes a text as it is.
    pub(crate) fn text(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.inner.write_all(text.as_ref().as_bytes())
    }
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
