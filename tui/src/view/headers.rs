//! The packet pane: the header stack, each field before ⇒ after.

use super::paint::{Drawn, pad};
use crate::content::headers::{self, Field, Header};
use crate::model::Model;
use sim_core::report::doc::{Line, Role};

/// What the packet is, and how much of it the step changes.
pub fn titles(model: &Model<'_>) -> (String, String) {
    let Some(v) = model.lesson.view(model.state.cursor) else { return ("packet".to_owned(), String::new()) };
    let mut title = format!("packet {}", model.lesson.packet_title(&v));
    if let Some(n) = headers::length(&v) {
        title.push_str(&format!(", {n} bytes"));
    }
    let right = match headers::changes(&v) {
        0 if v.headers.is_empty() => String::new(),
        0 => "unchanged".to_owned(),
        n => format!("{n} changed"),
    };
    (title, right)
}

/// The text: one line per header, or with more room one per field.
pub fn lines(model: &Model<'_>, _width: u16, roomy: bool) -> Vec<Drawn> {
    let Some(v) = model.lesson.view(model.state.cursor) else { return Vec::new() };
    let becomes = model.state.caps.signs().becomes;
    let all = headers::headers(model.lesson, &v);
    if all.is_empty() {
        return vec![Line::of(Role::Muted, "  no packet yet: the program asks before there is one").into()];
    }
    let brief = |h: &Header| {
        let mark = if h.changed() > 0 { "~ " } else { "  " };
        let quoted = if h.quoted { "quotes " } else { "" };
        let mut line = Line::of(Role::Changed, mark).and(Role::Plain, format!("{} {:<5} {quoted}", h.level, h.name));
        line.append(one_line(h, becomes));
        line
    };
    if !roomy {
        return all.iter().map(|h| brief(h).into()).collect();
    }
    let mut out: Vec<Drawn> = Vec::new();
    for h in &all {
        let n = h.changed();
        let quoted = if h.quoted { ", quoted" } else { "" };
        let mut line =
            Line::plain(format!(" {} ", model.state.caps.signs().open)).and(Role::Title, format!("{} {}{quoted}", h.level, h.title));
        if n > 0 {
            line.push(Role::Changed, format!("   ~ {n} changed"));
        }
        out.push(line.into());
        out.extend(fields(h, becomes, model.state.caps.signs().cut).into_iter().map(Drawn::from));
    }
    out
}

/// A value and what it becomes.
fn value(f: &Field, becomes: &str) -> Line {
    match &f.becomes {
        Some(to) => Line::plain(&f.value).and(Role::Changed, format!(" {becomes} {to}")),
        None => Line::plain(&f.value),
    }
}

/// A header in one line: from > to first, then what tells it apart.
fn one_line(h: &Header, becomes: &str) -> Line {
    let mut line = Line::new();
    let field = |name: &str| h.field(name);
    let pair = |line: &mut Line, a: &str, b: &str| {
        if let (Some(a), Some(b)) = (field(a), field(b)) {
            line.append(value(a, becomes));
            line.push(Role::Plain, " > ");
            line.append(value(b, becomes));
        }
    };
    let named = |line: &mut Line, name: &str, label: &str| {
        if let Some(f) = field(name).filter(|f| !f.value.is_empty() || f.becomes.is_some()) {
            line.push(Role::Plain, if label.is_empty() { "  ".to_owned() } else { format!("  {label} ") });
            line.append(value(f, becomes));
        }
    };
    let sum = |line: &mut Line| {
        if let Some(f) = field("checksum").filter(|f| f.becomes.is_some()) {
            line.push(Role::Plain, "  csum ");
            line.append(value(f, becomes));
        }
    };
    match h.name {
        "eth" => {
            let both = [field("src"), field("dst")];
            let new: Vec<&str> = both.iter().flatten().filter_map(|f| f.becomes.as_deref()).collect();
            let old: Vec<&str> = both.iter().flatten().map(|f| f.value.as_str()).collect();
            let whose: Vec<&str> = both.iter().flatten().filter_map(|f| f.note.as_deref()).collect();
            match (new.as_slice(), old.as_slice()) {
                ([a, b], _) => line.push(Role::Changed, format!("{becomes} {a} > {b}")),
                (_, ["-", "-"]) => line.push(Role::Muted, "not written yet: no neighbour is known"),
                _ => pair(&mut line, "src", "dst"),
            }
            if let Some(t) = field("type") {
                line.push(Role::Plain, format!("  {}", t.note.as_deref().unwrap_or(&t.value)));
            }
            if whose.len() == 2 {
                line.push(Role::Muted, format!("  {}", whose.join(" > ")));
            }
            if new.len() == 2 && old != ["-", "-"] {
                line.push(Role::Muted, format!("  was {}", old.join(" > ")));
            }
        }
        "ipv4" => {
            pair(&mut line, "src", "dst");
            for (name, label) in [("ttl", "ttl"), ("protocol", ""), ("id", "id"), ("flags", ""), ("len", "len")] {
                named(&mut line, name, label);
            }
            sum(&mut line);
        }
        "tcp" => {
            pair(&mut line, "sport", "dport");
            for (name, label) in [("flags", "flags"), ("seq", "seq"), ("ack", "ack"), ("window", "win"), ("payload", "data")] {
                named(&mut line, name, label);
            }
            sum(&mut line);
        }
        "icmp" => {
            if let Some(t) = field("type") {
                line.push(Role::Plain, t.note.clone().unwrap_or_default());
            }
            for (name, label) in [("type", "type"), ("code", "code"), ("id", "id"), ("seq", "seq"), ("mtu", "mtu"), ("payload", "data")] {
                named(&mut line, name, label);
            }
            sum(&mut line);
        }
        "udp" => {
            pair(&mut line, "sport", "dport");
            named(&mut line, "len", "len");
            sum(&mut line);
        }
        "arp" => match field("op").map(|f| f.value.as_str()) {
            Some("reply") => {
                let of = |n: &str| field(n).map(|f| f.value.clone()).unwrap_or_default();
                line.push(Role::Plain, format!("reply: {} is at {}", of("sender"), of("sender_mac")));
            }
            _ => {
                let of = |n: &str| field(n).map(|f| f.value.clone()).unwrap_or_default();
                line.push(Role::Plain, format!("request: who has {}? tell {}", of("target"), of("sender")));
            }
        },
        _ => {
            for (i, f) in h.fields.iter().enumerate() {
                line.push(Role::Plain, if i == 0 { format!("{} ", f.name) } else { format!("  {} ", f.name) });
                line.append(value(f, becomes));
            }
        }
    }
    line
}

/// The fields of a header one below the other; the small ones share a line.
fn fields(h: &Header, becomes: &str, cut: &str) -> Vec<Line> {
    let mut out = Vec::new();
    const SMALL: &[&str] = &[
        "tos", "len", "id", "flags", "offset", "window", "payload", "code", "seq", "ack", "checksum", "mss", "wscale", "sack_ok", "ts_val",
        "ts_ecr", "options", "urgent",
    ];
    let tcp_flags = |f: &Field| h.name == "tcp" && f.name == "flags";
    let small = |f: &Field| f.becomes.is_none() && f.note.is_none() && SMALL.contains(&f.name) && !tcp_flags(f);
    for f in h.fields.iter().filter(|f| !small(f)) {
        let mark = if f.becomes.is_some() { "   ~ " } else { "     " };
        let mut line = Line::of(Role::Changed, mark).and(Role::Muted, pad(&f.name.replace('_', " "), 10, cut)).and(Role::Plain, " ");
        line.append(value(f, becomes));
        if let Some(n) = &f.note {
            let room = 18_usize.saturating_sub(line.text().chars().count().saturating_sub(16));
            line.push(Role::Muted, format!("{:room$} {n}", ""));
        }
        out.push(line);
    }
    let rest: Vec<String> =
        h.fields.iter().filter(|f| small(f) && !f.value.is_empty()).map(|f| format!("{} {}", f.name.replace('_', " "), f.value)).collect();
    for chunk in rest.chunks(3) {
        out.push(Line::plain("     ").and(Role::Muted, chunk.join("  ")));
    }
    out
}
