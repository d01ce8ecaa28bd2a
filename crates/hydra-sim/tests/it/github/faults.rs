//! Bad days, on purpose.

use super::hub::*;
use hydra_sim::github::{Fault, FaultKind, Faults, SimConfig, When};
use serde_json::json;
use std::time::{Duration, Instant};

const COMMENTS: &str = "/repos/*/issues/*/comments";

async fn hub(kind: FaultKind) -> (Hub, u64, String) {
    let faults = Faults::seeded(1).rule(Fault::new("POST", COMMENTS, When::Nth(1), kind));
    let hub = Hub::with(SimConfig { faults, record: true, ..SimConfig::default() }).await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    (hub, issue, format!("/repos/acme/app/issues/{issue}/comments"))
}

#[tokio::test]
async fn before_and_after_the_effect() {
    for (kind, effect) in [
        (FaultKind::ErrorBefore(502), 0),
        (FaultKind::ErrorAfter(502), 1),
        (FaultKind::ResetBefore, 0),
        (FaultKind::ResetAfter, 1),
        (FaultKind::Html(503), 0),
        (FaultKind::Secondary(60), 0),
        (FaultKind::TooMany(60), 0),
        (FaultKind::Exhausted(60), 0),
    ] {
        let (hub, issue, path) = hub(kind.clone()).await;
        let body = json!({ "body": "once" });
        let got = hub.send(BUILDER, "POST", &path, Some(body.clone()), &[]).await;
        let dropped = matches!(kind, FaultKind::ResetBefore | FaultKind::ResetAfter);
        assert_eq!(got.is_err(), dropped, "{kind:?}");
        if let Ok(got) = got {
            let status = match kind {
                FaultKind::ErrorBefore(s) | FaultKind::ErrorAfter(s) | FaultKind::Html(s) => s,
                FaultKind::TooMany(_) => 429,
                _ => 403,
            };
            assert_eq!(got.status, status, "{kind:?}");
            match kind {
                FaultKind::Html(_) => assert!(got.header("content-type").starts_with("text/html")),
                FaultKind::Secondary(_) | FaultKind::TooMany(_) => assert_eq!(got.header("retry-after"), "60"),
                FaultKind::Exhausted(_) => assert_eq!(got.header("x-ratelimit-remaining"), "0"),
                _ => {}
            }
        }
        assert_eq!(hub.sim.issue(REPO, issue).unwrap().comments.len(), effect, "{kind:?}");
        hub.expect(201, BUILDER, "POST", &path, body).await;
        assert_eq!(hub.sim.issue(REPO, issue).unwrap().comments.len(), effect + 1, "{kind:?}");
        assert_eq!(hub.sim.injected().len(), 1);
        assert!(hub.sim.describe_faults().starts_with("seed 1\nrule 0 (matched 2)"), "{}", hub.sim.describe_faults());
    }
}

#[tokio::test]
async fn slow_answers_come_late_and_graphql_says_limits_its_own_way() {
    let faults = Faults::seeded(1)
        .rule(Fault::new("*", "/user", When::Always, FaultKind::Slow(Duration::from_millis(120))))
        .rule(Fault::new("POST", "/graphql/Who", When::First(1), FaultKind::GraphqlLimited));
    let hub = Hub::with(SimConfig { faults, ..SimConfig::default() }).await;
    let start = Instant::now();
    assert_eq!(hub.get(BUILDER, "/user").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(120));
    let query = "query Who { viewer { login } }";
    let limited = hub.graphql(BUILDER, query, json!({})).await;
    assert_eq!(limited["errors"][0]["type"], "RATE_LIMITED");
    assert_eq!(hub.graphql(BUILDER, query, json!({})).await["data"]["viewer"]["login"], "builder");
}

#[tokio::test]
async fn the_log_tells_reads_from_writes() {
    let hub = Hub::new().await;
    let issue = hub.sim.open_issue(REPO, "alice", "Count", "Please").unwrap();
    hub.sim.reset_log();
    hub.get(BUILDER, "/repos/acme/app/issues?state=open").await;
    hub.graphql(BUILDER, "query Who { viewer { login } }", json!({})).await;
    hub.call(BUILDER, "POST", &format!("/repos/acme/app/issues/{issue}/comments"), json!({ "body": "x" })).await;
    hub.graphql(
        BUILDER,
        "mutation { updateRefs(input: {repositoryId: \"R_x\", refUpdates: []}) { clientMutationId } }",
        json!({}),
    )
    .await;
    assert_eq!((hub.sim.reads(), hub.sim.writes()), (2, 2));
    let log = hub.sim.log();
    assert_eq!(log[0].path, "/repos/acme/app/issues?state=open");
    assert_eq!(log[1].operation.as_deref(), Some("Who"));
    assert_eq!(log[2].identity.as_deref(), Some("builder"));
    assert_eq!(log[3].operation.as_deref(), Some("updateRefs"));
    assert_eq!(log[3].status, Some(200));
}
