//! What the tests share: a client on a mock server, and GitHub's shapes in short.

use hydra_core::{RepoName, TokenRole};
use hydra_github::{GitHub, GitHubConfig};
use hydra_sim::github::{Record, Traffic};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate, matchers};

pub(crate) const TOKEN: &str = "github_pat_11AAAAAAA0secretsecretsecret";

pub(crate) fn repo() -> RepoName {
    "acme/shop".parse().unwrap()
}

pub(crate) fn config(base: &str) -> GitHubConfig {
    let mut config = GitHubConfig::new(base.parse().unwrap());
    for role in TokenRole::ALL {
        config.tokens.insert(*role, TOKEN.to_owned().into());
    }
    config.retry_delay = Duration::from_millis(1);
    config.mergeable_delay = Duration::from_millis(1);
    config
}

pub(crate) fn github(server: &MockServer) -> GitHub {
    GitHub::new(config(&server.uri())).unwrap()
}

/// A mock server. What it is asked is kept, where a whole test run is held against GitHub's own descriptions.
pub(crate) async fn server() -> MockServer {
    let server = MockServer::start().await;
    if let Some(traffic) = Traffic::start().unwrap() {
        Mock::given(Ear(traffic)).respond_with(ResponseTemplate::new(500)).with_priority(1).mount(&server).await;
    }
    server
}

/// Hears everything and answers nothing.
struct Ear(Traffic);

impl Match for Ear {
    fn matches(&self, request: &Request) -> bool {
        let record = Record {
            method: request.method.to_string(),
            path: request.url.path().to_owned(),
            query: request.url.query_pairs().into_owned().collect(),
            request: serde_json::from_slice(&request.body).ok(),
            status: 200,
            response: None,
            // The mock's answer is made up.
            faulty: true,
        };
        // Git's own protocol is none of the API.
        if !record.path.contains(".git/") {
            self.0.keep(&record).unwrap();
        }
        false
    }
}

/// A GET that answers with JSON as often as it is asked.
pub(crate) async fn get(server: &MockServer, path: &str, body: Value) {
    Mock::given(matchers::method("GET"))
        .and(matchers::path(path))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

/// A GET that answers once.
pub(crate) async fn get_once(server: &MockServer, path: &str, answer: ResponseTemplate) {
    Mock::given(matchers::method("GET"))
        .and(matchers::path(path))
        .respond_with(answer)
        .up_to_n_times(1)
        .mount(server)
        .await;
}

/// A request of any method.
pub(crate) async fn on(server: &MockServer, method: &str, path: &str, answer: ResponseTemplate) {
    Mock::given(matchers::method(method)).and(matchers::path(path)).respond_with(answer).mount(server).await;
}

/// A GraphQL operation.
pub(crate) async fn operation(server: &MockServer, name: &str, answer: Value) {
    Mock::given(matchers::method("POST"))
        .and(matchers::path("/graphql"))
        .and(matchers::body_string_contains(format!(" {name}(")))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(server)
        .await;
}

/// How many requests of a method the server saw.
pub(crate) async fn count(server: &MockServer, method: &str) -> usize {
    let seen = server.received_requests().await.unwrap();
    seen.iter().filter(|r| r.method.as_str() == method).count()
}

/// The JSON body of the last request of a method.
pub(crate) async fn last_body(server: &MockServer, method: &str) -> Value {
    let seen = server.received_requests().await.unwrap();
    let last = seen.iter().rfind(|r| r.method.as_str() == method).unwrap();
    serde_json::from_slice(&last.body).unwrap()
}

pub(crate) fn me() -> Value {
    json!({ "login": "al-gorithm", "id": 7, "type": "User" })
}

pub(crate) fn comment(id: u64, login: &str, body: &str) -> Value {
    json!({ "id": id, "body": body, "user": { "login": login } })
}

pub(crate) fn pull(number: u64, title: &str, body: &str) -> Value {
    json!({
        "number": number, "node_id": format!("PR_{number}"), "state": "open", "title": title, "body": body,
        "draft": true, "merged": false, "merged_at": null, "labels": [], "updated_at": "2026-11-24T00:00:00Z",
        "head": { "ref": "hydra/basket", "sha": "a".repeat(40), "repo": { "full_name": "acme/shop" } },
        "base": { "ref": "main", "sha": "b".repeat(40), "repo": { "full_name": "acme/shop" } },
    })
}
