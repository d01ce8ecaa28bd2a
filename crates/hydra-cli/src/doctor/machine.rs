//! Checks of this machine: configuration, git, state folder, disk.

use super::Check;
use crate::config::{Settings, problem::Problems};
use nix::sys::statvfs::statvfs;
use std::{path::Path, process::Command};

/// Free space that a few mirrors, bundles and images need, in MiB.
const ENOUGH_DISK: u64 = 5 * 1024;
/// With less than this, in MiB, the next mirror or bundle finds no room in the middle of a job.
const LEAST_DISK: u64 = 256;

/// What is wrong with the configuration, one check each.
#[must_use]
pub fn problems(problems: &Problems) -> Vec<Check> {
    let check = |problem: &crate::config::problem::Problem| {
        Check::fail(
            "configuration",
            crate::output::mask::scrub(&problem.to_string()),
            crate::output::mask::scrub(&problem.help),
        )
    };
    problems.0.iter().map(check).collect()
}

/// The configuration as a whole.
#[must_use]
pub fn configuration(settings: &Settings) -> Vec<Check> {
    let mut checks = match settings.check_complete() {
        Ok(()) => {
            let file =
                settings.config_file.as_ref().map_or("the environment".to_owned(), |path| path.display().to_string());
            vec![Check::ok("configuration", format!("{file} and the secrets are complete"))]
        }
        Err(found) => problems(&found),
    };
    for warning in &settings.warnings {
        checks.push(Check::warn("configuration", warning.clone(), "see docs/operations/secrets.md"));
    }
    for note in &settings.notes {
        let mend = "empty the variable, or take the key out of hydra.toml: one place should say it";
        checks.push(Check::warn("configuration", note.clone(), mend));
    }
    if settings.single_identity() {
        checks.push(Check::warn(
            "identities",
            "one identity stands for all: nobody independent judges, and `yolo` is off",
            "for a team, set identities = \"per-persona\" and give each role a token",
        ));
    }
    if settings.values.runtime.kind == crate::config::runtime::RuntimeKind::Process {
        checks.push(Check::warn(
            "runtime",
            "runtime.kind is \"process\": agents run as you, with nothing between them and this machine",
            "set runtime.kind = \"docker\"",
        ));
    }
    checks
}

/// git, which mirrors and bundles are made with: 2.38 or newer.
#[must_use]
pub fn git() -> Check {
    let mend = "install git 2.38 or newer";
    let Ok(output) = Command::new("git").arg("--version").output() else {
        return Check::fail("git", "it cannot be started", mend);
    };
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers =
        text.split_whitespace().nth(2).unwrap_or_default().split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (2, 38) { Check::ok("git", text) } else { Check::fail("git", format!("{text} is too old"), mend) }
}

/// The state folder must be ours to write.
#[must_use]
pub fn state_folder(settings: &Settings) -> Check {
    let folder = &settings.state_dir;
    let tried = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop));
    match tried {
        Ok(()) => Check::ok("state", format!("{} can be written", folder.display())),
        Err(error) => Check::fail(
            "state",
            format!("{} cannot be written: {}", folder.display(), crate::failure::in_words(&error)),
            "give the folder to the user who runs hydra, or name another with state.dir or --state-dir",
        ),
    }
}

/// The audit log's chain, from its first line to its last.
#[must_use]
pub fn audit(settings: &Settings) -> Check {
    let path = settings.state_dir.join(hydra_engine::store::AUDIT);
    match std::fs::File::open(&path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok("audit log", format!("{} is not there yet", path.display()));
        }
        Err(error) => {
            let why = format!("{} cannot be read: {}", path.display(), crate::failure::in_words(&error));
            return Check::fail(
                "audit log",
                why,
                "give it to the user who runs hydra: what is done must be written down",
            );
        }
    }
    match hydra_engine::audit_log::verify(&path) {
        Ok(found) => Check::ok("audit log", format!("{} entries, each tied to the one before", found.entries)),
        Err(error) => Check::fail(
            "audit log",
            error.0,
            "somebody or something changed it: keep a copy as evidence, find out who, then move it away and start anew",
        ),
    }
}

/// Room where the state folder lies.
#[must_use]
pub fn disk(settings: &Settings) -> Check {
    let mut folder: &Path = &settings.state_dir;
    while !folder.exists() {
        let Some(parent) = folder.parent() else { break };
        folder = parent;
    }
    match statvfs(folder) {
        Err(error) => Check::fail(
            "disk",
            format!("the room at {} cannot be found out: {error}", folder.display()),
            "look with df",
        ),
        Ok(room) => {
            let mib = room.blocks_available().saturating_mul(room.fragment_size()) / (1024 * 1024);
            let detail = format!("{mib} MiB free at {}", folder.display());
            let mend = "mirrors, bundles and images want 5 GiB; `hydra prune` removes what nobody owns";
            match mib {
                ENOUGH_DISK.. => Check::ok("disk", detail),
                LEAST_DISK.. => Check::warn("disk", detail, mend),
                _ => Check::fail("disk", detail, mend),
            }
        }
    }
}

/// The secrets must not be tracked by git, nor about to be.
#[must_use]
pub fn ignored(settings: &Settings) -> Option<Check> {
    let name = "secrets";
    let git = |args: &[&str]| Command::new("git").arg("-C").arg(&settings.root).args(args).output();
    // Without git its own check has failed already.
    let inside = git(&["rev-parse", "--is-inside-work-tree"]).ok()?;
    if !inside.status.success() {
        let checkout = settings.root.ancestors().find(|folder| folder.join(".git").exists())?;
        let why = String::from_utf8_lossy(&inside.stderr).lines().next().unwrap_or("it says nothing").to_owned();
        let mend = if why.contains("ownership") {
            format!("git config --global --add safe.directory {}", checkout.display())
        } else {
            format!("look with `git -C {} status`", checkout.display())
        };
        return Some(Check::fail(name, format!("git does not say whether it ignores them: {why}"), mend));
    }
    let says = |args: &[&str]| git(args).is_ok_and(|output| output.status.success());
    let there =
        ["secrets/.env", "secrets/credentials.json"].into_iter().filter(|file| settings.root.join(file).exists());
    let (tracked, others): (Vec<&str>, Vec<&str>) =
        there.partition(|file| says(&["ls-files", "--error-unmatch", "--", file]));
    let seen: Vec<&str> = others.into_iter().filter(|file| !says(&["check-ignore", "-q", "--", file])).collect();
    Some(if !tracked.is_empty() {
        let mend = format!(
            "git rm --cached {}, and replace every token in it: what was committed once can be read for ever",
            tracked.join(" ")
        );
        Check::fail(name, format!("git tracks {}", tracked.join(" and ")), mend)
    } else if !seen.is_empty() {
        let why = format!("git does not ignore {}", seen.join(" and "));
        Check::fail(name, why, "`hydra init` adds the lines to .gitignore")
    } else {
        Check::ok(name, "git ignores them")
    })
}
