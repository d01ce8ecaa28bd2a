//! Pull requests, reviews and inline comments.

use super::{association, issue, node_id, put, time, user};
use crate::github::{
    auth::Who,
    records::{Issue, Pull, Repo, Review, ReviewComment, Thread},
    world::World,
};
use serde_json::{Map, Value, json};

fn side(world: &World, repo: &Repo, whole: &Value, branch: &str, sha: &str) -> Value {
    json!({
        "label": format!("{}:{branch}", repo.owner),
        "ref": branch,
        "sha": sha,
        "user": user(world, &repo.owner),
        "repo": whole,
    })
}

/// A pull request; `whole` adds what only the single read shows, with `mergeable` as given.
pub(crate) fn pull(
    world: &World,
    repo: &Repo,
    thread: &Issue,
    pull: &Pull,
    who: &Who,
    whole: Option<Option<bool>>,
) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}", world.base_url);
    let api = format!("{base}/pulls/{}", thread.number);
    let as_issue = format!("{base}/issues/{}", thread.number);
    let html = format!("{}/{full}/pull/{}", world.base_url, thread.number);
    let shown = super::repo(world, repo, who);
    let href = |url: String| json!({ "href": url });
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("id", json!(pull.id)),
            ("node_id", json!(node_id("PR", pull.id))),
            ("url", json!(api)),
            ("html_url", json!(html)),
            ("diff_url", json!(format!("{html}.diff"))),
            ("patch_url", json!(format!("{html}.patch"))),
            ("issue_url", json!(as_issue)),
            ("commits_url", json!(format!("{api}/commits"))),
            ("review_comments_url", json!(format!("{api}/comments"))),
            ("review_comment_url", json!(format!("{base}/pulls/comments%7B/number%7D"))),
            ("comments_url", json!(format!("{as_issue}/comments"))),
            ("statuses_url", json!(format!("{base}/statuses/{}", pull.head))),
            ("number", json!(thread.number)),
            ("state", json!(if thread.open { "open" } else { "closed" })),
            ("locked", json!(false)),
            ("title", json!(thread.title)),
            ("user", user(world, &thread.author)),
            ("body", json!(thread.body)),
            ("labels", json!(issue::labels(world, repo, thread))),
            ("milestone", Value::Null),
            ("active_lock_reason", Value::Null),
            ("created_at", json!(thread.created_at.to_string())),
            ("updated_at", json!(thread.updated_at.to_string())),
            ("closed_at", time(thread.closed_at)),
            ("merged_at", time(pull.merged_at)),
            ("merge_commit_sha", json!(pull.merge_commit)),
            ("assignee", Value::Null),
            ("assignees", json!([])),
            ("requested_reviewers", json!([])),
            ("requested_teams", json!([])),
            ("head", side(world, repo, &shown, &pull.head_ref, &pull.head)),
            ("base", side(world, repo, &shown, &pull.base_ref, &pull.base)),
            (
                "_links",
                json!({
                    "self": href(api.clone()),
                    "html": href(html),
                    "issue": href(as_issue.clone()),
                    "comments": href(format!("{as_issue}/comments")),
                    "review_comments": href(format!("{api}/comments")),
                    "review_comment": href(format!("{base}/pulls/comments%7B/number%7D")),
                    "commits": href(format!("{api}/commits")),
                    "statuses": href(format!("{base}/statuses/{}", pull.head)),
                }),
            ),
            ("author_association", json!(association(world, repo, &thread.author))),
            ("auto_merge", Value::Null),
            ("draft", json!(pull.draft)),
        ],
    );
    if let Some(mergeable) = whole {
        let files = repo.git.changed(&pull.base, &pull.head);
        let state = match mergeable {
            None => "unknown",
            Some(false) => "dirty",
            Some(true) if pull.draft => "draft",
            Some(true) => "clean",
        };
        put(
            &mut map,
            &[
                ("merged", json!(pull.merged_at.is_some())),
                ("mergeable", json!(mergeable)),
                ("rebaseable", json!(mergeable)),
                ("mergeable_state", json!(state)),
                ("merged_by", pull.merged_by.as_ref().map_or(Value::Null, |l| user(world, l))),
                ("comments", json!(thread.comments.len())),
                ("review_comments", json!(pull.threads.iter().map(|t| t.comments.len()).sum::<usize>())),
                ("maintainer_can_modify", json!(false)),
                ("commits", json!(repo.git.count(&pull.base, &pull.head))),
                ("additions", json!(files.iter().map(|f| f.additions).sum::<u64>())),
                ("deletions", json!(files.iter().map(|f| f.deletions).sum::<u64>())),
                ("changed_files", json!(files.len())),
            ],
        );
    }
    Value::Object(map)
}

/// A review.
pub(crate) fn review(world: &World, repo: &Repo, thread: &Issue, review: &Review) -> Value {
    let full = repo.full_name();
    let api = format!("{}/repos/{full}/pulls/{}", world.base_url, thread.number);
    let html = format!("{}/{full}/pull/{}#pullrequestreview-{}", world.base_url, thread.number, review.id);
    let mut value = json!({
        "id": review.id,
        "node_id": node_id("PRR", review.id),
        "user": user(world, &review.author),
        "body": review.body,
        "state": review.state,
        "html_url": html,
        "pull_request_url": api,
        "_links": { "html": { "href": html }, "pull_request": { "href": api } },
        "commit_id": review.commit,
        "author_association": association(world, repo, &review.author),
    });
    if let (Some(at), Some(map)) = (review.submitted_at, value.as_object_mut()) {
        map.insert("submitted_at".into(), json!(at.to_string()));
    }
    value
}

/// An inline comment.
pub(crate) fn review_comment(
    world: &World,
    repo: &Repo,
    issue: &Issue,
    thread: &Thread,
    comment: &ReviewComment,
) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}", world.base_url);
    let api = format!("{base}/pulls/{}", issue.number);
    let url = format!("{base}/pulls/comments/{}", comment.id);
    let html = format!("{}/{full}/pull/{}#discussion_r{}", world.base_url, issue.number, comment.id);
    let mut value = json!({
        "url": url,
        "pull_request_review_id": comment.review,
        "id": comment.id,
        "node_id": node_id("PRRC", comment.id),
        "diff_hunk": comment.diff_hunk,
        "path": thread.path,
        "commit_id": comment.commit,
        "original_commit_id": comment.commit,
        "user": user(world, &comment.author),
        "body": comment.body,
        "created_at": comment.created_at.to_string(),
        "updated_at": comment.updated_at.to_string(),
        "html_url": html,
        "pull_request_url": api,
        "author_association": association(world, repo, &comment.author),
        "_links": { "self": { "href": url }, "html": { "href": html }, "pull_request": { "href": api } },
        "start_line": thread.start_line,
        "original_start_line": thread.start_line,
        "start_side": thread.start_line.map(|_| "RIGHT"),
        "line": thread.line,
        "original_line": thread.line,
        "side": "RIGHT",
        "position": 1,
        "original_position": 1,
        "subject_type": if thread.line.is_some() { "line" } else { "file" },
        "reactions": issue::reactions(&url),
    });
    let first = thread.comments.first().filter(|f| f.id != comment.id);
    if let Some(map) = value.as_object_mut() {
        if let Some(first) = first {
            map.insert("in_reply_to_id".into(), json!(first.id));
        }
        if thread.line.is_none() {
            map.remove("line");
            map.remove("original_line");
        }
    }
    value
}
