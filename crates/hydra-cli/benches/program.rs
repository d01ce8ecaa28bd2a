//! The program as a process: how soon it answers, what it asks of GitHub, and what it keeps in memory while it supervises ten thousand issues.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot run ends with its cause")]
#![expect(dead_code, reason = "the tests use more of the stage than the bench")]

#[path = "../tests/it/harness.rs"]
mod harness;
#[path = "program/help.rs"]
mod help;
#[path = "../tests/it/stage.rs"]
mod stage;
#[path = "program/supervise.rs"]
mod supervise;

fn main() {
    help::measure();
    supervise::measure();
}
