//! The rules of the house, held by tests that read the source.
//!
//! | module | holds |
//! |---|---|
//! | [`floors`] | a room uses only the floors below it |
//! | [`registries`] | no file of a registry folder is forgotten; every lesson has a snapshot |
//! | [`words`] | file sizes, file headers, words that must not stand in a file that others read |
//! | [`fidelity`] | `docs/fidelity.md` is what the file headers say |
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests; the environment says whether to write a page anew")]

mod fidelity;
mod files;
mod floors;
mod paths;
mod registries;
mod words;
