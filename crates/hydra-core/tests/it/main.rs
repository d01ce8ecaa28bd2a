//! hydra-core from outside: golden scripts of the planner.

mod scripts;
mod world;
