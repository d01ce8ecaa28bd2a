//! Lines of an egress list.
#![no_main]

hydra_fuzz_targets::target!("host_name", hydra_core::fuzz::host_name::seeds, hydra_core::fuzz::host_name::check);
