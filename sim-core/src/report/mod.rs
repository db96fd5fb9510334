//! Floor 7: a recording in words, hops, text and JSON.
//!
//! Everything here is a view of one trace. Nothing decides again what the walk has decided; rows that lost are derived
//! from the very tables, headers and views that a step names.
//!
//! ```text
//!  Run ─► Index ─► StepView ─┬─► words ──┐
//!                            ├─► losers ─┼─► Doc ─► text, terminal
//!                            ├─► hops ───┘
//!                            └─► JSON (packetwalk.trace/1)
//! ```

pub mod doc;
pub mod evidence;
pub mod headers;
pub mod hops;
pub mod index;
mod ipvs;
pub mod json;
pub mod kind;
pub mod losers;
mod missed;
pub mod names;
pub mod nft;
pub mod panes;
pub mod paths;
mod policy;
pub mod print;
pub mod provenance;
pub(crate) mod route_row;
pub mod rows;
pub mod text;
pub mod time;
pub mod value;
pub mod view;
pub mod words;

pub use doc::Doc;
pub use kind::Kind;
pub use losers::Loser;
pub use print::{PlainStyle, Style, print};
pub use provenance::Provenance;
pub use value::Value;
pub use view::{Report, StepView};

use std::str::FromStr;

/// How much a trace tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// One line per device or namespace crossed.
    Hops,
    /// Every decision.
    Steps,
    /// Every decision, and the rows that lost.
    All,
}

impl FromStr for Detail {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "hops" => Ok(Detail::Hops),
            "steps" => Ok(Detail::Steps),
            "all" => Ok(Detail::All),
            _ => Err(format!("`{s}` is none of hops, steps, all")),
        }
    }
}

/// What a trace says of the scenario that it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioInfo {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The network plugin, if there is a cluster.
    pub cni: Option<String>,
    /// kube-proxy's mode, if there is one.
    pub proxy: Option<String>,
    /// The seed.
    pub seed: u64,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_kinds;
#[cfg(test)]
mod tests_world;
