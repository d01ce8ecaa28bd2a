//! `cargo xtask bench`: the figures of docs/performance.md.

use std::{path::Path, process::Command};

/// Runs every bench of the workspace in release mode.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["bench", "--workspace"]).args(args).current_dir(root);
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err("a bench failed".to_owned()) }
}
