//! The proof at the end: the pull request's head is cloned afresh over HTTP by the real git, and its own tests run.

use super::stage_set::StageSet;
use crate::{exit::Exit, failure::Failure};
use serde::Serialize;
use std::path::Path;
use tokio::process::Command;

/// How the tests went.
#[derive(Debug, Serialize)]
pub struct Tests {
    /// The command.
    pub command: String,
    /// Whether it ended with 0.
    pub green: bool,
    /// The last line that it printed.
    pub last_line: String,
}

/// The clone's diffstat and tests.
#[derive(Debug)]
pub struct Clone {
    /// `git diff --stat` from the base.
    pub diffstat: Vec<String>,
    /// Its tests.
    pub tests: Tests,
}

/// The command by which the demo's repository is tested.
const TEST: &str = "sh tests/run.sh";

/// Clones a branch and tests it.
///
/// # Errors
/// When git refuses.
pub async fn clone_and_test(set: &StageSet, branch: &str, base: &str) -> Result<Clone, Failure> {
    let folder = set.folder.path().join("clone");
    // A second look at the same stage clones again.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Failure::local("the demo's last clone cannot be removed", &error))?;
    }
    let url = set.github.clone_url(set.repo.to_string().as_str());
    let into = folder.to_string_lossy().into_owned();
    git(set.folder.path(), &["clone", "--quiet", "--branch", branch, &url, &into]).await?;
    let stat = git(&folder, &["diff", "--stat=72", &format!("origin/{base}...HEAD")]).await?;
    let mut words = TEST.split(' ');
    let program = words.next().unwrap_or("sh");
    let output = Command::new(program)
        .args(words)
        .current_dir(&folder)
        .output()
        .await
        .map_err(|error| Failure::local(format_args!("`{TEST}` cannot be started"), &error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Clone {
        diffstat: stat.lines().map(|line| line.trim().to_owned()).collect(),
        tests: Tests {
            command: TEST.to_owned(),
            green: output.status.success(),
            last_line: text.lines().last().unwrap_or_default().to_owned(),
        },
    })
}

async fn git(folder: &Path, args: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .args(["-c", "credential.helper=", "-c", "advice.detachedHead=false"])
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(folder)
        .output()
        .await
        .map_err(|error| Failure::local("git cannot be started", &error).help("install git 2.30 or later"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new(Exit::Failed, format!("git {}: {why}", args.first().unwrap_or(&""))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
