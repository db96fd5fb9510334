//! Floor 1: the state of a host's network namespaces, as data, with pure lookups.
//!
//! ```text
//! Netns ─┬─ Config (copy-on-write version)          what commands set
//!        │   ├─ devices  names, addresses, bridge ports
//!        │   ├─ fib      route tables, longest prefix first
//!        │   ├─ xt       iptables tables, chains, rules
//!        │   ├─ ipvs     virtual services and real servers
//!        │   └─ sysctl
//!        └─ what packets write                      deltas in the trace
//!            ├─ neighbours   ARP cache per device
//!            ├─ fdb          learned MACs per bridge
//!            ├─ vxlan        MACs and their tunnel endpoints per VXLAN device
//!            ├─ conntrack    flows and their NAT
//!            ├─ ipvs         connections, and what schedulers keep
//!            └─ sockets
//! ```
//!
//! The only way to change a [`Config`] is an [`Op`], which [`apply`](fn@apply::apply) applies. Nothing on this floor knows
//! that time passes: instants are numbers in the state, compared by the floors above.

pub mod apply;
pub mod config;
pub mod conntrack;
pub mod device;
pub mod errno;
pub mod fdb;
pub mod fib;
mod fib_store;
pub mod fragment;
pub mod hot;
pub mod id;
pub mod inet6;
pub mod ipset;
pub mod ipvs;
pub mod neighbour;
pub mod netfilter;
pub mod netns;
pub mod op;
pub mod rng;
pub mod rule;
pub mod skb;
pub mod socket;
pub mod sysctl;
pub mod time;
pub mod tunnel_seq;
pub mod vxlan_fdb;

pub use config::Config;
pub use errno::Errno;
pub use id::{FlowId, IfIndex, NetnsId, OpId, PacketId, RowId, SocketId, Source, VersionId};
pub use netns::Netns;
pub use op::Op;
pub use skb::{PktType, Skb};
pub use time::Time;
