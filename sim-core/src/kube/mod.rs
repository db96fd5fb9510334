//! Floor 1: the Kubernetes objects, and the store that keeps them.
//!
//! ```text
//!  kubectl, scenario ──► Store ─┬─ nodes   Node
//!                               ├─ pods    Pod
//!                               └─ log     which object changed, by version ──► controllers
//! ```
//!
//! A kind is one file with one `impl Object`, and one line in [`store`]. Nothing here knows Linux: objects are wishes and
//! reports, and what they mean for a kernel is said by the controllers.

pub mod meta;
pub mod node;
pub mod pod;
pub mod selector;
pub mod store;
pub mod validate;

pub use meta::{DEFAULT_NAMESPACE, Labels, Object, ObjectKey, ObjectMeta};
pub use node::{Node, NodeReady, NodeStatus};
pub use pod::{
    Container, ContainerPort, ContainerState, ContainerStatus, Listen, Pod, PodCondition, PodConditions, PodPhase, PodSpec, PodStatus,
    PortProtocol,
};
pub use selector::{Requirement, Selector, SelectorOp};
pub use store::{AnyObject, Change, Kind, Store, StoreError, Stored, Verb};
