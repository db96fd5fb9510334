//! `-j NFQUEUE`: hands the packet to a program.
//!
//! Models: net/netfilter/xt_NFQUEUE.c, net/netfilter/nf_queue.c, iptables extensions/libxt_NFQUEUE.c.
//! Simplifies: no program listens: the packet is dropped, or goes on with `--queue-bypass`.

use crate::linux::netfilter::option::{Opt, OptError, number, ranged};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// To which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Nfqueue {
    /// `--queue-num`, or the first of `--queue-balance`.
    pub first: u16,
    /// The last of `--queue-balance`.
    pub last: Option<u16>,
    /// `--queue-bypass`.
    pub bypass: bool,
    /// `--queue-cpu-fanout`.
    pub fanout: bool,
}

impl Nfqueue {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["queue-num"]).excl(0b10),
        Opt::one(&["queue-balance"]).excl(0b01),
        Opt::flag(&["queue-bypass"]),
        Opt::flag(&["queue-cpu-fanout"]),
    ];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 => self.first = ranged("NFQUEUE", "queue-num", args[0], 0, 65_535)? as u16,
            1 => {
                let one = |s: &str| number(s, 65_535).map(|n| n as u16);
                let found = args[0].split_once(':').and_then(|(a, b)| one(a).zip(one(b)));
                let (a, b) = found.ok_or_else(|| OptError::bad_value("NFQUEUE", "queue-balance", args[0]))?;
                if a >= b {
                    return Err(OptError::parameter(format!("{a} should be less than {b}")));
                }
                (self.first, self.last) = (a, Some(b));
            }
            2 => self.bypass = true,
            _ => self.fanout = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.fanout && self.last.is_none() {
            return Err(OptError::parameter("NFQUEUE: option \"--queue-cpu-fanout\" also requires \"--queue-balance\".\n"));
        }
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = match self.last {
            Some(last) => write!(out, " --queue-balance {}:{last}", self.first),
            None => write!(out, " --queue-num {}", self.first),
        };
        if self.bypass {
            out.push_str(" --queue-bypass");
        }
        if self.fanout {
            out.push_str(" --queue-cpu-fanout");
        }
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let _ = match self.last {
            Some(last) => write!(out, " NFQUEUE balance {}:{last}", self.first),
            None => write!(out, " NFQUEUE num {}", self.first),
        };
        if self.bypass {
            out.push_str(" bypass");
        }
        if self.fanout {
            out.push_str(" cpu-fanout");
        }
    }
}
