//! What an agent asks of a model and what a model answers, fuzzed.

mod answers;
mod requests;
