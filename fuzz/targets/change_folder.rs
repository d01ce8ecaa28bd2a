//! An OpenSpec change.
#![no_main]

hydra_fuzz_targets::target!(
    "change_folder",
    hydra_core::fuzz::change_folder::seeds,
    hydra_core::fuzz::change_folder::check
);
