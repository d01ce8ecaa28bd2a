//! Accounts and limits.

use super::{Ctx, Reply, Route, charge, hour, ok};
use crate::github::{AccountKind, auth::Kind, notice::Refusal, render};
use serde_json::json;

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/user", "", me),
    ("GET", "/users/{username}", "", user),
    ("GET", "/orgs/{org}", "", org),
    ("GET", "/rate_limit", "", rate_limit),
    ("GET", "/installation/repositories", "metadata=read", installation),
];

fn me(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let login = ctx.actor()?;
    if let Some(token) = ctx.who.token.as_ref().filter(|t| t.kind == Kind::Installation) {
        return Err(token.refusal());
    }
    ok(render::whole_user(ctx.world, &login))
}

fn user(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let login = ctx.param("username");
    if ctx.world.account(login).is_none() {
        return Err(Refusal::not_found());
    }
    ok(render::whole_user(ctx.world, login))
}

fn org(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let found = ctx.world.account(ctx.param("org")).filter(|a| a.kind == AccountKind::Organization);
    let org = found.ok_or_else(Refusal::not_found)?;
    let api = format!("{}/orgs/{}", ctx.world.base_url, org.login);
    ok(json!({
        "login": org.login,
        "id": org.id,
        "node_id": render::node_id("O", org.id),
        "url": api,
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events"),
        "hooks_url": format!("{api}/hooks"),
        "issues_url": format!("{api}/issues"),
        "members_url": format!("{api}/members%7B/member%7D"),
        "public_members_url": format!("{api}/public_members%7B/member%7D"),
        "avatar_url": format!("{}/avatars/u/{}", ctx.world.base_url, org.id),
        "description": null,
        "has_organization_projects": true,
        "has_repository_projects": true,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "html_url": format!("{}/{}", ctx.world.base_url, org.login),
        "type": "Organization",
        "created_at": org.created_at.to_string(),
        "updated_at": org.created_at.to_string(),
        "archived_at": null,
    }))
}

fn rate_limit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let limit = ctx.world.limit;
    let reset = hour(ctx.world) + 3_600;
    let mut of = |resource| {
        let used = charge(ctx.world, ctx.who, resource, 0);
        json!({ "limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": reset })
    };
    let (core, graphql) = (of("core"), of("graphql"));
    let search = json!({ "limit": 30, "used": 0, "remaining": 30, "reset": reset });
    ok(json!({ "resources": { "core": core, "graphql": graphql, "search": search }, "rate": core }))
}

fn installation(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    if ctx.who.token.as_ref().is_none_or(|t| t.kind != Kind::Installation) {
        return Err(Refusal::new(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ));
    }
    let names: Vec<String> =
        ctx.world.repos.values().filter(|r| ctx.who.sees(ctx.world, r)).map(|r| r.full_name()).collect();
    let (skip, take) = ctx.page(names.len());
    let shown = names.iter().skip(skip).take(take).filter_map(|n| ctx.world.repo(n).ok());
    let shown: Vec<_> = shown.map(|r| render::repo(ctx.world, r, ctx.who)).collect();
    ok(json!({ "total_count": names.len(), "repositories": shown }))
}
