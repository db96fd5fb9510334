//! `iptables -L` and `iptables -S`.
//!
//! Models: iptables 1.8.9 iptables/xshared.c print_header, print_rule_details, print_fragment, print_ifaces, save_ipv4_addr.

use super::args::{Show, ShowWhat};
use super::{CmdError, program};
use crate::linux::netfilter::apply::VERSION;
use crate::linux::netfilter::spec::protocol_text;
use crate::linux::netfilter::state::Counter;
use crate::linux::netfilter::{AddrMatch, Chain, IfMatch, Policy, Rule, RuleSpec, Target, XtState, Xtables};
use std::fmt::Write as _;

/// What the listing writes.
///
/// # Errors
/// As iptables writes them, when there is no such chain.
pub fn show(xt: &Xtables, state: &XtState, show: &Show) -> Result<String, CmdError> {
    let table = xt.table(show.table);
    let mut chains: Vec<(String, Option<&Chain>)> =
        show.table.hooks().iter().map(|h| (h.chain().to_owned(), table.and_then(|t| t.base(*h)))).collect();
    if let Some(t) = table {
        chains.extend(t.chains().filter(|(_, c)| c.base.is_none()).map(|(_, c)| (c.name.to_string(), Some(c))));
    }
    if let Some(only) = &show.chain {
        chains.retain(|(name, _)| **name == **only);
        if chains.is_empty() {
            let text = format!(
                "{} {VERSION}: chain `{only}' in table `{}' is incompatible, use 'nft' tool.",
                program(show.family),
                show.table.name()
            );
            return Err(CmdError { text, status: 1 });
        }
    }
    Ok(match show.what {
        ShowWhat::Rules => rules(&chains, state, show),
        ShowWhat::List => list(&chains, state, show),
    })
}

fn is_builtin(name: &str, show: &Show) -> bool {
    show.table.hooks().iter().any(|h| h.chain() == name)
}

fn policy_of(chain: Option<&Chain>) -> Policy {
    chain.and_then(|c| c.base).map_or(Policy::Accept, |(_, p)| p)
}

fn chosen<'c>(chain: Option<&'c Chain>, show: &Show) -> impl Iterator<Item = (usize, &'c Rule)> {
    let only = show.rule.map(|n| n as usize);
    let rules = chain.map(|c| c.rules.as_slice()).unwrap_or_default();
    rules.iter().enumerate().map(|(i, r)| (i + 1, r)).filter(move |(n, _)| only.is_none_or(|o| o == *n))
}

fn rules(chains: &[(String, Option<&Chain>)], state: &XtState, show: &Show) -> String {
    let mut out = String::new();
    if show.rule.is_none() {
        for (name, chain) in chains {
            let c = policy_counter(*chain, state, show);
            let counters = if show.verbose { format!(" -c {} {}", c.packets, c.bytes) } else { String::new() };
            let _ = if is_builtin(name, show) {
                writeln!(out, "-P {name} {}{counters}", policy_of(*chain).name())
            } else {
                writeln!(out, "-N {name}")
            };
        }
    }
    for (name, chain) in chains {
        for (_, rule) in chosen(*chain, show) {
            let spec = &rule.spec;
            let _ = write!(out, "-A {name}");
            spec.save_matches(&mut out);
            if show.verbose {
                let c = state.counter(rule.row);
                let _ = write!(out, " -c {} {}", c.packets, c.bytes);
            }
            spec.target.save_with_jump(&mut out);
            out.push('\n');
        }
    }
    out
}

fn list(chains: &[(String, Option<&Chain>)], state: &XtState, show: &Show) -> String {
    let mut out = String::new();
    for (i, (name, chain)) in chains.iter().enumerate() {
        if show.rule.is_none() {
            if i > 0 {
                out.push('\n');
            }
            header(name, *chain, state, show, &mut out);
        }
        for (n, rule) in chosen(*chain, show) {
            row(n, &rule.spec, state.counter(rule.row), show, &mut out);
        }
    }
    out
}

fn header(name: &str, chain: Option<&Chain>, state: &XtState, show: &Show, out: &mut String) {
    if is_builtin(name, show) {
        let c = policy_counter(chain, state, show);
        let number = |n: u64| if show.exact { n.to_string() } else { short(n) };
        let counters = if show.verbose { format!(" {} packets, {} bytes", number(c.packets), number(c.bytes)) } else { String::new() };
        let _ = writeln!(out, "Chain {name} (policy {}{counters})", policy_of(chain).name());
    } else {
        let _ = writeln!(out, "Chain {name} ({} references)", chain.map_or(0, |c| c.references));
    }
    if show.line_numbers {
        out.push_str("num  ");
    }
    if show.verbose {
        out.push_str(if show.exact { "    pkts      bytes " } else { " pkts bytes " });
    }
    out.push_str("target     prot opt ");
    if show.verbose {
        out.push_str("in     out     ");
    }
    out.push_str("source               destination         \n");
}

fn row(n: usize, spec: &RuleSpec, counter: Counter, show: &Show, out: &mut String) {
    if show.line_numbers {
        let _ = write!(out, "{n:<4} ");
    }
    if show.verbose {
        for n in [counter.packets, counter.bytes] {
            let _ = if show.exact { write!(out, "{n:>8} ") } else { write!(out, "{:>5} ", short(n)) };
        }
    }
    let (not, protocol) = match spec.protocol {
        None => (' ', if show.numeric { "0" } else { "all" }.to_owned()),
        Some(p) => (if p.invert { '!' } else { ' ' }, if show.numeric { p.protocol.0.to_string() } else { protocol_text(p.protocol) }),
    };
    let _ = write!(out, "{:<9} {not}{protocol:<4} ", spec.target.name());
    out.push_str(match spec.fragment {
        None => "-- ",
        Some(true) => "-f ",
        Some(false) => "!f ",
    });
    if show.verbose {
        let dev = |m: &Option<IfMatch>| match m {
            None => if show.numeric { "*" } else { "any" }.to_owned(),
            Some(m) => format!("{}{}", if m.invert { "!" } else { "" }, m.name),
        };
        let _ = write!(out, " {:<6} {:<6} ", dev(&spec.iif), dev(&spec.oif));
    }
    for a in [&spec.src, &spec.dst] {
        let _ = write!(out, "{}{:<19} ", if a.invert { '!' } else { ' ' }, address(&a.of_family(show.family), show.numeric));
    }
    if matches!(spec.target, Target::Goto(_)) {
        out.push_str("[goto] ");
    }
    for m in &spec.matches {
        m.list(show.numeric, out);
    }
    spec.target.list(show.numeric, out);
    out.push('\n');
}

/// What the policy of a built-in chain has counted.
fn policy_counter(chain: Option<&Chain>, state: &XtState, show: &Show) -> Counter {
    let base = chain.and_then(|c| c.base);
    base.map(|(hook, _)| state.policy((show.family, show.table, hook))).unwrap_or_default()
}

/// A number, from 100,000 on in thousands, millions, … (xtables_print_num).
fn short(n: u64) -> String {
    if n <= 99_999 {
        return n.to_string();
    }
    let mut n = n;
    for unit in ["K", "M", "G"] {
        n = (n + 500) / 1000;
        if n <= 9999 {
            return format!("{n}{unit}");
        }
    }
    format!("{}T", (n + 500) / 1000)
}

fn address(a: &AddrMatch, numeric: bool) -> String {
    if a.mask == 0 && !numeric {
        return "anywhere".to_owned();
    }
    match a.address() {
        ip if a.is_host() && !numeric && ip.is_loopback() && matches!(a.addr, 1 | 0x7f00_0001) => "localhost".to_owned(),
        ip if a.is_host() => ip.to_string(),
        _ => a.to_string(),
    }
}
