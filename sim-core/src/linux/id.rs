//! Handles: small numbers that name things, and where a row came from.

use std::fmt;

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u32);

        impl $name {
            /// No such thing.
            pub const NONE: $name = $name(0);

            /// Whether it names anything.
            #[inline]
            pub fn is_some(self) -> bool {
                self.0 != 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}#{}", stringify!($name), self.0)
            }
        }
    };
}

handle!(
    /// A device of one namespace, by the kernel's index; `lo` is 1.
    IfIndex
);
handle!(
    /// A row of a configuration table (route, rule, address), never used twice in a namespace.
    RowId
);
handle!(
    /// A packet, in the order in which packets are born in a run.
    PacketId
);
handle!(
    /// What the headers of a packet were between two changes.
    VersionId
);
handle!(
    /// A socket of one namespace.
    SocketId
);
handle!(
    /// A flow of the scenario; 0 is the background.
    FlowId
);
handle!(
    /// An applied `Op`, in the order of application.
    OpId
);

/// A network namespace of the world, by its place in the list of all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct NetnsId(pub u32);

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Source {
    /// The kernel makes it by itself (loopback addresses, built-in chains).
    #[default]
    Kernel,
    /// A command.
    Op(OpId),
    /// Another row: a connected route comes from an address.
    Row(RowId),
    /// A step of the walk learned it, by its number in the recording.
    Step(u32),
}
