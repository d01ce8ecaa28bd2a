//! `.hydra.toml` of a target repository.
#![no_main]

hydra_fuzz_targets::target!("target_file", hydra_core::fuzz::target_file::seeds, hydra_core::fuzz::target_file::check);
