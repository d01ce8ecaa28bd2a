//! The planner: `Snapshot -> Plan`. Synchronous and total; it returns a closed list of actions, and a reason for everything that it does not do.

mod action;
mod advance;
mod build;
mod door;
mod draft;
mod fold;
mod gates;
mod judge;
mod outcome;
mod phase;
mod planner;
mod policy;
mod reason;
mod remedy;
mod requests;
mod show;
mod snapshot;
mod yolo;

use draft::{Draft, Want};

pub use action::*;
pub use outcome::*;
pub use phase::{Event, PhaseKind, Step, step};
pub use planner::plan;
pub use policy::*;
pub use reason::*;
pub use show::status_text;
pub use snapshot::*;
