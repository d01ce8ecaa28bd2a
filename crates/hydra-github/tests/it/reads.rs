//! An issue and a pull request, whole, put together from GraphQL and REST.

use crate::shape::{config, get, github, on, operation, repo, server};
use hydra_core::{
    IssueKey, IssueNumber, PullNumber, TokenRole,
    ports::{Board as _, Forge as _, ForgeErrorKind, PullQuery},
    view::{Mergeable, PullState, StatusState, TokenKind},
};
use hydra_github::GitHub;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

fn comment(id: &str, typename: &str, login: &str) -> Value {
    json!({ "fullDatabaseId": id, "body": format!("comment {id}"), "createdAt": "2026-11-24T00:00:00Z",
            "updatedAt": "2026-11-24T00:00:00Z", "author": { "__typename": typename, "login": login } })
}
fn page(nodes: Value, next: Option<&str>) -> Value {
    json!({ "nodes": nodes, "pageInfo": { "hasNextPage": next.is_some(), "endCursor": next } })
}
fn event(id: u64, kind: &str, label: Option<&str>, at: &str) -> Value {
    json!({ "id": id, "event": kind, "actor": { "login": "alice" }, "created_at": at,
            "label": label.map(|name| json!({ "name": name, "color": "0" })) })
}

#[tokio::test]
async fn an_issue_is_read_with_every_comment_and_who_set_which_label() {
    let server = server().await;
    let issue = json!({ "data": { "repository": { "issue": {
        "number": 5, "title": "A basket", "body": "please", "state": "OPEN", "url": "https://github.com/acme/shop/issues/5",
        "updatedAt": "2026-11-24T03:00:00Z", "lastEditedAt": "2026-11-24T01:00:00Z",
        "author": { "__typename": "User", "login": "alice" },
        "labels": page(json!([{ "name": "ready-to-build" }]), None),
        "comments": page(json!([comment("3000000001", "Bot", "ci")]), Some("c1")),
    } } } });
    let more = json!({ "data": { "repository": { "issue": { "comments": page(json!([comment("3000000002", "User", "bob")]), None) } } } });
    operation(&server, "IssueWhole", issue).await;
    operation(&server, "IssueComments", more).await;
    let events = json!([
        event(11, "labeled", Some("ready-to-build"), "2026-11-24T00:30:00Z"),
        event(12, "renamed", None, "2026-11-24T02:00:00Z"),
        event(13, "mentioned", None, "2026-11-24T02:30:00Z"),
        event(10, "unlabeled", Some("ready-to-build"), "2026-11-24T00:20:00Z"),
    ]);
    get(&server, "/repos/acme/shop/issues/5/events", events).await;
    let key = IssueKey { repo: repo(), number: IssueNumber(5) };
    let seen = github(&server).issue(&key).await.unwrap();
    let authors: Vec<_> = seen.comments.iter().map(|c| (c.id, c.author.as_str())).collect();
    assert_eq!(authors, [(3_000_000_001, "ci[bot]"), (3_000_000_002, "bob")]);
    let labels: Vec<_> = seen.label_events.iter().map(|e| (e.id, e.added, e.actor.as_str())).collect();
    assert_eq!(labels, [(10, false, "alice"), (11, true, "alice")]);
    assert_eq!(seen.edited_at, "2026-11-24T02:00:00Z".parse().ok(), "a new title is an edit, too");
}

fn pull(state: &str, mergeable: &str) -> Value {
    json!({ "data": { "repository": { "pullRequest": {
        "number": 8, "title": "[draft] A basket", "body": "", "state": state, "isDraft": false, "mergeable": mergeable,
        "url": "https://github.com/acme/shop/pull/8",
        "headRefName": "hydra/basket", "headRefOid": "a".repeat(40), "baseRefName": "main", "baseRefOid": "b".repeat(40),
        "headRepository": { "nameWithOwner": "acme/shop" }, "author": null,
        "labels": page(json!([]), None), "comments": page(json!([]), None),
        "reviews": page(json!([{ "fullDatabaseId": 9, "body": "ok", "state": "COMMENTED", "submittedAt": "2026-11-24T00:00:00Z",
            "commit": { "oid": "a".repeat(40) }, "author": { "__typename": "User", "login": "rev" } }]), None),
        "reviewThreads": page(json!([{ "id": "T1", "isResolved": false, "path": "a.js",
            "comments": { "nodes": [{ "body": "hm", "author": { "__typename": "User", "login": "rev" } }] } }]), None),
    } } } })
}
async fn around(server: &MockServer, checks: ResponseTemplate) {
    let statuses = json!([
        { "id": 2, "context": "hydra/quality", "state": "success", "description": "new", "creator": { "login": "hydra-bot" } },
        { "id": 1, "context": "hydra/quality", "state": "failure", "description": "old", "creator": null },
    ]);
    get(server, &format!("/repos/acme/shop/commits/{}/statuses", "a".repeat(40)), statuses).await;
    on(server, "GET", &format!("/repos/acme/shop/commits/{}/check-runs", "a".repeat(40)), checks).await;
    get(server, "/repos/acme/shop/issues/8/events", json!([event(1, "closed", None, "2026-11-24T00:00:00Z")])).await;
}

#[tokio::test]
async fn a_pull_request_is_asked_again_until_its_mergeability_is_known() {
    let server = server().await;
    operation(&server, "PullWhole", pull("OPEN", "UNKNOWN")).await;
    let asked = |state: &str| json!({ "data": { "repository": { "pullRequest": { "mergeable": state, "headRefOid": "a".repeat(40) } } } });
    Mock::given(matchers::body_string_contains(" PullMergeable("))
        .respond_with(ResponseTemplate::new(200).set_body_json(asked("UNKNOWN")))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    operation(&server, "PullMergeable", asked("CONFLICTING")).await;
    let run = json!({ "id": 4, "name": "build", "status": "completed", "conclusion": "success", "output": { "title": null }, "app": { "slug": "ci" } });
    around(&server, ResponseTemplate::new(200).set_body_json(json!({ "total_count": 1, "check_runs": [run] }))).await;
    let seen = github(&server).pulls(&repo(), &PullQuery::Number(PullNumber(8))).await.unwrap().remove(0);
    assert_eq!(seen.mergeable, Mergeable::Conflicting);
    assert_eq!((seen.title.as_str(), seen.draft), ("A basket", true), "the title's mark stands for a draft");
    assert_eq!((seen.author.as_str(), seen.closed_by), ("ghost", None));
    let statuses: Vec<_> =
        seen.statuses.iter().map(|s| (s.context.as_str(), s.state, s.description.as_str())).collect();
    assert_eq!(statuses, [("build", StatusState::Success, ""), ("hydra/quality", StatusState::Success, "new")]);
    assert_eq!(seen.reviews[0].id, 9);
    assert_eq!(seen.threads[0].path, "a.js");
}

#[tokio::test]
async fn check_runs_that_may_not_be_read_are_shown_as_pending_and_not_as_none() {
    let server = server().await;
    operation(&server, "PullWhole", pull("CLOSED", "UNKNOWN")).await;
    let no = json!({ "message": "Resource not accessible by personal access token" });
    around(&server, ResponseTemplate::new(403).set_body_json(no)).await;
    let seen = github(&server).pulls(&repo(), &PullQuery::Number(PullNumber(8))).await.unwrap().remove(0);
    assert_eq!(seen.state, PullState::Closed);
    assert_eq!(seen.closed_by.unwrap().as_str(), "alice");
    assert_eq!(
        (seen.statuses[0].context.as_str(), seen.statuses[0].state),
        ("github/check-runs", StatusState::Pending)
    );
}

#[tokio::test]
async fn a_fork_with_the_same_branch_name_is_not_the_repositorys_own() {
    let server = server().await;
    let nodes = json!([{ "number": 3, "headRepository": { "nameWithOwner": "mallory/shop" } }, { "number": 4, "headRepository": null }]);
    operation(
        &server,
        "PullNumbers",
        json!({ "data": { "repository": { "nameWithOwner": "acme/shop", "pullRequests": page(nodes, None) } } }),
    )
    .await;
    let seen = github(&server).pulls(&repo(), &PullQuery::Head("hydra/basket".parse().unwrap())).await;
    assert_eq!(seen, Ok(vec![]));
}

#[tokio::test]
async fn an_identity_tells_kind_scopes_and_expiry() {
    let server = server().await;
    let answer = ResponseTemplate::new(200)
        .insert_header("x-oauth-scopes", "repo, read:org")
        .insert_header("github-authentication-token-expiration", "2026-12-01 10:00:00 UTC")
        .set_body_json(crate::shape::me());
    on(&server, "GET", "/user", answer).await;
    let mut config = config(&server.uri());
    config.tokens.insert(TokenRole::Builder, "ghp_abc".to_owned().into());
    let seen = GitHub::new(config).unwrap().identity(TokenRole::Builder).await.unwrap();
    assert_eq!((seen.kind, seen.scopes), (TokenKind::Classic, vec!["repo".to_owned(), "read:org".to_owned()]));
    assert_eq!(seen.expires_at, "2026-12-01T10:00:00Z".parse().ok());
}

#[tokio::test]
async fn a_board_shows_its_issues_and_leaves_out_by_name_what_cannot_be_seen() {
    let server = server().await;
    let item = |id: &str, kind: &str, archived: bool, content: Value, column: Value| json!({ "id": id, "type": kind, "isArchived": archived, "content": content, "fieldValueByName": column });
    let issue = |n: u64| json!({ "number": n, "repository": { "nameWithOwner": "acme/shop" } });
    let nodes = json!([
        item("I1", "ISSUE", false, issue(5), json!({ "name": "Todo" })),
        item("I2", "ISSUE", false, issue(6), Value::Null),
        item("I3", "ISSUE", true, issue(7), Value::Null),
        item("I4", "REDACTED", false, Value::Null, Value::Null),
        item("I5", "PULL_REQUEST", false, json!({}), Value::Null),
    ]);
    let board = json!({ "data": { "repositoryOwner": { "projectV2": { "id": "P", "items": page(nodes, None) } } } });
    operation(&server, "BoardItems", board).await;
    let none = json!({ "data": { "repositoryOwner": { "projectV2": { "id": "P", "field": null } } } });
    operation(&server, "BoardFields", none).await;
    let mut config = config(&server.uri());
    config.project = Some(("acme".to_owned(), 1));
    let github = GitHub::new(config).unwrap();
    let cards: Vec<_> = github.cards().await.unwrap().into_iter().map(|c| (c.issue.number.0, c.column)).collect();
    assert_eq!(cards, [(5, Some("Todo".to_owned())), (6, None)]);
    let seen = github.columns().await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Missing);
    assert!(seen.message.contains("no single-select field \"Status\""), "{seen}");
}
