//! The wrapper as a program, with small scripts in the coding agent's place; and its parsers on real streams.

mod bad_input;
mod jobs;
mod stage;
mod streams;
