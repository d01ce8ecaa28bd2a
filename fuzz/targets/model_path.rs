//! Methods and paths of the model API.
#![no_main]

hydra_fuzz_targets::target!("model_path", hydra_gate::fuzz::paths::seeds, hydra_gate::fuzz::paths::check);
