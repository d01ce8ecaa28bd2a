//! Reviews and inline comments.

use super::{Ctx, Reply, Route, created, ok};
use crate::github::{
    Role,
    git::ChangedFile,
    notice::Refusal,
    ops::check_body,
    records::{Review, ReviewComment, Thread},
    render,
};
use serde_json::{Value, json};

const READ: &str = "pull_requests=read";
const WRITE: &str = "pull_requests=write";

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", READ, list),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", WRITE, create),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", READ, get),
    ("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", WRITE, update),
    ("DELETE", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", WRITE, delete),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/events", WRITE, submit),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/comments", READ, comments_of),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", READ, comments),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", WRITE, comment),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies", WRITE, reply),
    ("PATCH", "/repos/{owner}/{repo}/pulls/comments/{comment_id}", WRITE, edit_comment),
];

/// An inline comment that was asked for.
struct Wanted {
    path: String,
    line: Option<u64>,
    start_line: Option<u64>,
    body: String,
    hunk: String,
}

/// The hunk that holds a line of the new file (up to that line), or `None` when the line is not part of the diff.
fn hunk(patch: &str, line: u64) -> Option<String> {
    let mut current: Vec<&str> = Vec::new();
    let mut at = 0;
    for text in patch.lines() {
        if let Some(rest) = text.strip_prefix("@@ ") {
            let new = rest.split('+').nth(1)?.split([',', ' ']).next()?;
            at = new.parse().ok()?;
            current = vec![text];
            continue;
        }
        current.push(text);
        if text.starts_with('-') || text.starts_with('\\') {
            continue;
        }
        if at == line {
            return Some(current.join("\n"));
        }
        at += 1;
    }
    None
}

fn wanted(files: &[ChangedFile], value: &Value) -> Result<Wanted, Refusal> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let body = text("body").ok_or_else(|| Refusal::sentences(&["body is missing"]))?;
    check_body("PullRequestReviewComment", &body)?;
    let path = text("path").unwrap_or_default();
    let Some(file) = files.iter().find(|f| f.path == path) else {
        return Err(Refusal::sentences(&["Path could not be resolved"]));
    };
    if text("subject_type").as_deref() == Some("file") {
        return Ok(Wanted { path, line: None, start_line: None, body, hunk: String::new() });
    }
    let line = value.get("line").and_then(Value::as_u64);
    let start_line = value.get("start_line").and_then(Value::as_u64);
    let left = text("side").as_deref() == Some("LEFT");
    let patch = file.patch.as_deref().unwrap_or_default();
    let unresolved = || Refusal::sentences(&["Line could not be resolved"]);
    let line = line.or_else(|| value.get("position").and_then(Value::as_u64)).ok_or_else(unresolved)?;
    let found = if left { Some(patch.to_owned()) } else { hunk(patch, line) };
    let found = found.ok_or_else(unresolved)?;
    if let Some(start) = start_line {
        let head = |h: &str| h.lines().next().map(str::to_owned);
        if start >= line || hunk(patch, start).as_deref().map(head) != Some(head(&found)) {
            return Err(Refusal::sentences(&["Start line must precede the end line.", "Line could not be resolved"]));
        }
    }
    Ok(Wanted { path, line: Some(line), start_line, body, hunk: found })
}

fn state_of(event: &str) -> Result<&'static str, Refusal> {
    match event {
        "COMMENT" => Ok("COMMENTED"),
        "APPROVE" => Ok("APPROVED"),
        "REQUEST_CHANGES" => Ok("CHANGES_REQUESTED"),
        _ => Err(Refusal::new(
            422,
            "Invalid request.\n\nevent is not a member of [\"APPROVE\", \"REQUEST_CHANGES\", \"COMMENT\"].",
        )),
    }
}

/// What an author may not do on their own pull request, and what may not be empty.
fn check_event(event: &str, own: bool, body: &str, inline: usize) -> Result<(), Refusal> {
    match event {
        "APPROVE" if own => Err(Refusal::sentences(&["Review Can not approve your own pull request"])),
        "REQUEST_CHANGES" if own => {
            Err(Refusal::sentences(&["Review Can not request changes on your own pull request"]))
        }
        "REQUEST_CHANGES" if body.trim().is_empty() => Err(Refusal::sentences(&["Review Body can't be blank"])),
        "COMMENT" if body.trim().is_empty() && inline == 0 => Err(Refusal::sentences(&["Review Body can't be blank"])),
        _ => Ok(()),
    }
}

/// Makes a review with its threads; every inline comment must lie on the diff or none is made.
fn make(ctx: &mut Ctx<'_>, number: u64, event: Option<&str>, inline: &[Value]) -> Result<u64, Refusal> {
    let actor = ctx.actor()?;
    let (issue, pull) = ctx.world.pull(&ctx.repo, number)?;
    let own = issue.author == actor;
    let body = ctx.text("body").unwrap_or_default();
    check_body("PullRequestReview", &body)?;
    if let Some(event) = event {
        state_of(event)?;
        check_event(event, own, &body, inline.len())?;
    } else if pull.reviews.iter().any(|r| r.author == actor && r.state == "PENDING") {
        return Err(Refusal::sentences(&["User can only have one pending review per pull request"]));
    }
    let commit = ctx.text("commit_id").unwrap_or_else(|| pull.head.clone());
    let git = &ctx.world.repo(&ctx.repo)?.git;
    if git.resolve(&commit).as_ref() != Some(&commit) {
        return Err(Refusal::sentences(&["Commit could not be resolved"]));
    }
    let files = if inline.is_empty() { Vec::new() } else { git.changed(&pull.base, &commit) };
    let inline: Vec<Wanted> = inline.iter().map(|v| wanted(&files, v)).collect::<Result<_, _>>()?;
    let at = ctx.world.clock.now();
    let id = ctx.world.id();
    let threads: Vec<_> = inline.into_iter().map(|w| (ctx.world.id(), ctx.world.id(), w)).collect();
    let issue = ctx.world.thread_mut(&ctx.repo, number)?;
    issue.updated_at = at;
    let pull = issue.pull.as_mut().ok_or_else(Refusal::not_found)?;
    let state = event.map_or(Ok("PENDING"), state_of)?.to_owned();
    let submitted_at = event.map(|_| at);
    pull.reviews.push(Review { id, author: actor.clone(), body, state, commit: commit.clone(), submitted_at });
    for (thread, comment, wanted) in threads {
        let first = ReviewComment {
            id: comment,
            review: id,
            author: actor.clone(),
            body: wanted.body,
            commit: commit.clone(),
            diff_hunk: wanted.hunk,
            created_at: at,
            updated_at: at,
        };
        pull.threads.push(Thread {
            id: thread,
            resolved_by: None,
            path: wanted.path,
            line: wanted.line,
            start_line: wanted.start_line,
            comments: vec![first],
        });
    }
    Ok(id)
}

fn shown(ctx: &Ctx<'_>, number: u64, id: u64) -> Result<Value, Refusal> {
    let (issue, pull) = ctx.world.pull(&ctx.repo, number)?;
    let visible = |r: &&Review| r.id == id && (r.state != "PENDING" || Some(r.author.as_str()) == ctx.who.login());
    let review = pull.reviews.iter().find(visible).ok_or_else(Refusal::not_found)?;
    Ok(render::review(ctx.world, ctx.world.repo(&ctx.repo)?, issue, review))
}

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    let (_, pull) = ctx.world.pull(&ctx.repo, number)?;
    let ids: Vec<u64> = pull.reviews.iter().map(|r| r.id).collect();
    let all: Vec<Value> = ids.iter().filter_map(|id| shown(ctx, number, *id).ok()).collect();
    let (skip, take) = ctx.page(all.len());
    ok(json!(all.into_iter().skip(skip).take(take).collect::<Vec<_>>()))
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    let inline = ctx.body.get("comments").and_then(Value::as_array).cloned().unwrap_or_default();
    let event = ctx.text("event");
    let id = make(ctx, number, event.as_deref(), &inline)?;
    ok(shown(ctx, number, id)?)
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ok(shown(ctx, ctx.number("pull_number")?, ctx.number("review_id")?)?)
}

fn own_review<'a>(ctx: &'a mut Ctx<'_>) -> Result<&'a mut Review, Refusal> {
    let (number, id, actor) = (ctx.number("pull_number")?, ctx.number("review_id")?, ctx.actor()?);
    let pull = ctx.world.pull_mut(&ctx.repo, number)?;
    let review = pull.reviews.iter_mut().find(|r| r.id == id).ok_or_else(Refusal::not_found)?;
    if review.author == actor { Ok(review) } else { Err(Refusal::new(403, "Must be the author of the review")) }
}

fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let body = ctx.required("body")?;
    check_body("PullRequestReview", &body)?;
    own_review(ctx)?.body = body;
    get(ctx)
}

fn delete(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let review = own_review(ctx)?;
    if review.state != "PENDING" {
        return Err(Refusal::sentences(&["Can not delete a non-pending pull request review"]));
    }
    let reply = get(ctx)?;
    let (number, id) = (ctx.number("pull_number")?, ctx.number("review_id")?);
    let pull = ctx.world.pull_mut(&ctx.repo, number)?;
    pull.reviews.retain(|r| r.id != id);
    pull.threads.retain(|t| t.comments.first().is_none_or(|c| c.review != id));
    Ok(reply)
}

fn submit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (number, event, actor) = (ctx.number("pull_number")?, ctx.required("event")?, ctx.actor()?);
    let own = ctx.world.pull(&ctx.repo, number)?.0.author == actor;
    let (body, at) = (ctx.text("body"), ctx.world.clock.now());
    let review = own_review(ctx)?;
    if review.state != "PENDING" {
        return Err(Refusal::sentences(&["Can not submit a non-pending pull request review"]));
    }
    let text = body.unwrap_or_else(|| review.body.clone());
    check_event(&event, own, &text, 1)?;
    review.body = text;
    state_of(&event)?.clone_into(&mut review.state);
    review.submitted_at = Some(at);
    get(ctx)
}

fn inline_of(ctx: &Ctx<'_>, number: u64, keep: impl Fn(&ReviewComment) -> bool) -> Result<Vec<Value>, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let (issue, pull) = ctx.world.pull(&ctx.repo, number)?;
    let mut all: Vec<_> = pull.threads.iter().flat_map(|t| t.comments.iter().map(move |c| (c, t))).collect();
    all.sort_by_key(|(c, _)| c.id);
    let pending = |id: u64| pull.reviews.iter().any(|r| r.id == id && r.state == "PENDING");
    let shown = all.into_iter().filter(|(c, _)| keep(c) && !pending(c.review));
    Ok(shown.map(|(c, t)| render::review_comment(ctx.world, repo, issue, t, c)).collect())
}

fn paged(ctx: &mut Ctx<'_>, all: Vec<Value>) -> Result<Reply, Refusal> {
    let (skip, take) = ctx.page(all.len());
    ok(json!(all.into_iter().skip(skip).take(take).collect::<Vec<_>>()))
}

fn comments_of(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (number, id) = (ctx.number("pull_number")?, ctx.number("review_id")?);
    shown(ctx, number, id)?;
    let all = inline_of(ctx, number, |c| c.review == id)?;
    paged(ctx, all)
}

fn comments(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let all = inline_of(ctx, ctx.number("pull_number")?, |_| true)?;
    paged(ctx, all)
}

fn comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    ctx.required("commit_id")?;
    let inline = ctx.body.clone();
    if let Some(map) = ctx.body.as_object_mut() {
        map.remove("body");
    }
    let id = make(ctx, number, Some("COMMENT"), &[inline])?;
    created(inline_of(ctx, number, |c| c.review == id)?.pop().unwrap_or(Value::Null))
}

fn reply(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (number, parent) = (ctx.number("pull_number")?, ctx.number("comment_id")?);
    let (body, actor, at) = (ctx.required("body")?, ctx.actor()?, ctx.world.clock.now());
    check_body("PullRequestReviewComment", &body)?;
    let id = ctx.world.id();
    let pull = ctx.world.pull_mut(&ctx.repo, number)?;
    let thread = pull.threads.iter_mut().find(|t| t.comments.iter().any(|c| c.id == parent));
    let thread = thread.ok_or_else(Refusal::not_found)?;
    let first = thread.comments.first().cloned().ok_or_else(Refusal::not_found)?;
    thread.comments.push(ReviewComment { id, author: actor, body, created_at: at, updated_at: at, ..first });
    created(inline_of(ctx, number, |c| c.id == id)?.pop().unwrap_or(Value::Null))
}

fn edit_comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (id, body, actor) = (ctx.number("comment_id")?, ctx.required("body")?, ctx.actor()?);
    check_body("PullRequestReviewComment", &body)?;
    let privileged = ctx.at_least(Role::Write).is_ok();
    let at = ctx.world.clock.now();
    let mut found = None;
    for issue in ctx.world.repo_mut(&ctx.repo)?.issues.values_mut() {
        let comments = issue.pull.iter_mut().flat_map(|p| &mut p.threads).flat_map(|t| &mut t.comments);
        for comment in comments.filter(|c| c.id == id) {
            if comment.author != actor && !privileged {
                return Err(Refusal::new(403, "Must have push access to repository"));
            }
            body.clone_into(&mut comment.body);
            comment.updated_at = at;
            found = Some(issue.number);
        }
    }
    let number = found.ok_or_else(Refusal::not_found)?;
    ok(inline_of(ctx, number, |c| c.id == id)?.pop().unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests {
    use super::hunk;

    #[test]
    fn a_line_is_on_the_diff_when_a_hunk_shows_it() {
        let patch = "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -10 +10,2 @@\n x\n+y";
        assert_eq!(hunk(patch, 2).as_deref(), Some("@@ -1,3 +1,3 @@\n a\n-b\n+B"));
        assert!(hunk(patch, 3).is_some());
        assert_eq!(hunk(patch, 4), None);
        assert_eq!(hunk(patch, 11).as_deref(), Some("@@ -10 +10,2 @@\n x\n+y"));
    }
}
