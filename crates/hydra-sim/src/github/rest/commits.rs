//! Commits and their statuses.

use super::{Ctx, Reply, Route, created, ok};
use crate::github::{Role, notice::Refusal, records::Status, render};
use serde_json::json;

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/commits", "contents=read", list),
    ("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses=write", create),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", "statuses=read", statuses),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/status", "statuses=read", combined),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}", "contents=read", get),
    ("GET", "/repos/{owner}/{repo}/compare/{basehead}", "contents=read", compare),
];

pub(super) fn resolve(ctx: &Ctx<'_>, name: &str) -> Result<String, Refusal> {
    let git = &ctx.world.repo(&ctx.repo)?.git;
    git.resolve(name).ok_or_else(|| Refusal::new(422, format!("No commit found for SHA: {name}")))
}

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    if repo.refs.is_empty() {
        return Err(Refusal::new(409, "Git Repository is empty."));
    }
    let from = ctx.query("sha").unwrap_or(&repo.default_branch);
    let sha = repo.git.resolve(from).ok_or_else(Refusal::not_found)?;
    let text = repo.git.run(&["rev-list", &sha], b"")?;
    let shas: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    let (skip, take) = ctx.page(shas.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown = shas.iter().skip(skip).take(take).filter_map(|s| repo.git.commit(s));
    ok(json!(shown.map(|c| render::commit(ctx.world, repo, &c)).collect::<Vec<_>>()))
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let sha = resolve(ctx, ctx.param("ref"))?;
    let repo = ctx.world.repo(&ctx.repo)?;
    let parts = repo.git.commit(&sha).ok_or_else(Refusal::not_found)?;
    ok(render::commit(ctx.world, repo, &parts))
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let sha = ctx.param("sha").to_owned();
    if sha.len() != 40 || resolve(ctx, &sha).is_err() {
        return Err(Refusal::new(422, format!("No commit found for SHA: {sha}")));
    }
    let state = ctx.required("state")?;
    if !matches!(state.as_str(), "pending" | "success" | "failure" | "error") {
        return Err(Refusal::custom("Status", "state is not included in the list"));
    }
    let description = ctx.text("description");
    if description.as_ref().is_some_and(|d| d.chars().count() > 140) {
        return Err(Refusal::custom("Status", "description is too long (maximum is 140 characters)"));
    }
    let context = ctx.text("context").unwrap_or_else(|| "default".to_owned());
    let (creator, created_at, target_url) = (ctx.actor()?, ctx.world.clock.now(), ctx.text("target_url"));
    let id = ctx.world.id();
    let status = Status { id, sha, state, context, description, target_url, creator, created_at };
    let repo = ctx.world.repo_mut(&ctx.repo)?;
    if repo.statuses.iter().filter(|s| s.sha == status.sha && s.context == status.context).count() >= 1_000 {
        return Err(Refusal::custom("Status", "This SHA and context has reached the maximum number of statuses."));
    }
    repo.statuses.push(status.clone());
    created(render::status(ctx.world, ctx.world.repo(&ctx.repo)?, &status))
}

fn statuses(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let sha = resolve(ctx, ctx.param("ref"))?;
    let all: Vec<Status> = ctx.world.repo(&ctx.repo)?.statuses.iter().rev().filter(|s| s.sha == sha).cloned().collect();
    let (skip, take) = ctx.page(all.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    ok(json!(all.iter().skip(skip).take(take).map(|s| render::status(ctx.world, repo, s)).collect::<Vec<_>>()))
}

fn combined(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let sha = resolve(ctx, ctx.param("ref"))?;
    let total = render::newest(ctx.world.repo(&ctx.repo)?, &sha).len();
    let page = ctx.page(total);
    let (value, _) = render::combined_status(ctx.world, ctx.world.repo(&ctx.repo)?, ctx.who, &sha, page);
    ok(value)
}

fn compare(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let Some((base, head)) = ctx.param("basehead").split_once("...") else { return Err(Refusal::not_found()) };
    let repo = ctx.world.repo(&ctx.repo)?;
    let commit = |name: &str| repo.git.resolve(name).and_then(|s| repo.git.commit(&s)).ok_or_else(Refusal::not_found);
    let (base, head) = (commit(base)?, commit(head)?);
    let middle = repo.git.merge_base(&base.sha, &head.sha).ok_or_else(Refusal::not_found)?;
    let (ahead, behind) = (repo.git.count(&base.sha, &head.sha), repo.git.count(&head.sha, &base.sha));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let text = repo.git.run(&["rev-list", "--reverse", &format!("{}..{}", base.sha, head.sha)], b"")?;
    let commits: Vec<_> = String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|s| repo.git.commit(s))
        .map(|c| render::commit(ctx.world, repo, &c))
        .collect();
    let files = repo.git.changed(&base.sha, &head.sha);
    let files: Vec<_> = files.iter().map(|f| render::changed_file(ctx.world, repo, &head.sha, f)).collect();
    let html = format!("{}/{}/compare/{}...{}", ctx.world.base_url, ctx.repo, base.sha, head.sha);
    ok(json!({
        "url": format!("{}{}", ctx.world.base_url, ctx.path),
        "html_url": html,
        "permalink_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "base_commit": render::commit(ctx.world, repo, &base),
        "merge_base_commit": render::commit(ctx.world, repo, &commit(&middle)?),
        "status": status,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": commits,
        "files": files,
    }))
}
