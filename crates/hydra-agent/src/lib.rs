//! What runs first inside an agent container: checks the input contract, makes the fence and the workspace, starts the coding
//! agent, follows its event stream, and writes the results.
//!
//! It knows nothing of GitHub and holds no credential that it was not given. Standard output carries [`hydra_core::agent_event`]
//! lines and nothing else; what a person should read besides goes to standard error.

pub mod args;
mod authority;
pub mod contract;
mod deliver;
pub mod drivers;
pub mod environment;
pub mod events;
mod failure;
pub mod fence;
mod free_space;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod git;
mod job;
pub mod lines;
mod literal;
mod meter;
mod outputs;
mod probe;
mod process;
mod quality;
mod relay;

mod scrub;
mod services;
mod work;
mod workspace;

pub use args::AgentArgs;
pub use job::{refuse_arguments, run};
