//! Floor 10: the binary `packetwalk`: arguments, output, exit codes.
//!
//! One command is one file in [`commands`], and one line in its registry. Nothing is computed here.

mod args;
mod commands;
mod error;
mod output;
mod paint;
mod screen;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let mut out = output::Out::new(args.color);
    let result = commands::run(&args, &mut out);
    let result = result.and_then(|code| out.flush().map(|()| code).map_err(Into::into));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(e) => e.report(args.color),
    }
}
