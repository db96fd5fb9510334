//! Summaries against what tcpdump 4.99.3 printed for the same bytes (`tcpdump -n -t -S -r`).

use crate::packet::Frame;

/// One frame a line: its bytes, a tab, the first line that tcpdump printed.
const PRINTED: &str = include_str!("tcpdump.txt");

#[test]
fn tcpdump_prints_the_same() {
    let mut seen = 0;
    for line in PRINTED.lines() {
        let (hex, printed) = line.split_once('\t').unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        let frame = Frame::decode(&bytes).unwrap();
        assert_eq!(frame.summary(), printed, "{hex}");
        assert_eq!(frame.encode(), bytes);
        seen += 1;
    }
    assert!(seen > 90, "{seen}");
}
