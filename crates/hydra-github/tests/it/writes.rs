//! Writes: looked up first, sent once, looked up again when the answer was lost.

use crate::shape::{comment, config, count, get, get_once, github, last_body, me, on, operation, pull, repo, server};
use hydra_core::{
    CommitSha, Generation, PullNumber, TokenRole,
    ports::{Applied, ForgeErrorKind, ForgeWrite, ForgeWriter as _, InlineComment, Marker},
    view::{StatusState, ThreadNumber},
};
use hydra_github::GitHub;
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate};

const COMMENTS: &str = "/repos/acme/shop/issues/5/comments";
const MARK: &str = "<!-- hydra:status g1 -->";

fn marker() -> Marker {
    Marker { purpose: "status".into(), generation: Generation(1), key: String::new() }
}
fn say(body: &str) -> ForgeWrite {
    ForgeWrite::Comment { repo: repo(), number: ThreadNumber(5), marker: marker(), body: body.into() }
}
fn sha(digit: &str) -> CommitSha {
    digit.repeat(40).parse().unwrap()
}
fn found(body: serde_json::Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn a_comment_whose_502_came_after_the_effect_is_there_once() {
    let server = server().await;
    get(&server, "/user", me()).await;
    get_once(&server, COMMENTS, found(json!([]))).await;
    get(&server, COMMENTS, json!([comment(90, "al-gorithm", &format!("{MARK}\nbuilding"))])).await;
    on(&server, "POST", COMMENTS, ResponseTemplate::new(502)).await;
    let github = github(&server);
    assert_eq!(github.apply(TokenRole::Builder, &say("building")).await, Ok(Applied::Made(Some(90))));
    assert_eq!(github.apply(TokenRole::Builder, &say("building")).await, Ok(Applied::AlreadyThere(Some(90))));
    assert_eq!(count(&server, "POST").await, 1);
}

#[tokio::test]
async fn a_comment_whose_502_came_before_the_effect_is_an_outage_and_not_sent_twice() {
    let server = server().await;
    get(&server, "/user", me()).await;
    get(&server, COMMENTS, json!([])).await;
    on(&server, "POST", COMMENTS, ResponseTemplate::new(502)).await;
    let seen = github(&server).apply(TokenRole::Builder, &say("building")).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Transient);
    assert_eq!(count(&server, "POST").await, 1);
}

#[tokio::test]
async fn a_look_up_that_fails_sends_nothing() {
    let server = server().await;
    get(&server, "/user", me()).await;
    on(&server, "GET", COMMENTS, ResponseTemplate::new(503)).await;
    assert!(github(&server).apply(TokenRole::Builder, &say("x")).await.is_err());
    assert_eq!(count(&server, "POST").await, 0);
}

#[tokio::test]
async fn somebody_elses_comment_with_the_same_marker_is_left_alone() {
    let server = server().await;
    get(&server, "/user", me()).await;
    let quoted = format!("I saw {MARK}");
    let stored = json!([
        comment(1, "mallory", &format!("{MARK}\nall is well")),
        comment(2, "al-gorithm", &quoted),
        comment(3, "al-gorithm", &format!("{MARK}\r\nold")),
    ]);
    get(&server, COMMENTS, stored).await;
    on(&server, "PATCH", "/repos/acme/shop/issues/comments/3", found(json!({ "id": 3 }))).await;
    let github = github(&server);
    assert_eq!(github.apply(TokenRole::Builder, &say("new")).await, Ok(Applied::Made(Some(3))));
    assert_eq!(last_body(&server, "PATCH").await, json!({ "body": format!("{MARK}\nnew") }));
    assert_eq!(github.apply(TokenRole::Builder, &say("old")).await, Ok(Applied::AlreadyThere(Some(3))));
}

#[tokio::test]
async fn a_write_that_finds_nothing_to_write_to_lacks_permission() {
    let server = server().await;
    get(&server, "/user", me()).await;
    get(&server, COMMENTS, json!([])).await;
    on(&server, "POST", COMMENTS, ResponseTemplate::new(404).set_body_json(json!({ "message": "Not Found" }))).await;
    let seen = github(&server).apply(TokenRole::Builder, &say("x")).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Permission);
}

#[tokio::test]
async fn only_effective_label_changes_are_sent() {
    let server = server().await;
    let path = "/repos/acme/shop/issues/5/labels";
    get(&server, path, json!([{ "name": "Build:Queued", "color": "0" }, { "name": "keep", "color": "0" }])).await;
    on(&server, "POST", path, found(json!([]))).await;
    on(&server, "DELETE", &format!("{path}/build:queued"), found(json!([]))).await;
    let github = github(&server);
    let change = |add: &[&str], remove: &[&str]| ForgeWrite::Labels {
        repo: repo(),
        number: ThreadNumber(5),
        add: add.iter().map(ToString::to_string).collect(),
        remove: remove.iter().map(ToString::to_string).collect(),
    };
    let made =
        github.apply(TokenRole::Orchestrator, &change(&["build:running", "KEEP"], &["build:queued", "gone"])).await;
    assert_eq!(made, Ok(Applied::Made(None)));
    assert_eq!(last_body(&server, "POST").await, json!({ "labels": ["build:running"] }));
    assert_eq!(count(&server, "DELETE").await, 1);
    let idle = github.apply(TokenRole::Orchestrator, &change(&["keep"], &["gone"])).await;
    assert_eq!(idle, Ok(Applied::AlreadyThere(None)));
    assert_eq!((count(&server, "POST").await, count(&server, "DELETE").await), (1, 1));
}

fn open() -> ForgeWrite {
    ForgeWrite::OpenPull {
        repo: repo(),
        head: "hydra/basket".parse().unwrap(),
        base: "main".parse().unwrap(),
        title: "A basket".into(),
        marker: Marker { purpose: "pull".into(), generation: Generation(1), key: String::new() },
        body: "what it does".into(),
    }
}

#[tokio::test]
async fn a_pull_request_that_a_person_closed_stays_closed() {
    let server = server().await;
    let mut closed = pull(8, "A basket", "<!-- hydra:pull g1 -->\nwhat it did");
    closed["state"] = json!("closed");
    get(&server, "/repos/acme/shop/pulls", json!([closed])).await;
    assert_eq!(github(&server).apply(TokenRole::Builder, &open()).await, Ok(Applied::AlreadyThere(Some(8))));
    assert_eq!(count(&server, "POST").await, 0);
}

#[tokio::test]
async fn where_there_are_no_drafts_the_title_says_so() {
    let server = server().await;
    get(&server, "/repos/acme/shop/pulls", json!([])).await;
    let no = json!({ "message": "Draft pull requests are not supported in this repository.", "errors": [] });
    wiremock::Mock::given(wiremock::matchers::method("POST"))
        .and(wiremock::matchers::body_partial_json(json!({ "draft": true })))
        .respond_with(ResponseTemplate::new(422).set_body_json(no))
        .mount(&server)
        .await;
    on(&server, "POST", "/repos/acme/shop/pulls", ResponseTemplate::new(201).set_body_json(pull(9, "", ""))).await;
    assert_eq!(github(&server).apply(TokenRole::Builder, &open()).await, Ok(Applied::Made(Some(9))));
    let sent = last_body(&server, "POST").await;
    assert_eq!((&sent["title"], &sent["draft"]), (&json!("[draft] A basket"), &json!(false)));
}

#[tokio::test]
async fn another_pull_request_of_the_branch_is_a_conflict() {
    let server = server().await;
    get(&server, "/repos/acme/shop/pulls", json!([pull(3, "mine", "no marker")])).await;
    let twin = json!({ "message": "Validation Failed", "errors": [{ "resource": "PullRequest", "code": "custom",
        "message": "A pull request already exists for acme:hydra/basket." }] });
    on(&server, "POST", "/repos/acme/shop/pulls", ResponseTemplate::new(422).set_body_json(twin)).await;
    let seen = github(&server).apply(TokenRole::Builder, &open()).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Conflict);
    assert!(seen.message.contains("already exists"), "{seen}");
}

const REVIEWS: &str = "/repos/acme/shop/pulls/8/reviews";
fn review(commit: &str) -> ForgeWrite {
    let at = |path: &str, line: u32, body: &str| InlineComment { path: path.into(), line, body: body.into() };
    ForgeWrite::Review {
        repo: repo(),
        number: PullNumber(8),
        commit: sha(commit),
        marker: Marker { purpose: "verdict".into(), generation: Generation(1), key: "aaaaaaaaaaaa code-review".into() },
        body: "Two findings.".into(),
        comments: vec![
            at("src/basket.js", 2, "off by one"),
            at("src/basket.js", 99, "far\naway"),
            at("gone.js", 1, "no"),
        ],
    }
}
async fn reviewed(server: &MockServer) {
    get(server, "/user", me()).await;
    get(server, REVIEWS, json!([])).await;
    get(server, "/repos/acme/shop/pulls/8", pull(8, "A basket", "")).await;
    let patch = "@@ -1,2 +1,3 @@\n one\n+two\n three";
    get(server, "/repos/acme/shop/pulls/8/files", json!([{ "filename": "src/basket.js", "patch": patch }])).await;
}

#[tokio::test]
async fn a_finding_off_the_diff_goes_into_the_body() {
    let server = server().await;
    reviewed(&server).await;
    on(&server, "POST", REVIEWS, found(json!({ "id": 70 }))).await;
    assert_eq!(github(&server).apply(TokenRole::Reviewer, &review("a")).await, Ok(Applied::Made(Some(70))));
    let sent = last_body(&server, "POST").await;
    assert_eq!(sent["event"], "COMMENT");
    assert_eq!(sent["commit_id"], "a".repeat(40));
    assert_eq!(
        sent["comments"],
        json!([{ "path": "src/basket.js", "line": 2, "side": "RIGHT", "body": "off by one" }])
    );
    assert_eq!(
        sent["body"].as_str().unwrap(),
        "<!-- hydra:verdict g1 aaaaaaaaaaaa code-review -->\nTwo findings.\n\n### Other findings\n\n- `src/basket.js:99` far\n  away\n- `gone.js:1` no"
    );
}

#[tokio::test]
async fn a_refused_inline_comment_does_not_cost_the_review() {
    let server = server().await;
    reviewed(&server).await;
    let refusal = json!({ "message": "Unprocessable Entity", "errors": ["Line could not be resolved"] });
    wiremock::Mock::given(wiremock::matchers::method("POST"))
        .respond_with(ResponseTemplate::new(422).set_body_json(refusal))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    on(&server, "POST", REVIEWS, found(json!({ "id": 71 }))).await;
    assert_eq!(github(&server).apply(TokenRole::Reviewer, &review("a")).await, Ok(Applied::Made(Some(71))));
    let sent = last_body(&server, "POST").await;
    assert_eq!(sent["comments"], json!([]));
    assert!(sent["body"].as_str().unwrap().contains("`src/basket.js:2` off by one"));
}

#[tokio::test]
async fn a_review_of_an_older_head_has_no_inline_comments() {
    let server = server().await;
    reviewed(&server).await;
    on(&server, "POST", REVIEWS, found(json!({ "id": 72 }))).await;
    github(&server).apply(TokenRole::Reviewer, &review("c")).await.unwrap();
    assert_eq!(last_body(&server, "POST").await["comments"], json!([]));
}

fn status() -> ForgeWrite {
    ForgeWrite::Status {
        repo: repo(),
        commit: sha("a"),
        context: "hydra/quality".into(),
        state: StatusState::Success,
        description: "green".into(),
        url: None,
    }
}

#[tokio::test]
async fn a_status_is_sent_when_the_newest_of_its_name_differs() {
    let server = server().await;
    let statuses = format!("/repos/acme/shop/commits/{}/statuses", sha("a"));
    let one = |id: u64, state: &str| json!({ "id": id, "context": "hydra/quality", "state": state, "description": "green", "creator": null });
    get_once(&server, &statuses, found(json!([one(2, "pending"), one(1, "success")]))).await;
    get(&server, &statuses, json!([one(3, "success")])).await;
    on(&server, "POST", &format!("/repos/acme/shop/statuses/{}", sha("a")), found(json!({ "id": 3 }))).await;
    let github = github(&server);
    assert_eq!(github.apply(TokenRole::Orchestrator, &status()).await, Ok(Applied::Made(Some(3))));
    assert_eq!(github.apply(TokenRole::Orchestrator, &status()).await, Ok(Applied::AlreadyThere(Some(3))));
    assert_eq!(count(&server, "POST").await, 1);
}

#[tokio::test]
async fn an_app_sets_a_check_run_instead() {
    let server = server().await;
    operation(&server, "Viewer", json!({})).await;
    on(&server, "POST", "/graphql", found(json!({ "data": { "viewer": { "login": "hydra-ci[bot]" } } }))).await;
    let runs = format!("/repos/acme/shop/commits/{}/check-runs", sha("a"));
    let run = |id: u64, slug: &str| {
        json!({ "id": id, "name": "hydra/quality", "status": "in_progress", "conclusion": null,
        "output": { "title": "running" }, "app": { "slug": slug } })
    };
    get(&server, &runs, json!({ "total_count": 2, "check_runs": [run(5, "hydra-ci"), run(6, "other")] })).await;
    on(&server, "PATCH", "/repos/acme/shop/check-runs/5", found(json!({ "id": 5 }))).await;
    let mut config = config(&server.uri());
    config.tokens.insert(TokenRole::Orchestrator, "ghs_abc".to_owned().into());
    let github = GitHub::new(config).unwrap();
    assert_eq!(github.apply(TokenRole::Orchestrator, &status()).await, Ok(Applied::Made(Some(5))));
    assert_eq!(last_body(&server, "PATCH").await["conclusion"], "success");
}

#[tokio::test]
async fn a_merge_is_pinned_to_the_head_that_was_judged() {
    let server = server().await;
    let path = "/repos/acme/shop/pulls/8";
    get_once(&server, path, found(pull(8, "A basket", ""))).await;
    let mut merged = pull(8, "A basket", "");
    merged["merged"] = json!(true);
    merged["state"] = json!("closed");
    get(&server, path, merged).await;
    on(&server, "PUT", &format!("{path}/merge"), ResponseTemplate::new(502)).await;
    let github = github(&server);
    let merge = |head: &str| ForgeWrite::Merge { repo: repo(), number: PullNumber(8), head: sha(head) };
    assert_eq!(
        github.apply(TokenRole::Orchestrator, &merge("a")).await,
        Ok(Applied::Made(Some(8))),
        "merged, answer lost"
    );
    assert_eq!(github.apply(TokenRole::Orchestrator, &merge("a")).await, Ok(Applied::AlreadyThere(Some(8))));
    let moved = github.apply(TokenRole::Orchestrator, &merge("d")).await.unwrap_err();
    assert_eq!(moved.kind, ForgeErrorKind::Conflict);
    assert_eq!(count(&server, "PUT").await, 1);
}

#[tokio::test]
async fn a_merge_method_that_is_not_allowed_gives_way_to_the_next() {
    let server = server().await;
    get(&server, "/repos/acme/shop/pulls/8", pull(8, "A basket", "")).await;
    let no = json!({ "message": "Merge commits are not allowed on this repository." });
    wiremock::Mock::given(wiremock::matchers::method("PUT"))
        .and(wiremock::matchers::body_partial_json(json!({ "merge_method": "merge" })))
        .respond_with(ResponseTemplate::new(405).set_body_json(no))
        .mount(&server)
        .await;
    on(&server, "PUT", "/repos/acme/shop/pulls/8/merge", found(json!({ "merged": true }))).await;
    let write = ForgeWrite::Merge { repo: repo(), number: PullNumber(8), head: sha("a") };
    assert_eq!(github(&server).apply(TokenRole::Orchestrator, &write).await, Ok(Applied::Made(Some(8))));
    assert_eq!(last_body(&server, "PUT").await, json!({ "sha": "a".repeat(40), "merge_method": "squash" }));
}

#[tokio::test]
async fn two_equal_writes_at_once_are_one() {
    let server = server().await;
    get(&server, "/user", me()).await;
    get_once(&server, COMMENTS, found(json!([]))).await;
    get(&server, COMMENTS, json!([comment(90, "al-gorithm", &format!("{MARK}\nbuilding"))])).await;
    on(&server, "POST", COMMENTS, ResponseTemplate::new(201).set_body_json(json!({ "id": 90 }))).await;
    let github = github(&server);
    let write = say("building");
    let (one, two) = tokio::join!(
        github.apply(TokenRole::Builder, &write),
        github.apply(TokenRole::Reviewer, &write), // the same token
    );
    assert_eq!((one.is_ok(), two.is_ok()), (true, true));
    assert_eq!(count(&server, "POST").await, 1);
}
