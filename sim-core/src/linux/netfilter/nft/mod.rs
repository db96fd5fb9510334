//! nftables: tables of chains of rules, and of sets and maps.

/// A chain of nftables: its table and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainRef {
    /// The table, by its handle.
    pub table: u32,
    /// The chain, by its slot in the table.
    pub chain: u32,
}
