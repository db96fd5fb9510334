//! `-m comment`: says something to the reader; fits every packet.
//!
//! Models: net/netfilter/xt_comment.c, iptables extensions/libxt_comment.c.

use super::Field;
use crate::linux::netfilter::eval::MatchCx;
use crate::linux::netfilter::option::{Opt, OptError, save_string};
use crate::linux::netfilter::spec::RuleSpec;
use crate::packet::Family;
use std::sync::Arc;

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its text, up to 255 bytes.
    pub text: Arc<str>,
}

impl Default for Comment {
    fn default() -> Self {
        Comment { text: "".into() }
    }
}

impl Comment {
    pub(super) const OPTS: &'static [Opt] = &[Opt::one(&["comment"]).must()];

    pub(super) fn set(&mut self, _: usize, _: bool, args: &[&str], _: Family) -> Result<(), OptError> {
        // What is longer is cut without a word.
        let end = args[0].floor_char_boundary(255);
        self.text = args[0][..end].into();
        Ok(())
    }

    pub(super) fn check(&self, _: u32, _: &RuleSpec) -> Result<(), OptError> {
        Ok(())
    }

    pub(super) fn save(&self, out: &mut String) {
        out.push_str(" --comment");
        save_string(&self.text, out);
    }

    pub(super) fn list(&self, _: bool, out: &mut String) {
        out.push_str(" /* ");
        out.push_str(&self.text);
        out.push_str(" */");
    }

    pub(super) fn explain(&self, _: Field, _: &MatchCx<'_>) -> (String, String) {
        (String::new(), String::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::linux::netfilter::testing::{check, cx, udp};

    #[test]
    fn quotes_and_length() {
        let p = udp();
        let long = "x".repeat(300);
        check(&format!("comment --comment {long}"), &format!("comment --comment {}", &long[..255]), &[(cx(&p), "")]);
        for (text, saved) in [("a-b_1", "a-b_1"), ("a b", "\"a b\""), ("", "\"\""), ("a\"b'c\\d", "\"a\\\"b\\'c\\\\d\"")] {
            let mut out = String::new();
            Comment { text: text.into() }.save(&mut out);
            assert_eq!(out, format!(" --comment {saved}"));
        }
    }
}
