//! VLAN tags (IEEE 802.1Q): which virtual LAN a frame belongs to.

/// Which kind of tag, told by its Ethernet type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum VlanProtocol {
    /// 0x8100, the usual tag (C-tag).
    #[default]
    Dot1q,
    /// 0x88a8, a provider's outer tag (S-tag).
    Dot1ad,
}

impl VlanProtocol {
    /// The Ethernet type.
    #[inline]
    pub fn ethertype(self) -> u16 {
        match self {
            VlanProtocol::Dot1q => 0x8100,
            VlanProtocol::Dot1ad => 0x88a8,
        }
    }

    /// The name that `ip -d link` prints.
    pub fn name(self) -> &'static str {
        match self {
            VlanProtocol::Dot1q => "802.1Q",
            VlanProtocol::Dot1ad => "802.1ad",
        }
    }

    /// The kind of tag that an Ethernet type announces.
    #[inline]
    pub fn of(ethertype: u16) -> Option<Self> {
        match ethertype {
            0x8100 => Some(VlanProtocol::Dot1q),
            0x88a8 => Some(VlanProtocol::Dot1ad),
            _ => None,
        }
    }
}

/// One tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VlanTag {
    /// Which kind.
    pub protocol: VlanProtocol,
    /// Priority (3 bits), drop eligible (1), VLAN number (12).
    pub tci: u16,
}

impl VlanTag {
    /// Bytes of a tag.
    pub const LEN: usize = 4;

    /// A tag of that VLAN with priority 0.
    #[inline]
    pub fn new(protocol: VlanProtocol, id: u16) -> Self {
        VlanTag { protocol, tci: id & 0x0fff }
    }

    /// The VLAN's number, 0 to 4095; 0 says a priority and no VLAN.
    #[inline]
    pub fn id(self) -> u16 {
        self.tci & 0x0fff
    }

    /// The priority, 0 to 7.
    pub fn priority(self) -> u8 {
        (self.tci >> 13) as u8
    }

    /// Whether it may be dropped first (DEI).
    pub fn drop_eligible(self) -> bool {
        self.tci & 0x1000 != 0
    }
}

/// The tags of a frame, none, one or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VlanTags {
    len: u8,
    // those behind `len` are zero, so that equal tags compare equal
    tags: [VlanTag; Self::MAX],
}

impl VlanTags {
    /// How many a frame can have here; what stands behind more is undecoded.
    pub const MAX: usize = 2;

    /// The tag that stands first on the wire.
    #[inline]
    pub fn outer(&self) -> Option<VlanTag> {
        (self.len > 0).then_some(self.tags[0])
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether the frame is untagged.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tags, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = VlanTag> + '_ {
        self.tags.iter().take(self.len()).copied()
    }

    /// Puts a tag before all others; false if there is no room.
    #[must_use]
    pub fn push(&mut self, tag: VlanTag) -> bool {
        if self.len() == Self::MAX {
            return false;
        }
        self.tags[1] = self.tags[0];
        self.tags[0] = tag;
        self.len += 1;
        true
    }

    /// Puts a tag behind all others; false if there is no room.
    #[must_use]
    pub(super) fn append(&mut self, tag: VlanTag) -> bool {
        match self.tags.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = tag;
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// Takes the outermost tag away.
    pub fn pop(&mut self) -> Option<VlanTag> {
        let first = self.outer()?;
        self.tags[0] = self.tags[1];
        self.tags[1] = VlanTag::default();
        self.len -= 1;
        if self.len == 0 {
            self.tags[0] = VlanTag::default();
        }
        Some(first)
    }

    /// Changes the outermost tag.
    pub fn set_outer(&mut self, tag: VlanTag) {
        if self.len > 0 {
            self.tags[0] = tag;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_off_in_the_order_of_the_wire() {
        let (a, b) = (VlanTag::new(VlanProtocol::Dot1q, 10), VlanTag { protocol: VlanProtocol::Dot1ad, tci: 0xf014 });
        let mut tags = VlanTags::default();
        assert!(tags.push(a) && tags.push(b) && !tags.push(a));
        assert_eq!(tags.iter().collect::<Vec<_>>(), [b, a]);
        assert_eq!((b.id(), b.priority(), b.drop_eligible()), (20, 7, true));
        assert_eq!((tags.pop(), tags.outer()), (Some(b), Some(a)));
        assert_eq!((tags.pop(), tags.pop()), (Some(a), None));
        assert_eq!(tags, VlanTags::default());
    }
}
