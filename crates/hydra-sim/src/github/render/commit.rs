//! Commits, refs and changed files.

use super::{encode, node_id};
use crate::github::{
    git::{ChangedFile, CommitParts},
    records::Repo,
    world::World,
};
use serde_json::{Value, json};

const UNSIGNED: &str = "unsigned";

fn verification() -> Value {
    json!({ "verified": false, "reason": UNSIGNED, "signature": null, "payload": null, "verified_at": null })
}

fn person(parts: &(String, String, String)) -> Value {
    json!({ "name": parts.0, "email": parts.1, "date": parts.2 })
}

/// A commit as `git/commits` shows it.
pub(crate) fn git_commit(world: &World, repo: &Repo, parts: &CommitParts) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}/git", world.base_url);
    let html = |sha: &str| format!("{}/{full}/commit/{sha}", world.base_url);
    let parent = |sha: &String| json!({ "sha": sha, "url": format!("{base}/commits/{sha}"), "html_url": html(sha) });
    json!({
        "sha": parts.sha,
        "node_id": format!("C_kwSim{}", parts.sha),
        "url": format!("{base}/commits/{}", parts.sha),
        "html_url": html(&parts.sha),
        "author": person(&parts.author),
        "committer": person(&parts.committer),
        "tree": { "sha": parts.tree, "url": format!("{base}/trees/{}", parts.tree) },
        "message": parts.message,
        "parents": parts.parents.iter().map(parent).collect::<Vec<_>>(),
        "verification": verification(),
    })
}

/// A commit as `commits` shows it.
pub(crate) fn commit(world: &World, repo: &Repo, parts: &CommitParts) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}", world.base_url);
    let html = |sha: &str| format!("{}/{full}/commit/{sha}", world.base_url);
    let parent = |sha: &String| json!({ "sha": sha, "url": format!("{base}/commits/{sha}"), "html_url": html(sha) });
    json!({
        "url": format!("{base}/commits/{}", parts.sha),
        "sha": parts.sha,
        "node_id": format!("C_kwSim{}", parts.sha),
        "html_url": html(&parts.sha),
        "comments_url": format!("{base}/commits/{}/comments", parts.sha),
        "commit": {
            "url": format!("{base}/git/commits/{}", parts.sha),
            "author": person(&parts.author),
            "committer": person(&parts.committer),
            "message": parts.message,
            "comment_count": 0,
            "tree": { "sha": parts.tree, "url": format!("{base}/git/trees/{}", parts.tree) },
            "verification": verification(),
        },
        "author": null,
        "committer": null,
        "parents": parts.parents.iter().map(parent).collect::<Vec<_>>(),
    })
}

/// A ref.
pub(crate) fn git_ref(world: &World, repo: &Repo, name: &str, sha: &str) -> Value {
    let base = format!("{}/repos/{}/git", world.base_url, repo.full_name());
    let kind = repo.git.kind(sha).unwrap_or_else(|| "commit".to_owned());
    json!({
        "ref": name,
        "node_id": node_id("REF", repo.id) + name,
        "url": format!("{base}/{name}"),
        "object": { "type": kind, "sha": sha, "url": format!("{base}/{kind}s/{sha}") },
    })
}

/// A changed file of a pull request.
pub(crate) fn changed_file(world: &World, repo: &Repo, head: &str, file: &ChangedFile) -> Value {
    let full = repo.full_name();
    let status = match file.status {
        'A' => "added",
        'D' => "removed",
        'R' => "renamed",
        'C' => "copied",
        _ => "modified",
    };
    let path = file.path.split('/').map(encode).collect::<Vec<_>>().join("/");
    let mut value = json!({
        "sha": file.sha,
        "filename": file.path,
        "status": status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": format!("{}/{full}/blob/{head}/{path}", world.base_url),
        "raw_url": format!("{}/{full}/raw/{head}/{path}", world.base_url),
        "contents_url": format!("{}/repos/{full}/contents/{path}?ref={head}", world.base_url),
    });
    if let Some(map) = value.as_object_mut() {
        if let Some(patch) = &file.patch {
            map.insert("patch".into(), json!(patch));
        }
        if let Some(from) = &file.from {
            map.insert("previous_filename".into(), json!(from));
        }
    }
    value
}
