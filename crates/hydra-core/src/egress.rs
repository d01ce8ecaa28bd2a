//! Egress: what a container may reach. Denied by default; HTTPS to the host names that its type's policy lists, and nothing else.

pub mod decide;
pub mod host;
pub mod policy;

pub use decide::{Decision, DenyReason, PolicyLine, decide};
pub use host::{Endpoint, HostError, HostName, HostPattern};
pub use policy::{EgressPolicy, PolicyError};
