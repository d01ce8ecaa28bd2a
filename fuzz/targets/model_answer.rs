//! Answers of a model, and what is counted in them.
#![no_main]

hydra_fuzz_targets::target!("model_answer", hydra_gate::fuzz::answers::seeds, hydra_gate::fuzz::answers::check);
