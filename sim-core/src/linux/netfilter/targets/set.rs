//! `-j SET`: puts the packet's element into a set, or takes it out.
//!
//! Models: net/netfilter/xt_set.c set_target_v3, iptables extensions/libxt_SET.c.
//! Simplifies: `--map-set` is refused.

use super::super::matches::set::{parse_dirs, parse_name};
use crate::linux::ipset::kadt::Dirs;
use crate::linux::netfilter::option::{Opt, OptError, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;
use std::sync::Arc;

/// A set, and which addresses of the packet.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Which {
    /// The set.
    pub name: Arc<str>,
    /// Source or destination, for each part.
    pub dirs: Dirs,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Set {
    /// `--add-set`.
    pub add: Option<Which>,
    /// `--del-set`.
    pub del: Option<Which>,
    /// `--exist`: what is there is put in anew.
    pub exist: bool,
    /// `--timeout`.
    pub timeout: Option<u32>,
}

impl Set {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt { args: 2, ..Opt::one(&["add-set"]) },
        Opt { args: 2, ..Opt::one(&["del-set"]) },
        Opt::flag(&["exist"]),
        Opt::one(&["timeout"]),
        Opt { args: 2, ..Opt::one(&["map-set"]) },
        Opt::flag(&["map-mark"]),
        Opt::flag(&["map-prio"]),
        Opt::flag(&["map-queue"]),
    ];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 | 1 => {
                let which = Some(Which { name: parse_name(args[0])?, dirs: parse_dirs(args[1])? });
                if opt == 0 { self.add = which } else { self.del = which }
            }
            2 => self.exist = true,
            3 => self.timeout = Some(ranged("SET", "timeout", args[0], 0, 2_147_483)? as u32),
            _ => return Err(OptError::not_simulated(format_args!("`--{}`", Self::OPTS[opt].names[0]))),
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.add.is_none() && self.del.is_none() {
            return Err(OptError::parameter("You must specify either `--add-set' or `--del-set' or `--map-set'"));
        }
        Ok(())
    }

    fn write(&self, dash: &str, out: &mut String) {
        if let Some(w) = &self.add {
            let _ = write!(out, " {dash}add-set {} {}", w.name, w.dirs.text());
            if self.exist {
                let _ = write!(out, " {dash}exist");
            }
            if let Some(t) = self.timeout {
                let _ = write!(out, " {dash}timeout {t}");
            }
        }
        if let Some(w) = &self.del {
            let _ = write!(out, " {dash}del-set {} {}", w.name, w.dirs.text());
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        self.write("--", out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        self.write("", out);
    }
}
