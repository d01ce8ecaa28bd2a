//! Repositories, collaborators, branches, contents.

use super::{Ctx, Reply, Route, empty, ok};
use crate::github::{Role, notice::Refusal, render};
use base64::Engine;
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}", "metadata=read", get),
    ("GET", "/repos/{owner}/{repo}/collaborators/{username}/permission", "metadata=read", permission),
    ("GET", "/repos/{owner}/{repo}/collaborators/{username}", "metadata=read", collaborator),
    ("GET", "/repos/{owner}/{repo}/branches", "contents=read", branches),
    ("GET", "/repos/{owner}/{repo}/branches/{branch}/protection", "administration=read", protection),
    ("GET", "/repos/{owner}/{repo}/branches/{+branch}", "contents=read", branch),
    ("GET", "/repos/{owner}/{repo}/contents/{+path}", "contents=read", contents),
];

fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let mut value = render::repo(ctx.world, repo, ctx.who);
    if let Some(map) = value.as_object_mut() {
        let owner = map.get("owner").cloned().unwrap_or(Value::Null);
        map.insert("organization".into(), owner);
    }
    ok(value)
}

fn permission(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let login = ctx.param("username");
    if ctx.who.token.is_none() {
        return Err(Refusal::new(401, "Requires authentication"));
    }
    if ctx.world.account(login).is_none() {
        return Err(Refusal::new(404, format!("{login} is not a user")));
    }
    let role = ctx.world.role(repo, login);
    let (folded, name) = match role {
        Role::None => ("none", "none"),
        Role::Read => ("read", "read"),
        Role::Triage => ("read", "triage"),
        Role::Write => ("write", "write"),
        Role::Maintain => ("write", "maintain"),
        Role::Admin => ("admin", "admin"),
    };
    let mut user = render::user(ctx.world, login);
    if let Some(map) = user.as_object_mut() {
        map.insert("role_name".into(), json!(name));
        let permissions = json!({
            "pull": role >= Role::Read, "triage": role >= Role::Triage, "push": role >= Role::Write,
            "maintain": role >= Role::Maintain, "admin": role >= Role::Admin,
        });
        map.insert("permissions".into(), permissions);
    }
    ok(json!({ "permission": folded, "role_name": name, "user": user }))
}

fn collaborator(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    match repo.roles.contains_key(&ctx.param("username").to_lowercase()) {
        true => empty(),
        false => Err(Refusal::not_found()),
    }
}

fn short(ctx: &Ctx<'_>, name: &str, sha: &str) -> Result<Value, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let url = format!("{}/repos/{}/commits/{sha}", ctx.world.base_url, ctx.repo);
    Ok(json!({ "name": name, "commit": { "sha": sha, "url": url }, "protected": repo.protected.contains_key(name) }))
}

fn branches(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let refs = ctx.world.repo(&ctx.repo)?.refs.clone();
    let all: Vec<_> =
        refs.iter().filter_map(|(name, sha)| name.strip_prefix("refs/heads/").map(|n| (n, sha))).collect();
    let (skip, take) = ctx.page(all.len());
    let shown: Result<Vec<_>, _> = all.iter().skip(skip).take(take).map(|(n, s)| short(ctx, n, s)).collect();
    ok(json!(shown?))
}

fn branch(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let name = ctx.param("branch");
    let missing = || Refusal::new(404, "Branch not found");
    let sha = repo.refs.get(&format!("refs/heads/{name}")).ok_or_else(missing)?;
    let parts = repo.git.commit(sha).ok_or_else(missing)?;
    let url = format!("{}/repos/{}/branches/{name}", ctx.world.base_url, ctx.repo);
    let contexts = repo.protected.get(name);
    ok(json!({
        "name": name,
        "commit": render::commit(ctx.world, repo, &parts),
        "_links": { "self": url, "html": format!("{}/{}/tree/{name}", ctx.world.base_url, ctx.repo) },
        "protected": contexts.is_some(),
        "protection": {
            "enabled": contexts.is_some(),
            "required_status_checks": {
                "enforcement_level": if contexts.is_some() { "everyone" } else { "off" },
                "contexts": contexts.cloned().unwrap_or_default(),
                "checks": contexts.iter().flat_map(|c| c.iter()).map(|c| json!({ "context": c, "app_id": null })).collect::<Vec<_>>(),
            },
        },
        "protection_url": format!("{url}/protection"),
    }))
}

fn protection(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Admin)?;
    let repo = ctx.world.repo(&ctx.repo)?;
    let name = ctx.param("branch");
    let contexts = repo.protected.get(name).ok_or_else(|| Refusal::new(404, "Branch not protected"))?;
    let url = format!("{}/repos/{}/branches/{name}/protection", ctx.world.base_url, ctx.repo);
    ok(json!({
        "url": url,
        "required_status_checks": {
            "url": format!("{url}/required_status_checks"),
            "strict": false,
            "contexts": contexts,
            "contexts_url": format!("{url}/required_status_checks/contexts"),
            "checks": contexts.iter().map(|c| json!({ "context": c, "app_id": null })).collect::<Vec<_>>(),
        },
        "enforce_admins": { "url": format!("{url}/enforce_admins"), "enabled": false },
        "required_linear_history": { "enabled": false },
        "allow_force_pushes": { "enabled": false },
        "allow_deletions": { "enabled": false },
    }))
}

fn contents(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let wanted = ctx.query("ref").unwrap_or(&repo.default_branch);
    let missing = || Refusal::new(404, format!("No commit found for the ref {wanted}"));
    let commit = repo.git.resolve(wanted).ok_or_else(missing)?;
    let path = ctx.param("path");
    let base = format!("{}/repos/{}", ctx.world.base_url, ctx.repo);
    let entry = |kind: &str, path: &str, sha: &str, size: u64| {
        let url = format!("{base}/contents/{path}?ref={wanted}");
        let (objects, page) = if kind == "dir" { ("trees", "tree") } else { ("blobs", "blob") };
        let git = format!("{base}/git/{objects}/{sha}");
        let html = format!("{}/{}/{page}/{wanted}/{path}", ctx.world.base_url, ctx.repo);
        let raw = format!("{}/{}/raw/{wanted}/{path}", ctx.world.base_url, ctx.repo);
        json!({
            "type": kind, "size": size, "name": path.rsplit('/').next(), "path": path, "sha": sha, "url": url,
            "git_url": git, "html_url": html, "download_url": (kind == "file").then_some(raw),
            "_links": { "git": git, "self": url, "html": html },
        })
    };
    if let Some((sha, bytes)) = repo.git.blob(&commit, path) {
        let mut value = entry("file", path, &sha, bytes.len() as u64);
        if let Some(map) = value.as_object_mut() {
            let mut text = String::new();
            for line in base64::engine::general_purpose::STANDARD.encode(bytes).as_bytes().chunks(60) {
                text.push_str(&String::from_utf8_lossy(line));
                text.push('\n');
            }
            map.insert("encoding".into(), json!("base64"));
            map.insert("content".into(), json!(text));
        }
        return ok(value);
    }
    let entries = repo.git.tree(&format!("{commit}:{path}"), false).ok_or_else(Refusal::not_found)?;
    let shown = entries.iter().map(|(_, kind, sha, size, name)| {
        let kind = if kind == "tree" { "dir" } else { "file" };
        entry(kind, &format!("{path}/{name}"), sha, size.unwrap_or(0))
    });
    ok(json!(shown.collect::<Vec<_>>()))
}
