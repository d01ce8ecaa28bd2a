//! Issues and pull requests with everything that hangs on them.

use super::{
    Trouble, board,
    exec::Cx,
    object::{Args, At, Val, connection, leaf, null, object, plain},
    repository::{Field, actor, needs, rollup_of, text, texts},
};
use crate::github::{
    ops::same,
    records::{Edit, Issue},
    render::{self, node_id, time},
};
use serde_json::{Value, json};

/// The object with this node id, if it hangs on this thread.
pub(super) fn node(repo: &str, issue: &Issue, prefix: &str, id: u64) -> Option<Val> {
    let repo = || repo.to_owned();
    let n = issue.number;
    let pull = issue.pull.as_ref();
    let threads = || pull.into_iter().flat_map(|p| &p.threads);
    match prefix {
        "I" => (pull.is_none() && issue.id == id).then(|| object("Issue", At::Thread(repo(), n))),
        "PR" => pull.filter(|p| p.id == id).map(|_| object("PullRequest", At::Thread(repo(), n))),
        "IC" => issue.comments.iter().find(|c| c.id == id).map(|_| object("IssueComment", At::Comment(repo(), n, id))),
        "LE" | "UNLE" | "CE" | "EV" => {
            issue.events.iter().find(|e| e.id == id).map(|e| object(event_kind(&e.event), At::Event(repo(), n, id)))
        }
        "PRR" => {
            pull?.reviews.iter().find(|r| r.id == id).map(|_| object("PullRequestReview", At::Review(repo(), n, id)))
        }
        "PRRT" => {
            threads().find(|t| t.id == id).map(|_| object("PullRequestReviewThread", At::ReviewThread(repo(), n, id)))
        }
        "PRRC" => threads()
            .flat_map(|t| &t.comments)
            .find(|c| c.id == id)
            .map(|_| object("PullRequestReviewComment", At::ReviewComment(repo(), n, id))),
        _ => None,
    }
}

fn event_kind(event: &str) -> &'static str {
    match event {
        "labeled" => "LabeledEvent",
        "unlabeled" => "UnlabeledEvent",
        "closed" => "ClosedEvent",
        "reopened" => "ReopenedEvent",
        "renamed" => "RenamedTitleEvent",
        "merged" => "MergedEvent",
        "ready_for_review" => "ReadyForReviewEvent",
        _ => "ConvertToDraftEvent",
    }
}

/// `LabeledEvent` is asked for as `LABELED_EVENT`.
fn screaming(kind: &str) -> String {
    let mut out = String::new();
    for (i, c) in kind.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

pub(super) fn one(cx: &Cx<'_>, full: &str, name: &str, args: &Args) -> Result<Val, Trouble> {
    let permission = match name {
        "issue" => "issues=read",
        "pullRequest" => "pull_requests=read",
        _ => "issues=read;pull_requests=read",
    };
    needs(cx, full, permission)?;
    let number = args.get("number").and_then(Value::as_u64).unwrap_or_default();
    let found = cx.world.thread(full, number).ok();
    let fits = |i: &&Issue| match name {
        "issue" => i.pull.is_none(),
        "pullRequest" => i.pull.is_some(),
        _ => true,
    };
    let what = match name {
        "issue" => "an Issue",
        "pullRequest" => "a PullRequest",
        _ => "an issue or pull request",
    };
    let missing = || Trouble("NOT_FOUND", format!("Could not resolve to {what} with the number of {number}."));
    let issue = found.filter(fits).ok_or_else(missing)?;
    let kind = if issue.pull.is_some() { "PullRequest" } else { "Issue" };
    Ok(object(kind, At::Thread(full.to_owned(), number)))
}

pub(super) fn many(cx: &Cx<'_>, full: &str, name: &str, args: &Args) -> Result<Val, Trouble> {
    let pulls = name == "pullRequests";
    needs(cx, full, if pulls { "pull_requests=read" } else { "issues=read" })?;
    let states = texts(args, "states");
    let labels = texts(args, "labels");
    let given = |name: &str| Some(text(args, name)).filter(|t| !t.is_empty());
    let (head, base) = (given("headRefName"), given("baseRefName"));
    let fits = |i: &&Issue| {
        !i.deleted
            && i.pull.is_some() == pulls
            && states.as_ref().is_none_or(|s| s.iter().any(|s| s == state(i)))
            && labels.as_ref().is_none_or(|l| l.iter().any(|l| i.labels.iter().any(|n| same(n, l))))
            && i.pull
                .as_ref()
                .is_none_or(|p| head.is_none_or(|h| h == p.head_ref) && base.is_none_or(|b| b == p.base_ref))
    };
    let mut found: Vec<&Issue> = cx.world.repo(full)?.issues.values().filter(fits).collect();
    let order = args.get("orderBy");
    let of = |name: &str| order.and_then(|o| o.get(name)).and_then(Value::as_str);
    if of("field") == Some("UPDATED_AT") {
        found.sort_by_key(|i| (i.updated_at, i.number));
    }
    if of("direction") == Some("DESC") {
        found.reverse();
    }
    let kind = if pulls { "PullRequest" } else { "Issue" };
    let all = found.iter().map(|i| object(kind, At::Thread(full.to_owned(), i.number))).collect();
    connection(if pulls { "PullRequestConnection" } else { "IssueConnection" }, name, all, args)
}

fn state(issue: &Issue) -> &'static str {
    match (&issue.pull, issue.open) {
        (_, true) => "OPEN",
        (Some(pull), false) if pull.merged_at.is_some() => "MERGED",
        (_, false) => "CLOSED",
    }
}

fn edits(full: &str, number: u64, edits: &[Edit], name: &str, args: &Args) -> Result<Val, Trouble> {
    // Newest first, as GitHub lists them.
    let all = edits.iter().rev().map(|e| object("UserContentEdit", At::Edit(full.to_owned(), number, e.id))).collect();
    connection("UserContentEditConnection", name, all, args)
}

pub(super) fn thread(cx: &mut Cx<'_>, full: &str, number: u64, name: &str, args: &Args) -> Field {
    let repo = cx.world.repo(full)?;
    let issue = cx.world.thread(full, number)?;
    let repo_name = || full.to_owned();
    let (prefix, id, kind) = issue.pull.as_ref().map_or(("I", issue.id, "issues"), |p| ("PR", p.id, "pull"));
    let value = match name {
        "id" => leaf(node_id(prefix, id)),
        "databaseId" => leaf(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "number" => leaf(number),
        "title" => leaf(issue.title.clone()),
        "body" | "bodyText" => leaf(issue.body.clone().unwrap_or_default()),
        "state" => leaf(state(issue)),
        "stateReason" => leaf(json!(issue.state_reason.as_ref().map(|r| r.to_uppercase()))),
        "closed" => leaf(!issue.open),
        "locked" => leaf(false),
        "url" => leaf(format!("{}/{full}/{kind}/{number}", cx.world.base_url)),
        "resourcePath" => leaf(format!("/{full}/{kind}/{number}")),
        "createdAt" => leaf(issue.created_at.to_string()),
        "updatedAt" => leaf(issue.updated_at.to_string()),
        "closedAt" => leaf(time(issue.closed_at)),
        "lastEditedAt" => leaf(time(issue.edits.last().map(|e| e.at))),
        "editor" => issue.edits.last().map_or_else(null, |e| actor(cx, &e.editor)),
        "includesCreatedEdit" => leaf(!issue.edits.is_empty()),
        "author" => actor(cx, &issue.author),
        "authorAssociation" => leaf(render::association(cx.world, repo, &issue.author)),
        "repository" => object("Repository", At::Repo(repo_name())),
        "userContentEdits" => edits(full, number, &issue.edits, name, args)?,
        "labels" => {
            let known = |n: &String| repo.labels.iter().find(|l| &l.name == n);
            let all = issue.labels.iter().filter_map(known).map(|l| object("Label", At::Label(repo_name(), l.id)));
            connection("LabelConnection", name, all.collect(), args)?
        }
        "comments" => {
            let all = issue.comments.iter().map(|c| object("IssueComment", At::Comment(repo_name(), number, c.id)));
            connection("IssueCommentConnection", name, all.collect(), args)?
        }
        "timelineItems" => timeline(full, issue, name, args)?,
        "projectItems" => board::of_thread(cx, full, number, name, args)?,
        _ if issue.pull.is_some() => return pull(cx, full, number, name, args),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn timeline(full: &str, issue: &Issue, name: &str, args: &Args) -> Result<Val, Trouble> {
    let wanted = texts(args, "itemTypes");
    let n = issue.number;
    let mut all = Vec::new();
    for e in &issue.events {
        all.push((e.at, e.id, event_kind(&e.event), At::Event(full.to_owned(), n, e.id)));
    }
    for c in &issue.comments {
        all.push((c.created_at, c.id, "IssueComment", At::Comment(full.to_owned(), n, c.id)));
    }
    for r in issue.pull.iter().flat_map(|p| &p.reviews) {
        if let Some(at) = r.submitted_at {
            all.push((at, r.id, "PullRequestReview", At::Review(full.to_owned(), n, r.id)));
        }
    }
    all.retain(|(_, _, kind, _)| wanted.as_ref().is_none_or(|w| w.contains(&screaming(kind))));
    all.sort_by_key(|(at, id, _, _)| (*at, *id));
    let all = all.into_iter().map(|(_, _, kind, at)| object(kind, at)).collect();
    let kind = if issue.pull.is_some() { "PullRequestTimelineItemsConnection" } else { "IssueTimelineItemsConnection" };
    connection(kind, name, all, args)
}

fn pull(cx: &mut Cx<'_>, full: &str, number: u64, name: &str, args: &Args) -> Field {
    if name == "mergeable" {
        let mergeable = crate::github::rest::mergeable(cx.world, full, number)?;
        let word = match mergeable {
            None => "UNKNOWN",
            Some(true) => "MERGEABLE",
            Some(false) => "CONFLICTING",
        };
        return Ok(Some(leaf(word)));
    }
    let repo = cx.world.repo(full)?;
    let (_, pull) = cx.world.pull(full, number)?;
    let repo_name = || full.to_owned();
    let reference = |branch: &str| {
        let reference = format!("refs/heads/{branch}");
        if repo.refs.contains_key(&reference) { object("Ref", At::Ref(repo_name(), reference)) } else { null() }
    };
    let commit = |sha: &str| object("Commit", At::Commit(repo_name(), sha.to_owned()));
    let value = match name {
        "isDraft" => leaf(pull.draft),
        "merged" => leaf(pull.merged_at.is_some()),
        "mergedAt" => leaf(time(pull.merged_at)),
        "mergedBy" => pull.merged_by.as_ref().map_or_else(null, |l| actor(cx, l)),
        "mergeCommit" => pull.merge_commit.as_ref().map_or_else(null, |s| commit(s)),
        "headRefName" => leaf(pull.head_ref.clone()),
        "headRefOid" => leaf(pull.head.clone()),
        "baseRefName" => leaf(pull.base_ref.clone()),
        "baseRefOid" => leaf(pull.base.clone()),
        "headRef" => reference(&pull.head_ref),
        "baseRef" => reference(&pull.base_ref),
        "headRepository" | "baseRepository" => object("Repository", At::Repo(repo_name())),
        "headRepositoryOwner" => actor(cx, &repo.owner),
        "isCrossRepository" | "maintainerCanModify" => leaf(false),
        "reviewDecision" => null(),
        "additions" | "deletions" | "changedFiles" => {
            let files = repo.git.changed(&pull.base, &pull.head);
            leaf(match name {
                "additions" => files.iter().map(|f| f.additions).sum(),
                "deletions" => files.iter().map(|f| f.deletions).sum(),
                _ => files.len() as u64,
            })
        }
        "statusCheckRollup" => rollup_of(cx, full, &pull.head)?,
        "commits" => {
            let range = format!("{}..{}", pull.base, pull.head);
            let output = repo.git.run(&["rev-list", "--reverse", &range], b"");
            let output = output.map_err(crate::github::notice::Refusal::from)?;
            let list = String::from_utf8_lossy(&output).into_owned();
            let one = |sha: &str| {
                plain("PullRequestCommit", [("id", leaf(format!("PURC_kwSim{sha}"))), ("commit", commit(sha))])
            };
            connection("PullRequestCommitConnection", name, list.lines().map(one).collect(), args)?
        }
        "reviews" | "latestReviews" => {
            let states = texts(args, "states");
            let author = text(args, "author");
            let seen = |r: &&crate::github::Review| {
                (r.state != "PENDING" || Some(r.author.as_str()) == cx.who.login())
                    && states.as_ref().is_none_or(|s| s.contains(&r.state))
                    && (author.is_empty() || same(author, &r.author))
            };
            let one = |r: &crate::github::Review| object("PullRequestReview", At::Review(repo_name(), number, r.id));
            let all = pull.reviews.iter().filter(seen).map(one).collect();
            connection("PullRequestReviewConnection", name, all, args)?
        }
        "reviewThreads" => {
            let pending = |id: u64| pull.reviews.iter().any(|r| r.id == id && r.state == "PENDING");
            let seen = |t: &&crate::github::Thread| t.comments.first().is_some_and(|c| !pending(c.review));
            let one = |t: &crate::github::Thread| {
                object("PullRequestReviewThread", At::ReviewThread(repo_name(), number, t.id))
            };
            let all = pull.threads.iter().filter(seen).map(one).collect();
            connection("PullRequestReviewThreadConnection", name, all, args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn comment(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str, args: &Args) -> Field {
    let repo = cx.world.repo(full)?;
    let issue = cx.world.thread(full, number)?;
    let Some(comment) = issue.comments.iter().find(|c| c.id == id) else { return Ok(Some(null())) };
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let this = || At::Thread(full.to_owned(), number);
    let value = match name {
        "id" => leaf(node_id("IC", id)),
        "databaseId" => leaf(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "body" | "bodyText" => leaf(comment.body.clone()),
        "author" => actor(cx, &comment.author),
        "authorAssociation" => leaf(render::association(cx.world, repo, &comment.author)),
        "createdAt" | "publishedAt" => leaf(comment.created_at.to_string()),
        "updatedAt" => leaf(comment.updated_at.to_string()),
        "lastEditedAt" => leaf(time(comment.edits.last().map(|e| e.at))),
        "editor" => comment.edits.last().map_or_else(null, |e| actor(cx, &e.editor)),
        "includesCreatedEdit" => leaf(!comment.edits.is_empty()),
        "isMinimized" => leaf(false),
        "minimizedReason" => null(),
        "viewerDidAuthor" => leaf(cx.who.login() == Some(&comment.author)),
        "url" => leaf(format!("{}/{full}/{kind}/{number}#issuecomment-{id}", cx.world.base_url)),
        "issue" if issue.pull.is_none() => object("Issue", this()),
        "pullRequest" if issue.pull.is_some() => object("PullRequest", this()),
        "pullRequest" => null(),
        "repository" => object("Repository", At::Repo(full.to_owned())),
        "userContentEdits" => edits(full, number, &comment.edits, name, args)?,
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn edit(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str) -> Field {
    let issue = cx.world.thread(full, number)?;
    let all = issue.edits.iter().chain(issue.comments.iter().flat_map(|c| &c.edits));
    let Some(edit) = all.into_iter().find(|e| e.id == id) else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("UCE", id)),
        "createdAt" | "updatedAt" | "editedAt" => leaf(edit.at.to_string()),
        "editor" => actor(cx, &edit.editor),
        "diff" => leaf(edit.text.clone()),
        "deletedAt" | "deletedBy" => null(),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn event(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let issue = cx.world.thread(full, number)?;
    let Some(event) = issue.events.iter().find(|e| e.id == id) else { return Ok(Some(null())) };
    let prefix = match event.event.as_str() {
        "labeled" => "LE",
        "unlabeled" => "UNLE",
        "closed" => "CE",
        _ => "EV",
    };
    let kind = if issue.pull.is_some() { "PullRequest" } else { "Issue" };
    let value = match (name, &event.label, &event.rename) {
        ("id", _, _) => leaf(node_id(prefix, id)),
        ("createdAt", _, _) => leaf(event.at.to_string()),
        ("actor", _, _) => actor(cx, &event.actor),
        ("label", Some((label, color)), _) => match repo.labels.iter().find(|l| &l.name == label) {
            Some(found) => object("Label", At::Label(full.to_owned(), found.id)),
            None => plain("Label", [("name", leaf(label.clone())), ("color", leaf(color.clone()))]),
        },
        ("labelable", Some(_), _) | ("closable", None, None) | ("subject", _, Some(_)) => {
            object(kind, At::Thread(full.to_owned(), number))
        }
        ("previousTitle", _, Some((from, _))) => leaf(from.clone()),
        ("currentTitle", _, Some((_, to))) => leaf(to.clone()),
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn review(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str, args: &Args) -> Field {
    let repo = cx.world.repo(full)?;
    let (_, pull) = cx.world.pull(full, number)?;
    let Some(review) = pull.reviews.iter().find(|r| r.id == id) else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("PRR", id)),
        "databaseId" => leaf(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "body" | "bodyText" => leaf(review.body.clone()),
        "state" => leaf(review.state.clone()),
        "author" => actor(cx, &review.author),
        "authorAssociation" => leaf(render::association(cx.world, repo, &review.author)),
        "submittedAt" | "publishedAt" => leaf(time(review.submitted_at)),
        "createdAt" | "updatedAt" => leaf(time(review.submitted_at)),
        "lastEditedAt" => null(),
        "commit" => object("Commit", At::Commit(full.to_owned(), review.commit.clone())),
        "url" => leaf(format!("{}/{full}/pull/{number}#pullrequestreview-{id}", cx.world.base_url)),
        "pullRequest" => object("PullRequest", At::Thread(full.to_owned(), number)),
        "comments" => {
            let all = pull.threads.iter().flat_map(|t| &t.comments).filter(|c| c.review == id);
            let one = |c: &crate::github::ReviewComment| {
                object("PullRequestReviewComment", At::ReviewComment(full.to_owned(), number, c.id))
            };
            connection("PullRequestReviewCommentConnection", name, all.map(one).collect(), args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn review_thread(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str, args: &Args) -> Field {
    let (_, pull) = cx.world.pull(full, number)?;
    let Some(thread) = pull.threads.iter().find(|t| t.id == id) else { return Ok(Some(null())) };
    let outdated = thread.comments.first().is_some_and(|c| c.commit != pull.head);
    let value = match name {
        "id" => leaf(node_id("PRRT", id)),
        "isResolved" => leaf(thread.resolved_by.is_some()),
        "resolvedBy" => thread.resolved_by.as_ref().map_or_else(null, |l| actor(cx, l)),
        "isOutdated" => leaf(outdated),
        "isCollapsed" => leaf(thread.resolved_by.is_some()),
        "path" => leaf(thread.path.clone()),
        "line" | "originalLine" => leaf(json!(thread.line)),
        "startLine" | "originalStartLine" => leaf(json!(thread.start_line)),
        "diffSide" => leaf("RIGHT"),
        "startDiffSide" => leaf(json!(thread.start_line.map(|_| "RIGHT"))),
        "subjectType" => leaf(if thread.line.is_some() { "LINE" } else { "FILE" }),
        "pullRequest" => object("PullRequest", At::Thread(full.to_owned(), number)),
        "repository" => object("Repository", At::Repo(full.to_owned())),
        "comments" => {
            let one = |c: &crate::github::ReviewComment| {
                object("PullRequestReviewComment", At::ReviewComment(full.to_owned(), number, c.id))
            };
            connection("PullRequestReviewCommentConnection", name, thread.comments.iter().map(one).collect(), args)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

pub(super) fn review_comment(cx: &mut Cx<'_>, full: &str, number: u64, id: u64, name: &str) -> Field {
    let repo = cx.world.repo(full)?;
    let (_, pull) = cx.world.pull(full, number)?;
    let found = pull.threads.iter().find_map(|t| t.comments.iter().find(|c| c.id == id).map(|c| (t, c)));
    let Some((thread, comment)) = found else { return Ok(Some(null())) };
    let value = match name {
        "id" => leaf(node_id("PRRC", id)),
        "databaseId" => leaf(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "body" | "bodyText" => leaf(comment.body.clone()),
        "author" => actor(cx, &comment.author),
        "authorAssociation" => leaf(render::association(cx.world, repo, &comment.author)),
        "createdAt" | "publishedAt" => leaf(comment.created_at.to_string()),
        "updatedAt" => leaf(comment.updated_at.to_string()),
        "path" => leaf(thread.path.clone()),
        "line" | "originalLine" => leaf(json!(thread.line)),
        "diffHunk" => leaf(comment.diff_hunk.clone()),
        "commit" | "originalCommit" => object("Commit", At::Commit(full.to_owned(), comment.commit.clone())),
        "outdated" => leaf(comment.commit != pull.head),
        "url" => leaf(format!("{}/{full}/pull/{number}#discussion_r{id}", cx.world.base_url)),
        "pullRequest" => object("PullRequest", At::Thread(full.to_owned(), number)),
        "pullRequestReview" => object("PullRequestReview", At::Review(full.to_owned(), number, comment.review)),
        _ => return Ok(None),
    };
    Ok(Some(value))
}
