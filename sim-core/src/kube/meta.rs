//! What every object has: a name, perhaps a namespace, labels, and a version.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Labels or annotations, in the order in which `kubectl` prints them.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// The namespace of an object that does not name one.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Which object of its kind: the namespace (empty for kinds without one) and the name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Namespace; empty for nodes and other kinds of the whole cluster.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// An object in a namespace.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        ObjectKey { namespace: namespace.into(), name: name.into() }
    }

    /// An object of the whole cluster.
    pub fn cluster(name: impl Into<Arc<str>>) -> Self {
        ObjectKey { namespace: "".into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    /// `default/web`, or `node-a`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The metadata of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Namespace and name.
    pub key: ObjectKey,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Number of this incarnation: an object that is deleted and made again has another one. The store gives it.
    pub uid: u64,
    /// Version of the whole store at the last change of this object. The store gives it.
    pub resource_version: u64,
    /// When deletion was asked for, since the world began; the object goes once its owner has cleaned up.
    pub deletion_timestamp: Option<Duration>,
}

impl ObjectMeta {
    /// Metadata of `key`, without labels, not stored yet.
    pub fn new(key: ObjectKey) -> Self {
        ObjectMeta { key, labels: Labels::new(), annotations: Labels::new(), uid: 0, resource_version: 0, deletion_timestamp: None }
    }

    /// Name.
    pub fn name(&self) -> &Arc<str> {
        &self.key.name
    }

    /// Namespace.
    pub fn namespace(&self) -> &Arc<str> {
        &self.key.namespace
    }
}

/// Something the store can hold.
pub trait Object: Clone + fmt::Debug + PartialEq {
    /// `Pod`.
    const KIND: &'static str;
    /// `pods`, as messages of the API server say it.
    const PLURAL: &'static str;
    /// `pod`, as kubectl prints it before a slash.
    const SINGULAR: &'static str;
    /// Whether its objects live in namespaces.
    const NAMESPACED: bool;

    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Its metadata, to be changed.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
}
