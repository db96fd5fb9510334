//! `nft`.
//!
//! Models: nft 1.0.6 src/main.c.
//!
//! The change is the text itself: what a word means may depend on a set that a line before it made, so it is read when it is
//! applied. One text is one transaction: it holds or fails as a whole.

use std::sync::Arc;

/// A change of nftables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftOp {
    /// The commands, as nft reads them.
    pub text: Arc<str>,
    /// The name that errors give to the text when it is read from a file (`nft -f`); none for a command line.
    pub file: Option<Arc<str>>,
}

impl NftOp {
    /// `nft COMMAND`.
    pub fn command(text: impl Into<Arc<str>>) -> NftOp {
        NftOp { text: text.into(), file: None }
    }

    /// `nft -f -`.
    pub fn file(text: impl Into<Arc<str>>) -> NftOp {
        NftOp { text: text.into(), file: Some("/dev/stdin".into()) }
    }

    /// The text as nft has it: a command line ends with the end of a line.
    pub fn read(&self) -> String {
        if self.file.is_none() { format!("{}\n", self.text) } else { self.text.to_string() }
    }
}
