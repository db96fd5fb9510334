//! What is configured of an ipvlan device.
//!
//! Models: drivers/net/ipvlan/ipvlan.h struct ipvl_dev, struct ipvl_port.

/// At which layer the children of one device are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IpvlanMode {
    /// Children do their own ARP; frames are switched by IP address.
    L2,
    /// The namespace below routes what children send; no ARP, no broadcasts.
    #[default]
    L3,
    /// As L3, and what comes in passes the hooks of the namespace below.
    L3s,
}

impl IpvlanMode {
    /// The word of `ip link`.
    pub fn name(self) -> &'static str {
        match self {
            IpvlanMode::L2 => "l2",
            IpvlanMode::L3 => "l3",
            IpvlanMode::L3s => "l3s",
        }
    }
}

/// Whether children may talk to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IpvlanFlag {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Only by way of a switch outside.
    Vepa,
}

impl IpvlanFlag {
    /// The word of `ip link`.
    pub fn name(self) -> &'static str {
        match self {
            IpvlanFlag::Bridge => "bridge",
            IpvlanFlag::Private => "private",
            IpvlanFlag::Vepa => "vepa",
        }
    }
}

/// Settings of an ipvlan device; all children of a device share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IpvlanConfig {
    /// `mode`.
    pub mode: IpvlanMode,
    /// `bridge`, `private` or `vepa`.
    pub flag: IpvlanFlag,
}
