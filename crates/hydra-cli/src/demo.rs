//! The demo: the real pipeline, on loopback, against a simulated GitHub and a scripted model.

pub mod configuration;
pub mod containers;
pub mod ending;
pub mod fresh_clone;
pub mod jobs;
pub mod needs;
pub mod play;
pub mod report;
pub mod stage_set;
