//! The options of a segment: what they say, and their bytes in the order in which Linux writes them.
//!
//! Models: net/ipv4/tcp_output.c tcp_options_write, net/ipv4/tcp_input.c tcp_parse_options.
//! Spec: RFC 9293 section 3.1 (MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK).
//! Simplifies: Fast Open, MD5, AO and MPTCP options are skipped over.

use crate::packet::TcpOptions;

/// Most blocks of a SACK option beside timestamps.
const MAX_BLOCKS: usize = 3;

/// The options that a host acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Maximum segment size (SYN only).
    pub mss: Option<u16>,
    /// SACK permitted (SYN only).
    pub sack_permitted: bool,
    /// Window scale (SYN only).
    pub wscale: Option<u8>,
    /// Timestamp and echo.
    pub timestamps: Option<(u32, u32)>,
    /// SACK blocks: first and behind last, the rest (0, 0).
    pub sack: [(u32, u32); MAX_BLOCKS],
    /// How many SACK blocks there are.
    pub sack_len: usize,
}

impl Options {
    /// The SACK blocks.
    pub fn blocks(&self) -> &[(u32, u32)] {
        &self.sack[..self.sack_len.min(MAX_BLOCKS)]
    }

    /// Sets the SACK blocks; those beyond the third are left out.
    pub fn set_blocks(&mut self, blocks: impl Iterator<Item = (u32, u32)>) {
        self.sack_len = 0;
        for b in blocks.take(MAX_BLOCKS) {
            self.sack[self.sack_len] = b;
            self.sack_len += 1;
        }
    }

    /// Reads the options; malformed ones end the list, as in the kernel.
    pub fn parse(raw: &TcpOptions) -> Self {
        let mut found = Options::default();
        let mut rest: &[u8] = raw.0.as_deref().unwrap_or(&[]);
        while let [kind, tail @ ..] = rest {
            match kind {
                0 => break,
                1 => {
                    rest = tail;
                    continue;
                }
                _ => {}
            }
            let Some(len) = tail.first().map(|l| usize::from(*l)).filter(|l| (2..=rest.len()).contains(l)) else { break };
            found.take(*kind, &rest[2..len]);
            rest = &rest[len..];
        }
        found
    }

    fn take(&mut self, kind: u8, data: &[u8]) {
        match (kind, data) {
            (2, [a, b]) => self.mss = Some(u16::from_be_bytes([*a, *b])).filter(|m| *m != 0),
            (3, [shift]) => self.wscale = Some((*shift).min(14)),
            (4, []) => self.sack_permitted = true,
            (5, blocks) if blocks.len() % 8 == 0 => self.set_blocks(blocks.chunks_exact(8).map(|c| (word(&c[..4]), word(&c[4..])))),
            (8, ts) if ts.len() == 8 => self.timestamps = Some((word(&ts[..4]), word(&ts[4..]))),
            _ => {}
        }
    }

    /// The bytes, padded with NOPs where Linux puts them.
    pub fn build(&self) -> TcpOptions {
        let mut out = Vec::with_capacity(40);
        if let Some(mss) = self.mss {
            out.extend([2, 4]);
            out.extend(mss.to_be_bytes());
        }
        if let Some((val, echo)) = self.timestamps {
            out.extend(if self.sack_permitted { [4, 2] } else { [1, 1] });
            out.extend([8, 10]);
            out.extend(val.to_be_bytes());
            out.extend(echo.to_be_bytes());
        } else if self.sack_permitted {
            out.extend([1, 1, 4, 2]);
        }
        if let Some(shift) = self.wscale {
            out.extend([1, 3, 3, shift]);
        }
        if self.sack_len > 0 {
            out.extend([1, 1, 5, 2 + 8 * self.blocks().len() as u8]);
            for (first, end) in self.blocks() {
                out.extend(first.to_be_bytes());
                out.extend(end.to_be_bytes());
            }
        }
        TcpOptions((!out.is_empty()).then(|| out.into_boxed_slice()))
    }
}

fn word(b: &[u8]) -> u32 {
    b.iter().fold(0, |acc, x| acc << 8 | u32::from(*x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_syn_has_the_options_of_linux_in_its_order() {
        let syn = Options { mss: Some(1460), sack_permitted: true, wscale: Some(7), timestamps: Some((1, 0)), ..Options::default() };
        let bytes = syn.build();
        assert_eq!(bytes.0.as_deref(), Some(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7][..]));
        assert_eq!(Options::parse(&bytes), syn);
    }

    #[test]
    fn malformed_options_end_the_list() {
        let parse = |b: &[u8]| Options::parse(&TcpOptions(Some(b.into())));
        assert_eq!(parse(&[2, 4, 5, 0xb4, 8, 1, 1, 1]).mss, Some(1460));
        assert_eq!(parse(&[8, 40, 0, 0]), Options::default());
        assert_eq!(parse(&[8]), Options::default());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_and_what_is_built_parses_back(bytes in proptest::collection::vec(any::<u8>(), 0..44)) {
            let found = Options::parse(&TcpOptions(Some(bytes.into())));
            prop_assert_eq!(Options::parse(&found.build()), found);
        }
    }
}
