//! `-m set`: whether a set holds the packet.
//!
//! Models: net/netfilter/xt_set.c set_match_v4, iptables extensions/libxt_set.c.
//! Simplifies: comparisons of an element's counters (`--packets-eq` and its like) are refused.

use super::Field;
use crate::linux::ipset::kadt::{Dirs, Found};
use crate::linux::netfilter::eval::{MatchCx, Memory};
use crate::linux::netfilter::option::{Opt, OptError};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// What is asked of a set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Set {
    /// Its name.
    pub name: Arc<str>,
    /// Source or destination, for each part of an element.
    pub dirs: Dirs,
    /// `!`.
    pub invert: bool,
    /// `--return-nomatch`: exceptions fit, and nothing else.
    pub return_nomatch: bool,
    /// `! --update-counters`.
    pub keep_counters: bool,
    /// `! --update-subcounters`.
    pub keep_subcounters: bool,
}

/// Reads `src,dst,…`.
pub(crate) fn parse_dirs(s: &str) -> Result<Dirs, OptError> {
    let mut dirs = Dirs::default();
    for part in s.split(',') {
        if dirs.len == 6 {
            return Err(OptError::parameter("Can't be more src/dst options than 6."));
        }
        match part {
            "src" => dirs.src |= 1 << dirs.len,
            "dst" => {}
            _ => return Err(OptError::parameter("You must spefify (the comma separated list of) 'src' or 'dst'.")),
        }
        dirs.len += 1;
    }
    Ok(dirs)
}

/// Checks the length of a set's name.
pub(crate) fn parse_name(s: &str) -> Result<Arc<str>, OptError> {
    if s.len() > 31 {
        return Err(OptError::parameter(format!("setname `{s}' too long, max 31 characters.")));
    }
    Ok(s.into())
}

impl Set {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt { args: 2, multi: true, ..Opt::one(&["match-set"]).inv() },
        Opt::flag(&["return-nomatch"]),
        Opt::flag(&["update-counters"]).inv(),
        Opt::flag(&["update-subcounters"]).inv(),
        Opt::one(&["packets-eq"]).inv(),
        Opt::one(&["packets-lt"]),
        Opt::one(&["packets-gt"]),
        Opt::one(&["bytes-eq"]).inv(),
        Opt::one(&["bytes-lt"]),
        Opt::one(&["bytes-gt"]),
    ];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 if !self.name.is_empty() => return Err(OptError::parameter("--match-set can be specified only once")),
            0 => {
                self.name = parse_name(args[0])?;
                self.dirs = parse_dirs(args[1])?;
                self.invert = invert;
            }
            1 => self.return_nomatch = true,
            2 => self.keep_counters = invert,
            3 => self.keep_subcounters = invert,
            _ => return Err(OptError::not_simulated(format_args!("`--{}`", Self::OPTS[opt].names[0]))),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.name.is_empty() {
            return Err(OptError::parameter("You must specify `--match-set' with proper arguments"));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn eval<M: Memory>(&self, cx: &MatchCx<'_>, memory: &mut M) -> Result<(), Field> {
        let found = cx.sets.map_or(Found::Nothing, |s| s.test(&self.name, self.dirs, cx));
        if let (Found::Member(set, key), Some(sets)) = (&found, cx.sets)
            && !self.keep_counters
            && sets.get(set).is_some_and(|s| s.options.counters)
        {
            memory.counted(set, key.clone(), cx.len);
        }
        let fits = match found {
            Found::Member(..) => !self.return_nomatch,
            Found::Exception => self.return_nomatch,
            Found::Nothing => false,
        };
        if fits != self.invert { Ok(()) } else { Err("match-set") }
    }

    fn write(&self, dash: &str, out: &mut String) {
        let _ = write!(out, "{} {dash}match-set {} {}", if self.invert { " !" } else { "" }, self.name, self.dirs.text());
        if self.return_nomatch {
            let _ = write!(out, " {dash}return-nomatch");
        }
        if self.keep_counters {
            let _ = write!(out, " ! {dash}update-counters");
        }
        if self.keep_subcounters {
            let _ = write!(out, " ! {dash}update-subcounters");
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.write("--", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        self.write("", out);
    }

    pub(super) fn explain(&self, _: Field, cx: &MatchCx<'_>) -> (String, String) {
        let wanted = if self.invert { "not in" } else { "in" };
        let part = |i: usize| if self.dirs.is_src(i) { cx.src_ip() } else { cx.dst_ip() };
        (format!("{wanted} {} ({})", self.name, self.dirs.text()), format!("{} is {}", part(0), if self.invert { "in it" } else { "not in it" }))
    }
}

#[cfg(test)]
mod tests {
    use crate::linux::netfilter::testing::{check, try_read};

    #[test]
    fn both_ways() {
        check("set --match-set S src", "set --match-set S src", &[]);
        check("set ! --match-set S2 dst,src --return-nomatch", "set ! --match-set S2 dst,src --return-nomatch", &[]);
        check("set --match-set S src ! --update-counters", "set --match-set S src ! --update-counters", &[]);
        let said = "You must spefify (the comma separated list of) 'src' or 'dst'.";
        assert_eq!(try_read("set --match-set S foo"), Err(said.to_owned()));
    }
}
