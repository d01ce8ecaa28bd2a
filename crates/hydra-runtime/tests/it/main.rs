//! The runtimes under the port's contract suite, and what is theirs alone.

mod bench;
mod process;
