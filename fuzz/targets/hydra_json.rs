//! `hydra.json` of a change.
#![no_main]

hydra_fuzz_targets::target!("hydra_json", hydra_core::fuzz::hydra_json::seeds, hydra_core::fuzz::hydra_json::check);
