//! GitHub's answers, fuzzed: whatever a server says, the adapter comes to an end with what it read or with an error that has a cause, and the
//! token is in none of them.

use crate::shape::{TOKEN, config, repo};
use hydra_core::{
    IssueKey, IssueNumber, PullNumber, TokenRole,
    ports::{Forge as _, ForgeError, Leases as _, PullQuery},
};
use hydra_fuzz::fuzz;
use hydra_github::GitHub;
use serde_json::{Value, json};
use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

/// Answers by path from one JSON object; what is no such object is every answer as it is.
#[derive(Clone, Default)]
struct Says(Arc<Mutex<Vec<u8>>>);

impl Respond for Says {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(Value::Object(all)) = serde_json::from_slice::<Value>(&bytes) else {
            return ResponseTemplate::new(200).set_body_raw(bytes, "application/json");
        };
        let asked = request.url.path();
        let found = all.iter().find(|(path, _)| asked.ends_with(path.as_str()));
        match found {
            Some((_, Value::String(text))) => ResponseTemplate::new(200).set_body_string(text.clone()),
            Some((_, Value::Number(status))) => {
                let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
                ResponseTemplate::new(status.filter(|status| (200..600).contains(status)).unwrap_or(500))
            }
            Some((_, body)) => ResponseTemplate::new(200).set_body_json(body),
            None => ResponseTemplate::new(404).set_body_json(json!({ "message": "Not Found" })),
        }
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let page = |nodes: Value| json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false, "endCursor": null } });
    let user = json!({ "__typename": "User", "login": "alice" });
    let comment = json!({ "fullDatabaseId": "3000000001", "body": "a comment", "createdAt": "2026-11-24T00:00:00Z",
        "updatedAt": "2026-11-24T00:00:00Z", "author": user });
    let label = json!({ "name": "ready-to-build", "color": "ff0000", "description": null });
    let issue = json!({
        "number": 5, "title": "A basket", "body": "please", "state": "OPEN", "url": "https://github.com/acme/shop/issues/5",
        "updatedAt": "2026-11-24T03:00:00Z", "lastEditedAt": null, "author": user,
        "labels": page(json!([label])), "comments": page(json!([comment])),
    });
    let pull = json!({
        "number": 8, "title": "A basket", "body": "", "state": "OPEN", "isDraft": true, "mergeable": "MERGEABLE",
        "url": "https://github.com/acme/shop/pull/8", "updatedAt": "2026-11-24T03:00:00Z",
        "headRefName": "hydra/basket", "headRefOid": "a".repeat(40), "baseRefName": "main", "baseRefOid": "b".repeat(40),
        "headRepository": { "nameWithOwner": "acme/shop" }, "author": user,
        "labels": page(json!([])), "comments": page(json!([comment])), "reviews": page(json!([])),
        "reviewThreads": page(json!([])), "commits": { "nodes": [] },
    });
    let whole = json!({ "data": { "repository": { "id": "R_1", "issue": issue, "pullRequest": pull, "ref": null } } });
    let listed = json!({ "number": 5, "title": "t", "state": "open", "labels": [label, "plain"], "updated_at": "2026-11-24T03:00:00Z" });
    let head = |name: &str| json!({ "ref": name, "sha": "a".repeat(40), "repo": { "full_name": "acme/shop" } });
    let pulls = json!([{ "number": 8, "node_id": "PR_8", "state": "open", "title": "t", "head": head("hydra/x"), "base": head("main"), "draft": true, "labels": [],
        "updated_at": "2026-11-24T03:00:00Z" }]);
    let events = json!([{ "id": 11, "event": "labeled", "actor": { "login": "alice" }, "created_at": "2026-11-24T00:30:00Z",
        "label": { "name": "ready-to-build", "color": "0" } }]);
    let rest = json!({
        "/repos/acme/shop": { "full_name": "acme/shop", "default_branch": "main", "private": true, "archived": false,
            "clone_url": "http://localhost/acme/shop.git" },
        "/check-runs": { "total_count": 1, "check_runs": [{ "id": 1, "name": "ci", "status": "completed", "conclusion": "success", "app": { "slug": "x" } }] },
        "/statuses": [{ "id": 1, "context": "ci", "state": "success", "description": null, "target_url": null,
            "created_at": "2026-11-24T03:00:00Z", "creator": { "login": "alice" } }],
        "/labels": [label], "/issues": [listed], "/pulls": pulls, "/events": events, "/user": { "login": "hydra", "id": 1, "type": "User" },
        "/permission": { "permission": "write", "role_name": "maintain", "user": { "login": "alice" } },
    });
    let mut all = rest;
    all["graphql"] = whole;
    vec![all.to_string().into_bytes()]
}

fn told<T: Debug>(answer: Result<T, ForgeError>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 4_000, "an error of {} bytes", text.len());
            assert!(!text.contains(TOKEN) && !format!("{error:?}").contains(TOKEN), "the token is in it");
            format!("{:?}", error.kind).split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}

#[test]
fn answers() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let says = Says::default();
    let server = tokio.block_on(async {
        let server = MockServer::builder().disable_request_recording().start().await;
        Mock::given(matchers::any()).respond_with(says.clone()).mount(&server).await;
        server
    });
    let key = IssueKey { repo: repo(), number: IssueNumber(5) };
    let login = "alice".parse().unwrap();
    let one = PullQuery::Number(PullNumber(8));
    let report = fuzz("github-answers", &corpus(), |bytes| {
        *says.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
        tokio.block_on(async {
            let mut config = config(&server.uri());
            config.max_pages = 3;
            // A client of its own: an answer that was remembered would hide the next one.
            let github = GitHub::new(config).unwrap();
            let forge = [
                told(github.repository(&repo()).await),
                told(github.listing(&repo(), "ready-to-build").await),
                told(github.issue(&key).await),
                told(github.pulls(&repo(), &one).await),
                told(github.permission(&repo(), &login).await),
                told(github.identity(TokenRole::Builder).await),
                told(github.read(&key).await),
            ];
            forge.join(" ")
        })
    });
    assert!(report.answers.keys().any(|answer| answer.contains("ok ok ok ok ok ok")), "{:?}", report.answers.keys());
    assert!(report.answers.keys().any(|answer| answer.contains("Malformed")), "{:?}", report.answers.keys());
}
