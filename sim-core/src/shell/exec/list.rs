//! Lists of pipelines, run: what one command prints is what the next one reads.

use super::super::lex::Join;
use super::super::list::{List, Part, Pipeline, Sink};
use super::super::{Command, list};
use super::{Answer, one};
use crate::engine::{Engine, Storm};
use crate::linux::{FlowId, NetnsId};
use crate::trace::Tracer;
use std::sync::Arc;

/// Runs a list. Its status is that of the last pipeline that ran.
pub(super) fn run<T: Tracer>(engine: &mut Engine<T>, at: NetnsId, list: &List, origin: &Arc<str>, flow: FlowId) -> Result<Answer, Storm> {
    let mut all = Answer::default();
    for p in &list.0 {
        let wanted = match p.join {
            Join::Then => true,
            Join::And => all.status == 0,
            Join::Or => all.status != 0,
        };
        if wanted {
            let a = pipeline(engine, at, p, origin, flow)?;
            all.stdout.push_str(&a.stdout);
            all.stderr.push_str(&a.stderr);
            all.status = if p.negated { u8::from(a.status == 0) } else { a.status };
        }
    }
    Ok(all)
}

fn pipeline<T: Tracer>(engine: &mut Engine<T>, at: NetnsId, p: &Pipeline, origin: &Arc<str>, flow: FlowId) -> Result<Answer, Storm> {
    let mut errors = String::new();
    let mut last = Answer::default();
    for (i, part) in p.parts.iter().enumerate() {
        let input = (i > 0).then_some(last.stdout.as_str());
        let a = self::part(engine, at, part, input, origin, flow)?;
        let mut stdout = String::new();
        for (text, sink) in [(a.stdout, part.out), (a.stderr, part.err)] {
            match sink {
                Sink::Out => stdout.push_str(&text),
                Sink::Err => errors.push_str(&text),
                Sink::Null => {}
            }
        }
        last = Answer { stdout, stderr: String::new(), status: a.status };
    }
    Ok(Answer { stderr: errors, ..last })
}

fn part<T: Tracer>(
    engine: &mut Engine<T>,
    at: NetnsId,
    part: &Part,
    input: Option<&str>,
    origin: &Arc<str>,
    flow: FlowId,
) -> Result<Answer, Storm> {
    let command = match (&part.command, input) {
        (Some(c), _) => (**c).clone(),
        (None, input) => {
            let line = super::super::lex::Line { heredoc: Some(input.unwrap_or_default().to_owned()), ..part.line.clone() };
            match list::command(&line) {
                Ok(c) => c,
                Err(e) => return Ok(Answer::failed(e.message, e.status)),
            }
        }
    };
    if let Command::Filter(f) = &command {
        return Ok(f.run(part.line.heredoc.as_deref().or(input).unwrap_or_default()));
    }
    Ok(one(engine, at, command, origin, flow)?.0)
}
