//! Moves one branch by compare-and-swap, and believes only what the remote shows afterwards.

use crate::{error::missing, mirror::Mirror};
use hydra_core::{
    BranchName, CommitSha, TokenRole,
    ports::{Pushed, WorkspaceError, WorkspaceErrorKind},
};

/// Moves `branch` from `expected` to `to` with the role's token.
pub(crate) async fn push(
    mirror: &Mirror<'_>,
    branch: &BranchName,
    expected: Option<&CommitSha>,
    to: Option<&CommitSha>,
    role: TokenRole,
) -> Result<Pushed, WorkspaceError> {
    if let Some(to) = to
        && !mirror.holds(to).await?
    {
        return Err(missing(format!("{to} was neither fetched nor delivered for {}", mirror.repo)));
    }
    let remote = mirror.remote(role).await?;
    let reference = format!("refs/heads/{branch}");
    let now = |found: std::collections::BTreeMap<String, CommitSha>| found.into_values().next();
    let before = now(mirror.advertised(&remote, &[&reference]).await?);
    if before.as_ref() == to {
        return Ok(Pushed::AlreadyThere);
    }
    if before.as_ref() != expected {
        return Ok(Pushed::Moved(before));
    }
    let lease = format!("--force-with-lease={reference}:{}", expected.map_or("", CommitSha::as_str));
    let refspec = format!("{}:{reference}", to.map_or("", CommitSha::as_str));
    let args = [
        "push",
        "--porcelain",
        "--quiet",
        "--atomic",
        "--no-verify",
        "--no-follow-tags",
        &lease,
        "--",
        &remote.url,
        &refspec,
    ];
    let output = mirror.git.at(&mirror.path, &args).remote(&remote).output().await?;
    // A push that broke off may have taken effect, and one that was let through may have been overtaken: look.
    let after = match mirror.advertised(&remote, &[&reference]).await {
        Ok(found) => now(found),
        Err(e) if output.code == 0 => {
            return Err(WorkspaceError { kind: WorkspaceErrorKind::Transient, message: e.message });
        }
        Err(_) => return Err(refusal(&output, branch)),
    };
    match () {
        () if after.as_ref() == to => Ok(Pushed::Done),
        () if output.code == 0 || after.as_ref() != expected => Ok(Pushed::Moved(after)),
        () => Err(refusal(&output, branch)),
    }
}

/// The remote's reason stands on standard output (`! [remote rejected] (…)`), git's own on standard error.
fn refusal(output: &crate::git::Output, branch: &BranchName) -> WorkspaceError {
    let mut error = output.error("git push");
    let lines = String::from_utf8_lossy(&output.stdout);
    let reason = lines.lines().find(|l| l.starts_with('!')).map(|l| l.replace('\t', " ")).unwrap_or_default();
    error.message = format!("{branch} was not pushed: {reason} {}", error.message);
    error
}
