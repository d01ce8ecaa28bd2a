//! One issue, whole: GraphQL for the text and when it was edited, REST for label events, which have no number elsewhere.

use crate::{
    client::{Client, call},
    convert,
    graphql::{at, label},
    queries, wire,
};
use http::Method;
use hydra_core::{IssueKey, RepoName, ports::ForgeError, view::IssueView};
use serde_json::{Value, json};

impl Client {
    pub(crate) async fn issue(&self, key: &IssueKey) -> Result<IssueView, ForgeError> {
        let call = label(queries::ISSUE);
        let variables = thread_variables(&key.repo, key.number.0);
        let data = self.query(queries::ISSUE, variables.clone()).await?;
        let issue: wire::GraphIssue = at(&call, &data, "/repository/issue")?;
        let mut comments = issue.comments.nodes;
        let more = self
            .rest(queries::ISSUE_COMMENTS, variables, "/repository/issue/comments", &issue.comments.page_info)
            .await?;
        comments.extend(more);
        let (events_call, events) = self.events(&key.repo, key.number.0).await?;
        let renamed = convert::newest(&events, "renamed").map(|e| e.created_at);
        Ok(IssueView {
            key: key.clone(),
            state: convert::issue_state(&call, &issue.state)?,
            title: issue.title,
            body: issue.body,
            author: convert::actor(&call, issue.author.as_ref())?,
            labels: convert::names(issue.labels),
            label_events: convert::label_events(&events_call, &events)?,
            comments: convert::comments(&call, comments)?,
            edited_at: issue.last_edited_at.max(renamed),
            updated_at: issue.updated_at,
            url: issue.url,
        })
    }

    /// Every event of an issue or pull request, with the call for messages.
    pub(crate) async fn events(
        &self,
        repo: &RepoName,
        number: u64,
    ) -> Result<(String, Vec<wire::IssueEvent>), ForgeError> {
        let number = number.to_string();
        let path = ["repos", repo.owner(), repo.name(), "issues", &number, "events"];
        let url = self.url_with(&path, &[("per_page", "100")]);
        Ok((call(&Method::GET, &url), self.list(&url).await?))
    }
}

/// The variables that name an issue or pull request.
pub(crate) fn thread_variables(repo: &RepoName, number: u64) -> Value {
    json!({ "owner": repo.owner(), "name": repo.name(), "number": number })
}
