//! Floor 6: the commands that a host answers.

pub mod iptables;
