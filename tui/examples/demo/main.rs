//! Opens the terminal interface on a world that is built by hand: `cargo run -p tui --example demo -- [--plain] [--ascii]
//! [--none|--16|--256] [--light]`.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "an example")]

mod world;

use std::io::{stdin, stdout};
use tui::{Caps, Colors, Options, PlainOptions};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let has = |name: &str| args.iter().any(|a| a == name);
    let input = world::lesson();
    if has("--plain") {
        let options = PlainOptions { ascii: has("--ascii"), prompt: false, start: 0 };
        return tui::run_plain(&input, options, stdin().lock(), stdout().lock());
    }
    let colors = match () {
        () if has("--none") => Colors::None,
        () if has("--16") => Colors::Sixteen,
        () if has("--256") => Colors::Indexed,
        () => Colors::True,
    };
    let caps = Caps { colors, unicode: !has("--ascii"), light: has("--light") };
    tui::run(&input, Options { caps, start: 0 })
}
