//! Netfilter: hooks, and the tables that rules live in.

pub mod hook;
pub mod xtables;

pub use hook::{Hook, NfFamily};
pub use xtables::{Chain, Policy, Rule, Table, TableKind, Xtables};
