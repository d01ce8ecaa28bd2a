//! The address of a model of one's own.
#![no_main]

hydra_fuzz_targets::target!(
    "model_endpoint",
    hydra_core::fuzz::model_endpoint::seeds,
    hydra_core::fuzz::model_endpoint::check
);
