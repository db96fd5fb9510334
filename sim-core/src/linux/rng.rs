//! Chance: one seed, and a stream per kind of decision.
//!
//! A stream is named after what it decides, so that one more draw of one kind does not shift the others.

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, SeedableRng};

/// What a number is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// `statistic --mode random`.
    Statistic = 0,
    /// A source port (bind to port 0, connect).
    EphemeralPort = 1,
    /// Where the search for a NAT port begins.
    NatPort = 2,
    /// The reachable time of neighbours.
    ReachableTime = 3,
    /// Initial sequence numbers and IP identifications.
    SequenceNumber = 4,
    /// Loss and jitter of wires.
    Wire = 5,
    /// Choices of programs and controllers.
    Program = 6,
    /// Hardware addresses of new devices.
    HardwareAddress = 7,
    /// How long a proxy waits before it answers.
    ProxyDelay = 8,
    /// Schedulers of IPVS that draw.
    Ipvs = 9,
    /// Duplicate address detection and membership reports: delays and nonces.
    Dad = 10,
}

const STREAMS: usize = 11;

/// The streams of a run, begun when first asked.
#[derive(Debug)]
pub struct Rng {
    seed: u64,
    streams: [Option<Box<ChaCha8Rng>>; STREAMS],
}

impl Clone for Rng {
    /// The same streams, each at the same place.
    fn clone(&self) -> Self {
        let streams =
            self.streams.each_ref().map(|s| s.as_ref().map(|rng| Box::new(ChaCha8Rng::deserialize_state(&rng.serialize_state()))));
        Rng { seed: self.seed, streams }
    }
}

impl Rng {
    /// The streams of `seed`.
    pub fn new(seed: u64) -> Self {
        Rng { seed, streams: Default::default() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// 32 random bits.
    pub fn next_u32(&mut self, draw: Draw) -> u32 {
        let seed = self.seed;
        let stream = self.streams[draw as usize].get_or_insert_with(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(draw as u64 + 1);
            Box::new(rng)
        });
        stream.next_u32()
    }

    /// A number below `n`, evenly; 0 if `n` is 0. (Models get_random_u32_below.)
    pub fn below(&mut self, draw: Draw, n: u32) -> u32 {
        ((u64::from(self.next_u32(draw)) * u64::from(n)) >> 32) as u32
    }
}
