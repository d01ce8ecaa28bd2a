//! GraphQL: compare-and-swap, boards, errors.

use super::hub::*;
use hydra_sim::github::{SimClock, SimConfig};
use serde_json::{Value, json};
use std::sync::Arc;

const SWAP: &str = "mutation Swap($repository: ID!, $updates: [RefUpdate!]!) {
  updateRefs(input: {repositoryId: $repository, refUpdates: $updates}) { clientMutationId }
}";
const ZERO: &str = "0000000000000000000000000000000000000000";
const LEASE: &str = "refs/hydra/lease/1";

async fn repository(hub: &Hub) -> Value {
    hub.expect(200, BUILDER, "GET", "/repos/acme/app", json!(null)).await["node_id"].clone()
}

async fn commit(hub: &Hub, message: &str) -> String {
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let body = json!({ "message": message, "tree": tree, "parents": [] });
    let made = hub.expect(201, BUILDER, "POST", "/repos/acme/app/git/commits", body).await;
    made["sha"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_fifty_swaps_exactly_one_wins() {
    let hub = Arc::new(Hub::new().await);
    let id = repository(&hub).await;
    let mut before = ZERO.to_owned();
    for round in 0..2 {
        let mut commits = Vec::new();
        for n in 0..50 {
            commits.push(commit(&hub, &format!("lease {round} {n}")).await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for after in commits {
            let (hub, id, before) = (Arc::clone(&hub), id.clone(), before.clone());
            tasks.spawn(async move {
                let update = json!({ "name": LEASE, "beforeOid": before, "afterOid": after, "force": true });
                let got = hub.graphql(BUILDER, SWAP, json!({ "repository": id, "updates": [update] })).await;
                got.get("errors").is_none().then_some(after)
            });
        }
        let winners: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(hub.sim.refs(REPO)[LEASE], winners[0]);
        before = winners[0].clone();
    }
    let update = json!({ "name": LEASE, "beforeOid": before, "afterOid": ZERO, "force": true });
    let got = hub.graphql(BUILDER, SWAP, json!({ "repository": id, "updates": [update] })).await;
    assert_eq!(got["data"]["updateRefs"]["clientMutationId"], json!(null));
    assert!(!hub.sim.refs(REPO).contains_key(LEASE));
}

#[tokio::test]
async fn a_list_of_swaps_is_all_or_nothing_and_needs_contents_write() {
    let hub = Hub::new().await;
    let id = repository(&hub).await;
    let after = commit(&hub, "x").await;
    let good = json!({ "name": "refs/hydra/a", "beforeOid": ZERO, "afterOid": after });
    let stale = json!({ "name": "refs/hydra/b", "beforeOid": after, "afterOid": after });
    let variables = json!({ "repository": id, "updates": [good, stale] });
    let got = hub.graphql(BUILDER, SWAP, variables.clone()).await;
    assert_eq!(got["data"]["updateRefs"], json!(null));
    assert_eq!(got["errors"][0]["path"], json!(["updateRefs"]));
    assert!(!hub.sim.refs(REPO).contains_key("refs/hydra/a"));
    let got = hub.graphql(READER, SWAP, variables).await;
    assert_eq!(got["errors"][0]["type"], "FORBIDDEN");
    assert_eq!(got["errors"][0]["message"], "Resource not accessible by personal access token");
}

#[tokio::test]
async fn a_branch_moves_forward_only_unless_forced() {
    let hub = Hub::new().await;
    let id = repository(&hub).await;
    let (main, other) = (hub.sim.branch(REPO, "main").unwrap(), commit(&hub, "unrelated").await);
    let update = |force| json!({ "name": "refs/heads/main", "beforeOid": main, "afterOid": other, "force": force });
    let got = hub.graphql(BUILDER, SWAP, json!({ "repository": id, "updates": [update(false)] })).await;
    assert_eq!(got["errors"][0]["message"], "Update is not a fast forward");
    hub.graphql(BUILDER, SWAP, json!({ "repository": id, "updates": [update(true)] })).await;
    assert_eq!(hub.sim.branch(REPO, "main").unwrap(), other);
    let rest = hub.call(BUILDER, "PATCH", "/repos/acme/app/git/refs/heads/main", json!({ "sha": main })).await;
    assert_eq!((rest.status, rest.message().as_str()), (422, "Update is not a fast forward"));
}

#[tokio::test]
async fn an_issue_with_its_events_and_edits() {
    let clock = SimClock::fixed("2026-03-01T00:00:00Z".parse().unwrap());
    let hub = Hub::with(SimConfig { clock: clock.clone(), record: true, ..SimConfig::default() }).await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    clock.advance(60);
    hub.sim.add_label(REPO, issue, "ready-to-build", "alice").unwrap();
    clock.advance(60);
    hub.sim.edit_issue(REPO, issue, "alice", None, Some("Please!")).unwrap();
    hub.call(APP, "POST", &format!("/repos/acme/app/issues/{issue}/comments"), json!({ "body": "noted" })).await;
    let query = "query Whole($n: Int!) { repository(owner: \"acme\", name: \"app\") { issue(number: $n) {
        ...Texts comments(first: 10) { totalCount nodes { body author { __typename login } } }
        events: timelineItems(first: 100, itemTypes: [LABELED_EVENT]) { nodes {
            __typename ... on LabeledEvent { createdAt actor { login } label { name } } } }
        userContentEdits(first: 5) { nodes { editedAt editor { login } diff } }
      } } }
      fragment Texts on Issue { title body lastEditedAt author { ... on User { login databaseId } } }";
    let got = hub.graphql(BUILDER, query, json!({ "n": issue })).await;
    let found = &got["data"]["repository"]["issue"];
    assert_eq!(found["lastEditedAt"], "2026-03-01T00:02:00Z", "{got}");
    let event = json!({ "__typename": "LabeledEvent", "createdAt": "2026-03-01T00:01:00Z",
        "actor": { "login": "alice" }, "label": { "name": "ready-to-build" } });
    assert_eq!(found["events"]["nodes"], json!([event]));
    let comment = json!({ "body": "noted", "author": { "__typename": "Bot", "login": "hydra" } });
    assert_eq!(found["comments"]["nodes"], json!([comment]));
    assert_eq!(found["userContentEdits"]["nodes"][0]["diff"], "Please!");
}

#[tokio::test]
async fn a_board_of_more_than_a_page_is_read_and_changed() {
    let hub = Hub::new().await;
    let board = hub.sim.board("acme", "Work", &["Backlog", "Ready", "Review"]);
    for n in 0..120 {
        let issue = hub.sim.open_issue(REPO, "alice", &format!("Issue {n}"), "").unwrap();
        hub.sim.card("acme", board, REPO, issue, (n != 7).then_some("Backlog")).unwrap();
    }
    hub.sim.redact_card("acme", board, REPO, 3).unwrap();
    let query = "query($after: String) { organization(login: \"acme\") { projectV2(number: 1) { id
        field(name: \"Status\") { ... on ProjectV2SingleSelectField { id options { id name } } }
        items(first: 100, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { id type
          content { ... on Issue { number repository { nameWithOwner } } }
          fieldValueByName(name: \"Status\") { ... on ProjectV2ItemFieldSingleSelectValue { name } } } } } } }";
    let first = hub.graphql(BUILDER, query, json!({})).await;
    let project = &first["data"]["organization"]["projectV2"];
    let items = project["items"]["nodes"].as_array().unwrap();
    assert_eq!((items.len(), &project["items"]["pageInfo"]["hasNextPage"]), (100, &json!(true)));
    assert_eq!((&items[2]["type"], &items[2]["content"]), (&json!("REDACTED"), &json!(null)));
    assert_eq!(items[7]["fieldValueByName"], json!(null));
    let after = &project["items"]["pageInfo"]["endCursor"];
    let second = hub.graphql(BUILDER, query, json!({ "after": after })).await;
    assert_eq!(second["data"]["organization"]["projectV2"]["items"]["nodes"].as_array().unwrap().len(), 20);

    let option =
        project["field"]["options"].as_array().unwrap().iter().find(|o| o["name"] == "Ready").unwrap()["id"].clone();
    let set = "mutation($p: ID!, $i: ID!, $f: ID!, $o: String!) { updateProjectV2ItemFieldValue(input:
        {projectId: $p, itemId: $i, fieldId: $f, value: {singleSelectOptionId: $o}}) { projectV2Item { id } } }";
    let variables = json!({ "p": project["id"], "i": items[7]["id"], "f": project["field"]["id"], "o": option });
    let done = hub.graphql(BUILDER, set, variables.clone()).await;
    assert!(done.get("errors").is_none(), "{done}");
    let state = hub.sim.board_state("acme", board).unwrap();
    assert_eq!(state.cards[7].status.as_deref(), Some("Ready"));
    assert_eq!(hub.graphql(READER, set, variables).await["errors"][0]["type"], "FORBIDDEN");

    let issue = hub.expect(200, BUILDER, "GET", "/repos/acme/app/issues/1", json!(null)).await;
    let add =
        "mutation($p: ID!, $c: ID!) { addProjectV2ItemById(input: {projectId: $p, contentId: $c}) { item { id } } }";
    let variables = json!({ "p": project["id"], "c": issue["node_id"] });
    let got = hub.graphql(BUILDER, add, variables).await;
    assert_eq!(got["data"]["addProjectV2ItemById"]["item"]["id"], items[0]["id"], "adding twice makes no second item");
}

#[tokio::test]
async fn drafts_become_ready_and_threads_are_resolved() {
    let hub = Hub::new().await;
    let number = hub.draft("hydra/count").await;
    let pull = hub.expect(200, BUILDER, "GET", &format!("/repos/acme/app/pulls/{number}"), json!(null)).await;
    let ready =
        "mutation($p: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $p}) { pullRequest { isDraft } } }";
    let got = hub.graphql(BUILDER, ready, json!({ "p": pull["node_id"] })).await;
    assert_eq!(got["data"]["markPullRequestReadyForReview"]["pullRequest"]["isDraft"], false);
    let inline = json!([{ "path": "src/count.txt", "line": 4, "body": "why?" }]);
    let review = json!({ "event": "COMMENT", "body": "Verdict", "comments": inline });
    hub.expect(200, ALICE, "POST", &format!("/repos/acme/app/pulls/{number}/reviews"), review).await;
    let threads = "query($n: Int!) { repository(owner: \"acme\", name: \"app\") { pullRequest(number: $n) {
        reviewThreads(first: 10) { nodes { id isResolved path line comments(first: 1) { nodes { body } } } } } } }";
    let seen = hub.graphql(BUILDER, threads, json!({ "n": number })).await;
    let thread = &seen["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"][0];
    assert_eq!((&thread["isResolved"], &thread["line"]), (&json!(false), &json!(4)));
    let resolve = "mutation($t: ID!) { resolveReviewThread(input: {threadId: $t}) { thread { isResolved } } }";
    assert_eq!(hub.graphql(READER, resolve, json!({ "t": thread["id"] })).await["errors"][0]["type"], "FORBIDDEN");
    let done = hub.graphql(BUILDER, resolve, json!({ "t": thread["id"] })).await;
    assert_eq!(done["data"]["resolveReviewThread"]["thread"]["isResolved"], true);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said_as_github_says_it() {
    let hub = Hub::new().await;
    let ask = |query: &'static str| hub.graphql(BUILDER, query, json!({}));
    let got = ask("{ viewer { login shoeSize } }").await;
    assert_eq!(got["errors"][0]["message"], "Field 'shoeSize' doesn't exist on type 'User'");
    assert!(got.get("data").is_none());
    let got = ask("{ repository(owner: \"acme\", name: \"none\") { id } viewer { login } }").await;
    assert_eq!(got["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(got["data"], json!({ "repository": null, "viewer": { "login": "builder" } }));
    let got = ask("{ repository(owner: \"acme\", name: \"app\") { issues(first: 101) { totalCount } } }").await;
    assert_eq!(got["errors"][0]["type"], "EXCESSIVE_PAGINATION");
    let got = ask("{ repository(owner: \"acme\", name: \"app\") { issues { totalCount } } }").await;
    assert_eq!(got["errors"][0]["type"], "MISSING_PAGINATION_BOUNDARIES");
    assert!(ask("{ viewer {").await["errors"][0]["message"].as_str().unwrap().starts_with("Parse error"));
    assert_eq!(hub.call("", "POST", "/graphql", json!({ "query": "{ viewer { login } }" })).await.status, 401);
    assert_eq!(
        hub.call("bad", "POST", "/graphql", json!({ "query": "{ viewer { login } }" })).await.message(),
        "Bad credentials"
    );
}
