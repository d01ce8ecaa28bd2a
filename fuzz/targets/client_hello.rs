//! ClientHellos as they come.
#![no_main]

hydra_fuzz_targets::target!("client_hello", hydra_gate::fuzz::hello::seeds, hydra_gate::fuzz::hello::check);
