//! A merge, pinned to the head that was judged.

use super::{failed, lost};
use crate::{client::Client, github::conflict};
use http::Method;
use hydra_core::{
    CommitSha, PullNumber, RepoName,
    ports::{Applied, ForgeError, ForgeErrorKind},
};
use serde_json::json;

impl Client {
    /// By a merge commit; where the repository does not allow those, squashed, then rebased.
    pub(super) async fn merge(
        &self,
        repo: &RepoName,
        number: PullNumber,
        head: &CommitSha,
    ) -> Result<Applied, ForgeError> {
        let pull = self.rest_pull(repo, number).await?;
        if pull.head.sha != head.as_str() {
            return Err(conflict(format!("{repo}#{number} has the head {}, not {head}: it moved", pull.head.sha)));
        }
        if pull.merged || pull.merged_at.is_some() {
            return Ok(Applied::AlreadyThere(Some(number.0)));
        }
        if pull.state != "open" {
            return Err(conflict(format!("{repo}#{number} was closed: it is not merged")));
        }
        let url = self.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string(), "merge"]);
        let mut refusal = None;
        for method in ["merge", "squash", "rebase"] {
            let body = json!({ "sha": head.as_str(), "merge_method": method });
            match self.write(Method::PUT, &url, &body).await {
                Ok(_) => return Ok(Applied::Made(Some(number.0))),
                Err(e) if lost(&e) => {
                    let now = self.rest_pull(repo, number).await?;
                    let done = (now.merged || now.merged_at.is_some()) && now.head.sha == head.as_str();
                    return if done { Ok(Applied::Made(Some(number.0))) } else { Err(e) };
                }
                // "Merge commits are not allowed on this repository." and its like: nothing was merged.
                Err(e)
                    if e.kind == ForgeErrorKind::Conflict && e.message.contains("not allowed on this repository") =>
                {
                    refusal = Some(e);
                }
                Err(e) => return Err(failed(e)),
            }
        }
        Err(refusal.unwrap_or_else(|| conflict(format!("{repo}#{number} allows no way of merging"))))
    }
}
