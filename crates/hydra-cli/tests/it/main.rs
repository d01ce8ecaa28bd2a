//! The hydra command as a person or a program meets it: hermetic, offline, one binary for all.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

mod bad_input;
mod commands;
mod configuration;
mod demo;
mod dev_run;
mod docker;
mod doctor;
mod doctor_docker;
mod documents;
mod egress;
mod fuzz;
mod harness;
mod interrupted;
mod kill_binary;
mod leaks;
mod operate;
mod scripts;
mod secrets;
mod stage;
mod verbose;
mod watch;
