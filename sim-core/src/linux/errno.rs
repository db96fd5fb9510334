//! Error numbers as the kernel returns them.
//!
//! Models: include/uapi/asm-generic/errno*.h, and glibc's strerror for the words.

use std::fmt;

macro_rules! errnos {
    ($($name:ident = $num:literal $text:literal),* $(,)?) => {
        /// Why a system call failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::upper_case_acronyms, reason = "the kernel's names")]
        pub enum Errno { $(#[doc = $text] $name = $num),* }

        impl Errno {
            /// The symbol: `ENETUNREACH`.
            pub fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name)),* }
            }
            /// What `strerror` says: `Network is unreachable`.
            pub fn message(self) -> &'static str {
                match self { $(Errno::$name => $text),* }
            }
        }
    };
}

errnos! {
    EPERM = 1 "Operation not permitted",
    ENOENT = 2 "No such file or directory",
    ESRCH = 3 "No such process",
    EAGAIN = 11 "Resource temporarily unavailable",
    ENOMEM = 12 "Cannot allocate memory",
    EACCES = 13 "Permission denied",
    EBUSY = 16 "Device or resource busy",
    EEXIST = 17 "File exists",
    ENODEV = 19 "No such device",
    EINVAL = 22 "Invalid argument",
    ENOSPC = 28 "No space left on device",
    EPIPE = 32 "Broken pipe",
    ERANGE = 34 "Numerical result out of range",
    ELOOP = 40 "Too many levels of symbolic links",
    EPROTO = 71 "Protocol error",
    EBADF = 9 "Bad file descriptor",
    EDESTADDRREQ = 89 "Destination address required",
    EMSGSIZE = 90 "Message too long",
    ENOPROTOOPT = 92 "Protocol not available",
    EPROTONOSUPPORT = 93 "Protocol not supported",
    EOPNOTSUPP = 95 "Operation not supported",
    EADDRINUSE = 98 "Address already in use",
    EADDRNOTAVAIL = 99 "Cannot assign requested address",
    ENETDOWN = 100 "Network is down",
    ENETUNREACH = 101 "Network is unreachable",
    ECONNABORTED = 103 "Software caused connection abort",
    ECONNRESET = 104 "Connection reset by peer",
    ENOBUFS = 105 "No buffer space available",
    EISCONN = 106 "Transport endpoint is already connected",
    ENOTCONN = 107 "Transport endpoint is not connected",
    ETIMEDOUT = 110 "Connection timed out",
    ECONNREFUSED = 111 "Connection refused",
    EHOSTDOWN = 112 "Host is down",
    EHOSTUNREACH = 113 "No route to host",
    EALREADY = 114 "Operation already in progress",
    EINPROGRESS = 115 "Operation now in progress",
    ENOKEY = 126 "Required key not available",
    ENONET = 64 "Machine is not on the network",
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Errno {}
