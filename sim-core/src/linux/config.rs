//! What commands set in a namespace: one value, versioned by copy on write.

use super::device::Devices;
use super::fib::Fib;
use super::ipset::IpSets;
use super::ipvs::IpvsConfig;
use super::netfilter::apply::Touched;
use super::netfilter::nft::Nftables;
use super::netfilter::{NfFamily, NfHooks, Xtables, hooks};
use super::sysctl::Sysctls;
use crate::packet::{Family, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The configuration of a namespace. A recording keeps each version that a packet met.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Devices and their addresses.
    pub devices: Devices,
    /// IPv4 route tables.
    pub fib: Arc<Fib<Ipv4Addr>>,
    /// IPv6 route tables.
    pub fib6: Arc<Fib<Ipv6Addr>>,
    /// iptables.
    pub xt: Arc<Xtables>,
    /// ip6tables.
    pub xt6: Arc<Xtables>,
    /// nftables.
    pub nft: Arc<Nftables>,
    /// Sets that rules ask.
    pub ipsets: Arc<IpSets>,
    /// Virtual services.
    pub ipvs: Arc<IpvsConfig>,
    /// What stands at the netfilter hooks: derived from the tables, see [`Config::rehook`].
    pub hooks: Arc<NfHooks>,
    /// Sysctls.
    pub sysctl: Arc<Sysctls>,
    /// How many rows have been numbered.
    pub last_row: u32,
}

impl Config {
    /// A number for a new row.
    pub fn new_row(&mut self) -> super::RowId {
        self.last_row += 1;
        super::RowId(self.last_row)
    }

    /// Changes iptables; new rules are numbered and say that they come from `source`. `touched` is told what becomes of counters.
    ///
    /// # Errors
    /// In the words of iptables. See [`Xtables::apply`] for what then remains.
    pub fn apply_xtables(
        &mut self,
        family: Family,
        op: &super::op::XtOp,
        source: super::Source,
        touched: &mut Touched,
    ) -> Result<(), super::netfilter::XtFailed> {
        if let Some((name, line)) = self.unknown_set(op) {
            let error = super::netfilter::XtError::Parameter(format!("Set {name} doesn't exist.\n"));
            return Err(super::netfilter::XtFailed { family, error, line });
        }
        let last = &mut self.last_row;
        let xt = match family {
            Family::Inet => &mut self.xt,
            Family::Inet6 => &mut self.xt6,
        };
        let mut new_row = || {
            *last += 1;
            super::RowId(*last)
        };
        let done = Arc::make_mut(xt).apply(family, op, source, &mut new_row, touched);
        // a restore file keeps the tables before the one that failed
        self.rehook();
        done
    }

    /// The first set that a change names and that is not there, and in which line of a restore file.
    fn unknown_set(&self, op: &super::op::XtOp) -> Option<(Arc<str>, Option<u32>)> {
        use super::op::{RestoreLine, XtCommand, XtOp};
        let unknown = |c: &XtCommand| c.spec().and_then(|s| s.sets().find(|n| self.ipsets.get(n).is_none()).cloned());
        match op {
            XtOp::Command { command, .. } => unknown(command).map(|n| (n, None)),
            XtOp::Restore(r) => r.tables.iter().flat_map(|t| &t.lines).find_map(|(line, l)| match l {
                RestoreLine::Command(c) => unknown(c).map(|n| (n, Some(*line))),
                RestoreLine::Chain(..) => None,
            }),
        }
    }

    /// The tables of iptables or ip6tables.
    #[inline]
    pub fn xtables(&self, family: Family) -> &Arc<Xtables> {
        match family {
            Family::Inet => &self.xt,
            Family::Inet6 => &self.xt6,
        }
    }

    /// Brings what stands at the hooks in line with the tables, after one of them changed.
    pub fn rehook(&mut self) {
        let mut chains = hooks::BaseChains::new();
        hooks::xt_base_chains(NfFamily::Ip, &self.xt, &mut chains);
        hooks::xt_base_chains(NfFamily::Ip6, &self.xt6, &mut chains);
        self.nft.base_chains(&mut chains);
        let mut tracks = self.nft.tracks();
        tracks[NfFamily::Ip as usize] |= self.xt.needs_conntrack();
        tracks[NfFamily::Ip6 as usize] |= self.xt6.needs_conntrack();
        let mut now = (*self.hooks).clone();
        now.sync(&chains, tracks, self.ipvs.enabled);
        if now != *self.hooks {
            self.hooks = Arc::new(now);
        }
    }
}
