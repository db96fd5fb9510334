//! `-m owner`: whose socket sent the packet.
//!
//! Models: net/netfilter/xt_owner.c owner_mt, iptables extensions/libxt_owner.c.
//! Simplifies: every program runs as root (user and group 0), and root is the one name that is known.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, number};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::fmt::Write as _;

/// A range of numbers of users or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// First.
    pub min: u32,
    /// Last.
    pub max: u32,
    /// `!`.
    pub invert: bool,
}

/// What is asked of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Owner {
    /// `--uid-owner`.
    pub uid: Option<Ids>,
    /// `--gid-owner`.
    pub gid: Option<Ids>,
    /// `--socket-exists`, and whether `!`.
    pub socket: Option<bool>,
    /// `--suppl-groups`.
    pub suppl: bool,
}

impl Owner {
    pub(super) const OPTS: &'static [Opt] =
        &[Opt::one(&["uid-owner"]).inv(), Opt::one(&["gid-owner"]).inv(), Opt::flag(&["socket-exists"]).inv(), Opt::flag(&["suppl-groups"])];

    pub(super) fn set(&mut self, opt: usize, invert: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        match opt {
            0 | 1 => {
                let one = |s: &str| number(s, u64::from(u32::MAX) - 1).map(|n| n as u32);
                let found = match args[0] {
                    "root" => Some((0, 0)),
                    s => match s.split_once('-') {
                        Some((a, b)) => one(a).zip(one(b)),
                        None => one(s).map(|n| (n, n)),
                    },
                };
                let (min, max) = found.ok_or_else(|| OptError::bad_value("owner", Self::OPTS[opt].names[0], args[0]))?;
                let ids = Some(Ids { min, max, invert });
                if opt == 0 { self.uid = ids } else { self.gid = ids }
            }
            2 => self.socket = Some(!invert),
            _ => self.suppl = true,
        }
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        if self.uid.is_none() && self.gid.is_none() && self.socket.is_none() {
            return Err(OptError::parameter("owner: At least one of --uid-owner, --gid-owner or --socket-exists is required"));
        }
        Ok(())
    }

    pub(super) fn field(&self) -> Field {
        if self.uid.is_some() {
            "uid-owner"
        } else if self.gid.is_some() {
            "gid-owner"
        } else {
            "socket-exists"
        }
    }

    /// Whether it fits a packet that a socket of this host sent, or none did.
    pub fn fits(&self, has_socket: bool) -> bool {
        if !has_socket {
            // without a socket only inverted options fit
            return self.uid.is_none_or(|i| i.invert) && self.gid.is_none_or(|i| i.invert) && self.socket != Some(true);
        }
        let root = |i: Option<Ids>| i.is_none_or(|i| (i.min == 0) != i.invert);
        self.socket != Some(false) && root(self.uid) && root(self.gid)
    }

    fn ids(i: Ids, numeric: bool) -> String {
        match (i.min, i.max) {
            (0, 0) if !numeric => "root".to_owned(),
            (a, b) if a == b => a.to_string(),
            (a, b) => format!("{a}-{b}"),
        }
    }

    pub(super) fn save(&self, out: &mut String) {
        let not = |invert: bool| if invert { " !" } else { "" };
        if let Some(have) = self.socket {
            let _ = write!(out, "{} --socket-exists", not(!have));
        }
        for (i, name) in [(self.uid, "uid-owner"), (self.gid, "gid-owner")] {
            if let Some(i) = i {
                let _ = write!(out, "{} --{name} {}", not(i.invert), Self::ids(i, true));
            }
        }
        if self.suppl {
            out.push_str(" --suppl-groups");
        }
    }

    pub(super) fn list(&self, numeric: bool, out: &mut String) {
        let not = |invert: bool| if invert { " !" } else { "" };
        if let Some(have) = self.socket {
            let _ = write!(out, "{} owner socket exists", not(!have));
        }
        for (i, name) in [(self.uid, "UID"), (self.gid, "GID")] {
            if let Some(i) = i {
                let _ = write!(out, "{} owner {name} match {}", not(i.invert), Self::ids(i, numeric));
            }
        }
        if self.suppl {
            out.push_str(" incl. suppl. groups");
        }
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        let mut wanted = String::new();
        self.list(true, &mut wanted);
        (wanted.trim().to_owned(), "another sender".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::netfilter::testing::{check, try_read};

    #[test]
    fn root_or_nobody() {
        check("owner --uid-owner root", "owner --uid-owner 0", &[]);
        check("owner ! --uid-owner 5-10 --gid-owner 0 --suppl-groups", "owner ! --uid-owner 5-10 --gid-owner 0 --suppl-groups", &[]);
        assert_eq!(try_read("owner --uid-owner foo"), Err("owner: Bad value for \"--uid-owner\" option: \"foo\"".to_owned()));
        let root = Owner { uid: Some(Ids { min: 0, max: 0, invert: false }), ..Owner::default() };
        assert!(root.fits(true) && !root.fits(false));
        let not = Owner { uid: Some(Ids { min: 0, max: 0, invert: true }), ..Owner::default() };
        assert!(!not.fits(true) && not.fits(false));
    }
}
