//! `true` and `false`.

use super::Filter;
use crate::shell::args::Args;
use crate::shell::{Command, ShellError, Spec};

/// `true`.
pub static TRUE: Spec = Spec { name: "true", about: "succeeds", usage: "true", parse: yes };
/// `false`.
pub static FALSE: Spec = Spec { name: "false", about: "fails", usage: "false", parse: no };

fn yes(args: &mut Args<'_>) -> Result<Command, ShellError> {
    while args.next().is_some() {}
    Ok(Command::Filter(Filter::Truth(true)))
}

fn no(args: &mut Args<'_>) -> Result<Command, ShellError> {
    while args.next().is_some() {}
    Ok(Command::Filter(Filter::Truth(false)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;

    #[test]
    fn arguments_do_not_matter() {
        assert_eq!(run("true", ""), (String::new(), 0));
        assert_eq!(run("false --help", ""), (String::new(), 1));
    }
}
