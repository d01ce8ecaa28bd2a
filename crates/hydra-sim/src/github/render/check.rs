//! Commit statuses and check runs.

use super::{app, node_id, put, time, user};
use crate::github::{
    auth::Who,
    records::{CheckRun, Repo, Status},
    world::World,
};
use serde_json::{Map, Value, json};

fn simple_status(world: &World, repo: &Repo, status: &Status) -> Map<String, Value> {
    let url = format!("{}/repos/{}/statuses/{}", world.base_url, repo.full_name(), status.sha);
    let avatar = user(world, &status.creator).get("avatar_url").cloned().unwrap_or(Value::Null);
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("url", json!(url)),
            ("avatar_url", avatar),
            ("id", json!(status.id)),
            ("node_id", json!(node_id("SC", status.id))),
            ("state", json!(status.state)),
            ("description", json!(status.description)),
            ("target_url", json!(status.target_url)),
            ("context", json!(status.context)),
            ("created_at", json!(status.created_at.to_string())),
            ("updated_at", json!(status.created_at.to_string())),
        ],
    );
    map
}

/// A commit status with its creator.
pub(crate) fn status(world: &World, repo: &Repo, status: &Status) -> Value {
    let mut map = simple_status(world, repo, status);
    map.insert("creator".into(), user(world, &status.creator));
    Value::Object(map)
}

/// The newest status of each context, newest first.
pub(crate) fn newest<'a>(repo: &'a Repo, sha: &str) -> Vec<&'a Status> {
    let mut seen = Vec::new();
    for status in repo.statuses.iter().rev().filter(|s| s.sha == sha) {
        if !seen.iter().any(|s: &&Status| s.context == status.context) {
            seen.push(status);
        }
    }
    seen
}

/// The sum of a commit's statuses.
pub(crate) fn combined(statuses: &[&Status]) -> &'static str {
    if statuses.iter().any(|s| matches!(s.state.as_str(), "failure" | "error")) {
        "failure"
    } else if statuses.is_empty() || statuses.iter().any(|s| s.state == "pending") {
        "pending"
    } else {
        "success"
    }
}

/// The combined status of a commit; `page` is the slice of statuses to show.
pub(crate) fn combined_status(
    world: &World,
    repo: &Repo,
    who: &Who,
    sha: &str,
    page: (usize, usize),
) -> (Value, usize) {
    let newest = newest(repo, sha);
    let total = newest.len();
    let base = format!("{}/repos/{}/commits/{sha}", world.base_url, repo.full_name());
    let shown = newest.iter().skip(page.0).take(page.1).map(|s| Value::Object(simple_status(world, repo, s)));
    let value = json!({
        "state": combined(&newest),
        "statuses": shown.collect::<Vec<_>>(),
        "sha": sha,
        "total_count": total,
        "repository": super::repo(world, repo, who),
        "commit_url": base,
        "url": format!("{base}/status"),
    });
    (value, total)
}

/// Whether a required context passes on a commit: GitHub lets neutral and skipped checks through.
pub(crate) fn context_green(repo: &Repo, sha: &str, context: &str) -> bool {
    let status = newest(repo, sha).into_iter().find(|s| s.context == context);
    let check = repo.checks.iter().rev().find(|c| c.sha == sha && c.name == context);
    let passed = |c: &CheckRun| matches!(c.conclusion.as_deref(), Some("success" | "neutral" | "skipped"));
    (status.is_some() || check.is_some()) && status.is_none_or(|s| s.state == "success") && check.is_none_or(passed)
}

/// A check run.
pub(crate) fn check_run(world: &World, repo: &Repo, check: &CheckRun) -> Value {
    let base = format!("{}/repos/{}", world.base_url, repo.full_name());
    let url = format!("{base}/check-runs/{}", check.id);
    json!({
        "id": check.id,
        "head_sha": check.sha,
        "node_id": node_id("CR", check.id),
        "external_id": check.external_id.clone().unwrap_or_default(),
        "url": url,
        "html_url": format!("{}/{}/runs/{}", world.base_url, repo.full_name(), check.id),
        "details_url": check.details_url,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": time(check.started_at),
        "completed_at": time(check.completed_at),
        "output": {
            "title": check.title, "summary": check.summary, "text": check.text, "annotations_count": 0,
            "annotations_url": format!("{url}/annotations"),
        },
        "name": check.name,
        "check_suite": { "id": check.id },
        "app": app(world, &check.app),
        "pull_requests": [],
    })
}
