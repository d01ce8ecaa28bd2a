//! Egress: what a container may reach. Denied by default; HTTPS to the host names that its type's policy lists, and nothing else.

pub mod address;
pub mod decide;
pub mod gate;
pub mod host;
pub mod index;
pub mod inspect;
pub mod policy;
mod shared;
mod told;

pub use address::is_public;
pub use decide::{Decision, DenyReason, PolicyLine, decide, opening};
pub use host::{Endpoint, HostError, HostName, HostPattern};
pub use index::AllowedNames;
pub use inspect::{HttpMethod, InspectError, InspectRule, PathPrefix};
pub use policy::{EgressPolicy, PolicyError};
pub use shared::shared;
pub use told::Told;
