//! `ip rule`.
//!
//! Models: net/core/fib_rules.c fib_nl_newrule, fib_nl_delrule, with their words (extack).

use super::OpError;
use crate::linux::errno::Errno;
use crate::linux::id::Source;
use crate::linux::netns::Netns;
use crate::linux::op::RuleOp;
use crate::linux::rule::RuleError;
use std::sync::Arc;

impl From<RuleError> for OpError {
    fn from(e: RuleError) -> Self {
        match e {
            RuleError::Exists => OpError::errno(Errno::EEXIST),
            RuleError::NotFound => OpError::errno(Errno::ENOENT),
            RuleError::BackwardGoto => OpError::ext(Errno::EINVAL, "Backward goto not supported"),
        }
    }
}

pub(super) fn apply(ns: &mut Netns, op: &RuleOp, source: Source) -> Result<(), OpError> {
    // tried on a copy first: what is refused makes no version
    let mut rules = ns.config.fib.rules.clone();
    match op {
        RuleOp::Add(spec) => {
            let bad = |r: Option<(u16, u16)>| r.is_some_and(|(a, b)| a == 0 || b < a || b == u16::MAX);
            if bad(spec.sport) {
                return Err(OpError::ext(Errno::EINVAL, "Invalid sport range"));
            }
            if bad(spec.dport) {
                return Err(OpError::ext(Errno::EINVAL, "Invalid dport range"));
            }
            let row = ns.config_mut().new_row();
            rules.add((**spec).clone(), row, source)?;
        }
        RuleOp::Del(spec) => rules.remove(spec)?,
        RuleOp::Flush => rules.flush(),
    }
    Arc::make_mut(&mut ns.config_mut().fib).rules = rules;
    Ok(())
}
