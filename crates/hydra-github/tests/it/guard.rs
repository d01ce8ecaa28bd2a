//! What octocrab's defaults would get wrong: conditions, pages, redirects, addresses.

use crate::shape::{config, count, get, github, on, repo, server};
use hydra_core::{
    TokenRole,
    ports::{Forge as _, ForgeErrorKind, ForgeWriter as _},
};
use hydra_github::GitHub;
use serde_json::{Value, json};
use wiremock::{Mock, ResponseTemplate, matchers};

fn repository() -> Value {
    json!({ "full_name": "acme/shop", "default_branch": "main", "private": true, "archived": false,
            "clone_url": "http://localhost/acme/shop.git" })
}
fn label(name: &str) -> Value {
    json!({ "name": name, "color": "ff0000", "description": null })
}

#[tokio::test]
async fn an_unchanged_repository_is_asked_for_on_condition() {
    let server = server().await;
    for (path, body) in [("/repos/acme/shop", repository()), ("/repos/acme/shop/labels", json!([label("done")]))] {
        Mock::given(matchers::path(path))
            .and(matchers::header("if-none-match", "\"v1\""))
            .respond_with(ResponseTemplate::new(304))
            .mount(&server)
            .await;
        let first = ResponseTemplate::new(200).insert_header("etag", "\"v1\"").set_body_json(body);
        crate::shape::get_once(&server, path, first).await;
    }
    let github = github(&server);
    let first = github.repository(&repo()).await.unwrap();
    let second = github.repository(&repo()).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(second.labels[0].name, "done");
    assert_eq!(count(&server, "GET").await, 4, "the second look cost two answers of 304");
}

#[tokio::test]
async fn all_pages_are_read_and_a_failing_one_fails_the_whole() {
    let server = server().await;
    get(&server, "/repos/acme/shop", repository()).await;
    let next = format!("<{}/repos/acme/shop/labels?per_page=100&page=2>; rel=\"next\"", server.uri());
    Mock::given(matchers::path("/repos/acme/shop/labels"))
        .and(matchers::query_param("page", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([label("b")])))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(matchers::path("/repos/acme/shop/labels"))
        .and(matchers::query_param("page", "2"))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let first = ResponseTemplate::new(200).insert_header("link", next.as_str()).set_body_json(json!([label("a")]));
    on(&server, "GET", "/repos/acme/shop/labels", first).await;
    let github = github(&server);
    let names: Vec<_> = github.repository(&repo()).await.unwrap().labels.into_iter().map(|l| l.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(github.repository(&repo()).await.unwrap_err().kind, ForgeErrorKind::Transient);
}

#[tokio::test]
async fn a_list_without_end_is_an_error() {
    let server = server().await;
    get(&server, "/repos/acme/shop", repository()).await;
    let next = format!("<{}/repos/acme/shop/labels?page=2>; rel=\"next\"", server.uri());
    let page = ResponseTemplate::new(200).insert_header("link", next.as_str()).set_body_json(json!([label("a")]));
    on(&server, "GET", "/repos/acme/shop/labels", page).await;
    let mut config = config(&server.uri());
    config.max_pages = 3;
    let seen = GitHub::new(config).unwrap().repository(&repo()).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Malformed);
    assert!(seen.message.contains("more than 3 pages"), "{seen}");
}

#[tokio::test]
async fn a_next_page_or_a_redirect_on_another_host_never_sees_the_token() {
    let (server, stranger) = (server().await, server().await);
    on(&stranger, "GET", "/labels", ResponseTemplate::new(200).set_body_json(json!([]))).await;
    get(&server, "/repos/acme/shop", repository()).await;
    let next = format!("<{}/labels>; rel=\"next\"", stranger.uri());
    let page = ResponseTemplate::new(200).insert_header("link", next.as_str()).set_body_json(json!([label("a")]));
    on(&server, "GET", "/repos/acme/shop/labels", page).await;
    let moved = ResponseTemplate::new(301).insert_header("location", format!("{}/labels", stranger.uri()).as_str());
    on(&server, "GET", "/user", moved).await;
    let github = github(&server);
    let seen = github.repository(&repo()).await.unwrap_err();
    assert!(seen.message.contains("points to another host"), "{seen}");
    let seen = github.identity(TokenRole::Builder).await.unwrap_err();
    assert!(seen.message.contains("points to another host"), "{seen}");
    assert!(stranger.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_its_own_host() {
    let server = server().await;
    let moved = ResponseTemplate::new(301).insert_header("location", "/repositories/7");
    on(&server, "GET", "/repos/acme/shop", moved).await;
    let mut renamed = repository();
    renamed["full_name"] = json!("acme/store");
    get(&server, "/repositories/7", renamed).await;
    get(&server, "/repos/acme/shop/labels", json!([])).await;
    assert_eq!(github(&server).repository(&repo()).await.unwrap().name.to_string(), "acme/store");
}

#[tokio::test]
async fn every_request_names_its_version_and_carries_the_token_to_github_alone() {
    let server = server().await;
    get(&server, "/user", crate::shape::me()).await;
    github(&server).identity(TokenRole::Builder).await.unwrap();
    let seen = &server.received_requests().await.unwrap()[0];
    assert_eq!(seen.headers["x-github-api-version"], "2022-11-28");
    assert_eq!(seen.headers["accept"], "application/vnd.github+json");
    assert_eq!(seen.headers["authorization"], format!("Bearer {}", crate::shape::TOKEN).as_str());
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("hydra/"));
}

#[tokio::test]
async fn plain_http_is_for_loopback_alone() {
    for address in ["http://github.example", "http://10.0.0.1", "ftp://localhost", "https://user:pw@github.example"] {
        assert_eq!(GitHub::new(config(address)).unwrap_err().kind, ForgeErrorKind::Malformed, "{address}");
    }
    for address in ["https://api.github.com", "http://localhost:1", "http://[::1]:1"] {
        assert!(GitHub::new(config(address)).is_ok(), "{address}");
    }
}

#[test]
fn addresses_beside_the_api_are_derived() {
    let derived = |base: &str| {
        let config = config(base);
        (config.graphql().to_string(), config.git().to_string())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(derived("https://api.github.com"), pair("https://api.github.com/graphql", "https://github.com/"));
    assert_eq!(derived("https://ghe.example/api/v3"), pair("https://ghe.example/api/graphql", "https://ghe.example/"));
}

#[tokio::test]
async fn whether_a_token_may_push_is_what_git_says() {
    let server = server().await;
    let path = "/acme/shop.git/info/refs";
    let advert = ResponseTemplate::new(200)
        .set_body_raw("001f# service=git-receive-pack\n0000", "application/x-git-receive-pack-advertisement");
    crate::shape::get_once(&server, path, advert).await;
    let refusal = ResponseTemplate::new(403).set_body_raw("Write access to repository not granted.", "text/plain");
    crate::shape::get_once(&server, path, refusal).await;
    on(&server, "GET", path, ResponseTemplate::new(500)).await;
    let github = github(&server);
    assert_eq!(github.may_push(TokenRole::Builder, &repo()).await, Ok(true));
    assert_eq!(github.may_push(TokenRole::Builder, &repo()).await, Ok(false));
    assert_eq!(github.may_push(TokenRole::Builder, &repo()).await.unwrap_err().kind, ForgeErrorKind::Transient);
    let seen = &server.received_requests().await.unwrap()[0];
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(seen.url.query(), Some("service=git-receive-pack"));
}
