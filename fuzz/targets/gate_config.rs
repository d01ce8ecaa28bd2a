//! What a gate is told.
#![no_main]

hydra_fuzz_targets::target!("gate_config", hydra_core::fuzz::gate_config::seeds, hydra_core::fuzz::gate_config::check);
