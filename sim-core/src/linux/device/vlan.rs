//! What is configured of a VLAN device.
//!
//! Models: include/linux/if_vlan.h struct vlan_dev_priv.

use crate::packet::{VlanProtocol, VlanTag};

/// Settings of a VLAN device: the frames of one VLAN of the device below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanConfig {
    /// `protocol`: which kind of tag.
    pub protocol: VlanProtocol,
    /// `id`, 0 to 4094.
    pub id: u16,
    /// `reorder_hdr`: a capture on the device shows frames without their tag.
    pub reorder_hdr: bool,
    /// `gvrp`, kept for listings.
    pub gvrp: bool,
    /// `mvrp`, kept for listings.
    pub mvrp: bool,
    /// `loose_binding`: not switched on and off with the device below.
    pub loose_binding: bool,
    /// Whether the hardware address is the lower device's and follows it (NET_ADDR_STOLEN).
    pub inherits_mac: bool,
}

impl VlanConfig {
    /// A VLAN of which nothing else is said.
    pub fn new(protocol: VlanProtocol, id: u16) -> Self {
        VlanConfig { protocol, id, reorder_hdr: true, gvrp: false, mvrp: false, loose_binding: false, inherits_mac: true }
    }

    /// The tag of its frames.
    #[inline]
    pub fn tag(&self) -> VlanTag {
        VlanTag::new(self.protocol, self.id)
    }
}
