//! Change folders: `openspec/changes/<name>/` read without loss, so that what is written back is what was read.

pub mod change;
pub mod delta;
pub mod dependencies;
mod lines;
pub mod manifest;
mod notes;
pub mod tasks;

pub use change::{ChangeFolder, change_named_by};
pub use delta::{Operation, RequirementName, SpecDelta};
pub use manifest::Manifest;
pub use tasks::Tasks;
