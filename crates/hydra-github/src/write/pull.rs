//! Pull requests: opened once per (head, base, marker), edited, closed, taken out of draft.

use super::{failed, lost, made, text};
use crate::{client::Client, convert, github::conflict, queries, wire};
use http::Method;
use hydra_core::{
    BranchName, PullNumber, RepoName,
    ports::{Applied, ForgeError, ForgeErrorKind},
};
use serde_json::json;

impl Client {
    /// `body` bears the marker on its first line.
    pub(super) async fn open_pull(
        &self,
        repo: &RepoName,
        head: &BranchName,
        base: &BranchName,
        title: &str,
        body: &str,
    ) -> Result<Applied, ForgeError> {
        if let Some(number) = self.pull_of(repo, head, base, body).await? {
            return Ok(Applied::AlreadyThere(Some(number)));
        }
        let url = self.url(&["repos", repo.owner(), repo.name(), "pulls"]);
        let asked = |title: &str, draft: bool| json!({ "title": title, "head": head.as_str(), "base": base.as_str(), "body": body, "draft": draft });
        let mut sent = self.write(Method::POST, &url, &asked(title, true)).await;
        if sent.as_ref().is_err_and(no_drafts) {
            let title = format!("{}{title}", convert::DRAFT_PREFIX);
            sent = self.write(Method::POST, &url, &asked(&title, false)).await;
        }
        match sent {
            Ok(reply) => Ok(Applied::Made(made(&reply, "number"))),
            // A twin that was opened meanwhile answers 422, a lost answer may have opened it.
            Err(e) if lost(&e) || e.kind == ForgeErrorKind::Conflict => {
                match self.pull_of(repo, head, base, body).await? {
                    Some(number) => Ok(Applied::Made(Some(number))),
                    None => Err(e),
                }
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// The pull request of this head and base, in any state, whose body holds the first line of `body`.
    async fn pull_of(
        &self,
        repo: &RepoName,
        head: &BranchName,
        base: &BranchName,
        body: &str,
    ) -> Result<Option<u64>, ForgeError> {
        let marker = body.lines().next().unwrap_or_default();
        let head_name = format!("{}:{head}", repo.owner());
        let query = [("state", "all"), ("head", &head_name), ("base", base.as_str()), ("per_page", "100")];
        let url = self.url_with(&["repos", repo.owner(), repo.name(), "pulls"], &query);
        let pulls: Vec<wire::Pull> = self.list(&url).await?;
        let found = pulls.into_iter().find(|p| {
            // GitHub ignores a filter that it does not understand: the answer is checked.
            p.head.name == head.as_str()
                && p.base.name == base.as_str()
                && p.body.as_deref().is_some_and(|b| b.contains(marker))
        });
        Ok(found.map(|p| p.number))
    }

    /// One pull request as REST shows it.
    pub(super) async fn rest_pull(&self, repo: &RepoName, number: PullNumber) -> Result<wire::Pull, ForgeError> {
        self.get(&self.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()])).await
    }

    pub(super) async fn edit_pull(
        &self,
        repo: &RepoName,
        number: PullNumber,
        title: &str,
        body: &str,
    ) -> Result<Applied, ForgeError> {
        let as_asked =
            |pull: &wire::Pull| convert::undraft(&pull.title).0 == title && text::same(pull.body.as_deref(), body);
        let pull = self.rest_pull(repo, number).await?;
        if as_asked(&pull) {
            return Ok(Applied::AlreadyThere(Some(number.0)));
        }
        // The mark of a draft stays until the pull request is made ready.
        let prefix = if convert::undraft(&pull.title).1 { convert::DRAFT_PREFIX } else { "" };
        let change = json!({ "title": format!("{prefix}{title}"), "body": body });
        self.patch_pull(repo, number, change, as_asked).await
    }

    pub(super) async fn close_pull(&self, repo: &RepoName, number: PullNumber) -> Result<Applied, ForgeError> {
        let closed = |pull: &wire::Pull| pull.state == "closed";
        if closed(&self.rest_pull(repo, number).await?) {
            return Ok(Applied::AlreadyThere(Some(number.0)));
        }
        self.patch_pull(repo, number, json!({ "state": "closed" }), closed).await
    }

    pub(super) async fn mark_ready(&self, repo: &RepoName, number: PullNumber) -> Result<Applied, ForgeError> {
        let pull = self.rest_pull(repo, number).await?;
        let (title, marked) = convert::undraft(&pull.title);
        if pull.draft {
            if pull.state != "open" {
                return Err(conflict(format!("{repo}#{number} is not open: it cannot be made ready")));
            }
            let sent = self.mutate(queries::MARK_READY, json!({ "pull": pull.node_id })).await;
            let seen = match sent {
                Ok(reply) => reply.failed,
                Err(e) => Some(e),
            };
            if let Some(e) = seen
                && (self.rest_pull(repo, number).await?).draft
            {
                return Err(failed(e));
            }
        }
        if marked {
            let plain = |pull: &wire::Pull| !convert::undraft(&pull.title).1;
            return self.patch_pull(repo, number, json!({ "title": title }), plain).await;
        }
        Ok(if pull.draft { Applied::Made(Some(number.0)) } else { Applied::AlreadyThere(Some(number.0)) })
    }

    async fn patch_pull(
        &self,
        repo: &RepoName,
        number: PullNumber,
        change: serde_json::Value,
        done: impl Fn(&wire::Pull) -> bool,
    ) -> Result<Applied, ForgeError> {
        let url = self.url(&["repos", repo.owner(), repo.name(), "pulls", &number.to_string()]);
        match self.write(Method::PATCH, &url, &change).await {
            Ok(_) => Ok(Applied::Made(Some(number.0))),
            Err(e) if lost(&e) => {
                let now = self.rest_pull(repo, number).await?;
                if done(&now) { Ok(Applied::Made(Some(number.0))) } else { Err(e) }
            }
            Err(e) => Err(failed(e)),
        }
    }
}

/// What a private repository without a paid plan answers.
fn no_drafts(error: &ForgeError) -> bool {
    error.kind == ForgeErrorKind::Conflict && error.message.to_ascii_lowercase().contains("draft pull requests are not")
}
