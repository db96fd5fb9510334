//! Payload bytes, shared between the copies of a packet.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Immutable bytes, cheap to clone; empty ones take no memory.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(Option<Arc<[u8]>>);

impl Bytes {
    /// No bytes.
    pub const EMPTY: Bytes = Bytes(None);

    /// `n` bytes of `value`.
    pub fn filled(value: u8, n: usize) -> Self {
        vec![value; n].into()
    }

    /// The bytes to be changed in place; copied first if they are shared.
    pub fn to_mut(&mut self) -> &mut [u8] {
        self.0.as_mut().map_or(&mut [], |b| Arc::make_mut(b))
    }
}

impl Deref for Bytes {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}

impl From<&[u8]> for Bytes {
    fn from(b: &[u8]) -> Self {
        if b.is_empty() { Bytes(None) } else { Bytes(Some(b.into())) }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(b: Vec<u8>) -> Self {
        if b.is_empty() { Bytes(None) } else { Bytes(Some(b.into())) }
    }
}

impl From<&str> for Bytes {
    fn from(s: &str) -> Self {
        s.as_bytes().into()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self) {
            Ok(s) if s.len() <= 40 => write!(f, "b{s:?}"),
            _ => write!(f, "[{} bytes]", self.len()),
        }
    }
}
