//! The event streams of the CLIs.
#![no_main]

hydra_fuzz_targets::target!("agent_stream", hydra_agent::fuzz::seeds, hydra_agent::fuzz::check);
