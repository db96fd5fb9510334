//! The CNI choices of a cluster: what is written under `cni:` in a scenario.
//!
//! A choice is one file and one line in `providers!`: its parameters with defaults, the conflist it leaves on a node, and
//! the agents it runs there.

pub mod bridge;
pub mod flannel;

pub use bridge::BridgeCni;
pub use flannel::FlannelCni;

use crate::kube::Node;
use crate::packet::{Ipv4Addr, Prefix};

/// A parameter of a choice, for listings and help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Name in a scenario.
    pub name: &'static str,
    /// Default, as written in a scenario.
    pub default: &'static str,
    /// The words of a closed list; empty for other types.
    pub words: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
}

/// A CNI choice.
pub trait CniProvider: Default {
    /// Name in a scenario: `Flannel`.
    const NAME: &'static str;
    /// What it is, in a line.
    const SUMMARY: &'static str;
    /// Its parameters.
    const PARAMS: &'static [Param];
    /// The agents that it runs on each node, beside the kubelet.
    const AGENTS: &'static [&'static str];

    /// The file under /etc/cni/net.d and its text; none as long as the node has no pod range, if that is needed.
    fn conflist(&self, node: &Node, pod_subnet: Prefix<Ipv4Addr>) -> Option<(&'static str, String)>;
}

/// A choice as the registry lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderInfo {
    /// Name in a scenario.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
}

macro_rules! providers {
    ($($name:ident $kind:ident),* $(,)?) => {
        /// One of the choices, with its parameters.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Provider { $(#[doc = stringify!($name)] $name($kind)),* }

        /// All choices.
        pub static PROVIDERS: &[ProviderInfo] = &[$(ProviderInfo {
            name: <$kind as CniProvider>::NAME,
            summary: <$kind as CniProvider>::SUMMARY,
            params: <$kind as CniProvider>::PARAMS,
        }),*];

        impl Provider {
            /// The choice of that name with its defaults.
            pub fn named(name: &str) -> Option<Provider> {
                $(if name == <$kind as CniProvider>::NAME { return Some(Provider::$name($kind::default())); })*
                None
            }
            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(Provider::$name(_) => <$kind as CniProvider>::NAME),* }
            }
            /// The agents that it runs on each node.
            pub fn agents(&self) -> &'static [&'static str] {
                match self { $(Provider::$name(_) => <$kind as CniProvider>::AGENTS),* }
            }
            /// See [`CniProvider::conflist`].
            pub fn conflist(&self, node: &Node, pod_subnet: Prefix<Ipv4Addr>) -> Option<(&'static str, String)> {
                match self { $(Provider::$name(p) => p.conflist(node, pod_subnet)),* }
            }
        }
    };
}

// One line per choice.
providers! {
    Bridge BridgeCni,
    Flannel FlannelCni,
}
