//! Sequence numbers of GRE tunnels.
//!
//! Models: net/ipv4/ip_gre.c (o_seqno), net/ipv4/ip_tunnel.c ip_tunnel_rcv (i_seqno).
//! Spec: RFC 2890 section 2.2.

use super::hot::HotMap;
use super::id::IfIndex;

/// The next numbers, by device: of packets that go out, and the lowest that is taken of those that come in.
#[derive(Clone, Debug, Default)]
pub struct TunnelSeq(HotMap<IfIndex, (u32, u32)>);

impl TunnelSeq {
    fn of(&mut self, dev: IfIndex) -> Option<&mut (u32, u32)> {
        if !self.0.contains(&dev) {
            self.0.insert(dev, (0, 0));
        }
        self.0.get_mut(&dev)
    }

    /// The number of the next packet that goes out.
    pub fn next_out(&mut self, dev: IfIndex) -> u32 {
        let Some(n) = self.of(dev) else { return 0 };
        n.0 = n.0.wrapping_add(1);
        n.0.wrapping_sub(1)
    }

    /// Takes a packet with that number in; false if a later one has come before.
    pub fn take_in(&mut self, dev: IfIndex, seq: u32) -> bool {
        let Some(n) = self.of(dev) else { return true };
        if n.1 != 0 && (seq.wrapping_sub(n.1) as i32) < 0 {
            return false;
        }
        n.1 = seq.wrapping_add(1);
        true
    }

    /// The device is gone.
    pub fn forget(&mut self, dev: IfIndex) {
        self.0.remove(&dev);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_late_is_refused() {
        let (mut s, dev) = (TunnelSeq::default(), IfIndex(4));
        assert_eq!([s.next_out(dev), s.next_out(dev), s.next_out(IfIndex(5))], [0, 1, 0]);
        let taken: Vec<bool> = [0, 1, 1, 5, 4, 6].iter().map(|n| s.take_in(dev, *n)).collect();
        assert_eq!(taken, [true, true, false, true, false, true]);
        s.forget(dev);
        assert!(s.take_in(dev, 3));
    }
}
