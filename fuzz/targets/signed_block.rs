//! A comment that may hold a signed block.
#![no_main]

hydra_fuzz_targets::target!(
    "signed_block",
    hydra_core::fuzz::signed_block::seeds,
    hydra_core::fuzz::signed_block::check
);
