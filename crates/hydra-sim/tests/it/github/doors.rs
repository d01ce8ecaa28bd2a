//! Who may do what, and how GitHub says no.

use super::hub::*;
use hydra_sim::github::{Access, RepoSeed, Role, SimClock, SimConfig, Token};
use serde_json::json;

#[tokio::test]
async fn a_stranger_and_a_bad_token_learn_nothing() {
    let hub = Hub::new().await;
    assert_eq!(hub.get("", "/repos/acme/app").await.status, 404);
    assert_eq!(hub.get("", "/user").await.message(), "Requires authentication");
    let got = hub.get("ghp_wrong", "/user").await;
    assert_eq!((got.status, got.message().as_str()), (401, "Bad credentials"));
    hub.sim.token(Token::fine_grained("github_pat_elsewhere", "mallory").allow_work());
    assert_eq!(hub.get("github_pat_elsewhere", "/repos/acme/app").await.status, 404, "no role, so not there");
    hub.sim.token(Token::fine_grained("github_pat_other", "builder").allow_work().only(&["acme/other"]));
    assert_eq!(hub.get("github_pat_other", "/repos/acme/app").await.status, 404, "another repository's token");
}

#[tokio::test]
async fn a_token_expires_and_says_when() {
    let clock = SimClock::fixed("2026-03-01T00:00:00Z".parse().unwrap());
    let hub = Hub::with(SimConfig { clock: clock.clone(), ..SimConfig::default() }).await;
    let at = "2026-03-02T00:00:00Z".parse().unwrap();
    hub.sim.token(Token::fine_grained("github_pat_short", "builder").allow_work().expires(at));
    let got = hub.get("github_pat_short", "/user").await;
    assert_eq!(got.header("github-authentication-token-expiration"), "2026-03-02 00:00:00 UTC");
    assert_eq!(got.json()["login"], "builder");
    clock.advance(86_400);
    assert_eq!(hub.get("github_pat_short", "/user").await.status, 401);
}

#[tokio::test]
async fn permissions_of_a_fine_grained_token_are_held() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    let path = format!("/repos/acme/app/issues/{issue}/comments");
    let got = hub.call(READER, "POST", &path, json!({ "body": "hello" })).await;
    assert_eq!((got.status, got.message().as_str()), (403, "Resource not accessible by personal access token"));
    assert_eq!(got.header("x-accepted-github-permissions"), "issues=write; pull_requests=write");
    hub.expect(201, BUILDER, "POST", &path, json!({ "body": "hello" })).await;
    let sha = hub.sim.branch(REPO, "main").unwrap();
    let status = json!({ "state": "success", "context": "x" });
    hub.expect(403, READER, "POST", &format!("/repos/acme/app/statuses/{sha}"), status).await;
    assert_eq!(hub.sim.statuses(REPO, &sha).len(), 0);
    assert_eq!(hub.sim.writes(), 3);
}

#[tokio::test]
async fn a_token_never_does_more_than_its_owner_may() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    hub.sim.token(Token::fine_grained("github_pat_big", "reader").allow_work());
    let labels = format!("/repos/acme/app/issues/{issue}/labels");
    hub.expect(403, "github_pat_big", "POST", &labels, json!({ "labels": ["ready-to-build"] })).await;
    hub.sim.token(Token::fine_grained("github_pat_triage", "triager").allow("issues", Access::Write));
    hub.expect(200, "github_pat_triage", "POST", &labels, json!({ "labels": ["ready-to-build"] })).await;
    let event = hub.sim.issue(REPO, issue).unwrap().events.pop().unwrap();
    assert_eq!((event.event.as_str(), event.actor.as_str()), ("labeled", "triager"));
}

#[tokio::test]
async fn only_apps_write_checks() {
    let hub = Hub::new().await;
    let sha = hub.sim.branch(REPO, "main").unwrap();
    let body = json!({ "name": "hydra", "head_sha": sha, "status": "in_progress" });
    let refused = hub.call(BUILDER, "POST", "/repos/acme/app/check-runs", body.clone()).await;
    assert_eq!(refused.status, 403);
    assert_eq!(hub.call(ALICE, "POST", "/repos/acme/app/check-runs", body.clone()).await.status, 403);
    let made = hub.expect(201, APP, "POST", "/repos/acme/app/check-runs", body).await;
    assert_eq!(made["app"]["slug"], "hydra");
    let path = format!("/repos/acme/app/check-runs/{}", made["id"]);
    let done = hub.expect(200, APP, "PATCH", &path, json!({ "conclusion": "success" })).await;
    assert_eq!(done["status"], "completed");
    assert_eq!(hub.get(APP, "/user").await.status, 403, "an installation is nobody's account");
}

#[tokio::test]
async fn a_role_is_told_in_full_and_folded() {
    let hub = Hub::new().await;
    for (login, folded, role) in
        [("alice", "admin", "admin"), ("triager", "read", "triage"), ("builder", "write", "write")]
    {
        let path = format!("/repos/acme/app/collaborators/{login}/permission");
        let got = hub.expect(200, BUILDER, "GET", &path, json!(null)).await;
        assert_eq!((&got["permission"], &got["role_name"]), (&json!(folded), &json!(role)));
    }
    hub.sim.set_role(REPO, "builder", Role::Maintain).unwrap();
    let got = hub.expect(200, ALICE, "GET", "/repos/acme/app/collaborators/builder/permission", json!(null)).await;
    assert_eq!((&got["permission"], &got["role_name"]), (&json!("write"), &json!("maintain")));
}

#[tokio::test]
async fn renamed_archived_deleted() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    let gone = hub.sim.open_issue(REPO, "alice", "Gone", "").unwrap();
    hub.sim.delete_issue(REPO, gone).unwrap();
    assert_eq!(hub.get(ALICE, &format!("/repos/acme/app/issues/{gone}")).await.status, 410);
    hub.sim.rename(REPO, "words").unwrap();
    let got = hub.get(ALICE, &format!("/repos/acme/app/issues/{issue}")).await;
    assert_eq!(got.status, 301);
    let target = got.header("location").strip_prefix(hub.sim.base_url()).unwrap().to_owned();
    assert_eq!(hub.get(ALICE, &target).await.json()["title"], "Count");
    assert_eq!(hub.call(ALICE, "PATCH", &format!("/repos/acme/app/issues/{issue}"), json!({})).await.status, 307);
    hub.sim.archive("acme/words").unwrap();
    let got = hub.call(ALICE, "PATCH", &format!("/repos/acme/words/issues/{issue}"), json!({ "title": "x" })).await;
    assert_eq!((got.status, got.message().as_str()), (403, "Repository was archived so is read-only."));
}

#[tokio::test]
async fn a_public_repository_is_read_by_everybody() {
    let hub = Hub::new().await;
    hub.sim.repo(RepoSeed::new("acme/open").public().file("README.md", "hello\n")).unwrap();
    assert_eq!(hub.get("", "/repos/acme/open").await.json()["visibility"], "public");
    assert_eq!(hub.get(READER, "/repos/acme/open/labels").await.status, 200);
    hub.expect(403, READER, "POST", "/repos/acme/open/issues", json!({ "title": "x" })).await;
}
