//! What holds only when everything runs together: the in-container fence in Docker, and the stories beside it.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod container;
mod demo;
mod documents;
mod fence;
mod images;
mod stories;
mod targets;
mod wrapper;
