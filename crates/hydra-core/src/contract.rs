//! The suites that every implementation of a port must pass, an in-memory runtime that does, and wrong ones that must not.

pub mod fake;
pub mod runtime;
pub mod wrong;

#[cfg(test)]
mod tests;
