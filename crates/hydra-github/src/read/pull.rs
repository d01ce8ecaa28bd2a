//! One pull request, whole, by number or by head branch.

use super::issue::thread_variables;
use crate::{
    client::Client,
    convert,
    error::malformed,
    graphql::{at, label},
    queries, wire,
};
use hydra_core::{
    PullNumber, RepoName,
    ports::{ForgeError, PullQuery},
    view::{Mergeable, PullState, PullView, ReviewView, ThreadView},
};
use serde_json::json;

impl Client {
    pub(crate) async fn pulls(&self, repo: &RepoName, which: &PullQuery) -> Result<Vec<PullView>, ForgeError> {
        let head = match which {
            PullQuery::Number(number) => return Ok(vec![self.pull(repo, *number).await?]),
            PullQuery::Head(head) => head,
        };
        let call = label(queries::PULL_NUMBERS);
        let variables = json!({ "owner": repo.owner(), "name": repo.name(), "head": head.as_str() });
        let data = self.query(queries::PULL_NUMBERS, variables.clone()).await?;
        // A renamed repository answers under its new name, and so do the heads.
        let now: String = at(&call, &data, "/repository/nameWithOwner")?;
        let pointer = "/repository/pullRequests";
        let first: wire::Connection<wire::PullNumberNode> = at(&call, &data, pointer)?;
        let more: Vec<wire::PullNumberNode> =
            self.rest(queries::PULL_NUMBERS, variables, pointer, &first.page_info).await?;
        let mut numbers: Vec<u64> =
            first.nodes.into_iter().chain(more).filter(|p| own(&now, p)).map(|p| p.number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        numbers.dedup();
        let mut pulls = Vec::with_capacity(numbers.len());
        for number in numbers {
            pulls.push(self.pull(repo, PullNumber(number)).await?);
        }
        Ok(pulls)
    }

    async fn pull(&self, repo: &RepoName, number: PullNumber) -> Result<PullView, ForgeError> {
        let call = label(queries::PULL);
        let variables = thread_variables(repo, number.0);
        let data = self.query(queries::PULL, variables.clone()).await?;
        let pull: wire::GraphPull = at(&call, &data, "/repository/pullRequest")?;
        let mut comments = pull.comments.nodes;
        let place = "/repository/pullRequest/comments";
        comments.extend(self.rest(queries::PULL_COMMENTS, variables.clone(), place, &pull.comments.page_info).await?);
        let mut reviews = Vec::new();
        if let Some(first) = pull.reviews {
            reviews = first.nodes;
            let place = "/repository/pullRequest/reviews";
            reviews.extend(self.rest(queries::PULL_REVIEWS, variables.clone(), place, &first.page_info).await?);
        }
        let mut threads = pull.review_threads.nodes;
        let place = "/repository/pullRequest/reviewThreads";
        threads.extend(self.rest(queries::PULL_THREADS, variables, place, &pull.review_threads.page_info).await?);
        let (events_call, events) = self.events(repo, number.0).await?;
        let state = pull_state(&call, &pull.state)?;
        let closed_by = match state {
            PullState::Open => None,
            PullState::Closed | PullState::Merged => {
                let closed = convert::newest(&events, "closed").or_else(|| convert::newest(&events, "merged"));
                closed.and_then(|e| e.actor.as_ref()).map(|a| convert::user(&events_call, Some(a))).transpose()?
            }
        };
        let head = convert::id(&call, &pull.head_ref_oid)?;
        let mergeable = match (state, mergeable(&call, &pull.mergeable)?) {
            (PullState::Open, Mergeable::Unknown) => self.mergeable(repo, number, &pull.head_ref_oid).await?,
            (_, known) => known,
        };
        let (title, marked) = convert::undraft(&pull.title);
        Ok(PullView {
            number: PullNumber(pull.number),
            state,
            draft: pull.is_draft || marked,
            title: title.to_owned(),
            body: pull.body,
            author: convert::actor(&call, pull.author.as_ref())?,
            closed_by,
            head_ref: convert::id(&call, &pull.head_ref_name)?,
            head_repo: pull.head_repository.map(|r| convert::id(&call, &r.name_with_owner)).transpose()?,
            base_ref: convert::id(&call, &pull.base_ref_name)?,
            base: convert::id(&call, &pull.base_ref_oid)?,
            mergeable,
            labels: convert::names(pull.labels),
            label_events: convert::label_events(&events_call, &events)?,
            reviews: review_views(&call, reviews)?,
            threads: thread_views(&call, threads)?,
            comments: convert::comments(&call, comments)?,
            statuses: self.statuses(repo, &head).await?,
            head,
            url: pull.url,
        })
    }

    /// Asks again, a bounded number of times, while GitHub computes it. `Unknown` when it does not come to an end,
    /// or when the head moved meanwhile.
    async fn mergeable(&self, repo: &RepoName, number: PullNumber, head: &str) -> Result<Mergeable, ForgeError> {
        let call = label(queries::PULL_MERGEABLE);
        for _ in 0..self.config.mergeable_retries {
            tokio::time::sleep(self.config.mergeable_delay).await;
            let data = self.query(queries::PULL_MERGEABLE, thread_variables(repo, number.0)).await?;
            let oid: String = at(&call, &data, "/repository/pullRequest/headRefOid")?;
            let now: String = at(&call, &data, "/repository/pullRequest/mergeable")?;
            match mergeable(&call, &now)? {
                _ if oid != head => return Ok(Mergeable::Unknown),
                Mergeable::Unknown => {}
                known => return Ok(known),
            }
        }
        Ok(Mergeable::Unknown)
    }
}

fn own(repo: &str, pull: &wire::PullNumberNode) -> bool {
    pull.head_repository.as_ref().is_some_and(|r| r.name_with_owner.eq_ignore_ascii_case(repo))
}

fn pull_state(call: &str, text: &str) -> Result<PullState, ForgeError> {
    match text {
        "OPEN" => Ok(PullState::Open),
        "CLOSED" => Ok(PullState::Closed),
        "MERGED" => Ok(PullState::Merged),
        other => Err(malformed(call, format!("unknown state {other:?}"))),
    }
}

fn mergeable(call: &str, text: &str) -> Result<Mergeable, ForgeError> {
    match text {
        "MERGEABLE" => Ok(Mergeable::Clean),
        "CONFLICTING" => Ok(Mergeable::Conflicting),
        "UNKNOWN" => Ok(Mergeable::Unknown),
        other => Err(malformed(call, format!("unknown mergeability {other:?}"))),
    }
}

fn review_views(call: &str, reviews: Vec<wire::GraphReview>) -> Result<Vec<ReviewView>, ForgeError> {
    let mut views = Vec::with_capacity(reviews.len());
    for review in reviews {
        views.push(ReviewView {
            id: review.full_database_id,
            author: convert::actor(call, review.author.as_ref())?,
            body: review.body,
            state: review.state,
            commit: review.commit.map(|c| convert::id(call, &c.oid)).transpose()?,
            submitted_at: review.submitted_at,
        });
    }
    views.sort_by_key(|r| (r.submitted_at.is_none(), r.submitted_at, r.id));
    Ok(views)
}

fn thread_views(call: &str, threads: Vec<wire::GraphThread>) -> Result<Vec<ThreadView>, ForgeError> {
    let mut views = Vec::with_capacity(threads.len());
    for thread in threads {
        let first = thread.comments.nodes.into_iter().next();
        views.push(ThreadView {
            id: thread.id,
            resolved: thread.is_resolved,
            author: first.as_ref().map(|c| convert::actor(call, c.author.as_ref())).transpose()?,
            path: thread.path,
            body: first.map(|c| c.body).unwrap_or_default(),
        });
    }
    Ok(views)
}
