//! Every endpoint, driven once, and all of it held against GitHub's own descriptions.

use super::hub::*;
use hydra_sim::{
    contracts,
    github::{RECORDS, Record, Traffic},
};
use serde_json::{Value, json};

async fn labels_and_issues(hub: &Hub) -> u64 {
    let r = "/repos/acme/app";
    let null = || Value::Null;
    hub.expect(
        201,
        BUILDER,
        "POST",
        &format!("{r}/labels"),
        json!({ "name": "build:queued", "color": "ededed", "description": "Waits" }),
    )
    .await;
    hub.expect(
        200,
        BUILDER,
        "PATCH",
        &format!("{r}/labels/build%3Aqueued"),
        json!({ "new_name": "build:pass", "color": "0e8a16" }),
    )
    .await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/labels?per_page=100&page=1"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/labels/build%3Apass"), null()).await;
    let body = json!({ "title": "Count", "body": "Please", "labels": ["build:pass"] });
    let made = hub.expect(201, BUILDER, "POST", &format!("{r}/issues"), body).await;
    let i = format!("{r}/issues/{}", made["number"]);
    hub.expect(200, BUILDER, "GET", &i, null()).await;
    hub.expect(200, BUILDER, "PATCH", &i, json!({ "title": "Count words", "body": "Please!", "state": "open" })).await;
    hub.expect(200, BUILDER, "POST", &format!("{i}/labels"), json!({ "labels": ["ready-to-build"] })).await;
    hub.expect(200, BUILDER, "PUT", &format!("{i}/labels"), json!({ "labels": ["ready-to-build", "done"] })).await;
    hub.expect(200, BUILDER, "GET", &format!("{i}/labels"), null()).await;
    hub.expect(200, BUILDER, "DELETE", &format!("{i}/labels/done"), null()).await;
    hub.expect(404, BUILDER, "DELETE", &format!("{i}/labels/done"), null()).await;
    let comment = hub.expect(201, BUILDER, "POST", &format!("{i}/comments"), json!({ "body": "one" })).await;
    let c = format!("{r}/issues/comments/{}", comment["id"]);
    hub.expect(200, BUILDER, "PATCH", &c, json!({ "body": "two" })).await;
    hub.expect(200, BUILDER, "GET", &c, null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{i}/comments?since=2020-01-01T00:00:00Z&per_page=10"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/issues/comments"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{i}/events?per_page=100"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{i}/timeline?per_page=100"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/issues/events"), null()).await;
    hub.expect(
        200,
        BUILDER,
        "GET",
        &format!("{r}/issues?labels=ready-to-build&state=all&sort=updated&direction=asc&since=2020-01-01T00:00:00Z"),
        null(),
    )
    .await;
    hub.expect(204, BUILDER, "DELETE", &c, null()).await;
    hub.expect(404, BUILDER, "GET", &c, null()).await;
    hub.expect(422, BUILDER, "POST", &format!("{i}/comments"), json!({ "body": "a".repeat(70_000) })).await;
    hub.expect(200, BUILDER, "PATCH", &i, json!({ "state": "closed", "state_reason": "not_planned" })).await;
    hub.expect(204, BUILDER, "DELETE", &format!("{i}/labels"), null()).await;
    hub.expect(204, BUILDER, "DELETE", &format!("{r}/labels/done"), null()).await;
    made["number"].as_u64().unwrap()
}

async fn pulls_and_reviews(hub: &Hub) -> u64 {
    let r = "/repos/acme/app";
    let null = || Value::Null;
    let number = hub.draft("hydra/count").await;
    let p = format!("{r}/pulls/{number}");
    hub.expect(
        422,
        BUILDER,
        "POST",
        &format!("{r}/pulls"),
        json!({ "title": "x", "head": "hydra/count", "base": "main" }),
    )
    .await;
    for path in ["?head=acme:hydra/count&state=all&base=main", "?state=open&sort=updated&direction=desc&per_page=100"] {
        hub.expect(200, BUILDER, "GET", &format!("{r}/pulls{path}"), null()).await;
    }
    hub.expect(200, BUILDER, "GET", &p, null()).await;
    hub.expect(200, BUILDER, "PATCH", &p, json!({ "title": "Count", "body": "It does.", "state": "open" })).await;
    hub.expect(200, BUILDER, "GET", &format!("{p}/files"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{p}/commits"), null()).await;
    hub.expect(404, BUILDER, "GET", &format!("{p}/merge"), null()).await;
    let head = hub.sim.branch(REPO, "hydra/count").unwrap();
    let inline = json!([{ "path": "src/count.txt", "line": 4, "side": "RIGHT", "body": "why?" }]);
    let body = json!({ "commit_id": head, "event": "COMMENT", "body": "Verdict", "comments": inline });
    let review = hub.expect(200, ALICE, "POST", &format!("{p}/reviews"), body).await;
    hub.expect(200, ALICE, "GET", &format!("{p}/reviews"), null()).await;
    let one = format!("{p}/reviews/{}", review["id"]);
    hub.expect(200, ALICE, "GET", &one, null()).await;
    hub.expect(200, ALICE, "PUT", &one, json!({ "body": "Verdict!" })).await;
    hub.expect(200, ALICE, "GET", &format!("{one}/comments"), null()).await;
    let comments = hub.expect(200, ALICE, "GET", &format!("{p}/comments"), null()).await;
    let id = &comments[0]["id"];
    hub.expect(201, BUILDER, "POST", &format!("{p}/comments/{id}/replies"), json!({ "body": "because" })).await;
    hub.expect(200, ALICE, "PATCH", &format!("{r}/pulls/comments/{id}"), json!({ "body": "why so?" })).await;
    let file = json!({ "commit_id": head, "path": "src/count.txt", "subject_type": "file", "body": "all of it" });
    hub.expect(201, ALICE, "POST", &format!("{p}/comments"), file).await;
    let off = json!({ "event": "COMMENT", "body": "x", "comments": [{ "path": "nowhere", "line": 1, "body": "x" }] });
    hub.expect(422, ALICE, "POST", &format!("{p}/reviews"), off).await;
    let pending = hub.expect(200, ALICE, "POST", &format!("{p}/reviews"), json!({ "body": "later" })).await;
    let events = format!("{p}/reviews/{}/events", pending["id"]);
    hub.expect(200, ALICE, "POST", &events, json!({ "event": "APPROVE", "body": "fine" })).await;
    let pending = hub.expect(200, ALICE, "POST", &format!("{p}/reviews"), json!({ "body": "never" })).await;
    hub.expect(200, ALICE, "DELETE", &format!("{p}/reviews/{}", pending["id"]), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/issues/{number}/timeline"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/issues?state=all"), null()).await;
    hub.expect(405, BUILDER, "PUT", &format!("{p}/merge"), json!({ "sha": head })).await;
    number
}

async fn statuses_and_checks(hub: &Hub) {
    let r = "/repos/acme/app";
    let null = || Value::Null;
    let head = hub.sim.branch(REPO, "hydra/count").unwrap();
    let status = json!({ "state": "pending", "context": "hydra/quality", "description": "runs", "target_url": "http://127.0.0.1/x" });
    hub.expect(201, BUILDER, "POST", &format!("{r}/statuses/{head}"), status).await;
    hub.expect(
        201,
        BUILDER,
        "POST",
        &format!("{r}/statuses/{head}"),
        json!({ "state": "success", "context": "hydra/quality" }),
    )
    .await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/commits/{head}/statuses"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/commits/{head}/status?per_page=100"), null()).await;
    let run = json!({ "name": "hydra", "head_sha": head, "status": "in_progress", "external_id": "7",
        "output": { "title": "t", "summary": "s" } });
    hub.expect(403, BUILDER, "POST", &format!("{r}/check-runs"), run.clone()).await;
    let made = hub.expect(201, APP, "POST", &format!("{r}/check-runs"), run).await;
    let one = format!("{r}/check-runs/{}", made["id"]);
    hub.expect(200, APP, "PATCH", &one, json!({ "status": "completed", "conclusion": "success" })).await;
    hub.expect(200, APP, "GET", &one, null()).await;
    hub.expect(200, APP, "GET", &format!("{r}/commits/{head}/check-runs?check_name=hydra&filter=latest"), null()).await;
}

async fn git_objects(hub: &Hub, number: u64) {
    let r = "/repos/acme/app";
    let null = || Value::Null;
    let main = hub.sim.branch(REPO, "main").unwrap();
    let tree = hub.sim.git(REPO, &["rev-parse", "main^{tree}"]).unwrap().trim().to_owned();
    let commit = json!({ "message": "lease", "tree": tree, "parents": [] });
    let made = hub.expect(201, BUILDER, "POST", &format!("{r}/git/commits"), commit).await;
    let sha = made["sha"].as_str().unwrap();
    hub.expect(200, BUILDER, "GET", &format!("{r}/git/commits/{sha}"), null()).await;
    hub.expect(404, BUILDER, "GET", &format!("{r}/git/commits/{}", "1".repeat(40)), null()).await;
    hub.expect(201, BUILDER, "POST", &format!("{r}/git/refs"), json!({ "ref": "refs/heads/tmp/x", "sha": main })).await;
    let twice = json!({ "ref": "refs/heads/tmp/x", "sha": main });
    assert_eq!(
        hub.expect(422, BUILDER, "POST", &format!("{r}/git/refs"), twice).await["message"],
        "Reference already exists"
    );
    hub.expect(200, BUILDER, "GET", &format!("{r}/git/ref/heads/tmp/x"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/git/matching-refs/heads/tmp"), null()).await;
    hub.expect(422, BUILDER, "PATCH", &format!("{r}/git/refs/heads/tmp/x"), json!({ "sha": sha })).await;
    hub.expect(200, BUILDER, "PATCH", &format!("{r}/git/refs/heads/tmp/x"), json!({ "sha": sha, "force": true })).await;
    hub.expect(204, BUILDER, "DELETE", &format!("{r}/git/refs/heads/tmp/x"), null()).await;
    hub.expect(404, BUILDER, "GET", &format!("{r}/git/ref/heads/tmp/x"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/git/trees/{main}?recursive=1"), null()).await;
    let blob = hub
        .expect(201, BUILDER, "POST", &format!("{r}/git/blobs"), json!({ "content": "aGk=", "encoding": "base64" }))
        .await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/git/blobs/{}", blob["sha"].as_str().unwrap()), null()).await;
    let entry = json!([{ "path": "a/b.txt", "mode": "100644", "type": "blob", "sha": blob["sha"] }]);
    let tree =
        hub.expect(201, BUILDER, "POST", &format!("{r}/git/trees"), json!({ "base_tree": tree, "tree": entry })).await;
    assert!(tree["tree"].as_array().unwrap().iter().any(|e| e["path"] == "a"));
    hub.expect(422, BUILDER, "POST", &format!("{r}/git/trees"), json!({ "tree": [] })).await;
    for path in [
        "/contents/README.md",
        "/contents/src?ref=main",
        "/branches",
        "/branches/main",
        "/branches/hydra/count",
        "/commits",
        "/commits/main",
        "/compare/main...hydra%2Fcount",
    ] {
        hub.expect(200, BUILDER, "GET", &format!("{r}{path}"), null()).await;
    }
    hub.expect(404, BUILDER, "GET", &format!("{r}/contents/none.md"), null()).await;
    hub.expect(404, ALICE, "GET", &format!("{r}/branches/main/protection"), null()).await;
    hub.sim.protect(REPO, "main", &["hydra"]).unwrap();
    hub.expect(200, ALICE, "GET", &format!("{r}/branches/main/protection"), null()).await;
    hub.expect(200, ALICE, "GET", &format!("{r}/branches/main"), null()).await;
    let ready =
        "mutation($p: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $p}) { pullRequest { isDraft } } }";
    let pull = hub.expect(200, BUILDER, "GET", &format!("{r}/pulls/{number}"), null()).await;
    hub.graphql(BUILDER, ready, json!({ "p": pull["node_id"] })).await;
    let head = hub.sim.branch(REPO, "hydra/count").unwrap();
    hub.expect(409, BUILDER, "PUT", &format!("{r}/pulls/{number}/merge"), json!({ "sha": main })).await;
    let merge = json!({ "sha": head, "merge_method": "merge" });
    hub.expect(200, BUILDER, "PUT", &format!("{r}/pulls/{number}/merge"), merge).await;
    hub.expect(204, BUILDER, "GET", &format!("{r}/pulls/{number}/merge"), null()).await;
    hub.expect(200, BUILDER, "GET", &format!("{r}/pulls/{number}"), null()).await;
}

async fn people(hub: &Hub) {
    let null = || Value::Null;
    for path in ["/user", "/users/builder", "/orgs/acme", "/rate_limit", "/repos/acme/app"] {
        hub.expect(200, ALICE, "GET", path, null()).await;
    }
    hub.expect(200, ALICE, "GET", "/repos/acme/app/collaborators/builder/permission", null()).await;
    hub.expect(204, ALICE, "GET", "/repos/acme/app/collaborators/builder", null()).await;
    hub.expect(404, ALICE, "GET", "/repos/acme/app/collaborators/nobody", null()).await;
    hub.expect(200, APP, "GET", "/installation/repositories", null()).await;
    hub.expect(401, "bad", "GET", "/user", null()).await;
    hub.expect(403, READER, "POST", "/repos/acme/app/labels", json!({ "name": "x" })).await;
    let first = hub.get(BUILDER, "/repos/acme/app").await;
    let again = [("if-none-match", first.header("etag"))];
    assert_eq!(hub.send(BUILDER, "GET", "/repos/acme/app", None, &again).await.unwrap().status, 304);
}

async fn graph(hub: &Hub, issue: u64, pull: u64) {
    let board = hub.sim.board("acme", "Work", &["Backlog", "Ready"]);
    hub.sim.card("acme", board, REPO, issue, Some("Ready")).unwrap();
    let whole = "query Whole($issue: Int!, $pull: Int!) {
      viewer { login }
      rateLimit { cost limit remaining resetAt used nodeCount }
      organization(login: \"acme\") { login url projectV2(number: 1) { id title number closed url
        fields(first: 10) { nodes { __typename ... on ProjectV2FieldCommon { id name dataType }
          ... on ProjectV2SingleSelectField { options { id name color description } } } }
        items(first: 100) { totalCount pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
          nodes { id type isArchived createdAt updatedAt content { __typename ... on Issue { number repository { nameWithOwner } } }
            fieldValueByName(name: \"Status\") { ... on ProjectV2ItemFieldSingleSelectValue { id name optionId color updatedAt } } } } } }
      repository(owner: \"acme\", name: \"app\") { id nameWithOwner isPrivate isArchived visibility viewerPermission
        defaultBranchRef { name prefix target { __typename oid ... on Commit { message messageHeadline committedDate tree { oid }
          author { name email date } } } }
        ref(qualifiedName: \"refs/heads/main\") { name target { oid } }
        labels(first: 100) { nodes { id name color description isDefault } totalCount }
        issues(first: 10, states: [OPEN, CLOSED], orderBy: {field: UPDATED_AT, direction: DESC}) { nodes { number state stateReason } }
        issue(number: $issue) { id number title body state url createdAt updatedAt closedAt lastEditedAt includesCreatedEdit
          editor { login } author { __typename login url avatarUrl resourcePath } authorAssociation
          labels(first: 10) { edges { cursor node { name } } }
          comments(last: 5) { nodes { id databaseId fullDatabaseId body createdAt updatedAt isMinimized viewerDidAuthor url } }
          projectItems(first: 10) { nodes { id project { id number } } }
          userContentEdits(first: 10) { nodes { id editedAt diff editor { login } } }
          timelineItems(first: 100, itemTypes: [LABELED_EVENT, UNLABELED_EVENT, RENAMED_TITLE_EVENT, CLOSED_EVENT, ISSUE_COMMENT]) {
            totalCount nodes { __typename
              ... on LabeledEvent { id createdAt actor { login } label { name color } labelable { __typename } }
              ... on UnlabeledEvent { id createdAt actor { login } label { name } }
              ... on RenamedTitleEvent { previousTitle currentTitle }
              ... on ClosedEvent { createdAt actor { login } } } } }
        pullRequests(first: 10, headRefName: \"hydra/count\", states: [OPEN, MERGED, CLOSED]) { nodes { number state merged } }
        pullRequest(number: $pull) { id number state isDraft mergeable merged mergedAt headRefName headRefOid baseRefName baseRefOid
          isCrossRepository additions deletions changedFiles reviewDecision headRef { name } headRepository { nameWithOwner }
          commits(last: 1) { nodes { commit { oid statusCheckRollup { state } } } }
          statusCheckRollup { state contexts(first: 50) { nodes { __typename
            ... on StatusContext { context state description targetUrl creator { login } createdAt isRequired(pullRequestNumber: $pull) }
            ... on CheckRun { databaseId name status conclusion startedAt completedAt checkSuite { app { slug } } } } } }
          reviews(first: 100) { nodes { id fullDatabaseId state body submittedAt author { login } commit { oid } comments(first: 5) { totalCount } } }
          reviewThreads(first: 100) { nodes { id isResolved isOutdated path line diffSide subjectType
            comments(first: 10) { nodes { id body diffHunk author { login } commit { oid } outdated } } } } } } }";
    let got = hub.graphql(BUILDER, whole, json!({ "issue": issue, "pull": pull })).await;
    assert!(got.get("errors").is_none(), "{got}");
    let id = got["data"]["repository"]["issue"]["id"].clone();
    let node = "query($id: ID!) { node(id: $id) { __typename id ... on Issue { number } } }";
    assert_eq!(hub.graphql(BUILDER, node, json!({ "id": id })).await["data"]["node"]["number"], issue);
    hub.graphql(BUILDER, node, json!({ "id": "I_nothing" })).await;
    hub.graphql(
        BUILDER,
        "{ repositoryOwner(login: \"acme\") { login ... on ProjectV2Owner { projectV2(number: 1) { id } } } }",
        json!({}),
    )
    .await;
    let back = "mutation($p: ID!) { convertPullRequestToDraft(input: {pullRequestId: $p}) { pullRequest { isDraft } clientMutationId } }";
    let pull = got["data"]["repository"]["pullRequest"]["id"].clone();
    hub.graphql(BUILDER, back, json!({ "p": pull })).await;
    hub.graphql(BUILDER, "{ viewer { shoeSize } }", json!({})).await;
}

#[tokio::test]
#[ignore = "needs contracts"]
async fn every_request_and_answer_is_githubs_own() {
    let hub = Hub::new().await;
    let issue = labels_and_issues(&hub).await;
    let pull = pulls_and_reviews(&hub).await;
    statuses_and_checks(&hub).await;
    people(&hub).await;
    graph(&hub, issue, pull).await;
    git_objects(&hub, pull).await;
    let report = contracts::check(&hub.sim.records()).unwrap();
    println!("{report}");
    assert!(report.is_clean(), "{report}");
    assert!(report.requests > 100 && report.graphql_documents > 5, "{report}");
}

#[test]
#[ignore = "needs contracts"]
fn the_check_can_fail() {
    let record = |method: &str, path: &str, request: Value, status, response: Value| Record {
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        request: (!request.is_null()).then_some(request),
        status,
        response: Some(response),
        faulty: false,
    };
    let typed = |variables: Value| {
        let query = "query Owner($login: String!) { repositoryOwner(login: $login) { login } }";
        let answer = json!({ "data": { "repositoryOwner": { "login": "acme" } } });
        record("POST", "/graphql", json!({ "query": query, "variables": variables }), 200, answer)
    };
    assert!(contracts::check(&[typed(json!({ "login": "acme" }))]).unwrap().is_clean());
    let wrong = [
        record("GET", "/repos/a/b/issuez", json!(null), 200, json!([])),
        record("GET", "/repos/a/b/issues", json!(null), 200, json!([{ "id": 1 }])),
        record("GET", "/repos/a/b/labels", json!(null), 418, json!({})),
        record("POST", "/repos/a/b/issues/1/comments", json!({ "body": 5 }), 404, json!({ "message": "Not Found" })),
        record(
            "POST",
            "/repos/a/b/issues/1/comments",
            json!({ "body": "x", "bold": true }),
            404,
            json!({ "message": "Not Found" }),
        ),
        record(
            "POST",
            "/graphql",
            json!({ "query": "{ viewer { shoeSize } }" }),
            200,
            json!({ "data": { "viewer": { "shoeSize": 5 } } }),
        ),
        record(
            "POST",
            "/graphql",
            json!({ "query": "{ viewer { login } }" }),
            200,
            json!({ "data": { "viewer": { "login": null } } }),
        ),
        typed(json!({ "login": 5 })),
        typed(json!({})),
        typed(json!({ "login": "acme", "loggin": "acme" })),
    ];
    for record in wrong {
        let report = contracts::check(std::slice::from_ref(&record)).unwrap();
        assert_eq!(report.unmatched.len(), 1, "{record:?}: {report}");
    }
}

#[test]
#[ignore = "needs contracts"]
fn what_was_kept_is_checked_whole_and_what_is_cut_or_absent_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(contracts::check_folder(dir.path()).unwrap_err().to_string().contains("no traffic was kept"));
    let record = |path: &str| Record {
        method: "GET".into(),
        path: path.into(),
        query: Vec::new(),
        request: None,
        status: 404,
        response: Some(json!({ "message": "Not Found" })),
        faulty: false,
    };
    for _ in 0..2 {
        let traffic = Traffic::into(dir.path()).unwrap();
        for path in ["/repos/a/b/issues/1", "/repos/a/b/issues/1", "/repos/a/b/issues/2"] {
            traffic.keep(&record(path)).unwrap();
        }
    }
    let report = contracts::check_folder(dir.path()).unwrap();
    assert!(report.is_clean() && (report.requests, report.responses) == (4, 4), "alike once a file: {report}");
    let traffic = Traffic::into(dir.path()).unwrap();
    traffic.keep(&record("/repos/a/b/issuez")).unwrap();
    let report = contracts::check_folder(dir.path()).unwrap();
    assert_eq!(report.unmatched, ["GET /repos/a/b/issuez: no such path in the description"]);
    std::fs::write(dir.path().join("traffic-cut.jsonl"), r#"{"method":"GET","pa"#).unwrap();
    assert!(contracts::check_folder(dir.path()).unwrap_err().to_string().contains("traffic-cut.jsonl"));
}

/// Traffic of a whole test run, kept under `HYDRA_SIM_RECORDS=FOLDER`; `cargo xtask test` runs this last and shows `report.txt`.
#[test]
#[ignore = "needs recorded traffic"]
fn the_traffic_of_a_whole_run_is_githubs_own() {
    let folder = std::path::PathBuf::from(std::env::var_os(RECORDS).expect("HYDRA_SIM_RECORDS"));
    let report = contracts::check_folder(&folder).unwrap();
    std::fs::write(folder.join("report.txt"), format!("{report}\n")).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.responses > 0 && report.graphql_responses > 0, "nothing was answered: {report}");
}
