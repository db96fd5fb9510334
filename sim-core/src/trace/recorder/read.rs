//! The tape read again: the calls that were made, one by one, to a [`Recording`].

use super::code::{Code, ct_of, fdb_of, mac_of, rule_at_of};
use super::{Recorder, tag};
use crate::linux::conntrack::CtId;
use crate::linux::netfilter::Hook;
use crate::linux::{IfIndex, NetnsId, PacketId, RowId, SocketId, Time, VersionId};
use crate::packet::Ipv4Addr;
use crate::trace::evidence::{Addr32, Evidence};
use crate::trace::step::{Step, StepId};
use crate::trace::tracer::Tracer;
use crate::trace::version::{Change, VersionRecord};
use crate::trace::{Keep, Recording, recorder::tape::Tape};
use std::collections::VecDeque;

impl Keep for Recorder {
    fn finish(self) -> Recording {
        let Recorder { tape, wide, births, mut rest, steps, versions, .. } = self;
        rest.steps.reserve_exact(steps as usize);
        rest.versions.reserve_exact(versions as usize);
        let mut reader =
            Reader { wide, births, to: rest, at: Time::ZERO, netns: NetnsId(0), packet: PacketId::NONE, version: VersionId::NONE };
        reader.all(tape);
        reader.to
    }
}

/// A record's first word.
#[derive(Clone, Copy)]
struct Head(u64);

impl Head {
    #[inline]
    fn small(self) -> u64 {
        self.0 >> 8 & 0xff
    }
    #[inline]
    fn dev(self) -> u16 {
        (self.0 >> 16) as u16
    }
    #[inline]
    fn half(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[inline]
fn unpair(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// Reads the tape; what is in force is what the writer had in force.
struct Reader {
    wide: VecDeque<Step>,
    births: VecDeque<VersionRecord>,
    to: Recording,
    at: Time,
    netns: NetnsId,
    packet: PacketId,
    version: VersionId,
}

impl Reader {
    fn all(&mut self, tape: Tape) {
        tape.read(|words| {
            let mut words = words.iter().map(|w| u64::from_le_bytes(*w));
            while let Some(first) = words.next() {
                self.record(first, || words.next().unwrap_or(0));
            }
        });
    }

    #[inline(always)]
    fn record(&mut self, first: u64, mut next: impl FnMut() -> u64) {
        let head = Head(first);
        let (small, half) = (head.small(), head.half());
        let evidence = match first as u8 {
            tag::MOMENT => {
                self.netns = NetnsId(half);
                self.at = Time(next());
                return self.about(next());
            }
            tag::ABOUT => return self.about(next()),
            tag::WIDE => {
                if let Some(step) = self.wide.pop_front() {
                    self.to.step(step);
                }
                return;
            }
            tag::BIRTH => {
                if let Some(VersionRecord { before, change }) = self.births.pop_front() {
                    self.version = self.to.change(before, change);
                }
                return;
            }
            tag::TTL_CHANGE => return self.change(Change::Ttl(small as u8)),
            tag::ETHERNET_CHANGE => return self.change(Change::Ethernet { dst: mac_of(first >> 8), src: mac_of(next()) }),
            tag::SOURCE_CHANGE => return self.change(Change::Source(Ipv4Addr::from(half), head.dev())),
            tag::DESTINATION_CHANGE => return self.change(Change::Destination(Ipv4Addr::from(half), head.dev())),
            tag::RULE_VERDICT => return self.to.rule_verdict(StepId(half), Code::of(small)),
            tag::HOOK_LEFT => {
                let (after, ct) = unpair(next());
                return self.to.hook_left(StepId(half), VersionId(after), ct_of(ct));
            }
            tag::HOOK_ENDED => return self.to.hook_ended(StepId(half), ct_of(next() as u32)),
            tag::RECEIVE => Evidence::Receive { pkttype: Code::of(small), copy_of: PacketId::NONE, len: half },
            tag::TRANSMIT => Evidence::Transmit { len: half },
            tag::SOCKET_SEND => Evidence::SocketSend { socket: SocketId(next() as u32), len: half },
            tag::DELIVER => Evidence::Deliver { socket: SocketId(next() as u32), len: half },
            tag::ROUTE => {
                let ((dst, row), (next_hop, src)) = (unpair(next()), unpair(next()));
                Evidence::RouteLookup {
                    input: small & 0x80 != 0,
                    dst: Addr32(dst),
                    row: RowId(row),
                    kind: Code::of(small & 0x7f),
                    oif: half as u16,
                    next_hop: Addr32(next_hop),
                    src: Addr32(src),
                }
            }
            tag::NEIGHBOUR => {
                let (addr, low) = unpair(next());
                Evidence::NeighbourLookup {
                    addr: Addr32(addr),
                    state: Code::of(small & 0xf),
                    after: Code::of(small >> 4),
                    action: Code::of(first >> 48),
                    mac: mac_of(u64::from(low) | u64::from(half & 0xffff) << 32),
                }
            }
            tag::HOOK | tag::FULL_HOOK => {
                let tracked = small & 0x40 != 0;
                let (after, ct, mark) = if first as u8 == tag::HOOK {
                    let after = if small & 0x20 != 0 { self.version } else { VersionId::NONE };
                    (after, ct_of(u32::from(tracked) << 8), 0)
                } else {
                    let (after, ct) = unpair(next());
                    (VersionId(after), ct_of(ct), next() as u32)
                };
                let hook: Hook = Code::of(small & 7);
                Evidence::Hook { family: Code::of(small >> 3 & 3), hook, iif: half as u16, oif: (half >> 16) as u16, after, ct, mark }
            }
            tag::RULE => {
                let ((chain, row), (mark, ct)) = (unpair(next()), unpair(next()));
                Evidence::Rule {
                    table: Code::of(small & 7),
                    chain,
                    at: rule_at_of(small >> 6, half),
                    verdict: Code::of(small >> 3 & 7),
                    row: RowId(row),
                    mark,
                    ct: ct_of(ct),
                }
            }
            tag::CT_LOOKUP => Evidence::ConntrackLookup { id: Some(CtId(half)), created: small != 0, ct: ct_of(next() as u32) },
            tag::CT_INVALID => Evidence::ConntrackLookup { id: None, created: small != 0, ct: ct_of(half) },
            tag::CT_CONFIRM => Evidence::ConntrackConfirm { id: CtId(half) },
            tag::NAT_REWRITE => Evidence::NatRewrite { id: CtId(half), source: small != 0 },
            tag::FDB_LEARN => Evidence::FdbLearn { mac: mac_of(next()), port: half as u16, new: small != 0 },
            tag::FDB_LOOKUP => Evidence::FdbLookup { mac: mac_of(next()), verdict: fdb_of(small, half) },
            tag::TTL => Evidence::TtlDecrement { from: small as u8, to: half as u8 },
            tag::DROP => Evidence::Drop { reason: Code::of(small) },
            // no other record is written
            _ => return,
        };
        let dev = IfIndex(u32::from(head.dev()));
        self.to.step(Step { at: self.at, netns: self.netns, dev, packet: self.packet, version: self.version, evidence });
    }

    #[inline(always)]
    fn about(&mut self, word: u64) {
        let (packet, version) = unpair(word);
        self.packet = PacketId(packet);
        self.version = VersionId(version);
    }

    #[inline(always)]
    fn change(&mut self, change: Change) {
        self.version = self.to.change(self.version, change);
    }
}
