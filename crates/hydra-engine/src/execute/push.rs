//! Moves a branch by compare-and-swap, with a role's token.

use super::{Effect, Fault};
use crate::watch::Shared;
use hydra_core::{BranchName, CommitSha, IssueKey, TokenRole, ports::Pushed};

pub(super) async fn push(
    shared: &Shared,
    key: &IssueKey,
    branch: &BranchName,
    expected: Option<&CommitSha>,
    to: Option<&CommitSha>,
    role: TokenRole,
) -> Result<Effect, Fault> {
    let stand = |at: Option<&CommitSha>| at.map_or("nowhere".to_owned(), ToString::to_string);
    match shared.ports.workspace.push(&key.repo, branch, expected, to, role).await? {
        Pushed::Done => Ok(Effect::made(format!("{branch} -> {}", stand(to)))),
        Pushed::AlreadyThere => Ok(Effect::there(format!("{branch} stands at {} already", stand(to)))),
        Pushed::Moved(at) => Err(Fault::Moved(format!("{branch} stands at {}, not where it was", stand(at.as_ref())))),
    }
}
