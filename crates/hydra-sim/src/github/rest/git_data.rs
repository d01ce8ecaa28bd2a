//! Git objects and refs through REST.

use super::{Ctx, Reply, Route, created, empty, ok};
use crate::github::{
    Role,
    git::{TreeEntry, ZERO},
    notice::Refusal,
    render,
};
use base64::Engine;
use serde_json::{Value, json};

const READ: &str = "contents=read";
const WRITE: &str = "contents=write";

pub(super) const ROUTES: &[Route] = &[
    ("GET", "/repos/{owner}/{repo}/git/matching-refs/{+ref}", READ, matching),
    ("GET", "/repos/{owner}/{repo}/git/ref/{+ref}", READ, get_ref),
    ("POST", "/repos/{owner}/{repo}/git/refs", WRITE, create_ref),
    ("PATCH", "/repos/{owner}/{repo}/git/refs/{+ref}", WRITE, update_ref),
    ("DELETE", "/repos/{owner}/{repo}/git/refs/{+ref}", WRITE, delete_ref),
    ("POST", "/repos/{owner}/{repo}/git/commits", WRITE, create_commit),
    ("GET", "/repos/{owner}/{repo}/git/commits/{commit_sha}", READ, get_commit),
    ("GET", "/repos/{owner}/{repo}/git/trees/{tree_sha}", READ, get_tree),
    ("POST", "/repos/{owner}/{repo}/git/trees", WRITE, create_tree),
    ("GET", "/repos/{owner}/{repo}/git/blobs/{file_sha}", READ, get_blob),
    ("POST", "/repos/{owner}/{repo}/git/blobs", WRITE, create_blob),
];

fn shown(ctx: &Ctx<'_>, name: &str) -> Result<Value, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let sha = repo.refs.get(name).ok_or_else(Refusal::not_found)?;
    Ok(render::git_ref(ctx.world, repo, name, sha))
}

fn matching(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let prefix = format!("refs/{}", ctx.param("ref"));
    let repo = ctx.world.repo(&ctx.repo)?;
    let names: Vec<String> = repo.refs.keys().filter(|n| n.starts_with(&prefix)).cloned().collect();
    let shown: Result<Vec<_>, _> = names.iter().map(|n| shown(ctx, n)).collect();
    ok(json!(shown?))
}

fn get_ref(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ok(shown(ctx, &format!("refs/{}", ctx.param("ref")))?)
}

fn create_ref(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let (name, sha, actor) = (ctx.required("ref")?, ctx.required("sha")?, ctx.actor()?);
    let repo = ctx.world.repo(&ctx.repo)?;
    if repo.refs.is_empty() {
        return Err(Refusal::new(409, "Git Repository is empty."));
    }
    if !name.starts_with("refs/") || name.matches('/').count() < 2 {
        return Err(Refusal::new(422, "Reference name must start with 'refs' and contain at least two slashes."));
    }
    if repo.refs.contains_key(&name) {
        return Err(Refusal::new(422, "Reference already exists"));
    }
    if repo.git.kind(&sha).is_none() {
        return Err(Refusal::new(422, "Object does not exist"));
    }
    ctx.world.swap_refs(&ctx.repo, &[(name.clone(), sha, Some(ZERO.to_owned()), false)], &actor)?;
    created(shown(ctx, &name)?)
}

fn update_ref(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let name = format!("refs/{}", ctx.param("ref"));
    let (sha, actor) = (ctx.required("sha")?, ctx.actor()?);
    let force = ctx.flag("force").unwrap_or(false);
    if !ctx.world.repo(&ctx.repo)?.refs.contains_key(&name) {
        return Err(Refusal::new(422, "Reference does not exist"));
    }
    ctx.world.swap_refs(&ctx.repo, &[(name.clone(), sha, None, force)], &actor)?;
    ok(shown(ctx, &name)?)
}

fn delete_ref(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let (name, actor) = (format!("refs/{}", ctx.param("ref")), ctx.actor()?);
    if !ctx.world.repo(&ctx.repo)?.refs.contains_key(&name) {
        return Err(Refusal::new(422, "Reference does not exist"));
    }
    ctx.world.swap_refs(&ctx.repo, &[(name, ZERO.to_owned(), None, true)], &actor)?;
    empty()
}

fn create_commit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let (message, tree, actor) = (ctx.required("message")?, ctx.required("tree")?, ctx.actor()?);
    let parents = ctx.body.get("parents").and_then(Value::as_array).cloned().unwrap_or_default();
    let parents: Vec<String> = parents.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let part = |name: &str| ctx.body.pointer(&format!("/author/{name}")).and_then(Value::as_str).map(str::to_owned);
    let name = part("name").unwrap_or_else(|| actor.clone());
    let email = part("email").unwrap_or_else(|| format!("{actor}@users.noreply.github.com"));
    let at = part("date").and_then(|d| d.parse().ok()).unwrap_or_else(|| ctx.world.clock.now());
    let repo = ctx.world.repo(&ctx.repo)?;
    if repo.git.kind(&tree).as_deref() != Some("tree") {
        return Err(Refusal::new(422, "Tree SHA does not exist"));
    }
    if parents.iter().any(|p| repo.git.kind(p).as_deref() != Some("commit")) {
        return Err(Refusal::new(422, "Parent SHA does not exist or is not a commit object"));
    }
    let sha = repo.git.commit_tree(&tree, &parents, &message, (&name, &email, at))?;
    let parts = repo.git.commit(&sha).ok_or_else(Refusal::not_found)?;
    created(render::git_commit(ctx.world, repo, &parts))
}

fn get_commit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let sha = ctx.param("commit_sha");
    if repo.git.kind(sha).as_deref() != Some("commit") {
        return Err(Refusal::not_found());
    }
    let parts = repo.git.commit(sha).ok_or_else(Refusal::not_found)?;
    ok(render::git_commit(ctx.world, repo, &parts))
}

fn tree_value(ctx: &Ctx<'_>, sha: &str, recursive: bool) -> Result<Value, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let base = format!("{}/repos/{}/git", ctx.world.base_url, ctx.repo);
    let spec = format!("{sha}^{{tree}}");
    let tree = repo.git.run(&["rev-parse", "--verify", "--quiet", &spec], b"").map_err(|_| Refusal::not_found())?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    let entries = repo.git.tree(&tree, recursive).ok_or_else(Refusal::not_found)?;
    let entry = |(mode, kind, sha, size, path): &TreeEntry| {
        let mut value =
            json!({ "path": path, "mode": mode, "type": kind, "sha": sha, "url": format!("{base}/{kind}s/{sha}") });
        if let (Some(size), Some(map)) = (size, value.as_object_mut()) {
            map.insert("size".into(), json!(size));
        }
        value
    };
    let entries: Vec<Value> = entries.iter().map(entry).collect();
    Ok(json!({ "sha": tree, "url": format!("{base}/trees/{tree}"), "truncated": false, "tree": entries }))
}

fn get_tree(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let recursive = ctx.query("recursive").is_some();
    ok(tree_value(ctx, ctx.param("tree_sha"), recursive)?)
}

fn create_tree(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let entries = ctx.body.get("tree").and_then(Value::as_array).cloned().unwrap_or_default();
    if entries.is_empty() {
        return Err(Refusal::new(422, "Invalid tree info"));
    }
    let git = ctx.world.repo(&ctx.repo)?.git.clone();
    let mut lines = std::collections::BTreeMap::new();
    if let Some(base) = ctx.text("base_tree") {
        for (mode, kind, sha, _, path) in
            git.tree(&base, true).ok_or_else(|| Refusal::new(422, "base_tree is not a valid tree oid"))?
        {
            if kind != "tree" {
                lines.insert(path, (mode, sha));
            }
        }
    }
    for entry in &entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let path = text("path").ok_or_else(|| Refusal::new(422, "tree.path must be a string"))?;
        let sha = match (text("sha"), text("content")) {
            (Some(sha), _) => Some(sha),
            (None, Some(content)) => {
                let sha = git.run(&["hash-object", "-w", "--stdin"], content.as_bytes())?;
                Some(String::from_utf8_lossy(&sha).trim().to_owned())
            }
            (None, None) => None,
        };
        match sha {
            Some(sha) => lines.insert(path, (text("mode").unwrap_or_else(|| "100644".to_owned()), sha)),
            None => lines.remove(&path),
        };
    }
    let id = ctx.world.id();
    let index = ctx.world.root.join(format!("index-{id}"));
    let script: String = lines.iter().map(|(path, (mode, sha))| format!("{mode} {sha}\t{path}\n")).collect();
    let tree = git.write_tree(&index, &script)?;
    created(tree_value(ctx, &tree, false)?)
}

fn get_blob(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.world.repo(&ctx.repo)?;
    let sha = ctx.param("file_sha");
    if repo.git.kind(sha).as_deref() != Some("blob") {
        return Err(Refusal::not_found());
    }
    let bytes = repo.git.run(&["cat-file", "blob", sha], b"")?;
    ok(json!({
        "sha": sha,
        "node_id": render::node_id("B", repo.id) + sha,
        "size": bytes.len(),
        "url": format!("{}/repos/{}/git/blobs/{sha}", ctx.world.base_url, ctx.repo),
        "content": base64::engine::general_purpose::STANDARD.encode(bytes),
        "encoding": "base64",
    }))
}

fn create_blob(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    ctx.at_least(Role::Write)?;
    let content = ctx.required("content")?;
    let bytes = match ctx.text("encoding").as_deref() {
        Some("base64") => base64::engine::general_purpose::STANDARD
            .decode(content.replace(['\n', '\r'], ""))
            .map_err(|_| Refusal::new(422, "content is not valid base64"))?,
        _ => content.into_bytes(),
    };
    let sha = ctx.world.repo(&ctx.repo)?.git.run(&["hash-object", "-w", "--stdin"], &bytes)?;
    let sha = String::from_utf8_lossy(&sha).trim().to_owned();
    created(json!({ "sha": sha, "url": format!("{}/repos/{}/git/blobs/{sha}", ctx.world.base_url, ctx.repo) }))
}
