//! The options of a TCP segment, read and written (RFC 9293 3.2, RFC 7323, RFC 2018).

use super::TcpOptions;
use std::fmt;

/// One option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Kind 0: nothing follows but padding.
    End,
    /// Kind 1: one byte of padding.
    Nop,
    /// Kind 2: the largest segment that the sender takes, in bytes of data.
    Mss(u16),
    /// Kind 3: how far the sender's windows are to be shifted left.
    WindowScale(u8),
    /// Kind 4: the sender understands selective acknowledgments.
    SackPermitted,
    /// Kind 5: ranges received out of order, two sequence numbers each.
    Sack(&'a [u8]),
    /// Kind 8.
    Timestamps {
        /// The sender's clock.
        value: u32,
        /// The clock value of the peer that is echoed, 0 in a SYN.
        echo: u32,
    },
    /// Any other kind, or a known one of a length that it does not have.
    Other {
        /// Kind.
        kind: u8,
        /// What follows kind and length.
        data: &'a [u8],
    },
    /// A length below 2 or beyond the end: nothing behind it can be read.
    Malformed(&'a [u8]),
}

/// The options in order; see [`TcpOptions::iter`].
#[derive(Clone, Debug)]
pub struct TcpOptionsIter<'a>(&'a [u8]);

impl<'a> Iterator for TcpOptionsIter<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        let all = self.0;
        let (&kind, rest) = all.split_first()?;
        if kind < 2 {
            self.0 = if kind == 0 { &[] } else { rest };
            return Some(if kind == 0 { TcpOption::End } else { TcpOption::Nop });
        }
        let Some((data, rest)) = rest.split_first().and_then(|(&len, rest)| rest.split_at_checked(usize::from(len).checked_sub(2)?)) else {
            self.0 = &[];
            return Some(TcpOption::Malformed(all));
        };
        self.0 = rest;
        Some(match (kind, data) {
            (2, [a, b]) => TcpOption::Mss(u16::from_be_bytes([*a, *b])),
            (3, [shift]) => TcpOption::WindowScale(*shift),
            (4, []) => TcpOption::SackPermitted,
            (5, blocks) if blocks.len() % 8 == 0 => TcpOption::Sack(blocks),
            (8, [a, b, c, d, e, f, g, h]) => {
                TcpOption::Timestamps { value: u32::from_be_bytes([*a, *b, *c, *d]), echo: u32::from_be_bytes([*e, *f, *g, *h]) }
            }
            (kind, data) => TcpOption::Other { kind, data },
        })
    }
}

impl fmt::Display for TcpOption<'_> {
    /// As tcpdump prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TcpOption::End => f.write_str("eol"),
            TcpOption::Nop => f.write_str("nop"),
            TcpOption::Mss(mss) => write!(f, "mss {mss}"),
            TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
            TcpOption::SackPermitted => f.write_str("sackOK"),
            TcpOption::Sack(blocks) => {
                write!(f, "sack {} ", blocks.len() / 8)?;
                for [a, b, c, d, e, g, h, i] in blocks.as_chunks::<8>().0 {
                    write!(f, "{{{}:{}}}", u32::from_be_bytes([*a, *b, *c, *d]), u32::from_be_bytes([*e, *g, *h, *i]))?;
                }
                Ok(())
            }
            TcpOption::Timestamps { value, echo } => write!(f, "TS val {value} ecr {echo}"),
            TcpOption::Other { kind, data } => {
                write!(f, "unknown-{kind}")?;
                if !data.is_empty() {
                    f.write_str(" 0x")?;
                }
                data.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
            TcpOption::Malformed(_) => f.write_str("[bad opt]"),
        }
    }
}

impl fmt::Display for TcpOptions {
    /// As tcpdump prints them: `mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, option) in self.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{option}")?;
        }
        Ok(())
    }
}

/// The options that a kernel negotiates and sends, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpOptionSet {
    /// Largest segment, in bytes of data.
    pub mss: Option<u16>,
    /// Selective acknowledgments are understood.
    pub sack_permitted: bool,
    /// Own clock, and the peer's that is echoed.
    pub timestamps: Option<(u32, u32)>,
    /// Shift of the windows.
    pub window_scale: Option<u8>,
}

impl TcpOptionSet {
    /// The bytes as `tcp_options_write` lays them out: mss, sackOK with the timestamps or behind two nops,
    /// nop and wscale; each on a multiple of 4.
    pub fn build(&self) -> TcpOptions {
        let mut out = Vec::with_capacity(20);
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            out.extend([2, 4, a, b]);
        }
        match (self.timestamps, self.sack_permitted) {
            (Some((value, echo)), sack) => {
                out.extend(if sack { [4, 2, 8, 10] } else { [1, 1, 8, 10] });
                out.extend(value.to_be_bytes());
                out.extend(echo.to_be_bytes());
            }
            (None, true) => out.extend([1, 1, 4, 2]),
            (None, false) => {}
        }
        if let Some(shift) = self.window_scale {
            out.extend([1, 3, 3, shift]);
        }
        TcpOptions::from(&out[..])
    }
}

impl TcpOptions {
    /// The options in order. Ends behind [`TcpOption::End`] and [`TcpOption::Malformed`].
    pub fn iter(&self) -> TcpOptionsIter<'_> {
        TcpOptionsIter(self.bytes())
    }

    /// All that are known, by name; the last one counts where one stands twice, as in `tcp_parse_options`.
    pub fn set(&self) -> TcpOptionSet {
        let mut set = TcpOptionSet::default();
        for option in self {
            match option {
                TcpOption::Mss(mss) => set.mss = Some(mss),
                TcpOption::WindowScale(shift) => set.window_scale = Some(shift),
                TcpOption::SackPermitted => set.sack_permitted = true,
                TcpOption::Timestamps { value, echo } => set.timestamps = Some((value, echo)),
                _ => {}
            }
        }
        set
    }

    /// The largest segment that the sender takes, in bytes of data.
    pub fn mss(&self) -> Option<u16> {
        self.set().mss
    }

    /// The shift of the sender's windows.
    pub fn window_scale(&self) -> Option<u8> {
        self.set().window_scale
    }

    /// Whether the sender understands selective acknowledgments.
    pub fn sack_permitted(&self) -> bool {
        self.set().sack_permitted
    }

    /// The sender's clock and the one that it echoes.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        self.set().timestamps
    }
}

impl<'a> IntoIterator for &'a TcpOptions {
    type Item = TcpOption<'a>;
    type IntoIter = TcpOptionsIter<'a>;

    fn into_iter(self) -> TcpOptionsIter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;

    const SYN: TcpOptionSet = TcpOptionSet { mss: Some(1460), sack_permitted: true, timestamps: Some((258, 0)), window_scale: Some(7) };

    fn options(b: &[u8]) -> TcpOptions {
        TcpOptions::from(b)
    }

    #[test]
    fn the_syn_of_linux() {
        let built = SYN.build();
        assert_eq!(built.bytes(), [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 1, 2, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(built.to_string(), "mss 1460,sackOK,TS val 258 ecr 0,nop,wscale 7");
        assert_eq!(built.set(), SYN);
    }

    #[test]
    fn established_and_bare() {
        assert_eq!(TcpOptionSet { timestamps: Some((1, 2)), ..Default::default() }.build().to_string(), "nop,nop,TS val 1 ecr 2");
        let no_clock = TcpOptionSet { timestamps: None, ..SYN };
        assert_eq!(no_clock.build().bytes(), [2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7]);
        assert_eq!(TcpOptionSet::default().build(), TcpOptions(None));
    }

    #[test]
    fn odd_ones() {
        assert_eq!(options(&[0, 2, 4, 5]).iter().collect::<Vec<_>>(), [TcpOption::End]);
        assert_eq!(options(&[1, 2, 1, 5]).iter().collect::<Vec<_>>(), [TcpOption::Nop, TcpOption::Malformed(&[2, 1, 5])]);
        assert_eq!(options(&[3, 4, 1, 2]).iter().collect::<Vec<_>>(), [TcpOption::Other { kind: 3, data: &[1, 2] }]);
        assert_eq!(options(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 9, 1, 1]).to_string(), "sack 1 {1:9},nop,nop");
        assert_eq!(options(&[254, 4, 0xab, 1]).to_string(), "unknown-254 0xab01");
        assert_eq!(options(&[2]).iter().collect::<Vec<_>>(), [TcpOption::Malformed(&[2])]);
    }

    proptest! {
        #[test]
        fn any_bytes_end(b in proptest::collection::vec(any::<u8>(), 0..44)) {
            let o = options(&b);
            prop_assert!(o.iter().count() <= b.len());
            let _ = (o.to_string(), o.set());
        }

        #[test]
        fn read_undoes_build(mss in of(any::<u16>()), sack_permitted: bool, timestamps in of(any::<(u32, u32)>()), window_scale in of(any::<u8>())) {
            let set = TcpOptionSet { mss, sack_permitted, timestamps, window_scale };
            prop_assert_eq!(set.build().set(), set);
            prop_assert_eq!(set.build().len() % 4, 0);
        }
    }
}
