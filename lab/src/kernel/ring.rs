//! The ring of a capture: memory into which the kernel copies each frame while it has it in hand.
//!
//! A socket alone is handed clones that share their bytes with the packet on its way, and the kernel writes to some of those later
//! (fragments that are sent on, frames that a bridge translates): what one reads then is not what was on the device.
//!
//! Models: Documentation/networking/packet_mmap.rst (TPACKET_V3), include/uapi/linux/if_packet.h.

use super::capture::Captured;
use memmap2::{MmapOptions, MmapRaw};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use rscap::linux::addr::L2Protocol;
use rscap::linux::l2::{L2RxMappedSocket, L2Socket};
use rscap::linux::mapped::BlockConfig;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

/// Bytes of the one block of the ring: about ten thousand frames.
const BLOCK: u32 = 1 << 21;
/// Blocks of a ring.
const BLOCKS: u32 = 1;
/// Blocks are not handed over before they are full: the ring is read when all is quiet.
const RETIRE_MS: u32 = 3_600_000;
/// Where the header of a block ends, and that of a frame.
const BLOCK_HEADER: usize = 48;
const FRAME_HEADER: usize = 48;

/// A ring with its socket.
pub(super) struct Ring {
    // the mapping goes before the socket
    memory: MmapRaw,
    _socket: L2RxMappedSocket,
}

impl Ring {
    /// A ring for all devices of the thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let config = BlockConfig::new(BLOCK, BLOCKS, 1 << 11)?;
        let socket = L2Socket::new()?;
        // ETH_P_ALL, in the order of the network
        socket.bind_all(L2Protocol::Other(3u16.to_be()))?;
        let socket = socket.packet_rx_ring(config, Some(RETIRE_MS), None)?;
        let memory = MmapOptions::new().len((BLOCK * BLOCKS) as usize).map_raw(socket.as_raw_fd())?;
        Ok(Ring { memory, _socket: socket })
    }

    /// A copy of a part of the ring, made by the kernel.
    fn copy(&self, at: usize, len: usize) -> io::Result<Vec<u8>> {
        let mut out = vec![0; len];
        let remote = [RemoteIoVec { base: self.memory.as_ptr() as usize + at, len }];
        let n = process_vm_readv(Pid::this(), &mut [IoSliceMut::new(&mut out)], &remote)?;
        out.truncate(n);
        Ok(out)
    }

    /// All frames so far, in the order in which they were queued; false if the ring was too small.
    pub(super) fn read(&self) -> io::Result<(Vec<Captured>, bool)> {
        let head = self.copy(0, BLOCK_HEADER)?;
        let (status, packets, used) = (word(&head, 8), word(&head, 12), word(&head, 20) as usize);
        let bytes = self.copy(0, used.clamp(BLOCK_HEADER, BLOCK as usize))?;
        let mut frames = Vec::new();
        let mut at = word(&head, 16) as usize;
        for _ in 0..packets {
            let Some((frame, next)) = frame(&bytes, at) else { break };
            frames.push(frame);
            if next == 0 {
                break;
            }
            at += next;
        }
        // a block that was handed over is full
        Ok((frames, status & TP_STATUS_USER == 0))
    }
}

/// TP_STATUS_USER.
const TP_STATUS_USER: u32 = 1;

fn word(b: &[u8], at: usize) -> u32 {
    b.get(at..at + 4).map_or(0, |w| u32::from_ne_bytes([w[0], w[1], w[2], w[3]]))
}

fn half(b: &[u8], at: usize) -> u16 {
    b.get(at..at + 2).map_or(0, |w| u16::from_ne_bytes([w[0], w[1]]))
}

/// The frame at a place of a block (struct tpacket3_hdr, struct sockaddr_ll), and the way to the next.
fn frame(b: &[u8], at: usize) -> Option<(Captured, usize)> {
    let h = b.get(at..)?;
    let (next, sec, nsec, caught, mac) = (word(h, 0), word(h, 4), word(h, 8), word(h, 12) as usize, usize::from(half(h, 24)));
    let addr = h.get(FRAME_HEADER..)?;
    let captured = Captured {
        at: u64::from(sec) * 1_000_000_000 + u64::from(nsec),
        protocol: u16::from_be(half(addr, 2)),
        dev: word(addr, 4),
        hatype: half(addr, 8),
        pkttype: *addr.get(10)?,
        bytes: h.get(mac..mac + caught)?.to_vec(),
    };
    Some((captured, next as usize))
}
