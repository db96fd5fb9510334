//! Matches and targets as iptables 1.8.9 (nf_tables) on Linux 6.18 took, saved, listed and refused them.
//!
//! `data/forms.txt`: program, table and chain, the words behind `-A CHAIN`; then what it saved, what `-L -n` and `-L` showed behind the
//! addresses, or what it said. The shell had taken quotes away from the words.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::linux::ipset::apply::apply;
use crate::linux::op::ipset::IpsetOp;
use crate::linux::{Netns, NetnsId, Source, Time};
use crate::packet::Family;

const FORMS: &str = include_str!("data/forms.txt");

/// What happens to `-A CHAIN …` in a fresh namespace with the sets S and S2.
fn run(family: Family, table: &str, chain: &str, rule: &str) -> Result<(String, String, String), String> {
    let mut ns = Netns::empty(NetnsId(0));
    for (name, kind) in [("S", "hash:ip"), ("S2", "hash:ip,port")] {
        let op = IpsetOp::Create { name: name.into(), kind: kind.into(), options: Vec::new(), exist: false };
        apply(ns.config_mut(), &op, Time(0)).unwrap();
    }
    let words = split_words(rule);
    let mut argv = vec!["-t", table, "-A", chain];
    argv.extend(words.iter().map(String::as_str));
    let Parsed::Change(op) = parse_command(family, &argv).map_err(|e| e.text)? else { return Err("no change".to_owned()) };
    ns.apply_xtables(family, &op, Source::Kernel).map_err(|e| e.to_string())?;
    let saved = save(family, ns.config.xtables(family), &ns.xt_state, None, false);
    let saved = saved.lines().find(|l| l.starts_with("-A")).unwrap_or_default().to_owned();
    let listed = |numeric: bool| {
        let mut argv = vec!["-t", table, "-L", chain];
        argv.extend(numeric.then_some("-n"));
        let Ok(Parsed::Show(q)) = parse_command(family, &argv) else { return String::new() };
        let text = show(ns.config.xtables(family), &ns.xt_state, &q).unwrap();
        text.lines().last().unwrap_or_default().chars().skip(51).collect::<String>().trim().to_owned()
    };
    Ok((saved, listed(true), listed(false)))
}

#[test]
fn as_the_real_one() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    let mut lines = FORMS.lines().peekable();
    while let Some(head) = lines.next() {
        let (place, rule) = head.split_once(" | ").unwrap();
        let place: Vec<&str> = place.split(' ').collect();
        let family = if place[0] == "ip6tables" { Family::Inet6 } else { Family::Inet };
        let mut want: Vec<&str> = Vec::new();
        while let Some(l) = lines.next_if(|l| ["= ", "! ", "n ", "s "].iter().any(|p| l.starts_with(p))) {
            want.push(l);
        }
        let part = |p: &str| want.iter().find(|l| l.starts_with(p)).map(|l| l[2..].trim().to_owned());
        let got = run(family, place[1], place[2], rule);
        if got.as_ref().is_err_and(|e| e.starts_with("not simulated")) {
            continue;
        }
        tried += 1;
        let fine = match (&got, part("! "), part("= ")) {
            (Err(e), Some(said), _) => e.lines().next().unwrap_or_default().trim() == said,
            (Ok((saved, n, s)), None, Some(want_saved)) => {
                let numeric = part("n ").unwrap_or_else(|| n.clone());
                *saved == want_saved && *n == numeric && *s == part("s ").unwrap_or(numeric)
            }
            _ => false,
        };
        if !fine {
            wrong.push(format!("{head}\n  want {want:?}\n  got  {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {tried} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 140, "{tried}");
}
