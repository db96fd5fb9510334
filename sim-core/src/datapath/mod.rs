//! Floor 3: the walk of a packet through one namespace.
//!
//! One file per stage of the kernel's own path; who knows `ip_rcv`, `ip_forward`, `ip_output` and
//! `br_handle_frame` finds the place at once.
//!
//! ```text
//!  receive ─┬─► bridge ─► br_netfilter
//!           ├─► arp
//!           └─► ip_input ─► route ─┬─► local deliver ─► icmp | udp | tcp
//!                                  └─► forward ─► output ─► neighbour ─► transmit ─► tunnel ─► output
//! ```
//!
//! A namespace is handed a packet or a timer and returns effects; it never sees another namespace, a wire or a clock.

pub mod addrconf;
pub mod arp;
pub mod br_netfilter;
pub mod br_vlan;
pub mod bridge;
pub mod conntrack;
pub mod forward;
pub mod hook;
pub mod icmp;
pub mod icmpv6;
pub mod inet;
pub mod ip6_fragment;
pub mod ip6_input;
pub mod ip6_output;
pub mod ip_fragment;
pub mod ip_input;
pub mod ip_tunnel;
pub mod ip_vs_core;
pub mod ip_vs_xmit;
pub mod ipt_do_table;
pub mod ipvlan;
pub mod macvlan;
pub mod manip;
pub mod nat;
pub mod ndisc;
pub mod neighbour;
pub mod nf_hook;
pub mod nft_do_chain;
pub mod nft_nat;
pub mod nft_payload;
pub mod output;
pub mod receive;
pub mod reject;
pub mod route;
pub mod route6;
pub mod syscall;
pub mod tcp;
pub mod transmit;
pub mod tun;
pub mod tunnel;
pub mod udp;
pub mod vlan;
pub mod vxlan;
pub mod walk;
mod xt_memory;
mod xt_target;

pub use hook::{HookState, NfVerdict};
pub use walk::{Beyond, Effect, Effects, Ids, Timer, Walk};

#[cfg(test)]
mod tests;
