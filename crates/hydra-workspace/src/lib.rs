//! Hydra's `Workspace` on the `git` command: mirrors, bundles, inspection of what a job delivers, guarded pushes.
//!
//! Nothing here ever checks files out, runs a hook, a filter or a helper, reads a person's git configuration, or puts a
//! token into an argument or a file. A delivered bundle is taken apart in a quarantine of its own and reaches the mirror
//! only after it was found sound.

mod bundle;
mod bundle_file;
mod diff;
mod error;
mod git;
mod inspect;
mod mirror;
mod objects;
mod push;
mod read;
mod remote;
mod scratch;
mod sweep;
mod tips;
mod workspace;

pub use remote::{RemoteTemplate, Remotes};
pub use workspace::GitWorkspace;
