//! Devices whose other end is a program: tun (IP packets) and tap (Ethernet frames).
//!
//! Models: drivers/net/tun.c struct tun_struct.
//! Simplifies: one queue, no packet information header (IFF_NO_PI), devices stay when their program ends (`persist`).

/// What a program reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunMode {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

impl TunMode {
    /// The word that `ip tuntap` knows.
    pub fn name(self) -> &'static str {
        match self {
            TunMode::Tun => "tun",
            TunMode::Tap => "tap",
        }
    }
}
