//! The ports: what the engine needs of the world, in two to six required methods each, without default bodies.
//! Every method's contract (ordering, idempotency, errors) is stated here and held by the suites in [`crate::contract`].

mod accounts;
mod audit_sink;
mod board;
mod clock;
mod forge;
mod leases;
mod runtime;
mod workspace;

pub use accounts::*;
pub use audit_sink::*;
pub use board::*;
pub use clock::*;
pub use forge::*;
pub use leases::*;
pub use runtime::*;
pub use workspace::*;
