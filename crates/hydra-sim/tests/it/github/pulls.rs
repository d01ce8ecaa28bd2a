//! Pull requests: twins, drafts, conflicts, reviews, merges.

use super::hub::*;
use hydra_sim::github::{RepoSeed, Role, SimConfig};
use serde_json::json;

const PULLS: &str = "/repos/acme/app/pulls";

#[tokio::test]
async fn the_same_head_and_base_twice_is_refused() {
    let hub = Hub::new().await;
    let number = hub.draft("hydra/count").await;
    let body = json!({ "title": "Again", "head": "acme:hydra/count", "base": "main" });
    let got = hub.expect(422, BUILDER, "POST", PULLS, body.clone()).await;
    assert_eq!(got["errors"][0]["message"], "A pull request already exists for acme:hydra/count.");
    hub.sim.close(REPO, number, "alice").unwrap();
    hub.expect(201, BUILDER, "POST", PULLS, body).await;
    let open = hub.expect(200, BUILDER, "GET", &format!("{PULLS}?head=acme:hydra/count"), json!(null)).await;
    let all = hub.expect(200, BUILDER, "GET", &format!("{PULLS}?head=acme:hydra/count&state=all"), json!(null)).await;
    assert_eq!((open.as_array().unwrap().len(), all.as_array().unwrap().len()), (1, 2));
    let nothing = json!({ "title": "Nothing", "head": "main", "base": "main" });
    let got = hub.expect(422, BUILDER, "POST", PULLS, nothing).await;
    assert_eq!(got["errors"][0]["message"], "No commits between main and main");
    let missing = json!({ "title": "x", "head": "nowhere", "base": "main" });
    assert_eq!(hub.expect(422, BUILDER, "POST", PULLS, missing).await["errors"][0]["field"], "head");
}

#[tokio::test]
async fn some_plans_have_no_drafts() {
    let hub = Hub::new().await;
    hub.sim.repo(RepoSeed::new("acme/free").without_drafts().file("a", "a\n").role("builder", Role::Write)).unwrap();
    hub.sim.push("acme/free", "x", "builder", "x", &[("b", Some("b\n"))]).unwrap();
    let body = |draft| json!({ "title": "x", "head": "x", "base": "main", "draft": draft });
    let got = hub.expect(422, BUILDER, "POST", "/repos/acme/free/pulls", body(true)).await;
    assert_eq!(got["errors"][0]["message"], "Draft pull requests are not supported in this repository.");
    hub.expect(201, BUILDER, "POST", "/repos/acme/free/pulls", body(false)).await;
}

#[tokio::test]
async fn a_conflict_shows_and_cannot_be_merged() {
    let hub = Hub::with(SimConfig { lazy_mergeable: true, record: true, ..SimConfig::default() }).await;
    let number = hub.draft("hydra/count").await;
    let path = format!("{PULLS}/{number}");
    let clean = hub.expect(200, BUILDER, "GET", &path, json!(null)).await;
    assert_eq!((&clean["mergeable"], &clean["mergeable_state"]), (&json!(true), &json!("draft")));
    hub.sim.push(REPO, "main", "alice", "Count differently", &[("src/count.txt", Some("1\n2\n3\n5\n"))]).unwrap();
    let first = hub.expect(200, BUILDER, "GET", &path, json!(null)).await;
    assert_eq!(first["mergeable"], json!(null), "GitHub is still computing");
    let then = hub.expect(200, BUILDER, "GET", &path, json!(null)).await;
    assert_eq!((&then["mergeable"], &then["mergeable_state"]), (&json!(false), &json!("dirty")));
    let query =
        "query($n: Int!) { repository(owner: \"acme\", name: \"app\") { pullRequest(number: $n) { mergeable } } }";
    let told = hub.graphql(BUILDER, query, json!({ "n": number })).await;
    assert_eq!(told["data"]["repository"]["pullRequest"]["mergeable"], "CONFLICTING");
    let got = hub.call(BUILDER, "PUT", &format!("{path}/merge"), json!({})).await;
    assert_eq!((got.status, got.message().as_str()), (405, "Pull Request is not mergeable"));
}

#[tokio::test]
async fn a_merge_is_pinned_to_the_head_and_waits_for_what_is_required() {
    let hub = Hub::new().await;
    hub.sim.protect(REPO, "main", &["hydra"]).unwrap();
    hub.sim.push(REPO, "x", "builder", "x", &[("x.txt", Some("x\n"))]).unwrap();
    let number = hub.sim.open_pull(REPO, "builder", "X", "", "x", "main").unwrap();
    let head = hub.sim.branch(REPO, "x").unwrap();
    let path = format!("{PULLS}/{number}/merge");
    let red = hub.call(BUILDER, "PUT", &path, json!({ "sha": head })).await;
    assert_eq!((red.status, red.message().as_str()), (405, "Required status check \"hydra\" is expected."));
    let status = json!({ "state": "success", "context": "hydra", "description": "All good" });
    hub.expect(201, BUILDER, "POST", &format!("/repos/acme/app/statuses/{head}"), status).await;
    let moved = hub.sim.push(REPO, "x", "alice", "y", &[("y.txt", Some("y\n"))]).unwrap();
    let got = hub.call(BUILDER, "PUT", &path, json!({ "sha": head })).await;
    assert_eq!(got.status, 409, "{}", got.message());
    let status = json!({ "state": "success", "context": "hydra" });
    hub.expect(201, BUILDER, "POST", &format!("/repos/acme/app/statuses/{moved}"), status).await;
    let merged = hub.expect(200, BUILDER, "PUT", &path, json!({ "sha": moved, "merge_method": "squash" })).await;
    assert_eq!(hub.sim.branch(REPO, "main").as_deref(), merged["sha"].as_str());
    assert_eq!(hub.sim.file(REPO, "main", "y.txt").unwrap(), b"y\n");
    let pull = hub.expect(200, BUILDER, "GET", &format!("{PULLS}/{number}"), json!(null)).await;
    assert_eq!((&pull["merged"], &pull["state"]), (&json!(true), &json!("closed")));
}

#[tokio::test]
async fn reviews_are_whole_or_not_at_all() {
    let hub = Hub::new().await;
    let number = hub.draft("hydra/count").await;
    let path = format!("{PULLS}/{number}/reviews");
    let inline = |line: u64| json!({ "path": "src/count.txt", "line": line, "side": "RIGHT", "body": "why?" });
    let body = json!({ "event": "COMMENT", "body": "Verdict", "comments": [inline(4), inline(99)] });
    let got = hub.expect(422, ALICE, "POST", &path, body).await;
    assert_eq!(got["errors"][0], "Line could not be resolved");
    assert_eq!(hub.sim.issue(REPO, number).unwrap().pull.unwrap().reviews.len(), 0);
    let body = json!({ "event": "COMMENT", "body": "Verdict", "comments": [inline(4)] });
    let made = hub.expect(200, ALICE, "POST", &path, body).await;
    assert_eq!(made["state"], "COMMENTED");
    let comments = hub.expect(200, ALICE, "GET", &format!("{PULLS}/{number}/comments"), json!(null)).await;
    assert_eq!(comments[0]["diff_hunk"], "@@ -1,3 +1,4 @@\n one\n two\n three\n+four");
    for event in ["APPROVE", "REQUEST_CHANGES"] {
        let body = json!({ "event": event, "body": "mine" });
        hub.expect(422, BUILDER, "POST", &path, body).await;
    }
    hub.expect(200, BUILDER, "POST", &path, json!({ "event": "COMMENT", "body": "mine" })).await;
    hub.expect(422, BUILDER, "POST", &path, json!({ "event": "COMMENT" })).await;
    hub.expect(200, ALICE, "POST", &path, json!({ "body": "later" })).await;
    hub.expect(422, ALICE, "POST", &path, json!({ "body": "two pending" })).await;
    let seen = hub.expect(200, BUILDER, "GET", &path, json!(null)).await;
    assert_eq!(seen.as_array().unwrap().len(), 2, "a pending review is its author's only");
}
