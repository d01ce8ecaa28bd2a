//! The planner: `Snapshot -> Plan`. Synchronous and total; it returns a closed list of actions, and a reason for everything that it does not do.

mod action;
mod outcome;
mod policy;
mod reason;
mod snapshot;

pub use action::*;
pub use outcome::*;
pub use policy::*;
pub use reason::*;
pub use snapshot::*;
