//! What an agent sends to the gate, fuzzed: whatever it is, it is judged as it reads, and never as more than it is.

mod connect;
mod dns;
mod hello;
