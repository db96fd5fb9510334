//! Opens the terminal interface on a lesson, or on a world that is built by hand: `cargo run -p tui --example demo --
//! [LESSON] [--plain] [--ascii] [--none|--16|--256] [--light] [--panic]`.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::disallowed_methods, reason = "an example; --panic needs a thread")]

mod library;
mod world;

use std::io::{stdin, stdout};
use tui::{Caps, Colors, Options, PlainOptions};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let has = |name: &str| args.iter().any(|a| a == name);
    let input = match args.iter().skip(1).find(|a| !a.starts_with("--")) {
        Some(name) => library::lesson(name),
        None => world::lesson(),
    };
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
    if has("--panic") {
        std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            panic!("asked for");
        });
    }
    tui::run(&input, Options { caps, start: 0 })
}
