//! Labels of repositories and of issues.

use super::{Ctx, Reply, Route, created, empty, ok};
use crate::github::{Role, notice::Refusal, ops::same, records::Label, render};
use serde_json::{Value, json};

const EITHER: &str = "issues=write;pull_requests=write";
const READ: &str = "issues=read;pull_requests=read";

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/labels", READ, list),
    ("POST", "/repos/{owner}/{repo}/labels", EITHER, create),
    ("GET", "/repos/{owner}/{repo}/labels/{name}", READ, get),
    ("PATCH", "/repos/{owner}/{repo}/labels/{name}", EITHER, update),
    ("DELETE", "/repos/{owner}/{repo}/labels/{name}", EITHER, delete),
    ("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", READ, of_issue),
    ("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", EITHER, add),
    ("PUT", "/repos/{owner}/{repo}/issues/{issue_number}/labels", EITHER, set),
    ("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels", EITHER, clear),
    ("DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", EITHER, remove),
];

fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let total = ctx.world.repo(&ctx.repo)?.labels.len();
    let (skip, take) = ctx.page(total);
    let repo = ctx.world.repo(&ctx.repo)?;
    let shown = repo.labels.iter().skip(skip).take(take).map(|l| render::label(ctx.world, repo, l));
    ok(json!(shown.collect::<Vec<_>>()))
}

fn named(ctx: &Ctx<'_>, name: &str) -> Result<Label, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    repo.labels.iter().find(|l| same(&l.name, name)).cloned().ok_or_else(Refusal::not_found)
}

fn shown(ctx: &Ctx<'_>, label: &Label) -> Result<Value, Refusal> {
    Ok(render::label(ctx.world, ctx.world.repo(&ctx.repo)?, label))
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let name = ctx.required("name")?;
    let color = ctx.text("color").unwrap_or_else(|| "ededed".to_owned());
    let description = ctx.text("description");
    let label = ctx.world.define_label(&ctx.repo, &name, &color, description.as_deref())?;
    created(shown(ctx, &label)?)
}

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let label = named(ctx, ctx.param("name"))?;
    ok(shown(ctx, &label)?)
}

fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let mut label = named(ctx, ctx.param("name"))?;
    let old = label.name.clone();
    if let Some(name) = ctx.text("new_name") {
        if !same(&name, &old) && named(ctx, &name).is_ok() {
            return Err(Refusal::invalid("Label", "name", "already_exists"));
        }
        label.name = name;
    }
    if let Some(color) = ctx.text("color") {
        if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Refusal::invalid("Label", "color", "invalid"));
        }
        label.color = color;
    }
    if let Some(description) = ctx.text("description") {
        if description.chars().count() > 100 {
            return Err(Refusal::invalid("Label", "description", "invalid"));
        }
        label.description = Some(description);
    }
    let repo = ctx.world.repo_mut(&ctx.repo)?;
    for known in repo.labels.iter_mut().filter(|l| l.id == label.id) {
        *known = label.clone();
    }
    for issue in repo.issues.values_mut() {
        for name in issue.labels.iter_mut().filter(|n| **n == old) {
            name.clone_from(&label.name);
        }
    }
    ok(shown(ctx, &label)?)
}

fn delete(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let label = named(ctx, ctx.param("name"))?;
    let repo = ctx.world.repo_mut(&ctx.repo)?;
    repo.labels.retain(|l| l.id != label.id);
    for issue in repo.issues.values_mut() {
        issue.labels.retain(|n| *n != label.name);
    }
    empty()
}

fn labels_of(ctx: &Ctx<'_>, number: u64) -> Result<Vec<Value>, Refusal> {
    let issue = ctx.world.thread(&ctx.repo, number)?;
    issue.labels.iter().map(|name| shown(ctx, &named(ctx, name)?)).collect()
}

fn of_issue(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let all = labels_of(ctx, ctx.number("issue_number")?)?;
    let (skip, take) = ctx.page(all.len());
    ok(json!(all.into_iter().skip(skip).take(take).collect::<Vec<_>>()))
}

/// `{"labels": ["a", {"name": "b"}]}`, or the list itself.
fn names(ctx: &Ctx<'_>) -> Result<Vec<String>, Refusal> {
    let list = ctx.body.get("labels").unwrap_or(&ctx.body);
    let name = |v: &Value| v.as_str().or_else(|| v.get("name")?.as_str()).map(str::to_owned);
    let wrong = || Refusal::new(422, "Invalid request.\n\nNo subschema in \"oneOf\" matched.");
    list.as_array().ok_or_else(wrong)?.iter().map(|v| name(v).ok_or_else(wrong)).collect()
}

fn add(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    ctx.world.thread(&ctx.repo, number)?;
    ctx.at_least(Role::Triage)?;
    let (names, actor) = (names(ctx)?, ctx.actor()?);
    ctx.world.add_labels(&ctx.repo, number, &names, &actor)?;
    ok(json!(labels_of(ctx, number)?))
}

fn set(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    let old = ctx.world.thread(&ctx.repo, number)?.labels.clone();
    ctx.at_least(Role::Triage)?;
    let (names, actor) = (names(ctx)?, ctx.actor()?);
    for name in old.iter().filter(|o| !names.iter().any(|n| same(n, o))) {
        ctx.world.remove_label(&ctx.repo, number, name, &actor)?;
    }
    ctx.world.add_labels(&ctx.repo, number, &names, &actor)?;
    ok(json!(labels_of(ctx, number)?))
}

fn clear(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    ctx.at_least(Role::Triage)?;
    let actor = ctx.actor()?;
    for name in ctx.world.thread(&ctx.repo, number)?.labels.clone() {
        ctx.world.remove_label(&ctx.repo, number, &name, &actor)?;
    }
    empty()
}

fn remove(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let number = ctx.number("issue_number")?;
    ctx.world.thread(&ctx.repo, number)?;
    ctx.at_least(Role::Triage)?;
    let (name, actor) = (ctx.param("name").to_owned(), ctx.actor()?);
    ctx.world.remove_label(&ctx.repo, number, &name, &actor)?;
    ok(json!(labels_of(ctx, number)?))
}
