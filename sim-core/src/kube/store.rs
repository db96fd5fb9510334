//! The versioned store: the objects as the API server keeps them, and the log of their changes.
//!
//! Models: kube-apiserver over etcd: one counter of versions for all objects, conflicts by resource version
//! (k8s.io/apiserver pkg/registry/generic/registry/store.go), watch from a version on, compaction.
//! Simplifies: a change that alters nothing is no change; a watch says which object changed and hands out the object
//! itself only when it is gone, because watchers read the present state.
//!
//! A clone shares all objects; a table is copied when it is first written after that.

use super::meta::{Object, ObjectKey};
use super::node::Node;
use super::pod::Pod;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why the store refuses, in the words of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// 404.
    #[error("{plural} \"{name}\" not found")]
    NotFound {
        /// `pods`.
        plural: &'static str,
        /// Name.
        name: Arc<str>,
    },
    /// 409.
    #[error("{plural} \"{name}\" already exists")]
    AlreadyExists {
        /// `pods`.
        plural: &'static str,
        /// Name.
        name: Arc<str>,
    },
    /// 409.
    #[error(
        "Operation cannot be fulfilled on {plural} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"
    )]
    Conflict {
        /// `pods`.
        plural: &'static str,
        /// Name.
        name: Arc<str>,
    },
    /// 410: the log no longer reaches back to that version.
    #[error("too old resource version: {asked} ({oldest})")]
    Gone {
        /// The version asked for.
        asked: u64,
        /// The oldest that is kept.
        oldest: u64,
    },
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It came.
    Added,
    /// It changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The store's version after it.
    pub resource_version: u64,
    /// What happened.
    pub verb: Verb,
    /// To which kind of object.
    pub kind: Kind,
    /// To which object.
    pub key: ObjectKey,
    /// The object as it last was, if it is gone.
    pub last: Option<AnyObject>,
}

/// Objects of one kind, in order of creation.
#[derive(Clone, Debug)]
pub struct Table<T>(Arc<IndexMap<ObjectKey, Arc<T>, FxBuildHasher>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table(Arc::default())
    }
}

/// A kind of object that the store has a table for.
pub trait Stored: Object + 'static {
    /// Which kind.
    const TABLE: Kind;
    /// Its table.
    fn table(store: &Store) -> &Table<Self>;
    /// Its table, to be changed.
    fn table_mut(store: &mut Store) -> &mut Table<Self>;
    /// The object, its kind named.
    fn any(object: Arc<Self>) -> AnyObject;
}

macro_rules! kinds {
    ($($kind:ident $field:ident),* $(,)?) => {
        /// The kinds that the store holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = stringify!($kind)] $kind),* }

        impl Kind {
            /// All, in order.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// `Pod`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => <$kind as Object>::KIND),* }
            }
            /// `pods`.
            pub fn plural(self) -> &'static str {
                match self { $(Kind::$kind => <$kind as Object>::PLURAL),* }
            }
            /// `pod`.
            pub fn singular(self) -> &'static str {
                match self { $(Kind::$kind => <$kind as Object>::SINGULAR),* }
            }
        }

        /// An object of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyObject { $(#[doc = stringify!($kind)] $kind(Arc<$kind>)),* }

        impl Eq for AnyObject {}

        /// All objects, and the log of their changes.
        #[derive(Clone, Debug, Default)]
        pub struct Store {
            $($field: Table<$kind>,)*
            version: u64,
            last_uid: u64,
            log: Arc<Vec<Change>>,
            compacted: u64,
        }

        $(impl Stored for $kind {
            const TABLE: Kind = Kind::$kind;
            fn table(store: &Store) -> &Table<Self> {
                &store.$field
            }
            fn table_mut(store: &mut Store) -> &mut Table<Self> {
                &mut store.$field
            }
            fn any(object: Arc<Self>) -> AnyObject {
                AnyObject::$kind(object)
            }
        })*
    };
}

// One line per kind.
kinds! {
    Node nodes,
    Pod pods,
}

impl Store {
    /// The version after the last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The object `key`.
    pub fn get<T: Stored>(&self, key: &ObjectKey) -> Option<&Arc<T>> {
        T::table(self).0.get(key)
    }

    /// The pod of that namespace and name.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.get(&ObjectKey::new(namespace, name))
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.get(&ObjectKey::cluster(name))
    }

    /// All objects of a kind, in order of creation.
    pub fn list<T: Stored>(&self) -> impl ExactSizeIterator<Item = &Arc<T>> {
        T::table(self).0.values()
    }

    /// Adds an object.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub fn create<T: Stored>(&mut self, mut object: T) -> Result<(), StoreError> {
        let key = object.meta().key.clone();
        if self.get::<T>(&key).is_some() {
            return Err(StoreError::AlreadyExists { plural: T::PLURAL, name: key.name });
        }
        self.last_uid += 1;
        object.meta_mut().uid = self.last_uid;
        self.put(object, Verb::Added);
        Ok(())
    }

    /// Replaces an object, if it is still at the version that `object` says.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if another change came between.
    pub fn update<T: Stored>(&mut self, object: T) -> Result<(), StoreError> {
        let key = &object.meta().key;
        let Some(now) = self.get::<T>(key) else {
            return Err(StoreError::NotFound { plural: T::PLURAL, name: key.name.clone() });
        };
        if now.meta().resource_version != object.meta().resource_version {
            return Err(StoreError::Conflict { plural: T::PLURAL, name: key.name.clone() });
        }
        if **now != object {
            self.put(object, Verb::Modified);
        }
        Ok(())
    }

    /// Adds the object, or replaces the one of that name.
    pub fn apply<T: Stored>(&mut self, mut object: T) {
        match self.get::<T>(&object.meta().key) {
            Some(now) => {
                let now = now.clone();
                let meta = object.meta_mut();
                meta.uid = now.meta().uid;
                meta.resource_version = now.meta().resource_version;
                if object != *now {
                    self.put(object, Verb::Modified);
                }
            }
            None => {
                self.last_uid += 1;
                object.meta_mut().uid = self.last_uid;
                self.put(object, Verb::Added);
            }
        }
    }

    /// Changes the object `key` in place; a change that alters nothing makes no new version.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn modify<T: Stored>(&mut self, key: &ObjectKey, change: impl FnOnce(&mut T)) -> Result<(), StoreError> {
        let Some(now) = self.get::<T>(key) else {
            return Err(StoreError::NotFound { plural: T::PLURAL, name: key.name.clone() });
        };
        let mut next = T::clone(now);
        change(&mut next);
        if next != **now {
            self.put(next, Verb::Modified);
        }
        Ok(())
    }

    /// Asks for the deletion of `key` at the instant `at` since the world began: its owner cleans up and then removes it.
    /// Asking again changes nothing.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn request_deletion<T: Stored>(&mut self, key: &ObjectKey, at: Duration) -> Result<(), StoreError> {
        self.modify::<T>(key, |o| {
            let asked = &mut o.meta_mut().deletion_timestamp;
            *asked = asked.or(Some(at));
        })
    }

    /// Removes the object `key`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete<T: Stored>(&mut self, key: &ObjectKey) -> Result<Arc<T>, StoreError> {
        let table = Arc::make_mut(&mut T::table_mut(self).0);
        let Some(gone) = table.shift_remove(key) else {
            return Err(StoreError::NotFound { plural: T::PLURAL, name: key.name.clone() });
        };
        self.version += 1;
        self.record(Verb::Deleted, T::TABLE, key.clone(), Some(T::any(gone.clone())));
        Ok(gone)
    }

    /// The changes after version `after`, oldest first.
    ///
    /// # Errors
    /// `Gone` if the log no longer reaches back that far; then list instead.
    pub fn changes(&self, after: u64) -> Result<&[Change], StoreError> {
        if after < self.compacted {
            return Err(StoreError::Gone { asked: after, oldest: self.compacted });
        }
        let from = self.log.partition_point(|c| c.resource_version <= after);
        Ok(&self.log[from..])
    }

    /// Forgets the changes up to version `upto`.
    pub fn compact(&mut self, upto: u64) {
        let upto = upto.min(self.version);
        if upto > self.compacted {
            let from = self.log.partition_point(|c| c.resource_version <= upto);
            self.log = Arc::new(self.log[from..].to_vec());
            self.compacted = upto;
        }
    }

    fn put<T: Stored>(&mut self, mut object: T, verb: Verb) {
        self.version += 1;
        object.meta_mut().resource_version = self.version;
        let key = object.meta().key.clone();
        self.record(verb, T::TABLE, key.clone(), None);
        Arc::make_mut(&mut T::table_mut(self).0).insert(key, Arc::new(object));
    }

    fn record(&mut self, verb: Verb, kind: Kind, key: ObjectKey, last: Option<AnyObject>) {
        let change = Change { resource_version: self.version, verb, kind, key, last };
        Arc::make_mut(&mut self.log).push(change);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pod(name: &str) -> Pod {
        Pod::new(ObjectKey::new("default", name))
    }

    #[test]
    fn versions_count_over_all_kinds_and_the_log_tells_each_change_once() {
        let mut s = Store::default();
        s.create(Node::new("a")).unwrap();
        s.create(pod("web")).unwrap();
        let key = ObjectKey::new("default", "web");
        s.modify::<Pod>(&key, |p| p.spec_mut().node_name = Some("a".into())).unwrap();
        s.modify::<Pod>(&key, |_| ()).unwrap();
        s.delete::<Pod>(&key).unwrap();
        let told: Vec<_> = s.changes(0).unwrap().iter().map(|c| (c.resource_version, c.verb, c.kind, c.key.to_string())).collect();
        let web = || "default/web".to_owned();
        assert_eq!(
            told,
            [
                (1, Verb::Added, Kind::Node, "a".to_owned()),
                (2, Verb::Added, Kind::Pod, web()),
                (3, Verb::Modified, Kind::Pod, web()),
                (4, Verb::Deleted, Kind::Pod, web()),
            ]
        );
        let Some(AnyObject::Pod(last)) = &s.changes(3).unwrap()[0].last else { panic!("a pod was deleted") };
        assert_eq!(last.spec.node_name.as_deref(), Some("a"));
        assert!(s.pod("default", "web").is_none());
    }

    #[test]
    fn a_change_in_between_is_a_conflict() {
        let mut s = Store::default();
        s.create(pod("web")).unwrap();
        let mine = Pod::clone(s.pod("default", "web").unwrap());
        s.modify::<Pod>(&mine.meta.key, |p| p.status.phase = super::super::pod::PodPhase::Running).unwrap();
        let mut late = mine.clone();
        late.spec_mut().host_network = true;
        assert_eq!(
            s.update(late).unwrap_err().to_string(),
            "Operation cannot be fulfilled on pods \"web\": the object has been modified; please apply your changes to the latest version and try again"
        );
        assert_eq!(s.create(pod("web")).unwrap_err().to_string(), "pods \"web\" already exists");
        assert_eq!(s.delete::<Node>(&ObjectKey::cluster("x")).unwrap_err().to_string(), "nodes \"x\" not found");
    }

    #[test]
    fn an_object_made_again_is_another_one() {
        let mut s = Store::default();
        s.create(pod("web")).unwrap();
        let first = s.pod("default", "web").unwrap().meta.uid;
        s.apply(pod("web"));
        assert_eq!(s.pod("default", "web").unwrap().meta.uid, first, "applied over, it is the same");
        s.delete::<Pod>(&ObjectKey::new("default", "web")).unwrap();
        s.create(pod("web")).unwrap();
        assert_ne!(s.pod("default", "web").unwrap().meta.uid, first);
    }

    #[test]
    fn a_compacted_log_says_so() {
        let mut s = Store::default();
        s.create(pod("a")).unwrap();
        s.create(pod("b")).unwrap();
        s.compact(1);
        assert_eq!(s.changes(0).unwrap_err(), StoreError::Gone { asked: 0, oldest: 1 });
        assert_eq!(s.changes(1).unwrap().len(), 1);
    }

    #[test]
    fn a_clone_does_not_see_later_changes() {
        let mut s = Store::default();
        s.create(pod("a")).unwrap();
        let then = s.clone();
        s.create(pod("b")).unwrap();
        assert_eq!((then.list::<Pod>().len(), s.list::<Pod>().len()), (1, 2));
        assert_eq!(then.changes(0).unwrap().len(), 1);
    }
}
