//! A small fuzzer on stable Rust, for ordinary tests: real inputs are mutated by a seed, and whatever leads to a kind of answer that was not
//! seen before is mutated further. A target that panics or hangs fails its test; the input is made small, kept and named for a replay.

mod mutate;
mod numbers;
mod run;
mod shrink;

pub use run::{Report, fuzz};

/// For how many seconds each target is fuzzed.
pub const SECONDS: &str = "HYDRA_FUZZ_SECONDS";
/// The seed of the mutations: the same seed makes the same inputs.
pub const SEED: &str = "HYDRA_FUZZ_SEED";
/// A file whose content every target is given, once, instead of being fuzzed.
pub const REPLAY: &str = "HYDRA_FUZZ_REPLAY";
/// The variable of `cargo xtask nightly`.
pub const NIGHTLY: &str = "HYDRA_NIGHTLY";
