//! The workspace on real git, over paths of this machine and over a small HTTP server on loopback.

mod delivery;
mod fixture;
mod mirror;
mod pushing;
mod trouble;
