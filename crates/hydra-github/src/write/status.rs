//! Commit statuses; check runs of the same name where the token is an App's, for only Apps may write those.

use super::{failed, lost, made};
use crate::{client::Client, convert, wire};
use http::Method;
use hydra_core::{
    CommitSha, RepoName,
    ports::{Applied, ForgeError},
    view::{StatusState, TokenKind},
};
use serde_json::{Value, json};

/// GitHub's bound on a status's line, in characters.
const DESCRIPTION_CHARS: usize = 140;

/// A status as it was asked for.
pub(super) struct Asked<'a> {
    pub(super) repo: &'a RepoName,
    pub(super) commit: &'a CommitSha,
    pub(super) context: &'a str,
    pub(super) state: StatusState,
    pub(super) description: &'a str,
    pub(super) url: Option<&'a str>,
}

impl Asked<'_> {
    fn line(&self) -> String {
        if self.description.chars().count() <= DESCRIPTION_CHARS {
            return self.description.to_owned();
        }
        let cut: String = self.description.chars().take(DESCRIPTION_CHARS - 1).collect();
        format!("{cut}…")
    }
}

impl Client {
    pub(super) async fn set_status(&self, asked: &Asked<'_>) -> Result<Applied, ForgeError> {
        match self.kind() {
            TokenKind::Installation => self.set_check(asked).await,
            TokenKind::FineGrained | TokenKind::Classic | TokenKind::Other => self.set_commit_status(asked).await,
        }
    }

    async fn set_commit_status(&self, asked: &Asked<'_>) -> Result<Applied, ForgeError> {
        if let Some(id) = self.status_there(asked).await? {
            return Ok(Applied::AlreadyThere(Some(id)));
        }
        let url = self.url(&["repos", asked.repo.owner(), asked.repo.name(), "statuses", asked.commit.as_str()]);
        let mut body =
            json!({ "state": state_name(asked.state), "context": asked.context, "description": asked.line() });
        if let Some(page) = asked.url {
            body["target_url"] = Value::from(page);
        }
        match self.write(Method::POST, &url, &body).await {
            Ok(reply) => Ok(Applied::Made(made(&reply, "id"))),
            Err(e) if lost(&e) => self.status_there(asked).await?.map(|id| Applied::Made(Some(id))).ok_or(e),
            Err(e) => Err(failed(e)),
        }
    }

    async fn status_there(&self, asked: &Asked<'_>) -> Result<Option<u64>, ForgeError> {
        let (call, statuses) = self.commit_statuses(asked.repo, asked.commit).await?;
        let Some(newest) = statuses.into_iter().find(|s| s.context == asked.context) else { return Ok(None) };
        let same = convert::status_state(&call, &newest.state)? == asked.state
            && newest.description.as_deref().unwrap_or_default() == asked.line();
        Ok(same.then_some(newest.id))
    }

    async fn set_check(&self, asked: &Asked<'_>) -> Result<Applied, ForgeError> {
        let found = self.own_check(asked).await?;
        if let Some(run) = found.as_ref().filter(|run| as_asked(run, asked)) {
            return Ok(Applied::AlreadyThere(Some(run.id)));
        }
        let runs = ["repos", asked.repo.owner(), asked.repo.name(), "check-runs"];
        let sent = match &found {
            Some(run) => {
                let id = run.id.to_string();
                let url = self.url(&[&runs[..], &[&id]].concat());
                self.write(Method::PATCH, &url, &check_body(asked)).await
            }
            None => {
                let mut body = check_body(asked);
                body["head_sha"] = Value::from(asked.commit.as_str());
                body["external_id"] = Value::from(format!("hydra:{}", asked.context));
                self.write(Method::POST, &self.url(&runs), &body).await
            }
        };
        match sent {
            Ok(reply) => Ok(Applied::Made(found.map(|f| f.id).or_else(|| made(&reply, "id")))),
            Err(e) if lost(&e) => {
                let now = self.own_check(asked).await?.filter(|run| as_asked(run, asked));
                now.map(|run| Applied::Made(Some(run.id))).ok_or(e)
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// The newest run of this name that this App made.
    async fn own_check(&self, asked: &Asked<'_>) -> Result<Option<wire::CheckRun>, ForgeError> {
        let me = self.who().await?.login;
        let slug = me.as_str().trim_end_matches("[bot]");
        let runs = self.check_runs(asked.repo, asked.commit, Some(asked.context)).await?;
        let own = |run: &wire::CheckRun| {
            run.name == asked.context && run.app.as_ref().and_then(|a| a.slug.as_deref()) == Some(slug)
        };
        Ok(runs.into_iter().rev().find(own))
    }
}

fn as_asked(run: &wire::CheckRun, asked: &Asked<'_>) -> bool {
    let conclusion = conclusion(asked.state);
    let same = match conclusion {
        None => run.status != "completed",
        Some(conclusion) => run.status == "completed" && run.conclusion.as_deref() == Some(conclusion),
    };
    same && run.output.title.as_deref() == Some(asked.line().as_str())
}

/// GitHub has no "error" among conclusions; `timed_out` is read back as one.
fn conclusion(state: StatusState) -> Option<&'static str> {
    match state {
        StatusState::Pending => None,
        StatusState::Success => Some("success"),
        StatusState::Failure => Some("failure"),
        StatusState::Error => Some("timed_out"),
    }
}

fn check_body(asked: &Asked<'_>) -> Value {
    let mut body = json!({
        "name": asked.context,
        "output": { "title": asked.line(), "summary": asked.description },
    });
    match conclusion(asked.state) {
        None => body["status"] = Value::from("in_progress"),
        Some(conclusion) => {
            body["status"] = Value::from("completed");
            body["conclusion"] = Value::from(conclusion);
        }
    }
    if let Some(page) = asked.url {
        body["details_url"] = Value::from(page);
    }
    body
}

fn state_name(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
        StatusState::Error => "error",
    }
}
