//! `packetwalk list`

use crate::args::Args as All;
use crate::error::{CliError, FINE};
use crate::output::Out;
use clap::{Parser, ValueEnum};
use scenarios::{library, load};
use serde_json::json;

/// How lessons are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line each.
    Text,
    /// An array of objects.
    Json,
}

/// Arguments of `list`.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// text or json
    #[arg(long, default_value = "text")]
    format: Format,
}

/// Lists the lessons of the library.
pub(crate) fn run(args: &Args, _: &All, out: &mut Out) -> Result<u8, CliError> {
    let lessons: Vec<load::Loaded> = library::lessons().iter().map(|l| load::by_name(&l.id)).collect::<Result<_, _>>()?;
    if args.format == Format::Json {
        let list: Vec<_> = lessons
            .iter()
            .map(|l| {
                let s = &l.scenario;
                json!({
                    "id": l.id,
                    "title": l.title(),
                    "level": s.level.as_ref().map(|x| x.value),
                    "minutes": s.minutes.as_ref().map(|x| x.value),
                    "tags": s.tags,
                    "prerequisites": s.prerequisites.iter().map(|p| p.value.as_str()).collect::<Vec<_>>(),
                    "objectives": s.objectives.iter().map(|p| p.text()).collect::<Vec<_>>(),
                    "can_run": l.can_run(),
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).map_err(|e| CliError::Bug(e.to_string()))?;
        out.line(text)?;
        return Ok(FINE);
    }
    let wide = lessons.iter().map(|l| l.id.len()).max().unwrap_or(0);
    for l in &lessons {
        let level = l.scenario.level.as_ref().map_or(String::new(), |x| format!("level {}", x.value));
        let minutes = l.scenario.minutes.as_ref().map_or(String::new(), |m| format!("{:>3} min", m.value));
        out.line(format!("{:wide$}  {level:7}  {minutes:7}  {}", l.id, l.title()).trim_end())?;
    }
    Ok(FINE)
}
