//! Requests to a model.
#![no_main]

hydra_fuzz_targets::target!("model_request", hydra_gate::fuzz::requests::seeds, hydra_gate::fuzz::requests::check);
