//! Questions to the agent's name server.
#![no_main]

hydra_fuzz_targets::target!("dns_question", hydra_gate::fuzz::dns::seeds, hydra_gate::fuzz::dns::check);
