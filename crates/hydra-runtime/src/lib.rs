//! Where jobs run: the `Runtime` port on Docker Engine, and on plain processes for the demo and for tests.
//!
//! This crate knows no GitHub. No type of an SDK leaves it.

mod check;
pub mod docker;
mod error;
mod lines;
mod naming;
mod outputs;
pub mod process;

pub use docker::{DockerConfig, DockerRuntime};
pub use naming::{LABEL_CREDENTIALS, LABEL_INSTANCE, LABEL_KEY, LABEL_SPEC, spec_hash};
pub use process::{ProcessConfig, ProcessRuntime};
