//! Hydra's core: what a job, a verdict, a change, a label and a plan *are*, and the ports that the world is reached through.
//!
//! This crate knows no tokio, no HTTP, no Docker, no Kubernetes, no octocrab, no files, no environment, no time of day and no randomness.
//! Everything it decides is a function of its arguments.

pub mod agent_event;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod contract_files;
pub mod delivery;
pub mod diagnostic;
pub mod digest;
pub mod egress;
pub mod evidence;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod hidden;
pub mod id;
pub mod instructions;
pub mod job;
pub mod label;
pub mod loosened;
pub mod money;
pub mod openspec;
pub mod patch;
pub mod persona;
pub mod pin;
pub mod plan;
pub mod ports;
pub mod prices;
pub mod probe;
pub mod prompt;
pub mod publish;
pub mod record;
pub mod redact;
pub mod stage;
pub mod target;
pub mod verdict;
pub mod view;

pub use id::*;
pub use jiff::{SignedDuration, Timestamp};
pub use money::{Tokens, Usd};
pub use stage::{ContainerType, Stage, TokenRole};
