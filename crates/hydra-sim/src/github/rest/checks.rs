//! Check runs: written by Apps only.

use super::{Ctx, Reply, Route, commits::resolve, created, ok};
use crate::github::{notice::Refusal, records::CheckRun, render};
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    ("POST", "/repos/{owner}/{repo}/check-runs", "checks=write", create),
    ("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks=read", get),
    ("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks=write", update),
    ("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks=read", list),
];

fn fill(ctx: &Ctx<'_>, check: &mut CheckRun) -> Result<(), Refusal> {
    let now = ctx.world.clock.now();
    let time = |name: &str| ctx.text(name).and_then(|t| t.parse().ok());
    let set = |name: &str, field: &mut Option<String>| {
        if let Some(text) = ctx.text(name) {
            *field = Some(text);
        }
    };
    set("external_id", &mut check.external_id);
    set("details_url", &mut check.details_url);
    set("conclusion", &mut check.conclusion);
    if let Some(name) = ctx.text("name") {
        check.name = name;
    }
    if let Some(status) = ctx.text("status") {
        check.status = status;
    }
    if check.conclusion.is_some() {
        "completed".clone_into(&mut check.status);
    }
    if check.status == "completed" && check.conclusion.is_none() {
        return Err(Refusal::new(422, "Invalid request.\n\n\"conclusion\" wasn't supplied."));
    }
    check.started_at = time("started_at").or(check.started_at).or(Some(now));
    if check.status == "completed" {
        check.completed_at = time("completed_at").or(check.completed_at).or(Some(now));
    }
    if let Some(output) = ctx.body.get("output") {
        let text = |name: &str| output.get(name).and_then(Value::as_str).map(str::to_owned);
        for field in ["summary", "text"] {
            if text(field).is_some_and(|t| t.chars().count() > 65_535) {
                return Err(Refusal::custom("CheckRun", &format!("{field} exceeds a maximum of 65535 characters")));
            }
        }
        if output.get("annotations").and_then(Value::as_array).is_some_and(|a| a.len() > 50) {
            return Err(Refusal::custom("CheckRun", "annotations exceeds a maximum quantity of 50"));
        }
        check.title = text("title").or_else(|| check.title.clone());
        check.summary = text("summary").or_else(|| check.summary.clone());
        check.text = text("text").or_else(|| check.text.clone());
    }
    Ok(())
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (name, sha) = (ctx.required("name")?, ctx.required("head_sha")?);
    let sha = resolve(ctx, &sha)?;
    let mut check = CheckRun {
        id: ctx.world.id(),
        sha,
        name,
        status: "queued".to_owned(),
        conclusion: None,
        external_id: None,
        details_url: None,
        title: None,
        summary: None,
        text: None,
        app: ctx.actor()?,
        started_at: None,
        completed_at: None,
    };
    fill(ctx, &mut check)?;
    ctx.world.repo_mut(&ctx.repo)?.checks.push(check.clone());
    created(render::check_run(ctx.world, ctx.world.repo(&ctx.repo)?, &check))
}

fn found(ctx: &Ctx<'_>) -> Result<CheckRun, Refusal> {
    let id = ctx.number("check_run_id")?;
    ctx.world.repo(&ctx.repo)?.checks.iter().find(|c| c.id == id).cloned().ok_or_else(Refusal::not_found)
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ok(render::check_run(ctx.world, ctx.world.repo(&ctx.repo)?, &found(ctx)?))
}

fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let mut check = found(ctx)?;
    if check.app != ctx.actor()? {
        return Err(Refusal::new(
            403,
            "Invalid app_id `0` - check run can only be modified by the GitHub App that created it.",
        ));
    }
    fill(ctx, &mut check)?;
    for known in ctx.world.repo_mut(&ctx.repo)?.checks.iter_mut().filter(|c| c.id == check.id) {
        *known = check.clone();
    }
    ok(render::check_run(ctx.world, ctx.world.repo(&ctx.repo)?, &check))
}

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let sha = resolve(ctx, ctx.param("ref"))?;
    let name = ctx.query("check_name").map(str::to_owned);
    let fits = |c: &&CheckRun| c.sha == sha && name.as_ref().is_none_or(|n| *n == c.name);
    let mut all: Vec<CheckRun> = ctx.world.repo(&ctx.repo)?.checks.iter().filter(fits).cloned().collect();
    if ctx.query("filter") != Some("all") {
        let newest = |c: &CheckRun| !all.iter().any(|o| o.name == c.name && o.app == c.app && o.id > c.id);
        all = all.iter().filter(|c| newest(c)).cloned().collect();
    }
    let (skip, take) = ctx.page(all.len());
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown: Vec<_> = all.iter().skip(skip).take(take).map(|c| render::check_run(ctx.world, repo, c)).collect();
    ok(json!({ "total_count": all.len(), "check_runs": shown }))
}
