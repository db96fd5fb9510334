//! What tables hold at the end, and what a command printed.

use super::matcher::{Matcher, wild};
use crate::assemble::flows::print_target;
use crate::schema::expect::{ConntrackExpect, OutputExpect, RulesExpect};
use crate::schema::{At, Target};
use sim_core::linux::conntrack::CtStatus;
use sim_core::linux::conntrack::entry::Entry;
use sim_core::linux::netfilter::TableKind;
use sim_core::packet::{IpAddr, Ipv4Addr, L4, Tuple};
use sim_core::report::rows;
use sim_core::trace::StateDelta;

fn counted(n: usize, wanted: Option<u32>, what: &str, rows: &[String]) -> Result<(), String> {
    let ok = match wanted {
        Some(w) => n == w as usize,
        None => n > 0,
    };
    if ok {
        return Ok(());
    }
    let mut text = if n == 0 { format!("no {what} fits") } else { format!("{n} {what}s fit") };
    if !rows.is_empty() {
        text.push_str("; there are: ");
        text.push_str(&rows.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(" | "));
    }
    Err(text)
}

fn ports(t: &Tuple<Ipv4Addr>) -> (u16, u16) {
    match t.l4 {
        L4::Ports { src, dst } => (src, dst),
        _ => (0, 0),
    }
}

/// `Conntrack(…)`.
pub(super) fn conntrack(m: &Matcher<'_>, c: &ConntrackExpect) -> Result<(), String> {
    let world = &m.report.run.end;
    let place = m.places(&c.on.value).into_iter().next().ok_or_else(|| format!("there is no place {}", c.on.value))?;
    let ns = world.ns(place).ok_or("there is no such namespace")?;
    let entries = ns.conntrack.entries(world.now);
    // Entries that a flow made: by the deltas of its steps.
    let mut of_flow: Option<Vec<sim_core::linux::conntrack::CtId>> = None;
    if let Some(f) = &c.flow {
        let flow = m.flow(&f.value).ok_or("the flow did not run")?;
        let mut ids = Vec::new();
        for d in &m.report.run.recording.deltas {
            if d.netns == place
                && let StateDelta::Conntrack { id, .. } = &d.delta
                && m.flow_of_delta(d.step) == flow
                && !ids.contains(id)
            {
                ids.push(*id);
            }
        }
        of_flow = Some(ids);
    }
    let addr = |t: &Option<At<Target>>| -> Result<Option<IpAddr>, String> {
        match t {
            None => Ok(None),
            Some(t) => m.address(&print_target(&t.value)).map(Some).ok_or_else(|| format!("{} has no address", print_target(&t.value))),
        }
    };
    let (src, dst, reply_src, reply_dst) = (addr(&c.src)?, addr(&c.dst)?, addr(&c.reply_src)?, addr(&c.reply_dst)?);
    let port = |p: &Option<At<u16>>, v: u16| p.as_ref().is_none_or(|p| p.value == v);
    let fits = |e: &Entry<Ipv4Addr>| {
        let [o, r] = &e.tuples;
        let state = |s: &str| match s {
            "UNREPLIED" => !e.status.has(CtStatus::SEEN_REPLY),
            "ASSURED" => e.status.has(CtStatus::ASSURED),
            s => e.state_name() == Some(s),
        };
        src.is_none_or(|a| a == o.src)
            && dst.is_none_or(|a| a == o.dst)
            && reply_src.is_none_or(|a| a == r.src)
            && reply_dst.is_none_or(|a| a == r.dst)
            && port(&c.sport, ports(o).0)
            && port(&c.dport, ports(o).1)
            && port(&c.reply_sport, ports(r).0)
            && port(&c.reply_dport, ports(r).1)
            && c.protocol.as_ref().is_none_or(|p| o.protocol.to_string().eq_ignore_ascii_case(&p.value.0))
            && c.state.as_ref().is_none_or(|s| state(&s.value.0))
            && of_flow.as_ref().is_none_or(|ids| ids.contains(&e.id))
    };
    let n = entries.iter().filter(|e| fits(e)).count();
    let rows: Vec<String> = entries.iter().map(|e| e.row(world.now)).collect();
    counted(n, c.count.as_ref().map(|c| c.value), "entry", &rows)
}

/// `Rules(…)`.
pub(super) fn rules(m: &Matcher<'_>, r: &RulesExpect) -> Result<(), String> {
    let world = &m.report.run.end;
    let place = m.places(&r.on.value).into_iter().next().ok_or_else(|| format!("there is no place {}", r.on.value))?;
    let ns = world.ns(place).ok_or("there is no such namespace")?;
    let kind = TableKind::by_name(&r.table.value).ok_or_else(|| format!("there is no table {}", r.table.value))?;
    let mut n = 0;
    let mut all = Vec::new();
    if let Some(table) = ns.config.xt.table(kind) {
        for (_, chain) in table.chains() {
            if r.chain.as_ref().is_some_and(|c| !wild(&c.value, &chain.name)) {
                continue;
            }
            for rule in &chain.rules {
                let row = rows::rule(&ns.config, table, chain, rule);
                n += usize::from(r.row.as_ref().is_none_or(|w| wild(&w.value, &row)));
                all.push(row);
            }
        }
    }
    counted(n, r.count.as_ref().map(|c| c.value), "rule", &all)
}

/// `Output(…)`.
pub(super) fn output(o: &OutputExpect, text: &str) -> Result<(), String> {
    if let Some(c) = &o.contains
        && !text.contains(&c.value)
    {
        return Err(format!("its output has no {:?}: {text:?}", c.value));
    }
    if let Some(l) = &o.lacks
        && text.contains(&l.value)
    {
        return Err(format!("its output has {:?}: {text:?}", l.value));
    }
    if let Some(n) = &o.lines
        && text.lines().count() != n.value as usize
    {
        return Err(format!("its output has {} lines: {text:?}", text.lines().count()));
    }
    Ok(())
}
