//! Format, level, and whether there is a world.

use super::Subject;
use crate::diag::Diagnostic;

/// The version of the format that is read here.
pub const FORMAT: u32 = 1;

pub(super) fn check(s: &mut Subject<'_>) {
    let sc = s.scenario;
    if let Some(f) = &sc.format
        && f.value != FORMAT
    {
        s.say(
            Diagnostic::error(f.span, format!("format {} is not known", f.value)).label(format!("this packetwalk reads format {FORMAT}")),
        );
    }
    if let Some(t) = &sc.title
        && t.value.trim().is_empty()
    {
        s.say(Diagnostic::error(t.span, "the title is empty").label("what the list of lessons shows"));
    }
    if let Some(id) = &sc.id
        && (id.value.is_empty() || !id.value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
    {
        s.say(
            Diagnostic::error(id.span, format!("`{}` is no id", id.value))
                .label("small letters, digits and -")
                .help("ids are typed on the command line: \"pod-to-pod\""),
        );
    }
    if let Some(l) = &sc.level
        && !(1..=5).contains(&l.value)
    {
        s.say(Diagnostic::error(l.span, format!("there is no level {}", l.value)).label("levels are 1 (first steps) to 5"));
    }
    let own = [
        ("networks", sc.networks.first().map(|x| x.span)),
        ("links", sc.links.first().map(|x| x.span)),
        ("hosts", sc.hosts.first().map(|x| x.span)),
        ("cluster", sc.cluster.as_ref().map(|x| x.span)),
    ];
    if let Some(base) = &sc.based_on {
        for (field, span) in own {
            if let Some(span) = span {
                s.say(
                    Diagnostic::error(span, format!("`{field}` cannot stand beside `based_on`"))
                        .label("a world of its own")
                        .and(base.span, "the world is taken from here")
                        .help("the whole world is taken, or none of it: leave one of the two out"),
                );
            }
        }
    } else if sc.hosts.is_empty() && sc.cluster.is_none() && s.names.hosts.is_empty() && s.names.nodes.is_empty() {
        let at = sc.title.as_ref().map_or_else(Default::default, |t| t.span);
        s.say(
            Diagnostic::error(at, "there is no world")
                .label("no hosts, no cluster")
                .help("write `cluster: (…)`, `hosts: […]` or `based_on: \"file.ron\"`"),
        );
    }
}
