//! Memory that is written once, in order, and read once.
//!
//! A new page of memory costs more than all that is written to it. So the tape grows in large pieces for which the
//! kernel is asked to use huge pages; a short run fits into the first, small one.

use memmap2::MmapMut;
use std::fmt;

/// Bytes of the first piece.
const FIRST: usize = 256 << 10;
/// Bytes of each further piece: whole huge pages.
const PIECE: usize = 8 << 20;

/// A piece of memory.
enum Piece {
    /// Of the allocator.
    Heap(Box<[u8]>),
    /// Of the kernel.
    Map(MmapMut),
}

impl Piece {
    fn large() -> Self {
        let Ok(map) = MmapMut::map_anon(PIECE) else { return Piece::Heap(vec![0; PIECE].into()) };
        #[cfg(target_os = "linux")]
        {
            // without huge pages it is slower, and that is all
            let _ = map.advise(memmap2::Advice::HugePage);
        }
        Piece::Map(map)
    }

    #[inline(always)]
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Map(m) => m,
            Piece::Heap(v) => v,
        }
    }

    #[inline(always)]
    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Piece::Map(m) => m,
            Piece::Heap(v) => v,
        }
    }
}

/// Words, in order.
pub(super) struct Tape {
    /// The piece that is written to.
    piece: Piece,
    /// How much of it is written, in bytes.
    at: usize,
    /// The pieces before, and how much of each is written.
    full: Vec<(Piece, usize)>,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tape").field("bytes", &self.len()).finish()
    }
}

impl Default for Tape {
    fn default() -> Self {
        Tape { piece: Piece::Heap(Box::default()), at: 0, full: Vec::new() }
    }
}

impl Tape {
    /// Bytes written.
    pub(super) fn len(&self) -> usize {
        self.full.iter().map(|(_, n)| n).sum::<usize>() + self.at
    }

    /// Bytes of memory held, written or not.
    pub(super) fn held(&self) -> usize {
        self.full.iter().map(|(p, _)| p).chain([&self.piece]).map(|p| p.bytes().len()).sum()
    }

    /// Writes words.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, words: [u64; N]) {
        let end = self.at + N * 8;
        if let Some(slot) = self.piece.bytes_mut().get_mut(self.at..end) {
            write(slot, words);
            self.at = end;
        } else {
            self.put_anew(words);
        }
    }

    /// Writes words to the beginning of a new piece.
    #[cold]
    #[inline(never)]
    fn put_anew<const N: usize>(&mut self, words: [u64; N]) {
        let first = self.piece.bytes().is_empty();
        let piece = if first { Piece::Heap(vec![0; FIRST].into()) } else { Piece::large() };
        let before = std::mem::replace(&mut self.piece, piece);
        if !first {
            self.full.push((before, self.at));
        }
        write(&mut self.piece.bytes_mut()[..N * 8], words);
        self.at = N * 8;
    }

    /// Hands out the pieces in order; each is freed when the next is asked for.
    pub(super) fn read(self, mut read: impl FnMut(&[[u8; 8]])) {
        for (piece, n) in self.full.into_iter().chain([(self.piece, self.at)]) {
            read(piece.bytes()[..n].as_chunks().0);
        }
    }
}

#[inline(always)]
fn write<const N: usize>(slot: &mut [u8], words: [u64; N]) {
    for (to, word) in slot.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
}
