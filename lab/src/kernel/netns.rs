//! Network namespaces without names: they live as long as this process holds them, and no longer.
//!
//! Nothing is left behind however the process ends: the kernel deletes a namespace, and all devices in it, with the last
//! handle and the last thread in it.

use super::LabError;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A namespace.
#[derive(Clone, Debug)]
pub struct Namespace {
    file: Arc<File>,
}

impl Namespace {
    /// A new one, with nothing in it but a loopback device that is down.
    ///
    /// # Errors
    /// When this process may not make any.
    pub fn new() -> Result<Self, LabError> {
        let made = std::thread::scope(|s| {
            s.spawn(|| -> io::Result<File> {
                unshare(CloneFlags::CLONE_NEWNET)?;
                File::open("/proc/thread-self/ns/net")
            })
            .join()
        });
        match made {
            Ok(Ok(file)) => Ok(Namespace { file: Arc::new(file) }),
            Ok(Err(e)) => Err(LabError::NotAllowed(e.to_string())),
            Err(_) => Err(LabError::NotAllowed("the thread died".to_owned())),
        }
    }

    /// Moves the calling thread into it, for good.
    ///
    /// # Errors
    /// What setns(2) says.
    pub fn enter(&self) -> io::Result<()> {
        setns(&*self.file, CloneFlags::CLONE_NEWNET)?;
        Ok(())
    }

    /// Does something in it, on a thread of its own.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> io::Result<T> {
        let done = std::thread::scope(|s| {
            s.spawn(|| {
                self.enter()?;
                Ok(f())
            })
            .join()
        });
        done.unwrap_or_else(|_| Err(io::Error::other("the thread died")))
    }

    /// A path that leads to it from any process, as long as this one lives.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }
}
