//! Pull requests.

use super::{Ctx, Reply, Route, created, empty, ok};
use crate::github::{Role, notice::Refusal, records::Issue, render};
use serde_json::{Value, json};

const READ: &str = "pull_requests=read";
const WRITE: &str = "pull_requests=write";

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/pulls", READ, list),
    ("POST", "/repos/{owner}/{repo}/pulls", WRITE, create),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", READ, get),
    ("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}", WRITE, update),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", READ, files),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", READ, commits),
    ("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents=read", merged),
    ("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "contents=write", merge),
];

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let state = ctx.query("state").unwrap_or("open").to_owned();
    let head = ctx.query("head").map(str::to_owned);
    let base = ctx.query("base").map(str::to_owned);
    let repo = ctx.world.repo(&ctx.repo)?;
    let owner = repo.owner.clone();
    // A head without an owner filters nothing, as on GitHub.
    let wanted = head.as_ref().and_then(|h| h.split_once(':'));
    let fits = |i: &&Issue| {
        let Some(pull) = &i.pull else { return false };
        (state == "all" || (state == "open") == i.open)
            && wanted.is_none_or(|(o, b)| o.eq_ignore_ascii_case(&owner) && b == pull.head_ref)
            && base.as_ref().is_none_or(|b| *b == pull.base_ref)
    };
    let mut found: Vec<&Issue> = repo.issues.values().filter(fits).collect();
    let sort = ctx.query("sort").unwrap_or("created");
    if sort == "updated" {
        found.sort_by_key(|i| (i.updated_at, i.number));
    }
    let direction = ctx.query("direction").unwrap_or(if sort == "created" { "desc" } else { "asc" });
    if direction == "desc" {
        found.reverse();
    }
    let numbers: Vec<u64> = found.iter().map(|i| i.number).collect();
    let (skip, take) = ctx.page(numbers.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let mut shown = Vec::new();
    for number in numbers.iter().skip(skip).take(take) {
        let (issue, pull) = ctx.world.pull(&ctx.repo, *number)?;
        shown.push(render::pull(ctx.world, repo, issue, pull, ctx.who, None));
    }
    ok(json!(shown))
}

/// Whether it merges cleanly; `None` while GitHub would still be computing it.
pub(crate) fn mergeable(
    world: &mut crate::github::world::World,
    repo: &str,
    number: u64,
) -> Result<Option<bool>, Refusal> {
    let (issue, pull) = world.pull(repo, number)?;
    if !issue.open {
        return Ok(None);
    }
    let key = (pull.base.clone(), pull.head.clone());
    let asked = pull.mergeable_asked.as_ref() == Some(&key);
    if world.lazy_mergeable && !asked {
        world.pull_mut(repo, number)?.mergeable_asked = Some(key);
        return Ok(None);
    }
    world.merges(repo, &key.0, &key.1).map(Some)
}

fn whole(ctx: &mut Ctx<'_>, number: u64) -> Result<Value, Refusal> {
    let mergeable = mergeable(ctx.world, &ctx.repo, number)?;
    let (issue, pull) = ctx.world.pull(&ctx.repo, number)?;
    Ok(render::pull(ctx.world, ctx.world.repo(&ctx.repo)?, issue, pull, ctx.who, Some(mergeable)))
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let actor = ctx.actor()?;
    ctx.at_least(Role::Write)?;
    let (title, body) = (ctx.required("title")?, ctx.text("body"));
    let (head, base) = (ctx.required("head")?, ctx.required("base")?);
    let draft = ctx.flag("draft").unwrap_or(false);
    let number = ctx.world.open_pull(&ctx.repo, &actor, &title, body.as_deref(), &head, &base, draft)?;
    created(whole(ctx, number)?)
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    ok(whole(ctx, number)?)
}

fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    let actor = ctx.actor()?;
    if ctx.world.pull(&ctx.repo, number)?.0.author != actor {
        ctx.at_least(Role::Write)?;
    }
    let (title, body) = (ctx.text("title"), ctx.text("body"));
    ctx.world.edit_text(&ctx.repo, number, &actor, title.as_deref(), body.as_deref())?;
    if let Some(base) = ctx.text("base") {
        let tip = ctx.world.repo(&ctx.repo)?.refs.get(&format!("refs/heads/{base}")).cloned();
        let tip = tip.ok_or_else(|| Refusal::invalid("PullRequest", "base", "invalid"))?;
        let pull = ctx.world.pull_mut(&ctx.repo, number)?;
        pull.base_ref = base;
        pull.base = tip;
    }
    match ctx.text("state").as_deref() {
        None => {}
        Some("open") => ctx.world.set_open(&ctx.repo, number, &actor, true, None)?,
        Some("closed") => ctx.world.set_open(&ctx.repo, number, &actor, false, None)?,
        Some(_) => return Err(Refusal::invalid("PullRequest", "state", "invalid")),
    }
    ok(whole(ctx, number)?)
}

fn files(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    let (_, pull) = ctx.world.pull(&ctx.repo, number)?;
    let head = pull.head.clone();
    let changed = ctx.world.repo(&ctx.repo)?.git.changed(&pull.base, &pull.head);
    let (skip, take) = ctx.page(changed.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown = changed.iter().skip(skip).take(take).map(|f| render::changed_file(ctx.world, repo, &head, f));
    ok(json!(shown.collect::<Vec<_>>()))
}

fn commits(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (_, pull) = ctx.world.pull(&ctx.repo, ctx.number("pull_number")?)?;
    let repo = ctx.world.repo(&ctx.repo)?;
    let range = format!("{}..{}", pull.base, pull.head);
    let text = repo.git.run(&["rev-list", "--reverse", &range], b"")?;
    let shas: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    let (skip, take) = ctx.page(shas.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown = shas.iter().skip(skip).take(take).filter_map(|s| repo.git.commit(s));
    ok(json!(shown.map(|c| render::commit(ctx.world, repo, &c)).collect::<Vec<_>>()))
}

fn merged(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (_, pull) = ctx.world.pull(&ctx.repo, ctx.number("pull_number")?)?;
    if pull.merged_at.is_some() { empty() } else { Err(Refusal::not_found()) }
}

fn merge(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("pull_number")?;
    let (_, pull) = ctx.world.pull(&ctx.repo, number)?;
    let head = pull.head.clone();
    ctx.at_least(Role::Write)?;
    if ctx.text("sha").is_some_and(|sha| sha != head) {
        return Err(Refusal::new(409, "Head branch was modified. Review and try the merge again."));
    }
    let actor = ctx.actor()?;
    let squash = matches!(ctx.text("merge_method").as_deref(), Some("squash" | "rebase"));
    let sha = ctx.world.merge_pull(&ctx.repo, number, &actor, squash)?;
    ok(json!({ "sha": sha, "merged": true, "message": "Pull Request successfully merged" }))
}
