//! The table type for what packets write: fast, and without an order that could leak.
//!
//! Iteration order of a hash table would depend on its history. So this type hands
//! out entries by key only; a listing sorts by key.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::hash::Hash;

/// A hash table with a fixed seed and no unordered iteration.
#[derive(Clone, Debug)]
pub struct HotMap<K, V>(IndexMap<K, V, FxBuildHasher>);

impl<K, V> Default for HotMap<K, V> {
    fn default() -> Self {
        HotMap(IndexMap::with_hasher(FxBuildHasher))
    }
}

impl<K: Hash + Eq + Ord, V> HotMap<K, V> {
    /// The value of `key`.
    #[inline]
    pub fn get<Q: ?Sized + Hash + indexmap::Equivalent<K>>(&self, key: &Q) -> Option<&V> {
        self.0.get(key)
    }

    /// The value of `key`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// Sets the value of `key`; returns the old one.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Removes `key`; returns its value.
    #[inline]
    #[expect(clippy::disallowed_methods, reason = "no order of this table is ever seen, and packets remove from it")]
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.swap_remove(key)
    }

    /// Whether `key` is there.
    #[inline]
    pub fn contains(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All entries, by key.
    pub fn sorted(&self) -> Vec<(&K, &V)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        all
    }

    /// Removes the entries that `gone` says are gone.
    pub fn remove_where(&mut self, mut gone: impl FnMut(&K, &V) -> bool) {
        self.0.retain(|k, v| !gone(k, v));
    }
}
