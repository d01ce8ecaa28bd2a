//! The loop: observe, plan, execute. Generic over the ports of `hydra-core`; it knows no GitHub, no Docker and no terminal.
//!
//! What it never does: choose (the planner does), keep truth on its disk (the forge and the runtime hold it), or detach a task.

pub mod audit_log;
pub mod breaker;
pub mod by_hand;
pub mod config;
pub mod egress_note;
mod engine;
mod execute;
pub mod frame;
pub mod holds;
pub mod hook;
mod inspect;
mod known;
pub mod lease_owner;
pub mod ledger;
mod observe;
pub mod observer;
pub mod operator;
mod order;
mod outcome;
mod prompt;
pub mod prune;
mod report;
mod run;
mod services;
mod settle;
pub mod status;
pub mod stops;
pub mod store;
pub mod tally;
mod tick;
pub mod watch;
mod withhold;

pub use breaker::BreakerPolicy;
pub use config::{EngineConfig, GitCredentials, Ports, Scrub};
pub use engine::{Engine, EngineError};
pub use hook::{EffectHook, EffectPoint, NoHook, Proceed};
pub use observer::{Happening, NoObserver, Observer};
pub use report::{CycleReport, Failure, Side};
pub use run::{Driven, Ended};
pub use settle::Settled;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hydra_core::digest::hex(bytes)
}
