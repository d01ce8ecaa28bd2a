//! A reviewer's verdict.
#![no_main]

hydra_fuzz_targets::target!("verdict", hydra_core::fuzz::verdict::seeds, hydra_core::fuzz::verdict::check);
