//! The queue of events: by time, then by the order in which they were put in.

use crate::apps;
use crate::datapath::Timer;
use crate::linux::skb::Skb;
use crate::linux::{FlowId, IfIndex, NetnsId, PacketId, Time};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// What happens.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A frame arrives at a device.
    Frame {
        /// Where.
        netns: NetnsId,
        /// By which device.
        dev: IfIndex,
        /// The frame.
        skb: Box<Skb>,
    },
    /// A frame comes up to a device that stands on another, which has said whom it is for.
    Upper {
        /// Where.
        netns: NetnsId,
        /// To which device.
        dev: IfIndex,
        /// The frame.
        skb: Box<Skb>,
        /// Whether a work queue hands it over: when the softirqs have done their work.
        work: bool,
    },
    /// A timer of a namespace fires.
    Timer {
        /// Where.
        netns: NetnsId,
        /// Which.
        timer: Timer,
    },
    /// A program is woken.
    Wake {
        /// Which.
        program: u32,
        /// Why.
        event: apps::Event,
        /// The packet that is the reason.
        cause: PacketId,
        /// The flow of that packet.
        flow: FlowId,
    },
    /// A controller or an agent has something to do.
    Agent {
        /// Its number.
        agent: u32,
    },
}

/// The queue.
///
/// What is put in for the present instant needs no heap: it comes after all that was put in earlier for this instant.
/// Programs come last: a host's network softirqs have done their work before a program runs.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    present: VecDeque<Happening>,
    wakes: VecDeque<Happening>,
    future: BinaryHeap<Reverse<(Time, u64, u32)>>,
    slab: Vec<Option<Happening>>,
    free: Vec<u32>,
    seq: u64,
}

impl Queue {
    /// Puts an event in; `now` is the present instant.
    #[inline]
    pub fn push(&mut self, now: Time, at: Time, what: Happening) {
        if at <= now {
            return match what {
                Happening::Wake { .. } | Happening::Upper { work: true, .. } => self.wakes.push_back(what),
                _ => self.present.push_back(what),
            };
        }
        let slot = match self.free.pop() {
            Some(i) => {
                self.slab[i as usize] = Some(what);
                i
            }
            None => {
                self.slab.push(Some(what));
                self.slab.len() as u32 - 1
            }
        };
        self.seq += 1;
        self.future.push(Reverse((at, self.seq, slot)));
    }

    /// The time of the next event.
    #[inline]
    pub fn next_time(&self, now: Time) -> Option<Time> {
        if !self.present.is_empty() || !self.wakes.is_empty() { Some(now) } else { self.future.peek().map(|Reverse((t, _, _))| *t) }
    }

    /// Takes the next event, if it comes no later than `limit`.
    #[inline]
    pub fn pop(&mut self, now: Time, limit: Time) -> Option<(Time, Happening)> {
        match self.future.peek() {
            // put in before this instant began: comes before what this instant has put in
            Some(Reverse((t, _, _))) if *t <= now => {}
            _ => {
                if let Some(what) = self.present.pop_front().or_else(|| self.wakes.pop_front()) {
                    return Some((now, what));
                }
            }
        }
        let Reverse((at, _, _)) = self.future.peek()?;
        if *at > limit {
            return None;
        }
        let Reverse((at, _, slot)) = self.future.pop()?;
        let what = self.slab[slot as usize].take()?;
        self.free.push(slot);
        Some((at, what))
    }

    /// Takes the next event of the present instant that is not a program's.
    pub fn pop_softirq(&mut self) -> Option<Happening> {
        self.present.pop_front()
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.present.len() + self.wakes.len() + self.future.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(n: u32) -> Happening {
        Happening::Agent { agent: n }
    }

    fn drain(q: &mut Queue, mut now: Time) -> Vec<(u64, u32)> {
        let mut out = Vec::new();
        while let Some((at, what)) = q.pop(now, Time::NEVER) {
            now = at;
            if let Happening::Agent { agent } = what {
                out.push((at.0, agent));
            }
        }
        out
    }

    #[test]
    fn equal_times_keep_the_order_of_insertion() {
        let mut q = Queue::default();
        for (at, n) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            q.push(Time(0), Time(at), agent(n));
        }
        assert_eq!(drain(&mut q, Time(0)), [(3, 2), (3, 4), (5, 1), (5, 3)]);
    }

    #[test]
    fn what_an_instant_puts_in_comes_after_what_waited_for_it() {
        let mut q = Queue::default();
        q.push(Time(0), Time(3), agent(1));
        q.push(Time(0), Time(3), agent(2));
        let (at, _) = q.pop(Time(0), Time::NEVER).expect("an event");
        q.push(at, at, agent(3));
        assert_eq!(drain(&mut q, at), [(3, 2), (3, 3)]);
    }

    #[test]
    fn a_limit_holds_later_events_back() {
        let mut q = Queue::default();
        q.push(Time(0), Time(9), agent(1));
        assert!(q.pop(Time(0), Time(8)).is_none());
        assert_eq!(q.next_time(Time(0)), Some(Time(9)));
    }
}
