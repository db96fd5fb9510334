//! Netfilter: hooks, and the tables that rules live in.
//!
//! ```text
//!  Xtables ── Table ── Chain ── Rule ── RuleSpec ─┬─ addresses, devices, protocol
//!                                                 ├─ Match …       matches/, one file each
//!                                                 └─ Target        targets/, one file each
//! ```

pub mod apply;
pub mod eval;
pub mod failed;
pub mod hook;
pub mod hooks;
mod index;
pub(crate) mod ipv6;
pub mod matches;
pub mod nft;
pub mod option;
pub mod spec;
pub mod state;
pub mod targets;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests_index;
pub mod xtables;

pub use apply::{XtError, XtFailed};
pub use eval::{CtTuples, MatchAt, MatchCx, Memory, Miss};
pub use hook::{Hook, NfFamily};
pub use hooks::{HookEntry, HookFn, NfHooks};
pub use matches::Match;
pub use spec::{AddrMatch, IfMatch, ProtoMatch, RuleSpec};
pub use state::XtState;
pub use targets::Target;
pub use xtables::{Chain, ChainId, Policy, Rule, Table, TableKind, Xtables};
