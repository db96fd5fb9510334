//! `-j CONNMARK`: copies bits between the packet's mark and its flow's.
//!
//! Models: net/netfilter/xt_connmark.c connmark_tg, iptables extensions/libxt_CONNMARK.c.
//! Simplifies: only the text; a flow's mark stays what it is.

use crate::linux::netfilter::option::{Masked, Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// Which way bits are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `--set-xmark`: the flow's mark is set.
    Set(Masked),
    /// `--save-mark`: from the packet to the flow.
    Save,
    /// `--restore-mark`: from the flow to the packet.
    Restore,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connmark {
    /// Which way; none before an option was read.
    pub mode: Option<Mode>,
    /// `--ctmask`.
    pub ctmask: u32,
    /// `--nfmask`.
    pub nfmask: u32,
}

impl Default for Connmark {
    fn default() -> Self {
        Connmark { mode: None, ctmask: u32::MAX, nfmask: u32::MAX }
    }
}

/// The options that say which way; only one may be given.
const OPS: u32 = 0b111_1111;

impl Connmark {
    pub(super) const OPTS: &'static [Opt] = &[
        Opt::one(&["set-xmark"]).excl(OPS & !1),
        Opt::one(&["set-mark"]).excl(OPS & !2),
        Opt::one(&["and-mark"]).excl(OPS & !4),
        Opt::one(&["or-mark"]).excl(OPS & !8),
        Opt::one(&["xor-mark"]).excl(OPS & !16),
        Opt::flag(&["save-mark"]).excl(OPS & !32),
        Opt::flag(&["restore-mark"]).excl(OPS & !64),
        Opt::one(&["ctmask"]).excl(1 << 9),
        Opt::one(&["nfmask"]).excl(1 << 9),
        Opt::one(&["mask"]).excl(0b11 << 7),
    ];

    pub(super) fn set(&mut self, opt: usize, args: &[&str], _: Family) -> Result<(), OptError> {
        let name = Self::OPTS[opt].names[0];
        let value = || match number(args.first().copied().unwrap_or_default(), u64::from(u32::MAX)) {
            Some(n) => Ok(n as u32),
            None => Err(OptError::parameter(format!("CONNMARK: bad value for option \"--{name}\", or out of range (0-4294967295).\n"))),
        };
        match opt {
            0 => self.mode = Some(Mode::Set(Masked::parse("CONNMARK", name, args[0])?)),
            1 => {
                let m = Masked::parse("CONNMARK", name, args[0])?;
                self.mode = Some(Mode::Set(Masked { value: m.value, mask: m.value | m.mask }));
            }
            2 => self.mode = Some(Mode::Set(Masked { value: 0, mask: !value()? })),
            3 => self.mode = Some(Mode::Set(Masked { value: value()?, mask: value()? })),
            4 => self.mode = Some(Mode::Set(Masked { value: value()?, mask: 0 })),
            5 => self.mode = Some(Mode::Save),
            6 => self.mode = Some(Mode::Restore),
            7 => self.ctmask = value()?,
            8 => self.nfmask = value()?,
            _ => (self.ctmask, self.nfmask) = (value()?, value()?),
        }
        // Masks are taken beside a value, and mean nothing there.
        if matches!(self.mode, Some(Mode::Set(_))) {
            (self.ctmask, self.nfmask) = (u32::MAX, u32::MAX);
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        match self.mode {
            None => Err(OptError::parameter("CONNMARK target: No operation specified")),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let _ = match self.mode {
            Some(Mode::Set(m)) => write!(out, " --set-xmark {:#x}/{:#x}", m.value, m.mask),
            Some(Mode::Save) => write!(out, " --save-mark --nfmask {:#x} --ctmask {:#x}", self.nfmask, self.ctmask),
            Some(Mode::Restore) => write!(out, " --restore-mark --nfmask {:#x} --ctmask {:#x}", self.nfmask, self.ctmask),
            None => Ok(()),
        };
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        let restores = self.mode == Some(Mode::Restore);
        let masks = |out: &mut String| match (self.nfmask, self.ctmask) {
            (u32::MAX, u32::MAX) => Ok(()),
            (n, c) if n == c => write!(out, " mask {n:#x}"),
            (n, c) => {
                let _ = if restores { write!(out, " ctmask {c:#x} nfmask ~{n:#x}") } else { write!(out, " nfmask {n:#x} ctmask ~{c:#x}") };
                Ok(())
            }
        };
        let _ = match self.mode {
            Some(Mode::Set(Masked { value: 0, mask })) => write!(out, " CONNMARK and {:#x}", !mask),
            Some(Mode::Set(Masked { value, mask })) if value == mask => write!(out, " CONNMARK or {value:#x}"),
            Some(Mode::Set(Masked { value, mask: 0 })) => write!(out, " CONNMARK xor {value:#x}"),
            Some(Mode::Set(Masked { value, mask: u32::MAX })) => write!(out, " CONNMARK set {value:#x}"),
            Some(Mode::Set(m)) => write!(out, " CONNMARK xset {:#x}/{:#x}", m.value, m.mask),
            Some(Mode::Save) => {
                out.push_str(" CONNMARK save");
                masks(out)
            }
            Some(Mode::Restore) => {
                out.push_str(" CONNMARK restore");
                masks(out)
            }
            None => Ok(()),
        };
    }
}
