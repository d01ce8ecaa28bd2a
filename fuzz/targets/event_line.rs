//! A line of an agent's event stream.
#![no_main]

hydra_fuzz_targets::target!("event_line", hydra_core::fuzz::event_line::seeds, hydra_core::fuzz::event_line::check);
