//! The simulator as its users meet it: over HTTP, by its agent, and by the real coding agent.

mod claude;
mod desk;
mod faults;
mod scenarios;
