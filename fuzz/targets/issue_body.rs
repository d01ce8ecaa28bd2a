//! The body of an issue.
#![no_main]

hydra_fuzz_targets::target!("issue_body", hydra_core::fuzz::issue_body::seeds, hydra_core::fuzz::issue_body::check);
