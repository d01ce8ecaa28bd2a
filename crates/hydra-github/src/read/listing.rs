//! One listing of a repository: candidates by label, and all open pull requests.

use crate::{
    client::{Client, call},
    convert, wire,
};
use http::Method;
use hydra_core::{
    IssueKey, IssueNumber, PullNumber, RepoName,
    ports::ForgeError,
    view::{ListedIssue, ListedPull, Listing},
};
use std::collections::BTreeMap;

impl Client {
    /// Sorted by creation, so that a change while paging moves nothing to a page that was read already.
    pub(crate) async fn listing(&self, repo: &RepoName, label: &str) -> Result<Listing, ForgeError> {
        let order = [("state", "open"), ("sort", "created"), ("direction", "asc"), ("per_page", "100")];
        let mut query = order.to_vec();
        query.push(("labels", label));
        let issues_url = self.url_with(&["repos", repo.owner(), repo.name(), "issues"], &query);
        let issues_call = call(&Method::GET, &issues_url);
        let listed = |issue: wire::Issue| {
            let mut labels: Vec<String> = issue.labels.into_iter().map(wire::IssueLabel::into_name).collect();
            // It was collected in place, into the larger items' memory.
            labels.shrink_to_fit();
            Ok(ListedIssue {
                key: IssueKey { repo: repo.clone(), number: IssueNumber(issue.number) },
                state: convert::issue_state(&issues_call, &issue.state)?,
                title: issue.title,
                labels,
                updated_at: issue.updated_at,
            })
        };
        // Page by page: of a long listing no more is kept than what is asked of it.
        let page = |page: Vec<wire::Issue>| {
            page.into_iter().filter(|issue| issue.pull_request.is_none()).map(&listed).collect()
        };
        let read: Vec<Result<ListedIssue, ForgeError>> = self.pages(&issues_url, page).await?;
        let mut issues = BTreeMap::new();
        for issue in read {
            let issue = issue?;
            issues.insert(issue.key.number, issue);
        }
        let pulls_url = self.url_with(&["repos", repo.owner(), repo.name(), "pulls"], &order);
        let pulls_call = call(&Method::GET, &pulls_url);
        let mut pulls = BTreeMap::new();
        for pull in self.list::<wire::Pull>(&pulls_url).await? {
            let head_repo = pull.head.repo.as_ref().map(|r| convert::id(&pulls_call, &r.full_name)).transpose()?;
            let listed = ListedPull {
                number: PullNumber(pull.number),
                head_ref: convert::id(&pulls_call, &pull.head.name)?,
                head: convert::id(&pulls_call, &pull.head.sha)?,
                head_repo,
                base_ref: convert::id(&pulls_call, &pull.base.name)?,
                draft: pull.draft || convert::undraft(&pull.title).1,
                labels: pull.labels.into_iter().map(|l| l.name).collect(),
                updated_at: pull.updated_at,
            };
            pulls.insert(pull.number, listed);
        }
        Ok(Listing { issues: issues.into_values().collect(), pulls: pulls.into_values().collect() })
    }
}
