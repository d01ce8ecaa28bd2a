//! The heads of requests that come where a handshake was expected.
#![no_main]

hydra_fuzz_targets::target!("connect_head", hydra_gate::fuzz::connect::seeds, hydra_gate::fuzz::connect::check);
