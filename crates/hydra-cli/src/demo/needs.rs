//! What the demo needs of this machine before it begins: a folder for what it makes, and git with its part that serves HTTP.

use crate::failure::Failure;
use std::path::Path;
use tempfile::TempDir;
use tokio::process::Command;

const TEMPORARY: &str = "TMPDIR names the folder: give one that is there, with room, and that this user may write to";
const GIT: &str = "install git 2.38 or newer, and have it in PATH";
/// The program by which git serves repositories over HTTP; some systems package it apart.
const SERVER: &str = "git-http-backend";

/// The demo's own folder; it goes away with it.
///
/// # Errors
/// When none can be made.
pub fn folder() -> Result<TempDir, Failure> {
    let parent = std::env::temp_dir();
    tempfile::Builder::new().prefix("hydra-demo-").tempdir_in(&parent).map_err(|error| {
        Failure::local(format_args!("no folder can be made in {}", parent.display()), &error).help(TEMPORARY)
    })
}

/// That git is there.
///
/// # Errors
/// When it is not, or cannot serve.
pub async fn git() -> Result<(), Failure> {
    let asked = Command::new("git").arg("--exec-path").output().await;
    let asked = asked.map_err(|error| Failure::local("git cannot be started", &error).help(GIT))?;
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let server = Path::new(&folder).join(SERVER);
    match std::fs::metadata(&server) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::local(format_args!("git cannot serve HTTP: {}", server.display()), &error)
            .help(format!("install the package that holds {SERVER} (git itself, or git-daemon)"))),
    }
}
