//! The extensions of a ClientHello whose lengths are right.
#![no_main]

hydra_fuzz_targets::target!(
    "client_hello_extensions",
    hydra_gate::fuzz::extensions::seeds,
    hydra_gate::fuzz::extensions::check
);
