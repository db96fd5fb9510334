//! Capture: every frame on every device of a namespace, and the rule trace of nftables, as they happen.
//!
//! One thread a namespace counts frames as they come, so that one can wait for quiet, and keeps the trace; the frames themselves are
//! read from a ring when it is over.

use super::LabError;
use super::netns::Namespace;
use super::ring::Ring;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt, socket, sockopt};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

/// Group of nfnetlink that tells of rules (NFNLGRP_NFTRACE).
const NFTRACE: u32 = 9;
/// NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE.
const TRACE_MESSAGE: u16 = 10 << 8 | 17;
/// Memory for what was not read yet, in bytes.
const ROOM: usize = 64 << 20;
/// How long the reader waits before it looks whether it is over, in ms.
const NAP: u16 = 50;

/// A frame that was captured.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Nanoseconds since 1970, as the kernel stamped it.
    pub at: u64,
    /// The device, by index.
    pub dev: u32,
    /// `sll_pkttype`.
    pub pkttype: u8,
    /// `sll_hatype`: 1 Ethernet, 772 loopback, others without link header.
    pub hatype: u16,
    /// EtherType in the capture's address, for frames without link header.
    pub protocol: u16,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A message of the rule trace.
#[derive(Clone, Debug)]
pub struct TraceMessage {
    /// When it was read, in nanoseconds since 1970.
    pub at: u64,
    /// How many changes of the ruleset there had been.
    pub epoch: usize,
    /// The family of the message.
    pub family: u8,
    /// Its attributes.
    pub attributes: Vec<u8>,
}

/// What both readers have in common with whoever waits.
#[derive(Debug, Default)]
struct Shared {
    trace: Mutex<Vec<TraceMessage>>,
    over: AtomicBool,
    lost: AtomicBool,
    epoch: AtomicUsize,
}

/// How much was captured so far, in all namespaces: what does not grow is quiet.
pub type Count = Arc<AtomicU64>;

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Vec<Captured>>>,
}

impl Capture {
    /// Begins to capture in a namespace.
    ///
    /// # Errors
    /// When the kernel gives no socket.
    pub fn begin(ns: &Namespace, count: &Count, with_trace: bool) -> Result<Self, LabError> {
        let shared = Arc::new(Shared::default());
        let (theirs, count, ns) = (shared.clone(), count.clone(), ns.clone());
        let (ready, begun) = mpsc::channel::<io::Result<()>>();
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            let opened = ns.enter().and_then(|()| open(with_trace));
            match opened {
                Ok((ring, packets, netlink)) => {
                    let _ = ready.send(Ok(()));
                    read(&packets, netlink.as_ref(), &theirs, &count);
                    match ring.read() {
                        Ok((frames, true)) => frames,
                        Ok((_, false)) | Err(_) => {
                            theirs.lost.store(true, Ordering::SeqCst);
                            Vec::new()
                        }
                    }
                }
                Err(e) => {
                    let _ = ready.send(Err(e));
                    Vec::new()
                }
            }
        });
        let thread = Some(thread.map_err(|e| LabError::NotAllowed(e.to_string()))?);
        match begun.recv() {
            Ok(Ok(())) => Ok(Capture { shared, thread }),
            Ok(Err(e)) => Err(LabError::NotAllowed(format!("no capture: {e}"))),
            Err(_) => Err(LabError::NotAllowed("no capture: the thread died".to_owned())),
        }
    }

    /// From now on the ruleset is another one.
    pub fn next_epoch(&self) {
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the capture: frames, trace, and whether something was lost.
    pub fn end(mut self) -> (Vec<Captured>, Vec<TraceMessage>, bool) {
        let frames = self.stop();
        let trace = std::mem::take(&mut *lock(&self.shared.trace));
        (frames, trace, self.shared.lost.load(Ordering::SeqCst))
    }

    fn stop(&mut self) -> Vec<Captured> {
        self.shared.over.store(true, Ordering::SeqCst);
        // a reader that died has said so by what is missing
        self.thread.take().and_then(|t| t.join().ok()).unwrap_or_default()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        drop(self.stop());
    }
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn open(with_trace: bool) -> io::Result<(Ring, OwnedFd, Option<OwnedFd>)> {
    let ring = Ring::open()?;
    let packets = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll)?;
    setsockopt(&packets, sockopt::RcvBufForce, &ROOM)?;
    let netlink = if with_trace {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let n = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
        setsockopt(&n, sockopt::RcvBufForce, &ROOM)?;
        bind(n.as_raw_fd(), &NetlinkAddr::new(0, 1 << (NFTRACE - 1)))?;
        Some(n)
    } else {
        None
    };
    Ok((ring, packets, netlink))
}

fn read(packets: &OwnedFd, netlink: Option<&OwnedFd>, shared: &Shared, count: &AtomicU64) {
    let mut buffer = vec![0u8; 1 << 17];
    loop {
        let over = shared.over.load(Ordering::SeqCst);
        let mut fds: Vec<PollFd<'_>> =
            [Some(packets), netlink].into_iter().flatten().map(|f| PollFd::new(f.as_fd(), PollFlags::POLLIN)).collect();
        let ready = poll(&mut fds, PollTimeout::from(if over { 0 } else { NAP })).unwrap_or(0);
        if ready == 0 && over {
            return;
        }
        // the first bytes are enough to be counted
        let first = buffer.get_mut(..16).unwrap_or_default();
        while recv(packets.as_raw_fd(), first, MsgFlags::MSG_DONTWAIT).is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(n) = netlink {
            messages(n, &mut buffer, shared);
        }
    }
}

fn messages(fd: &OwnedFd, buffer: &mut [u8], shared: &Shared) {
    loop {
        let n = match recv(fd.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return,
            Ok(n) => n,
            Err(nix::errno::Errno::ENOBUFS) => {
                shared.lost.store(true, Ordering::SeqCst);
                continue;
            }
            Err(_) => return,
        };
        let epoch = shared.epoch.load(Ordering::SeqCst);
        let mut rest = &buffer[..n];
        while rest.len() >= 20 {
            let len = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            if len < 20 || len > rest.len() {
                break;
            }
            if kind == TRACE_MESSAGE {
                let message = TraceMessage { at: super::clock::wall(), epoch, family: rest[16], attributes: rest[20..len].to_vec() };
                lock(&shared.trace).push(message);
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}
