//! Packets that are being put together from fragments.
//!
//! Models: net/ipv4/ip_fragment.c struct ipq, ip4_frag_ecn; net/ipv4/inet_fragment.c inet_frag_queue_insert, ip_frag_ecn_table.
//! Simplifies: memory is counted by a formula for `truesize`, not as a driver happened to allocate it.

use super::hot::HotMap;
use super::skb::Skb;
use super::time::Time;
use crate::packet::{Address, Protocol};

/// What the fragments of one packet share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FragmentKey<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Identification.
    pub id: u32,
    /// Protocol of the whole.
    pub protocol: Protocol,
    /// Who puts it together: conntrack on its way through, or the host that it is for (`user`).
    pub for_conntrack: bool,
}

/// The fragments of one packet so far.
#[derive(Clone, Debug, Default)]
pub struct FragmentQueue {
    /// The fragments, by offset; they do not overlap.
    pub parts: Vec<Box<Skb>>,
    /// Runs of fragments that came one behind the other, by offset: first byte, and the byte behind the last.
    pub runs: Vec<(usize, usize)>,
    /// Length of the whole, once the last fragment is here, as IPv6 looks at it.
    pub total: Option<usize>,
    /// `len`: the furthest byte so far; the length of the whole once the last fragment is here.
    pub len: usize,
    /// Whether the last fragment is here.
    pub last_in: bool,
    /// Bytes of data that are here.
    pub meat: usize,
    /// Largest fragment, in bytes with its header: the whole is cut no larger again.
    pub largest: u32,
    /// Largest fragment with DF.
    pub largest_df: u32,
    /// Which values of the ECN field were seen: bit n for value n.
    pub ecn: u8,
    /// The sender's counter of fragments when the last one of this packet came.
    pub rid: u32,
    /// Memory that the fragments take.
    pub mem: u32,
    /// When the attempt is given up.
    pub expires: Time,
    /// Its number, for the timer.
    pub number: u32,
}

/// What is wrong with a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Everything in it is here already: it goes, the others stay.
    Duplicate,
    /// A part of it is here already: whoever sends that means no good, and all of them go.
    Overlap,
}

impl FragmentQueue {
    /// Takes the bytes `from..to` in (inet_frag_queue_insert).
    ///
    /// Fragments that come in order make one run; one that comes before its turn begins another, and the two are not joined later.
    /// A repeated fragment is a duplicate if it lies within one run.
    ///
    /// # Errors
    /// When some or all of the bytes are here already.
    pub fn insert(&mut self, from: usize, to: usize) -> Result<(), Misfit> {
        match self.runs.last_mut() {
            None => self.runs.push((from, to)),
            Some((_, end)) if *end < to => match from {
                _ if from < *end => return Err(Misfit::Overlap),
                _ if from == *end => *end = to,
                _ => self.runs.push((from, to)),
            },
            Some(_) => {
                if let Some((a, b)) = self.runs.iter().find(|(a, b)| from < *b && *a < to) {
                    return Err(if from >= *a && to <= *b { Misfit::Duplicate } else { Misfit::Overlap });
                }
                let at = self.runs.partition_point(|(a, _)| *a < from);
                self.runs.insert(at, (from, to));
            }
        }
        Ok(())
    }

    /// The ECN field of the whole; none if the fragments contradict each other (ip_frag_ecn_table).
    pub fn whole_ecn(&self) -> Option<u8> {
        const NOT_ECT: u8 = 1 << 0;
        const CE: u8 = 1 << 3;
        match self.ecn {
            ecn if ecn & NOT_ECT != 0 && ecn != NOT_ECT => None,
            ecn if ecn & CE != 0 => Some(3),
            _ => Some(0),
        }
    }
}

/// Memory that a fragment of `len` bytes takes: an sk_buff, and a block for headroom, data and skb_shared_info.
pub fn truesize(len: u32) -> u32 {
    256 + (len + 64 + 320).next_power_of_two()
}

/// All packets that are being put together in a namespace.
#[derive(Clone, Debug)]
pub struct Fragments<A> {
    /// By what their fragments share.
    pub queues: HotMap<FragmentKey<A>, FragmentQueue>,
    /// The last number given.
    pub last: u32,
    /// Memory that all of them take.
    pub mem: u32,
    /// Fragments that each sender has sent (`rid` of struct inet_peer).
    pub senders: HotMap<A, u32>,
}

impl<A: Address> Default for Fragments<A> {
    fn default() -> Self {
        Fragments { queues: HotMap::default(), last: 0, mem: 0, senders: HotMap::default() }
    }
}

impl<A: Address> Fragments<A> {
    /// Takes a packet out, put together or given up (inet_frag_kill).
    pub fn remove(&mut self, key: &FragmentKey<A>) -> Option<FragmentQueue> {
        let queue = self.queues.remove(key)?;
        self.mem = self.mem.saturating_sub(queue.mem);
        Some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_here_already() {
        type Case = (&'static [(usize, usize)], (usize, usize), Result<(), Misfit>);
        let cases: &[Case] = &[
            (&[(0, 800)], (800, 880), Ok(())),
            (&[(0, 800)], (0, 800), Err(Misfit::Duplicate)),
            (&[(0, 800)], (400, 1200), Err(Misfit::Overlap)),
            // one run of two fragments holds the third
            (&[(0, 400), (400, 800)], (0, 800), Err(Misfit::Duplicate)),
            (&[(0, 400), (400, 800)], (200, 600), Err(Misfit::Duplicate)),
            // the same bytes, but in two runs
            (&[(400, 800), (0, 400)], (0, 800), Err(Misfit::Overlap)),
            (&[(0, 400), (800, 1200)], (400, 800), Ok(())),
            (&[(0, 400), (800, 1200)], (400, 808), Err(Misfit::Overlap)),
            (&[(0, 400), (800, 1200)], (0, 1300), Err(Misfit::Overlap)),
        ];
        for (here, new, want) in cases {
            let mut q = FragmentQueue::default();
            assert!(here.iter().all(|(a, b)| q.insert(*a, *b).is_ok()));
            assert_eq!(q.insert(new.0, new.1), *want, "{here:?} {new:?}");
        }
    }

    #[test]
    fn congestion_of_the_whole() {
        let ecn = |seen: &[u8]| FragmentQueue { ecn: seen.iter().fold(0, |e, v| e | 1 << v), ..FragmentQueue::default() }.whole_ecn();
        assert_eq!(ecn(&[0]), Some(0));
        assert_eq!(ecn(&[1, 2]), Some(0));
        assert_eq!(ecn(&[1, 3]), Some(3));
        assert_eq!(ecn(&[3]), Some(3));
        assert_eq!(ecn(&[0, 3]), None);
        assert_eq!(ecn(&[0, 1]), None);
    }
}
