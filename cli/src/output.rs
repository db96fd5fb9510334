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

/// What the terminal can show, as far as the environment tells.
pub(crate) fn caps(color: bool) -> tui::Caps {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let term = var("TERM").unwrap_or_default();
    let colors = match var("COLORTERM").as_deref() {
        _ if !color => tui::Colors::None,
        Some("truecolor" | "24bit") => tui::Colors::True,
        _ if term.contains("256color") => tui::Colors::Indexed,
        _ => tui::Colors::Sixteen,
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default().to_lowercase();
    // the background's number is the last field: 7 and 15 are the light ones of the sixteen
    let light = var("COLORFGBG").is_some_and(|v| matches!(v.rsplit(';').next(), Some("7" | "15")));
    tui::Caps { colors, unicode: locale.contains("utf-8") || locale.contains("utf8"), light }
}

/// Whether the terminal can do nothing but take lines.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|t| t == "dumb")
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
