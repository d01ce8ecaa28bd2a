//! hydra-egress from outside: the Kubernetes documents whole, read back, and held against the other forms of the same policy.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod agree;
mod documents;
mod kernel;
mod read;
mod world;
