//! Every way in which GitHub says no, as the caller sees it.

use crate::shape::{TOKEN, config, count, get, github, on, operation, repo, server};
use hydra_core::{
    IssueKey, IssueNumber, Timestamp, TokenRole,
    ports::{Board as _, Forge as _, ForgeError, ForgeErrorKind},
    view::Permission,
};
use hydra_github::GitHub;
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::ResponseTemplate;

async fn repository_answers(answer: ResponseTemplate) -> (ForgeError, usize) {
    let server = server().await;
    on(&server, "GET", "/repos/acme/shop", answer).await;
    let seen = github(&server).repository(&repo()).await.unwrap_err();
    (seen, count(&server, "GET").await)
}

fn says(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "message": message, "documentation_url": "https://docs" }))
}

#[tokio::test]
async fn a_bad_token_is_said_to_be_one_and_asked_for_once() {
    let (seen, asked) = repository_answers(says(401, "Bad credentials")).await;
    assert_eq!(
        seen.to_string(),
        "GET /repos/acme/shop: 401 Bad credentials (the token of builder is invalid, revoked or expired: put a new one in the secrets file)"
    );
    assert_eq!((seen.kind, asked), (ForgeErrorKind::Auth, 1));
}

#[tokio::test]
async fn a_token_without_permission_is_told_which_it_needs() {
    let answer = says(403, "Resource not accessible by personal access token")
        .insert_header("x-accepted-github-permissions", "metadata=read");
    let (seen, asked) = repository_answers(answer).await;
    assert_eq!((seen.kind, asked), (ForgeErrorKind::Permission, 1));
    assert_eq!(seen.hint.as_deref(), Some("the token of builder needs the permission metadata=read"));
}

#[tokio::test]
async fn the_primary_limit_names_its_end() {
    let reset = Timestamp::now().as_second() + 1_800;
    let answer = says(403, "API rate limit exceeded for user ID 7.")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", reset.to_string().as_str());
    let (seen, asked) = repository_answers(answer).await;
    assert_eq!(seen.kind, ForgeErrorKind::LimitedUntil(Timestamp::from_second(reset).unwrap()));
    assert_eq!(asked, 1, "half an hour is not waited for here");
}

#[tokio::test]
async fn a_short_secondary_limit_is_waited_for_by_a_read() {
    let server = server().await;
    let limit = says(429, "You have exceeded a secondary rate limit").insert_header("retry-after", "1");
    crate::shape::get_once(&server, "/repos/acme/shop/collaborators/alice/permission", limit).await;
    let role = json!({ "permission": "write", "role_name": "maintain", "user": { "login": "alice" } });
    get(&server, "/repos/acme/shop/collaborators/alice/permission", role).await;
    let seen = github(&server).permission(&repo(), &"alice".parse().unwrap()).await;
    assert_eq!(seen, Ok(Permission::Maintain), "role_name, not the folded permission");
}

#[tokio::test]
async fn gone_and_missing_are_absences() {
    for status in [404, 410] {
        let (seen, _) = repository_answers(says(status, "Not Found")).await;
        assert_eq!(seen.kind, ForgeErrorKind::Missing);
    }
}

#[tokio::test]
async fn an_outage_is_tried_again_a_bounded_number_of_times() {
    for status in [500, 502, 503, 504] {
        let (seen, asked) = repository_answers(says(status, "Server Error")).await;
        assert_eq!((seen.kind, asked), (ForgeErrorKind::Transient, 3));
    }
}

#[tokio::test]
async fn html_instead_of_json_is_an_outage_whatever_its_status() {
    for status in [200, 403, 404] {
        let page = ResponseTemplate::new(status).set_body_raw("<html><body>Unicorn!</body></html>", "text/html");
        let (seen, _) = repository_answers(page).await;
        assert_eq!(seen.kind, ForgeErrorKind::Transient, "{status}");
    }
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed() {
    let (seen, _) = repository_answers(ResponseTemplate::new(200).set_body_json(json!({ "full_name": 5 }))).await;
    assert_eq!(seen.kind, ForgeErrorKind::Malformed);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_outage() {
    let server = server().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(5));
    on(&server, "GET", "/user", slow).await;
    let mut config = config(&server.uri());
    config.request_timeout = Duration::from_millis(50);
    config.read_attempts = 2;
    let seen = GitHub::new(config).unwrap().identity(TokenRole::Builder).await.unwrap_err();
    assert_eq!((seen.kind, seen.message.as_str()), (ForgeErrorKind::Transient, "GET /user: no answer within 0.05 s"));

    let nobody = crate::shape::config("http://127.0.0.1:1");
    let seen = GitHub::new(nobody).unwrap().identity(TokenRole::Builder).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Transient);
}

fn key() -> IssueKey {
    IssueKey { repo: repo(), number: IssueNumber(5) }
}

async fn issue_answers(answer: Value) -> ForgeErrorKind {
    let server = server().await;
    operation(&server, "IssueWhole", answer).await;
    github(&server).issue(&key()).await.unwrap_err().kind
}

#[tokio::test]
async fn graphql_says_limits_and_refusals_with_status_200() {
    let error = |kind: &str, message: &str| json!({ "data": { "repository": null }, "errors": [{ "type": kind, "path": ["repository"], "message": message }] });
    let limit = issue_answers(error("RATE_LIMITED", "API rate limit exceeded for user ID 7.")).await;
    assert!(matches!(limit, ForgeErrorKind::LimitedUntil(_)));
    assert_eq!(issue_answers(error("NOT_FOUND", "Could not resolve to a Repository")).await, ForgeErrorKind::Missing);
    assert_eq!(issue_answers(error("FORBIDDEN", "Resource not accessible")).await, ForgeErrorKind::Permission);
    let vague = json!({ "errors": [{ "message": "Something went wrong while executing your query." }] });
    assert_eq!(issue_answers(vague).await, ForgeErrorKind::Transient);
    let bare = json!({ "message": "You have exceeded a secondary rate limit" });
    assert!(matches!(issue_answers(bare).await, ForgeErrorKind::LimitedUntil(_)));
}

#[tokio::test]
async fn data_beside_an_error_is_not_taken_for_the_whole() {
    let half = json!({
        "data": { "repository": { "issue": { "title": "half" } } },
        "errors": [{ "type": "SERVICE_UNAVAILABLE", "path": ["repository", "issue", "comments"], "message": "…" }],
    });
    assert_eq!(issue_answers(half).await, ForgeErrorKind::Transient);
}

#[tokio::test]
async fn a_second_page_of_the_board_that_fails_is_no_shorter_board() {
    let server = server().await;
    let first = json!({ "data": { "repositoryOwner": { "projectV2": { "id": "P", "items": {
        "nodes": [{ "id": "I1", "type": "ISSUE", "isArchived": false,
            "content": { "number": 5, "repository": { "nameWithOwner": "acme/shop" } }, "fieldValueByName": { "name": "Todo" } }],
        "pageInfo": { "hasNextPage": true, "endCursor": "c1" } } } } } });
    wiremock::Mock::given(wiremock::matchers::body_string_contains("\"after\":\"c1\""))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    operation(&server, "BoardItems", first).await;
    let mut config = config(&server.uri());
    config.project = Some(("acme".to_owned(), 1));
    let seen = GitHub::new(config).unwrap().cards().await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Transient);
}

#[tokio::test]
async fn no_error_and_no_debug_shows_a_token() {
    let server = server().await;
    let echo = says(403, &format!("who is {TOKEN}?"));
    on(&server, "GET", "/user", echo).await;
    let github = github(&server);
    let seen = github.identity(TokenRole::Builder).await.unwrap_err();
    for text in
        [seen.to_string(), format!("{seen:?}"), format!("{github:?}"), format!("{:?}", config("http://localhost"))]
    {
        assert!(!text.contains("secret"), "{text}");
    }
    let mut spoilt = config(&server.uri());
    spoilt.tokens.insert(TokenRole::Builder, "secret with spaces\n".to_owned().into());
    let seen = GitHub::new(spoilt).unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Auth);
    assert!(!seen.to_string().contains("secret with"), "{seen}");
}

#[tokio::test]
async fn a_role_without_a_token_is_named_and_the_applier_borrows_the_reviewers() {
    let server = server().await;
    get(&server, "/user", crate::shape::me()).await;
    let mut config = config(&server.uri());
    config.tokens.retain(|role, _| *role == TokenRole::Reviewer);
    let github = GitHub::new(config).unwrap();
    assert_eq!(github.identity(TokenRole::Applier).await.unwrap().login.as_str(), "al-gorithm");
    assert_eq!(github.identity(TokenRole::Reviewer).await.unwrap().login.as_str(), "al-gorithm");
    assert_eq!(count(&server, "GET").await, 1, "an identity is asked for once");
    let seen = github.identity(TokenRole::Builder).await.unwrap_err();
    assert_eq!(
        seen.to_string(),
        "the role builder has no GitHub token (set HYDRA_BUILDER_TOKEN in the secrets file, or git_tokens.builder in the credentials)"
    );
}

#[tokio::test]
async fn bots_have_no_permission_of_their_own() {
    let server = server().await;
    let path = "/repos/acme/shop/collaborators/ci[bot]/permission";
    on(&server, "GET", path, says(404, "ci[bot] is not a user")).await;
    let github = github(&server);
    assert_eq!(github.permission(&repo(), &"ci[bot]".parse().unwrap()).await, Ok(Permission::None));
    let seen = github.permission(&repo(), &"nobody".parse().unwrap()).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Missing, "a repository that cannot be seen is no lack of permission");
}
