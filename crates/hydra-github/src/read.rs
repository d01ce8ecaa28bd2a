//! Everything that is read of GitHub, one file per thing.

mod identity;
mod issue;
mod listing;
mod permission;
mod pull;
mod repository;
mod status;
