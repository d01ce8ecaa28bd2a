//! A stateful GitHub and a scripted model API in one process, on loopback, for the demo and the tests.
//!
//! It knows nothing of Hydra's adapters: they meet it over HTTP only, as they meet the real ones.

pub mod agent;
pub mod contracts;
pub mod github;
pub mod model;
