//! Observation: what the forge, the board, the leases, git and the runtime show. A failed read is an error, never an absence.

mod change;
mod issue;
mod people;
mod pin;
mod pulls;
mod record;
mod world;

pub(crate) use change::{CHANGES, read_target};
pub(crate) use issue::{Look, Looked};
pub(crate) use issue::{branch_of, rivals};
pub(crate) use people::People;
pub(crate) use pin::{load as load_pin, pin_now};
pub(crate) use record::{render_record, status_marker};
pub(crate) use world::World;

use crate::report::{Blamed, Side};

/// What could not be observed, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub(crate) struct Unseen {
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) side: Side,
    /// Not before then, where the forge named a time.
    pub(crate) until: Option<hydra_core::Timestamp>,
}

impl Unseen {
    pub(crate) fn new(what: impl Into<String>, error: impl ToString + Blamed) -> Self {
        Self { what: what.into(), why: error.to_string(), side: error.side(), until: None }
    }
    pub(crate) fn forge(what: impl Into<String>, error: &hydra_core::ports::ForgeError) -> Self {
        let until = match error.kind {
            hydra_core::ports::ForgeErrorKind::LimitedUntil(until) => Some(until),
            _ => None,
        };
        Self { what: what.into(), why: error.to_string(), side: Side::Forge, until }
    }
}
