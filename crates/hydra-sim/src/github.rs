//! The simulated GitHub: REST, GraphQL and git over HTTP on one loopback address, its state in memory and in bare git repositories.
//!
//! [`Sim`] is started, seeded, looked into and stopped by a test or by the demo; everything else meets it over HTTP.

mod auth;
mod clock;
mod fault;
mod git;
mod graphql;
mod inspect;
mod log;
mod notice;
mod ops;
mod records;
mod render;
mod rest;
mod seed;
mod server;
mod sim;
mod smart_http;
mod traffic;
mod world;

pub use auth::{Access, Token};
pub use clock::SimClock;
pub use fault::{Fault, FaultKind, Faults, Injected, When};
pub use git::GitError;
pub use hydra_core::view::Permission as Role;
pub use log::{Logged, Record};
pub use records::{
    Account, AccountKind, Board, Card, CheckRun, Comment, Edit, Event, Issue, Label, Pull, Review, ReviewComment,
    Status, Thread,
};
pub use seed::RepoSeed;
pub use sim::{Sim, SimConfig, SimError};
pub use traffic::{RECORDS, Traffic};
