//! How a swap is judged when GitHub's answer is a refusal, or is lost.

use crate::shape::{count, github, on, operation, repo, server};
use hydra_core::{
    CommitSha, Generation, IssueKey, IssueNumber,
    ports::{ForgeErrorKind, LeaseRecord, Leases as _, Swap},
};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

fn key() -> IssueKey {
    IssueKey { repo: repo(), number: IssueNumber(5) }
}
fn sha(digit: &str) -> CommitSha {
    digit.repeat(40).parse().unwrap()
}
fn record() -> LeaseRecord {
    LeaseRecord {
        schema: 1,
        owner: "laptop/host/1".into(),
        generation: Generation(1),
        expires_at: "2026-11-24T01:00:00Z".parse().unwrap(),
    }
}
fn standing(oid: Option<&str>) -> Value {
    let message = serde_json::to_string(&record()).unwrap();
    let target = oid.map(|o| json!({ "target": { "__typename": "Commit", "oid": o.repeat(40), "message": message } }));
    json!({ "data": { "repository": { "id": "R_1", "ref": target } } })
}

/// A repository whose next lease commit is `aaaa…`, where `oid` stands when it is read.
async fn stands(oid: Option<&str>) -> MockServer {
    let server = server().await;
    let base = json!({ "data": { "repository": { "id": "R_1", "defaultBranchRef": { "target": { "__typename": "Commit", "tree": { "oid": "e".repeat(40) } } } } } });
    operation(&server, "LeaseBase", base).await;
    operation(&server, "Lease", standing(oid)).await;
    let made = ResponseTemplate::new(201).set_body_json(json!({ "sha": "a".repeat(40), "message": "" }));
    on(&server, "POST", "/repos/acme/shop/git/commits", made).await;
    server
}

async fn swap_answers(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(matchers::body_string_contains(" SwapRef(")).respond_with(answer).mount(server).await;
}
fn refusal(kind: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "data": { "updateRefs": null },
        "errors": [{ "type": kind, "path": ["updateRefs"], "message": message }],
    }))
}

#[tokio::test]
async fn a_lease_is_taken_where_nothing_stood() {
    let server = stands(None).await;
    swap_answers(
        &server,
        ResponseTemplate::new(200).set_body_json(json!({ "data": { "updateRefs": { "clientMutationId": null } } })),
    )
    .await;
    let github = github(&server);
    assert_eq!(github.swap(&key(), None, Some(&record())).await, Ok(Swap::Won(Some(sha("a")))));
    let seen = server.received_requests().await.unwrap();
    let commit: Value = serde_json::from_slice(&seen[1].body).unwrap();
    assert_eq!(commit["tree"], "e".repeat(40));
    assert_eq!(serde_json::from_str::<LeaseRecord>(commit["message"].as_str().unwrap()).unwrap(), record());
    let swap: Value = serde_json::from_slice(&seen[2].body).unwrap();
    assert_eq!(
        swap["variables"]["updates"],
        json!([{ "name": "refs/hydra/lease/5", "beforeOid": "0".repeat(40), "afterOid": "a".repeat(40), "force": true }])
    );
    assert_eq!(github.swap(&key(), Some(&sha("a")), None).await, Ok(Swap::Won(None)));
}

#[tokio::test]
async fn somebody_was_faster() {
    let server = stands(Some("b")).await;
    swap_answers(&server, refusal("UNPROCESSABLE", "Reference cannot be updated: is at bbbb but expected 0000")).await;
    let github = github(&server);
    assert_eq!(github.swap(&key(), None, Some(&record())).await, Ok(Swap::Lost));
    let held = github.read(&key()).await.unwrap().unwrap();
    assert_eq!((held.oid, held.record), (sha("b"), record()));
}

#[tokio::test]
async fn a_refusal_while_everything_stands_as_before_is_no_loss() {
    let server = stands(Some("b")).await;
    swap_answers(&server, refusal("UNPROCESSABLE", "Reference name is not allowed")).await;
    let seen = github(&server).swap(&key(), Some(&sha("b")), Some(&record())).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Conflict);
}

#[tokio::test]
async fn an_answer_that_was_lost_after_the_effect_is_a_win() {
    let server = stands(Some("a")).await;
    swap_answers(&server, ResponseTemplate::new(502)).await;
    assert_eq!(github(&server).swap(&key(), None, Some(&record())).await, Ok(Swap::Won(Some(sha("a")))));
}

#[tokio::test]
async fn an_answer_that_was_lost_before_the_effect_is_an_outage() {
    let server = stands(None).await;
    swap_answers(&server, ResponseTemplate::new(502)).await;
    let seen = github(&server).swap(&key(), None, Some(&record())).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Transient);
}

#[tokio::test]
async fn a_missing_permission_is_not_a_lost_race() {
    let server = stands(Some("b")).await;
    swap_answers(&server, refusal("FORBIDDEN", "Resource not accessible by personal access token")).await;
    let before = count(&server, "POST").await;
    let seen = github(&server).swap(&key(), None, Some(&record())).await.unwrap_err();
    assert_eq!(seen.kind, ForgeErrorKind::Permission);
    assert_eq!(count(&server, "POST").await - before, 3, "base, commit, swap, and no reading back");
}

#[tokio::test]
async fn a_lease_that_cannot_be_read_is_not_an_absent_one() {
    let server = server().await;
    let foreign = json!({ "data": { "repository": { "id": "R_1", "ref": { "target": { "__typename": "Commit", "oid": "b".repeat(40), "message": "hello" } } } } });
    operation(&server, "Lease", foreign).await;
    assert_eq!(github(&server).read(&key()).await.unwrap_err().kind, ForgeErrorKind::Conflict);

    let server = crate::shape::server().await;
    operation(&server, "Lease", json!({ "data": { "repository": null } })).await;
    assert_eq!(github(&server).read(&key()).await.unwrap_err().kind, ForgeErrorKind::Missing);

    let server = stands(None).await;
    assert_eq!(github(&server).read(&key()).await, Ok(None));
}
