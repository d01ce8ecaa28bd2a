//! The gate as it runs: three processes, two namespaces of their own, and a fake internet that counts what reaches it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod agent;
mod api;
mod confine;
mod hello;
mod inspect;
mod internet;
mod life;
mod names;
mod packets;
mod quiet;
mod resolvers;
mod rows_agent;
mod rows_neighbours;
mod upstreams;
mod world;
