//! Everything that this crate sends, held against GitHub's own descriptions.

use crate::{
    shape::repo,
    sim::{BASKET, acme, key, push},
    sim_chaos::day,
};
use hydra_core::{
    Generation, TokenRole,
    ports::{Board as _, Forge as _, ForgeWrite, ForgeWriter as _, LeaseRecord, Leases as _, PullQuery, Swap},
    view::TokenKind,
};
use hydra_github::{GitHub, queries};
use hydra_sim::{
    contracts,
    github::{Access, SimConfig, Token},
};

#[test]
#[ignore = "needs contracts"]
fn every_document_is_valid_in_githubs_schema() {
    for (name, document) in queries::ALL {
        assert_eq!(contracts::check_document(document).unwrap(), None, "{name}");
        assert!(document.contains(&format!(" {name}")), "{name} is not the operation's name");
    }
}

#[tokio::test]
#[ignore = "needs contracts"]
async fn a_whole_day_is_spoken_as_github_describes_it() {
    let (sim, github) = acme(SimConfig { record: true, ..SimConfig::default() }).await;
    let head = push(&sim, BASKET);
    let number = day(&sim, &github, &head).await;
    github.repository(&repo()).await.unwrap();
    github.listing(&repo(), "ready-to-build").await.unwrap();
    github.issue(&key()).await.unwrap();
    github.pulls(&repo(), &PullQuery::Head("hydra/basket".parse().unwrap())).await.unwrap();
    let threads = github.pulls(&repo(), &PullQuery::Number(number)).await.unwrap().remove(0).threads;
    let resolve = ForgeWrite::ResolveThread { repo: repo(), number, thread: threads[0].id.clone() };
    github.apply(TokenRole::Builder, &resolve).await.unwrap();
    github.permission(&repo(), &"alice".parse().unwrap()).await.unwrap();
    github.describe(TokenRole::Builder).await.unwrap();
    github.columns().await.unwrap();
    github.cards().await.unwrap();
    let record = LeaseRecord {
        schema: 1,
        owner: "one".into(),
        generation: Generation(1),
        expires_at: "2026-11-24T01:00:00Z".parse().unwrap(),
    };
    let Swap::Won(Some(oid)) = github.swap(&key(), None, Some(&record)).await.unwrap() else { panic!("lost") };
    let other = LeaseRecord { owner: "two".into(), ..record.clone() };
    assert_eq!(github.swap(&key(), None, Some(&other)).await, Ok(Swap::Lost));
    github.read(&key()).await.unwrap();
    github.swap(&key(), Some(&oid), None).await.unwrap();

    // The same as an App, which sets check runs.
    let mut config = github.config().clone();
    sim.app("hydra-ci[bot]");
    sim.token(Token::installation("ghs_0123456789", "hydra-ci[bot]").allow_work().allow("checks", Access::Write));
    config.tokens.insert(TokenRole::Orchestrator, "ghs_0123456789".to_owned().into());
    let app = GitHub::new(config).unwrap();
    assert_eq!(app.identity(TokenRole::Orchestrator).await.unwrap().kind, TokenKind::Installation);
    for (state, description) in
        [(hydra_core::view::StatusState::Pending, "reading"), (hydra_core::view::StatusState::Success, "good")]
    {
        let write = ForgeWrite::Status {
            repo: repo(),
            commit: head.clone(),
            context: "hydra/quality".into(),
            state,
            description: description.into(),
            url: Some("https://example.test/run".into()),
        };
        app.apply(TokenRole::Orchestrator, &write).await.unwrap();
        assert!(matches!(
            app.apply(TokenRole::Orchestrator, &write).await,
            Ok(hydra_core::ports::Applied::AlreadyThere(_))
        ));
    }
    assert_eq!(sim.check_runs("acme/shop", head.as_str()).len(), 1);

    let report = contracts::check(&sim.records()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.requests > 40 && report.graphql_documents > 10, "{report}");
}
