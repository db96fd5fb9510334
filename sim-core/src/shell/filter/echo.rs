//! `echo`.

use super::Filter;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// The command.
pub static SPEC: Spec = Spec { name: "echo", about: "writes its words", usage: "echo [-n] [-e] WORD…", parse };

fn parse(args: &mut Args<'_>) -> Result<Command, ShellError> {
    let (mut newline, mut escapes) = (true, false);
    while let Some(w) = args.peek().filter(|w| w.len() > 1 && w.starts_with('-') && w[1..].chars().all(|c| matches!(c, 'n' | 'e' | 'E'))) {
        newline &= !w.contains('n');
        escapes = w.chars().fold(escapes, |e, c| if c == 'E' { false } else { e || c == 'e' });
        args.next();
    }
    let mut words = Vec::new();
    while let Some(w) = args.next() {
        words.push(w);
    }
    let mut text = words.join(" ");
    if escapes {
        text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\");
    }
    if newline {
        text.push('\n');
    }
    Ok(Command::Filter(Filter::Echo(text)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;

    #[test]
    fn words_are_written_with_one_blank_between() {
        for (line, out) in [("echo a   b", "a b\n"), ("echo -n x", "x"), ("echo -e 'a\\nb'", "a\nb\n"), ("echo", "\n"), ("echo -x", "-x\n")]
        {
            assert_eq!(run(line, "ignored").0, out, "{line}");
        }
    }
}
