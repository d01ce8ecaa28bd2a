//! Issues, their comments, events and time lines.

use super::{association, label, node_id, put, time, user, via_app};
use crate::github::{
    records::{Comment, Event, Issue, Repo},
    world::World,
};
use serde_json::{Map, Value, json};

/// The labels of an issue in full.
pub(super) fn labels(world: &World, repo: &Repo, issue: &Issue) -> Vec<Value> {
    let known = |name: &String| repo.labels.iter().find(|l| &l.name == name).map(|l| label(world, repo, l));
    issue.labels.iter().filter_map(known).collect()
}

pub(super) fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "confused": 0, "heart": 0,
        "hooray": 0, "eyes": 0, "rocket": 0,
    })
}

/// An issue; a pull request too, with its `pull_request` link.
pub(crate) fn issue(world: &World, repo: &Repo, issue: &Issue) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}", world.base_url);
    let api = format!("{base}/issues/{}", issue.number);
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let html = format!("{}/{full}/{kind}/{}", world.base_url, issue.number);
    let (prefix, id) = issue.pull.as_ref().map_or(("I", issue.id), |p| ("PR", p.id));
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("id", json!(issue.id)),
            ("node_id", json!(node_id(prefix, id))),
            ("url", json!(api)),
            ("repository_url", json!(base)),
            ("labels_url", json!(format!("{api}/labels%7B/name%7D"))),
            ("comments_url", json!(format!("{api}/comments"))),
            ("events_url", json!(format!("{api}/events"))),
            ("timeline_url", json!(format!("{api}/timeline"))),
            ("html_url", json!(html)),
            ("number", json!(issue.number)),
            ("state", json!(if issue.open { "open" } else { "closed" })),
            ("state_reason", json!(issue.state_reason)),
            ("title", json!(issue.title)),
            ("body", json!(issue.body)),
            ("user", user(world, &issue.author)),
            ("labels", json!(labels(world, repo, issue))),
            ("assignee", Value::Null),
            ("assignees", json!([])),
            ("milestone", Value::Null),
            ("locked", json!(false)),
            ("active_lock_reason", Value::Null),
            ("comments", json!(issue.comments.len())),
            ("closed_at", time(issue.closed_at)),
            ("closed_by", issue.closed_by.as_ref().map_or(Value::Null, |l| user(world, l))),
            ("created_at", json!(issue.created_at.to_string())),
            ("updated_at", json!(issue.updated_at.to_string())),
            ("author_association", json!(association(world, repo, &issue.author))),
            ("reactions", reactions(&api)),
            ("performed_via_github_app", via_app(world, &issue.author)),
        ],
    );
    if let Some(pull) = &issue.pull {
        let link = json!({
            "url": format!("{base}/pulls/{}", issue.number),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "merged_at": time(pull.merged_at),
        });
        put(&mut map, &[("pull_request", link), ("draft", json!(pull.draft))]);
    }
    Value::Object(map)
}

/// A conversation comment.
pub(crate) fn comment(world: &World, repo: &Repo, issue: &Issue, comment: &Comment) -> Value {
    let full = repo.full_name();
    let base = format!("{}/repos/{full}", world.base_url);
    let kind = if issue.pull.is_some() { "pull" } else { "issues" };
    let url = format!("{base}/issues/comments/{}", comment.id);
    json!({
        "id": comment.id,
        "node_id": node_id("IC", comment.id),
        "url": url,
        "html_url": format!("{}/{full}/{kind}/{}#issuecomment-{}", world.base_url, issue.number, comment.id),
        "issue_url": format!("{base}/issues/{}", issue.number),
        "body": comment.body,
        "user": user(world, &comment.author),
        "created_at": comment.created_at.to_string(),
        "updated_at": comment.updated_at.to_string(),
        "author_association": association(world, repo, &comment.author),
        "reactions": reactions(&url),
        "performed_via_github_app": via_app(world, &comment.author),
    })
}

/// An event of an issue or pull request.
pub(crate) fn event(world: &World, repo: &Repo, event: &Event) -> Value {
    let base = format!("{}/repos/{}", world.base_url, repo.full_name());
    let prefix = match event.event.as_str() {
        "labeled" => "LE",
        "unlabeled" => "UNLE",
        "closed" => "CE",
        _ => "EV",
    };
    let commit_url = event.commit.as_ref().map(|c| format!("{base}/commits/{c}"));
    let mut map = Map::new();
    put(
        &mut map,
        &[
            ("id", json!(event.id)),
            ("node_id", json!(node_id(prefix, event.id))),
            ("url", json!(format!("{base}/issues/events/{}", event.id))),
            ("actor", user(world, &event.actor)),
            ("event", json!(event.event)),
            ("commit_id", json!(event.commit)),
            ("commit_url", json!(commit_url)),
            ("created_at", json!(event.at.to_string())),
            ("performed_via_github_app", via_app(world, &event.actor)),
        ],
    );
    if let Some((name, color)) = &event.label {
        map.insert("label".into(), json!({ "name": name, "color": color }));
    }
    if let Some((from, to)) = &event.rename {
        map.insert("rename".into(), json!({ "from": from, "to": to }));
    }
    Value::Object(map)
}

/// Events and comments in one sequence, by time, then number.
pub(crate) fn timeline(world: &World, repo: &Repo, thread: &Issue) -> Vec<Value> {
    let mut entries: Vec<_> = thread.events.iter().map(|e| (e.at, e.id, event(world, repo, e))).collect();
    for c in &thread.comments {
        let mut value = comment(world, repo, thread, c);
        if let Some(map) = value.as_object_mut() {
            let actor = map.get("user").cloned().unwrap_or(Value::Null);
            put(map, &[("event", json!("commented")), ("actor", actor)]);
        }
        entries.push((c.created_at, c.id, value));
    }
    let reviews = thread.pull.iter().flat_map(|p| &p.reviews);
    for r in reviews.filter(|r| r.submitted_at.is_some()) {
        let mut value = super::review(world, repo, thread, r);
        if let Some(map) = value.as_object_mut() {
            let state = r.state.to_lowercase();
            put(map, &[("event", json!("reviewed")), ("state", json!(state))]);
        }
        entries.push((r.submitted_at.unwrap_or(thread.created_at), r.id, value));
    }
    entries.sort_by_key(|(at, id, _)| (*at, *id));
    entries.into_iter().map(|(_, _, value)| value).collect()
}
