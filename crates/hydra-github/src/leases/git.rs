//! The swap by `git push --force-with-lease`: any ref outside `refs/heads` certainly works there.
//! The token travels in the environment, never in the arguments.

use super::{Attempt, LeaseRef, Standing};
use crate::{
    client::{Client, below},
    convert,
    error::{error, hinted, malformed, plain},
    wire,
};
use hydra_core::{
    CommitSha, RepoName, Timestamp,
    ports::{ForgeError, ForgeErrorKind},
};
use secrecy::ExposeSecret as _;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// A folder that is removed when it is dropped.
struct Scratch(PathBuf);
impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what is left holds lease records and no secret.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Output {
    ok: bool,
    stdout: String,
    stderr: String,
}

fn address(client: &Client, repo: &RepoName) -> String {
    below(&client.config.git(), &[repo.owner(), &format!("{}.git", repo.name())]).to_string()
}

/// Full names of the refs below a prefix.
pub(super) async fn names(client: &Client, repo: &RepoName, prefix: &str) -> Result<Vec<String>, ForgeError> {
    let pattern = format!("{prefix}/*");
    let seen = run(client, &std::env::temp_dir(), &["ls-remote", "--", &address(client, repo), &pattern], None).await?;
    if !seen.ok {
        return Err(judge("git ls-remote", &seen));
    }
    Ok(seen.stdout.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name.to_owned()).collect())
}

/// The ref now; its message comes over REST, for the object is not here.
pub(super) async fn standing(client: &Client, place: &LeaseRef<'_>) -> Result<Option<Standing>, ForgeError> {
    let seen =
        run(client, &std::env::temp_dir(), &["ls-remote", "--", &address(client, place.repo), &place.name], None)
            .await?;
    if !seen.ok {
        return Err(judge("git ls-remote", &seen));
    }
    let wanted = |line: &&str| line.split_once('\t').is_some_and(|(_, name)| name == place.name);
    let Some(line) = seen.stdout.lines().find(wanted) else { return Ok(None) };
    let oid: CommitSha = convert::id("git ls-remote", line.split('\t').next().unwrap_or_default())?;
    let url = client.url(&["repos", place.repo.owner(), place.repo.name(), "git", "commits", oid.as_str()]);
    let commit: wire::GitCommit = client.get(&url).await?;
    Ok(Some(Standing { oid, message: Some(commit.message) }))
}

pub(super) async fn attempt(
    client: &Client,
    place: &LeaseRef<'_>,
    before: Option<&CommitSha>,
    message: Option<&str>,
) -> Result<Attempt, ForgeError> {
    let scratch = scratch().await?;
    let folder = scratch.0.as_path();
    let init = run(client, folder, &["init", "--quiet", "--bare", "."], None).await?;
    if !init.ok {
        return Err(judge("git init", &init));
    }
    let after = match message {
        None => None,
        Some(message) => Some(commit(client, folder, message).await?),
    };
    let lease = format!("--force-with-lease={}:{}", place.name, before.map_or("", CommitSha::as_str));
    let refspec = format!("{}:{}", after.as_ref().map_or("", CommitSha::as_str), place.name);
    let mut arguments = vec!["push", "--porcelain", "--no-verify"];
    let address = address(client, place.repo);
    arguments.extend([lease.as_str(), "--", &address, &refspec]);
    let seen = run(client, folder, &arguments, None).await?;
    if seen.ok {
        return Ok(Attempt::Done(after));
    }
    Ok(Attempt::Unsure { after, seen: judge("git push", &seen) })
}

async fn commit(client: &Client, folder: &Path, message: &str) -> Result<CommitSha, ForgeError> {
    let tree = run(client, folder, &["mktree"], Some("")).await?;
    if !tree.ok {
        return Err(judge("git mktree", &tree));
    }
    let made = run(client, folder, &["commit-tree", tree.stdout.trim()], Some(message)).await?;
    if !made.ok {
        return Err(judge("git commit-tree", &made));
    }
    convert::id("git commit-tree", made.stdout.trim())
}

async fn scratch() -> Result<Scratch, ForgeError> {
    let unique = format!("hydra-lease-{}-{}", std::process::id(), Timestamp::now().as_nanosecond());
    let folder = std::env::temp_dir().join(unique);
    match tokio::fs::create_dir(&folder).await {
        Ok(()) => Ok(Scratch(folder)),
        Err(e) => Err(hinted(
            ForgeErrorKind::Transient,
            format!("no folder for a lease can be made: {e}"),
            "look whether the disk for temporary files is full",
        )),
    }
}

async fn run(client: &Client, folder: &Path, arguments: &[&str], input: Option<&str>) -> Result<Output, ForgeError> {
    let broken = |why: std::io::Error| {
        hinted(ForgeErrorKind::Transient, format!("git cannot be run: {why}"), "install git, or use the API for leases")
    };
    let header = client.git_header();
    let who = [("NAME", "Hydra"), ("EMAIL", "hydra@localhost")];
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
    command
        .env("HOME", folder)
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_COUNT", "3")
        .env("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", client.config.git()))
        .env("GIT_CONFIG_VALUE_0", header.expose_secret())
        // A redirect would show the token to another host.
        .env("GIT_CONFIG_KEY_1", "http.followRedirects")
        .env("GIT_CONFIG_VALUE_1", "false")
        .env("GIT_CONFIG_KEY_2", "credential.helper")
        .env("GIT_CONFIG_VALUE_2", "");
    for (what, value) in who {
        command.env(format!("GIT_AUTHOR_{what}"), value).env(format!("GIT_COMMITTER_{what}"), value);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(broken)?;
    let limit = client.config.request_timeout;
    let work = async {
        if let Some(mut stdin) = child.stdin.take()
            && let Some(text) = input
        {
            stdin.write_all(text.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    let output = match tokio::time::timeout(limit, work).await {
        Ok(output) => output.map_err(broken)?,
        Err(_) => {
            return Err(error(ForgeErrorKind::Transient, format!("git: no end within {} s", limit.as_secs_f32())));
        }
    };
    let text = |bytes: &[u8]| client.scrub(&String::from_utf8_lossy(bytes));
    Ok(Output { ok: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}

/// git's complaint as a kind of error.
fn judge(what: &str, seen: &Output) -> ForgeError {
    let all = format!("{}\n{}", seen.stdout, seen.stderr);
    let lower = all.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let kind = if has(&["stale info", "[rejected]", "fetch first", "[remote rejected]", "cannot lock ref"]) {
        ForgeErrorKind::Conflict
    } else if has(&["error: 401", "authentication failed", "could not read username"]) {
        ForgeErrorKind::Auth
    } else if has(&["error: 403", "permission to", "write access to repository not granted"]) {
        ForgeErrorKind::Permission
    } else if has(&["error: 404", "not found"]) {
        ForgeErrorKind::Missing
    } else if has(&["error: 5", "timed out", "could not resolve", "connection", "hung up", "early eof"]) {
        ForgeErrorKind::Transient
    } else {
        return malformed(what, plain(&all));
    };
    error(kind, format!("{what}: {}", plain(&all)))
}
