//! The hydra command as a person or a program meets it: hermetic, offline, one binary for all.

mod commands;
mod configuration;
mod documents;
mod harness;
mod leaks;
mod scripts;
mod secrets;
