//! `nft …`, `nft -f`.
//!
//! Models: net/netfilter/nfnetlink.c nfnetlink_rcv_batch: one transaction.
//! Simplifies: a table, a chain or a set that is made anew forgets what packets wrote.

use super::OpError;
use crate::linux::errno::Errno;
use crate::linux::id::{RowId, Source};
use crate::linux::netfilter::nft::text::{Env, NftError, run};
use crate::linux::netns::Netns;
use crate::linux::op::NftOp;
use crate::linux::time::Time;
use std::sync::Arc;

/// Applies a text of nft.
///
/// # Errors
/// In the words of nft; nothing has changed then.
pub fn apply(ns: &mut Netns, op: &NftOp, at: Time, source: Source) -> Result<(), OpError> {
    let text = op.read();
    let mut nft = (*ns.config.nft).clone();
    let mut last = ns.config.last_row;
    let outcome = {
        let devices = &ns.config.devices;
        let device = |name: &str| devices.by_name(name).map(|d| d.index.0);
        let env = Env { device: &device, now: at, source, lenient: false };
        run(&mut nft, &text, &env, &mut || {
            last += 1;
            RowId(last)
        })
    };
    let outcome = outcome.map_err(|refused| {
        let not_simulated = refused.not_simulated;
        let error = NftError::new(op.file.clone(), &text, refused);
        if not_simulated {
            OpError::not_simulated(error.refused.message)
        } else {
            OpError::text(Errno::EINVAL, error.to_string()).with_status(1)
        }
    })?;
    for (table, set) in outcome.forgotten {
        ns.nft.forget(table, set);
    }
    for key in &outcome.deleted {
        ns.nft.remove(key);
    }
    let config = ns.config_mut();
    config.nft = Arc::new(nft);
    config.last_row = last;
    config.rehook();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::NetnsId;
    use crate::linux::netfilter::{Hook, NfFamily};

    #[test]
    fn all_or_nothing() {
        let mut ns = Netns::empty(NetnsId(0));
        let mut check = |text: &str, expect: Result<(), &str>| {
            let done = apply(&mut ns, &NftOp::file(text), Time::ZERO, Source::Kernel);
            assert_eq!(done.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{text}");
            (ns.config.nft.tables.len(), ns.config.hooks.at(NfFamily::Ip, Hook::Input).len(), ns.config.hooks.tracks(NfFamily::Ip6))
        };
        let made = check("table inet t {\n chain c {\n  type filter hook input priority 0;\n  ct state new accept\n }\n}\n", Ok(()));
        assert_eq!(made, (1, 2, true), "the chain and conntrack's last function");
        let refused = check(
            "flush ruleset\ntable ip a {\n}\nadd rule ip a c accept\n",
            Err("/dev/stdin:4:15-15: Error: Could not process rule: No such file or directory\nadd rule ip a c accept\n              ^"),
        );
        assert_eq!(refused, (1, 2, true));
        assert_eq!(check("flush ruleset\n", Ok(())), (0, 0, false));
    }
}
