//! Pages, ETags, rate limits, body sizes.

use super::hub::*;
use hydra_sim::github::{SimClock, SimConfig};
use serde_json::json;

#[tokio::test]
async fn an_unchanged_answer_costs_nothing() {
    let hub = Hub::new().await;
    let first = hub.get(BUILDER, "/repos/acme/app/labels?per_page=100").await;
    let etag = first.header("etag").to_owned();
    assert_eq!(first.header("x-ratelimit-used"), "1");
    let known = [("if-none-match", etag.as_str())];
    let ask = |token| hub.send(token, "GET", "/repos/acme/app/labels?per_page=100", None, &known);
    let again = ask(BUILDER).await.unwrap();
    assert_eq!((again.status, again.header("x-ratelimit-used")), (304, "1"));
    assert_eq!(again.body.len(), 0);
    assert_eq!(ask(ALICE).await.unwrap().status, 200, "an ETag is one token's own");
    hub.sim.define_label(REPO, "done", "ffffff", "Done").unwrap();
    let changed = ask(BUILDER).await.unwrap();
    assert_eq!((changed.status, changed.header("x-ratelimit-used")), (200, "2"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let hub = Hub::new().await;
    for n in 0..7 {
        let issue = hub.sim.open_issue(REPO, "alice", &format!("Issue {n}"), "").unwrap();
        if n % 2 == 0 {
            hub.sim.add_label(REPO, issue, "Ready-To-Build", "alice").unwrap();
        }
    }
    let first = hub.get(BUILDER, "/repos/acme/app/issues?labels=ready-to-build&per_page=3").await;
    assert_eq!(first.json().as_array().unwrap().len(), 3);
    let next = first.header("link").split(';').next().unwrap().trim_matches(['<', '>']).to_owned();
    assert!(first.header("link").contains("rel=\"last\""), "{}", first.header("link"));
    let second = hub.get(BUILDER, next.strip_prefix(hub.sim.base_url()).unwrap()).await;
    assert_eq!(second.json()[0]["title"], "Issue 0");
    assert!(!second.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn the_hour_is_used_up_and_begins_anew() {
    let clock = SimClock::fixed("2026-03-01T10:20:00Z".parse().unwrap());
    let hub = Hub::with(SimConfig { clock: clock.clone(), hourly_limit: 2, ..SimConfig::default() }).await;
    assert_eq!(hub.get(BUILDER, "/user").await.header("x-ratelimit-remaining"), "1");
    hub.get(BUILDER, "/user").await;
    let got = hub.get(BUILDER, "/user").await;
    assert_eq!((got.status, got.header("x-ratelimit-remaining")), (403, "0"));
    assert!(got.message().starts_with("API rate limit exceeded"));
    let reset: i64 = got.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, "2026-03-01T11:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second());
    assert_eq!(hub.get(ALICE, "/user").await.status, 200, "another account has its own hour");
    clock.advance(reset - clock.now().as_second());
    assert_eq!(hub.get(BUILDER, "/user").await.status, 200);
}

#[tokio::test]
async fn long_bodies_and_names_are_refused() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    let path = format!("/repos/acme/app/issues/{issue}/comments");
    hub.expect(201, BUILDER, "POST", &path, json!({ "body": "ä".repeat(65_536) })).await;
    let got = hub.expect(422, BUILDER, "POST", &path, json!({ "body": "a".repeat(65_537) })).await;
    assert_eq!(got["errors"][0]["message"], "body is too long (maximum is 65536 characters)");
    let label = |name: &str| json!({ "name": name, "color": "ededed" });
    hub.expect(422, BUILDER, "POST", "/repos/acme/app/labels", label(&"x".repeat(51))).await;
    let twin = hub.expect(422, BUILDER, "POST", "/repos/acme/app/labels", label("READY-TO-BUILD")).await;
    assert_eq!(twin["errors"][0]["code"], "already_exists");
}

#[tokio::test]
async fn an_unknown_label_is_created_by_setting_it() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    let path = format!("/repos/acme/app/issues/{issue}/labels");
    hub.expect(200, BUILDER, "POST", &path, json!({ "labels": ["build:queued", "READY-to-build"] })).await;
    assert_eq!(hub.sim.issue(REPO, issue).unwrap().labels, ["build:queued", "ready-to-build"]);
    assert!(hub.sim.labels(REPO).iter().any(|l| l.name == "build:queued" && l.color == "ededed"));
    hub.expect(200, BUILDER, "DELETE", &format!("{path}/build%3Aqueued"), json!(null)).await;
    let gone = hub.call(BUILDER, "DELETE", &format!("{path}/build%3Aqueued"), json!(null)).await;
    assert_eq!((gone.status, gone.message().as_str()), (404, "Label does not exist"));
    let events = hub.expect(200, BUILDER, "GET", &format!("/repos/acme/app/issues/{issue}/events"), json!(null)).await;
    let told: Vec<_> = events.as_array().unwrap().iter().map(|e| (&e["event"], &e["label"]["name"])).collect();
    assert_eq!(told.len(), 3);
    assert_eq!(told[2], (&json!("unlabeled"), &json!("build:queued")));
}

#[tokio::test]
async fn ten_thousand_cards_are_no_hardship() {
    let hub = Hub::new().await;
    let board = hub.sim.board("acme", "Work", &["Backlog", "Ready"]);
    for n in 0..10_000 {
        let issue = hub.sim.open_issue(REPO, "alice", &format!("Issue {n}"), "Please").unwrap();
        hub.sim.card("acme", board, REPO, issue, Some("Backlog")).unwrap();
    }
    let query = "query($after: String) { organization(login: \"acme\") { projectV2(number: 1) {
        items(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { id type isArchived
          content { ... on Issue { number repository { nameWithOwner } } }
          fieldValueByName(name: \"Status\") { ... on ProjectV2ItemFieldSingleSelectValue { name } } } } } } }";
    let (mut after, mut seen) = (json!(null), 0);
    loop {
        let got = hub.graphql(BUILDER, query, json!({ "after": after })).await;
        let items = &got["data"]["organization"]["projectV2"]["items"];
        seen += items["nodes"].as_array().unwrap().len();
        after = items["pageInfo"]["endCursor"].clone();
        if items["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, 10_000);
    for page in [1, 50, 100] {
        let got = hub.get(BUILDER, &format!("/repos/acme/app/issues?per_page=100&page={page}")).await;
        assert_eq!(got.json().as_array().unwrap().len(), 100);
    }
}
