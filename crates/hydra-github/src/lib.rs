//! Hydra's `Forge`, `ForgeWriter`, `Board` and `Leases` on GitHub, through octocrab.
//!
//! octocrab carries requests and nothing more: its retries repeat writes, its cache confuses addresses and its redirects
//! change methods, so all of that is done here. No type of octocrab's is in a public signature.
//!
//! Absent by design: no write is ever repeated blindly, no page is ever skipped, no token is ever sent to another host.

mod board;
mod cache;
mod client;
mod config;
mod connect;
mod convert;
mod error;
mod github;
mod graphql;
mod leases;
mod probe;
pub mod queries;
mod read;
mod wire;
mod write;

pub use config::{GitHubConfig, LeaseTransport};
pub use github::GitHub;
pub use leases::LeaseProbe;
pub use probe::{Quota, TokenReport};
