//! Review threads, resolved once.

use super::failed;
use crate::{
    client::Client,
    github::conflict,
    graphql::{at, label},
    queries,
};
use hydra_core::{
    PullNumber, RepoName,
    ports::{Applied, ForgeError},
};
use serde_json::{Value, json};

impl Client {
    pub(super) async fn resolve_thread(
        &self,
        repo: &RepoName,
        number: PullNumber,
        thread: &str,
    ) -> Result<Applied, ForgeError> {
        let before = self.thread(thread).await?;
        let call = label(queries::THREAD);
        let of: u64 = at(&call, &before, "/node/pullRequest/number")?;
        let within: String = at(&call, &before, "/node/pullRequest/repository/nameWithOwner")?;
        if of != number.0 || !within.eq_ignore_ascii_case(&repo.to_string()) {
            return Err(conflict(format!("the review thread is one of {within}#{of}, not of {repo}#{number}")));
        }
        if resolved(&before)? {
            return Ok(Applied::AlreadyThere(None));
        }
        let seen = match self.mutate(queries::RESOLVE_THREAD, json!({ "thread": thread })).await {
            Ok(reply) => reply.failed,
            Err(e) => Some(e),
        };
        match seen {
            Some(e) if !resolved(&self.thread(thread).await?)? => Err(failed(e)),
            _ => Ok(Applied::Made(None)),
        }
    }

    async fn thread(&self, thread: &str) -> Result<Value, ForgeError> {
        self.query(queries::THREAD, json!({ "thread": thread })).await
    }
}

fn resolved(data: &Value) -> Result<bool, ForgeError> {
    at(&label(queries::THREAD), data, "/node/isResolved")
}
