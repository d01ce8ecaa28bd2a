//! Issues (and pull requests as issues), comments, events.

use super::{Ctx, Reply, Route, created, empty, ok};
use crate::github::{
    Role,
    notice::Refusal,
    ops::same,
    records::{Comment, Issue},
    render,
};
use jiff::Timestamp;
use serde_json::{Value, json};

const READ: &str = "issues=read;pull_requests=read";
const WRITE: &str = "issues=write;pull_requests=write";

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/issues", READ, list),
    ("POST", "/repos/{owner}/{repo}/issues", "issues=write", create),
    ("GET", "/repos/{owner}/{repo}/issues/comments", READ, all_comments),
    ("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", READ, comment),
    ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", WRITE, edit_comment),
    ("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", WRITE, delete_comment),
    ("GET", "/repos/{owner}/{repo}/issues/events", READ, all_events),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}", READ, get),
    ("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", WRITE, update),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", READ, comments),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", WRITE, create_comment),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/events", READ, events),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/timeline", READ, timeline),
];

fn since(ctx: &Ctx<'_>) -> Result<Option<Timestamp>, Refusal> {
    let parse =
        |text: &str| text.parse().map_err(|_| Refusal::new(422, "Invalid request.\n\n\"since\" is not a date."));
    ctx.query("since").map(parse).transpose()
}

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let since = since(ctx)?;
    let state = ctx.query("state").unwrap_or("open").to_owned();
    let labels: Vec<String> =
        ctx.query("labels").map(|l| l.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let creator = ctx.query("creator").map(str::to_owned);
    let fits = |i: &&Issue| {
        !i.deleted
            && (state == "all" || (state == "open") == i.open)
            && labels.iter().all(|l| i.labels.iter().any(|n| same(n, l)))
            && since.is_none_or(|s| i.updated_at >= s)
            && creator.as_ref().is_none_or(|c| same(c, &i.author))
    };
    let mut found: Vec<&Issue> = ctx.world.repo(&ctx.repo)?.issues.values().filter(fits).collect();
    match ctx.query("sort") {
        Some("updated") => found.sort_by_key(|i| (i.updated_at, i.number)),
        Some("comments") => found.sort_by_key(|i| (i.comments.len(), i.number)),
        _ => found.sort_by_key(|i| i.number),
    }
    if ctx.query("direction") != Some("asc") {
        found.reverse();
    }
    let numbers: Vec<u64> = found.iter().map(|i| i.number).collect();
    let (skip, take) = ctx.page(numbers.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown = numbers.iter().skip(skip).take(take).filter_map(|n| repo.issues.get(n));
    ok(json!(shown.map(|i| render::issue(ctx.world, repo, i)).collect::<Vec<_>>()))
}

fn shown(ctx: &Ctx<'_>, number: u64) -> Result<Value, Refusal> {
    Ok(render::issue(ctx.world, ctx.world.repo(&ctx.repo)?, ctx.world.thread(&ctx.repo, number)?))
}

fn label_names(ctx: &Ctx<'_>) -> Option<Vec<String>> {
    let name = |v: &Value| v.as_str().or_else(|| v.get("name")?.as_str()).map(str::to_owned);
    Some(ctx.body.get("labels")?.as_array()?.iter().filter_map(name).collect())
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (title, actor, body) = (ctx.required("title")?, ctx.actor()?, ctx.text("body"));
    let number = ctx.world.open_issue(&ctx.repo, &actor, &title, body.as_deref())?;
    // Labels from somebody who may not set them are dropped without a word, as GitHub does.
    if let (Some(names), Ok(())) = (label_names(ctx), ctx.at_least(Role::Triage)) {
        ctx.world.add_labels(&ctx.repo, number, &names, &actor)?;
    }
    created(shown(ctx, number)?)
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ok(shown(ctx, ctx.number("issue_number")?)?)
}

fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let actor = ctx.actor()?;
    if ctx.world.thread(&ctx.repo, number)?.author != actor {
        ctx.at_least(Role::Triage)?;
    }
    let (title, body) = (ctx.text("title"), ctx.text("body"));
    ctx.world.edit_text(&ctx.repo, number, &actor, title.as_deref(), body.as_deref())?;
    if let Some(names) = label_names(ctx) {
        ctx.at_least(Role::Triage)?;
        for old in ctx.world.thread(&ctx.repo, number)?.labels.clone() {
            if !names.iter().any(|n| same(n, &old)) {
                ctx.world.remove_label(&ctx.repo, number, &old, &actor)?;
            }
        }
        ctx.world.add_labels(&ctx.repo, number, &names, &actor)?;
    }
    let reason = ctx.text("state_reason");
    match ctx.text("state").as_deref() {
        None => {}
        Some("open") => ctx.world.set_open(&ctx.repo, number, &actor, true, None)?,
        Some("closed") => ctx.world.set_open(&ctx.repo, number, &actor, false, reason.as_deref())?,
        Some(_) => return Err(Refusal::invalid("Issue", "state", "invalid")),
    }
    ok(shown(ctx, number)?)
}

fn comments(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let since = since(ctx)?;
    let fits = |c: &&Comment| since.is_none_or(|s| c.updated_at >= s);
    let total = ctx.world.thread(&ctx.repo, number)?.comments.iter().filter(fits).count();
    let (skip, take) = ctx.page(total);
    let (repo, issue) = (ctx.world.repo(&ctx.repo)?, ctx.world.thread(&ctx.repo, number)?);
    let shown = issue.comments.iter().filter(fits).skip(skip).take(take);
    ok(json!(shown.map(|c| render::comment(ctx.world, repo, issue, c)).collect::<Vec<_>>()))
}

fn all_comments(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let since = since(ctx)?;
    let repo = ctx.world.repo(&ctx.repo)?;
    let mut all: Vec<(u64, u64, Timestamp)> = Vec::new();
    for issue in repo.issues.values().filter(|i| !i.deleted) {
        all.extend(issue.comments.iter().map(|c| (c.id, issue.number, c.updated_at)));
    }
    all.retain(|(_, _, at)| since.is_none_or(|s| *at >= s));
    all.sort_unstable();
    if ctx.query("direction") == Some("desc") {
        all.reverse();
    }
    let (skip, take) = ctx.page(all.len());
    let ids: Vec<u64> = all.iter().skip(skip).take(take).map(|(id, _, _)| *id).collect();
    let shown: Result<Vec<_>, _> = ids.into_iter().map(|id| comment_value(ctx, id)).collect();
    ok(json!(shown?))
}

fn comment_value(ctx: &Ctx<'_>, id: u64) -> Result<Value, Refusal> {
    let (number, position) = ctx.world.find_comment(&ctx.repo, id)?;
    let issue = ctx.world.thread(&ctx.repo, number)?;
    let comment = issue.comments.get(position).ok_or_else(Refusal::not_found)?;
    Ok(render::comment(ctx.world, ctx.world.repo(&ctx.repo)?, issue, comment))
}

fn comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ok(comment_value(ctx, ctx.number("comment_id")?)?)
}

fn create_comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let (body, actor) = (ctx.required("body")?, ctx.actor()?);
    let id = ctx.world.comment(&ctx.repo, number, &actor, &body)?;
    created(comment_value(ctx, id)?)
}

/// A comment may be changed by its author and by those who may push.
fn own_comment(ctx: &Ctx<'_>) -> Result<(u64, usize), Refusal> {
    let (number, position) = ctx.world.find_comment(&ctx.repo, ctx.number("comment_id")?)?;
    let author = ctx.world.thread(&ctx.repo, number)?.comments.get(position).map(|c| c.author.clone());
    if author != Some(ctx.actor()?) {
        ctx.at_least(Role::Write)?;
    }
    Ok((number, position))
}

fn edit_comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    own_comment(ctx)?;
    let (id, body, actor) = (ctx.number("comment_id")?, ctx.required("body")?, ctx.actor()?);
    ctx.world.edit_comment(&ctx.repo, id, &actor, &body)?;
    ok(comment_value(ctx, id)?)
}

fn delete_comment(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (number, position) = own_comment(ctx)?;
    ctx.world.thread_mut(&ctx.repo, number)?.comments.remove(position);
    empty()
}

fn events(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let total = ctx.world.thread(&ctx.repo, number)?.events.len();
    let (skip, take) = ctx.page(total);
    let (repo, issue) = (ctx.world.repo(&ctx.repo)?, ctx.world.thread(&ctx.repo, number)?);
    let shown = issue.events.iter().skip(skip).take(take);
    ok(json!(shown.map(|e| render::event(ctx.world, repo, e)).collect::<Vec<_>>()))
}

fn all_events(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let mut all: Vec<(u64, u64)> = Vec::new();
    for issue in repo.issues.values().filter(|i| !i.deleted) {
        all.extend(issue.events.iter().map(|e| (e.id, issue.number)));
    }
    all.sort_unstable();
    all.reverse();
    let (skip, take) = ctx.page(all.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let mut shown = Vec::new();
    for (id, number) in all.iter().skip(skip).take(take) {
        let issue = ctx.world.thread(&ctx.repo, *number)?;
        for event in issue.events.iter().filter(|e| e.id == *id) {
            let mut value = render::event(ctx.world, repo, event);
            if let Some(map) = value.as_object_mut() {
                map.insert("issue".into(), render::issue(ctx.world, repo, issue));
            }
            shown.push(value);
        }
    }
    ok(json!(shown))
}

fn timeline(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let all = render::timeline(ctx.world, ctx.world.repo(&ctx.repo)?, ctx.world.thread(&ctx.repo, number)?);
    let (skip, take) = ctx.page(all.len());
    ok(json!(all.into_iter().skip(skip).take(take).collect::<Vec<_>>()))
}
