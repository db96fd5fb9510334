//! `ipset` and `ipset restore`.
//!
//! Models: ipset 7.17 lib/ipset.c, lib/session.c.
//!
//! Elements and options stay words: what they mean depends on the set, which is known only when the command is carried out.

use std::sync::Arc;

/// Options behind an element or a type: a name, and a value where it has one.
pub type IpsetOptions = Vec<(Arc<str>, Option<Arc<str>>)>;

/// A change of sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpsetOp {
    /// `ipset create NAME TYPE …`.
    Create {
        /// The set.
        name: Arc<str>,
        /// Its type.
        kind: Arc<str>,
        /// Its options.
        options: IpsetOptions,
        /// `-exist`.
        exist: bool,
    },
    /// `ipset destroy [NAME]`.
    Destroy(Option<Arc<str>>),
    /// `ipset flush [NAME]`.
    Flush(Option<Arc<str>>),
    /// `ipset rename FROM TO`.
    Rename(Arc<str>, Arc<str>),
    /// `ipset swap ONE OTHER`.
    Swap(Arc<str>, Arc<str>),
    /// `ipset add NAME ELEMENT …`.
    Add {
        /// The set.
        name: Arc<str>,
        /// The element.
        elem: Arc<str>,
        /// Its options.
        options: IpsetOptions,
        /// `-exist`.
        exist: bool,
    },
    /// `ipset del NAME ELEMENT`.
    Del {
        /// The set.
        name: Arc<str>,
        /// The element.
        elem: Arc<str>,
        /// `-exist`.
        exist: bool,
    },
    /// `ipset restore`: each change with its line.
    Restore {
        /// `-exist`, for all of them.
        exist: bool,
        /// The lines.
        lines: Arc<Vec<(u32, IpsetOp)>>,
    },
}
