//! Why Hydra stopped a job: kept before the stop, so that the job's end is understood after a crash too.

use crate::store::{self, StateDir, StoreError};
use hydra_core::{JobId, Timestamp, plan::StopReason};
use serde::{Deserialize, Serialize};

/// Why a job was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopNote {
    /// Why.
    pub why: Halt,
    /// One line for people.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// Why a job is to be stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halt {
    /// One of the reasons that the plan knows.
    Because(StopReason),
    /// More turns than allowed, and its own limit did not end it.
    Turns,
    /// Its gate is gone for good: it reaches nothing any more.
    Gate,
}

impl Halt {
    /// The reason, where the plan knows it.
    #[must_use]
    pub const fn reason(self) -> Option<StopReason> {
        match self {
            Self::Because(reason) => Some(reason),
            Self::Turns | Self::Gate => None,
        }
    }
}

/// Keeps the reason, unless one is kept already: the first is the true one.
///
/// # Errors
/// When it could not be made durable: then the job must not be stopped yet.
pub fn keep(state: &StateDir, job: &JobId, note: &StopNote) -> Result<(), StoreError> {
    if read(state, job)?.is_some() {
        return Ok(());
    }
    store::write_json(&state.stop(job), note)
}

/// Reads it.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(state: &StateDir, job: &JobId) -> Result<Option<StopNote>, StoreError> {
    store::read_json(&state.stop(job))
}
