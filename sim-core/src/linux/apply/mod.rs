//! Applying one [`Op`] to one namespace, with the kernel's own checks and side effects.
//!
//! ```text
//!          Op ──► apply ──┬─► Config (new version)      addresses, routes, ports, switches
//!                         ├─► neighbours, FDB           what goes down is forgotten
//!                         └─► Requests                  what one namespace cannot do alone:
//!                                                       the engine makes peers, moves devices, sets carriers
//! ```
//!
//! Models: net/core/rtnetlink.c, net/ipv4/devinet.c, net/ipv4/fib_frontend.c, net/ipv4/fib_semantics.c,
//! net/bridge/br_if.c, net/bridge/br_fdb.c, net/core/neighbour.c, as each file says.
//! Simplifies: an `Op` of several changes that fails half-way keeps what came before, as the kernel does, but what that part
//! wanted from the engine is lost with the error. A caller that wants all or nothing applies to a copy.

pub mod addr;
pub mod addr6;
pub mod bridge;
pub mod device;
pub mod fdb;
pub mod ip_tunnel;
pub mod link;
pub mod neigh;
pub mod nft;
pub mod route;
pub mod route6;
pub mod rule;
pub mod stacked;
pub mod sysctl;
mod sysctl6;
#[cfg(test)]
mod tests;
pub mod vxlan;

pub use device::{NewDevice, add_device, loopback, put_device, set_carrier, take_device};

use super::errno::Errno;
use super::id::{IfIndex, Source};
use super::netns::Netns;
use super::op::{AgentVerb, ConntrackFilter, LinkSet, Op, XtOp};
use super::skb::Skb;
use super::time::Time;
use crate::linux::device::Attach;
use crate::packet::{Family, IpAddr};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// What an applied [`Op`] wants done outside of its namespace, in order.
#[derive(Clone, Debug)]
pub enum Request {
    /// `ip link add … type veth peer … netns NS`: the other end is to be made with [`add_device`] in the namespace of that name,
    /// and both ends attached to each other. If that fails, the `Op` fails.
    MakePeer {
        /// The end that was made here.
        dev: IfIndex,
        /// Name of the namespace on this host.
        netns: Arc<str>,
        /// The end to be made there.
        peer: NewDevice,
    },
    /// `ip link set DEV netns NS …`: the device is to be taken with [`take_device`] and put with [`put_device`] into the namespace of
    /// that name; then `rest` is to be applied to it there, under its name. Nothing has happened to the device yet.
    MoveDevice {
        /// The device.
        dev: IfIndex,
        /// Name of the namespace on this host.
        netns: Arc<str>,
        /// What else the command changes.
        rest: LinkSet,
    },
    /// A device whose other end is elsewhere was switched on or off: the carrier of both ends is to be found out anew
    /// (veth: both ends up) and set with [`set_carrier`].
    Carrier {
        /// The device.
        dev: IfIndex,
    },
    /// A device was deleted whose other end is elsewhere: a veth's other end goes too ([`take_device`]), a wire is unplugged.
    Gone {
        /// Where its frames went.
        attach: Attach,
    },
    /// A device was made that stands on another: the engine keeps both up to date about each other.
    Stacked {
        /// The upper device.
        dev: IfIndex,
    },
    /// Packets that waited for a neighbour that is forgotten; they end here.
    Free(Vec<Box<Skb>>),
    /// A neighbour's state was set by hand to one that has a timer.
    ArmNeighbour {
        /// The link.
        dev: IfIndex,
        /// The address.
        addr: IpAddr,
        /// When.
        at: Time,
    },
    /// `ip neigh … use`: the neighbour is to be resolved or confirmed.
    ResolveNeighbour {
        /// The link.
        dev: IfIndex,
        /// The address.
        addr: IpAddr,
    },
    /// A neighbour's hardware address was set while packets waited for it: they can go.
    NeighbourReady {
        /// The link.
        dev: IfIndex,
        /// The address.
        addr: IpAddr,
    },
    /// IPv6 has addresses on a device that are to be tried, or groups to be told of (addrconf_dad_start, mld_ifc_start_work).
    Addrconf {
        /// The device.
        dev: IfIndex,
    },
    /// `arp_notify` is set and the device came up or changed its hardware address: gratuitous ARP for each of its addresses.
    Garp {
        /// The device.
        dev: IfIndex,
    },
    /// iptables: the engine applies it (rules may read what it alone knows, such as which tables track).
    Xtables(Family, XtOp),
    /// `conntrack -F`.
    ConntrackFlush,
    /// `conntrack -D`.
    ConntrackDelete(ConntrackFilter),
    /// `ip netns add NAME`.
    NetnsAdd(Arc<str>),
    /// `ip netns del NAME`.
    NetnsDel(Arc<str>),
    /// `systemctl VERB UNIT`.
    Agent {
        /// What to do.
        verb: AgentVerb,
        /// To which unit.
        unit: Arc<str>,
    },
}

/// What came of an [`Op`].
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What is to be done outside, in order.
    pub requests: Vec<Request>,
}

/// Where an error was found, which decides how the tool says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The kernel refused: `RTNETLINK answers: …`, or `Error: ….` where it said why.
    Netlink,
    /// `ip` found no such device: `Cannot find device "x"`.
    NoDevice(Arc<str>),
    /// `ip` refused an argument: `Error: argument "x" is wrong: …`.
    Argument(Arc<str>),
    /// `sysctl` on that key.
    Sysctl(Arc<str>),
    /// Words as they are.
    Text,
    /// Real hosts can do this and the simulation cannot.
    NotSimulated,
}

/// Why an [`Op`] was refused. Displays as the real tool says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpError {
    /// The error number.
    pub errno: Errno,
    /// The kernel's own words (extack), or the tool's.
    pub message: Option<Cow<'static, str>>,
    /// Where it was found.
    pub kind: ErrorKind,
    /// The tool's exit status, where it is not that of `ip` for this kind of error.
    pub exit: Option<u8>,
}

impl OpError {
    /// The same error with another exit status.
    #[must_use]
    pub fn with_status(mut self, status: u8) -> Self {
        self.exit = Some(status);
        self
    }

    /// The kernel refused, without a word.
    pub fn errno(errno: Errno) -> Self {
        OpError { errno, message: None, kind: ErrorKind::Netlink, exit: None }
    }

    /// The kernel refused and said why (extack; without the full stop).
    pub fn ext(errno: Errno, message: &'static str) -> Self {
        OpError { errno, message: Some(Cow::Borrowed(message)), kind: ErrorKind::Netlink, exit: None }
    }

    /// `ip` knows no such device.
    pub fn no_device(name: &str) -> Self {
        OpError { errno: Errno::ENODEV, message: None, kind: ErrorKind::NoDevice(name.into()), exit: None }
    }

    /// `ip` refused an argument.
    pub fn argument(arg: &str, why: &'static str) -> Self {
        OpError { errno: Errno::EINVAL, message: Some(Cow::Borrowed(why)), kind: ErrorKind::Argument(arg.into()), exit: None }
    }

    /// Words as they are.
    pub fn text(errno: Errno, message: impl Into<Cow<'static, str>>) -> Self {
        OpError { errno, message: Some(message.into()), kind: ErrorKind::Text, exit: None }
    }

    /// Real hosts can do this and the simulation cannot.
    pub fn not_simulated(what: impl Into<Cow<'static, str>>) -> Self {
        OpError { errno: Errno::EOPNOTSUPP, message: Some(what.into()), kind: ErrorKind::NotSimulated, exit: None }
    }

    /// The exit status of `ip` (`bridge` and `sysctl` have their own).
    pub fn status(&self) -> u8 {
        if let Some(exit) = self.exit {
            return exit;
        }
        match &self.kind {
            ErrorKind::Netlink => 2,
            ErrorKind::Argument(_) => 255,
            ErrorKind::NoDevice(_) | ErrorKind::Sysctl(_) | ErrorKind::Text | ErrorKind::NotSimulated => 1,
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.message.as_deref();
        match &self.kind {
            ErrorKind::Netlink => match words {
                Some(m) => write!(f, "Error: {m}."),
                None => write!(f, "RTNETLINK answers: {}", self.errno),
            },
            ErrorKind::NoDevice(name) => write!(f, "Cannot find device \"{name}\""),
            ErrorKind::Argument(arg) => write!(f, "Error: argument \"{arg}\" is wrong: {}", words.unwrap_or("invalid")),
            ErrorKind::Sysctl(key) if self.errno == Errno::ENOENT => {
                write!(f, "sysctl: cannot stat /proc/sys/{}: No such file or directory", sysctl::path_of(key))
            }
            ErrorKind::Sysctl(key) => write!(f, "sysctl: setting key \"{key}\": {}", self.errno),
            ErrorKind::Text => f.write_str(words.unwrap_or(self.errno.message())),
            ErrorKind::NotSimulated => write!(f, "not simulated: {}", words.unwrap_or("this command")),
        }
    }
}

impl std::error::Error for OpError {}

type Requests = Vec<Request>;

/// Applies `op` to `ns` at the instant `at`; new rows get `source`.
///
/// # Errors
/// When the kernel (or the tool before it) would refuse; see [`OpError`].
pub fn apply(ns: &mut Netns, op: &Op, at: Time, source: Source) -> Result<Applied, OpError> {
    let mut requests = Requests::new();
    match op {
        Op::Link(o) => link::apply(ns, o, at, source, &mut requests)?,
        Op::Addr(o) => addr::apply(ns, o, at, source, &mut requests)?,
        Op::Route(o) => route::apply(ns, o, source)?,
        Op::Rule(o) => rule::apply(ns, o, source)?,
        Op::Addr6(o) => addr6::apply(ns, o, source, &mut requests)?,
        Op::Route6(o) => route6::apply(ns, o, source)?,
        Op::Neigh(o) => neigh::apply(ns, o, at, source, &mut requests)?,
        Op::Fdb(o) => fdb::apply(ns, o, at, source)?,
        Op::Sysctl { key, value } => sysctl::set(ns, key, value, &mut requests)?,
        Op::Xtables(family, o) => requests.push(Request::Xtables(*family, o.clone())),
        Op::Ipvs(o) => crate::linux::ipvs::ctl::apply(ns, o, at, source)?,
        Op::Nft(o) => nft::apply(ns, o, at, source)?,
        Op::Ipset(o) => crate::linux::ipset::apply::apply(ns.config_mut(), o, at)
            .map_err(|(text, line)| OpError::text(Errno::EINVAL, crate::linux::ipset::apply::said(&text, line)).with_status(1))?,
        Op::ConntrackFlush => requests.push(Request::ConntrackFlush),
        Op::ConntrackDelete(filter) => requests.push(Request::ConntrackDelete(filter.clone())),
        Op::NetnsAdd(name) => requests.push(Request::NetnsAdd(name.clone())),
        Op::NetnsDel(name) => requests.push(Request::NetnsDel(name.clone())),
        Op::Agent { verb, unit } => requests.push(Request::Agent { verb: *verb, unit: unit.clone() }),
    }
    Ok(Applied { requests })
}

/// The index of the device called `name`.
pub(super) fn find(ns: &Netns, name: &str) -> Result<IfIndex, OpError> {
    ns.config.devices.by_name(name).map(|d| d.index).ok_or_else(|| OpError::no_device(name))
}
