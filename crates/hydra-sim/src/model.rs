//! The scripted model API: speaks the Messages protocol from a script, so that the demo and the tests need no key, and
//! counts every token that it hands out, so that what Hydra reports can be held against it.
//!
//! What is answered follows from the conversation alone (its `Hydra-Stage:` line and how many answers it holds already);
//! only how often a stage was begun, and how often a fault was played, is remembered. A request that is sent again gets the
//! same answer again.

mod answer;
mod authority;
mod conversation;
mod counts;
mod demo;
mod fault;
mod script;
mod server;
mod sse;
mod turn;

pub use authority::{Authority, Certificate};
pub use counts::{Counts, RequestLog, UsageTotals};
pub use demo::{Commit, SCENARIOS, Scenario, demo_issue, demo_repo, scenario};
pub use fault::Fault;
pub use script::{Adjust, Script, ScriptError, Session, Step, ToolCall};
pub use server::{ModelConfig, ModelSim};
