//! Every write once, whatever goes wrong: GitHub fails by a seed, before and after the effect, and the caller tries again.

use crate::{
    shape::repo,
    sim::{BASKET, REPO, acme, comment, key, marker, open, push},
};
use hydra_core::{
    CommitSha, PullNumber, TokenRole,
    ports::{Applied, Board as _, Forge as _, ForgeErrorKind, ForgeWrite, ForgeWriter as _, InlineComment, PullQuery},
    view::{RepoLabel, StatusState, ThreadNumber},
};
use hydra_github::GitHub;
use hydra_sim::github::{Fault, FaultKind, Faults, Sim, SimConfig, When};

/// A fifth to a quarter of all requests fails, half of these after their effect.
fn weather(seed: u64) -> Faults {
    let kinds = [
        FaultKind::ErrorAfter(502),
        FaultKind::ResetAfter,
        FaultKind::ErrorBefore(503),
        FaultKind::ResetBefore,
        FaultKind::Html(502),
    ];
    kinds
        .into_iter()
        .fold(Faults::seeded(seed), |faults, kind| faults.rule(Fault::new("*", "*", When::Chance(0.05), kind)))
}

async fn insist(sim: &Sim, github: &GitHub, role: TokenRole, write: &ForgeWrite) -> Option<u64> {
    for _ in 0..40 {
        match github.apply(role, write).await {
            Ok(Applied::Made(id) | Applied::AlreadyThere(id)) => return id,
            Err(e) if e.kind == ForgeErrorKind::Transient => {}
            Err(e) => panic!("{write:?}: {e:?}\n{}", sim.describe_faults()),
        }
    }
    panic!("{write:?} never succeeds\n{}", sim.describe_faults());
}

/// A day's writes of every kind, each insisted upon.
pub(crate) async fn day(sim: &Sim, github: &GitHub, head: &CommitSha) -> PullNumber {
    let builder = TokenRole::Builder;
    let office = TokenRole::Orchestrator;
    let number = PullNumber(insist(sim, github, builder, &open()).await.unwrap());
    let label = RepoLabel { name: "done".into(), color: "5319e7".into(), description: "It is done".into() };
    insist(sim, github, office, &ForgeWrite::DefineLabel { repo: repo(), label }).await;
    let labels = ForgeWrite::Labels {
        repo: repo(),
        number: ThreadNumber(1),
        add: vec!["done".into()],
        remove: vec!["ready-to-build".into()],
    };
    insist(sim, github, office, &labels).await;
    insist(sim, github, office, &comment("building")).await;
    insist(sim, github, office, &comment("built")).await;
    let review = ForgeWrite::Review {
        repo: repo(),
        number,
        commit: head.clone(),
        marker: marker("verdict", "code-review"),
        body: "One finding.".into(),
        comments: vec![InlineComment { path: "src/basket.js".into(), line: 2, body: "needs a test".into() }],
    };
    insist(sim, github, TokenRole::Reviewer, &review).await;
    let status = ForgeWrite::Status {
        repo: repo(),
        commit: head.clone(),
        context: "hydra/code-review".into(),
        state: StatusState::Success,
        description: "good".into(),
        url: None,
    };
    insist(sim, github, office, &status).await;
    insist(sim, github, builder, &ForgeWrite::MarkReady { repo: repo(), number }).await;
    let mut tries = 0;
    while github.place(&key(), "Review").await.is_err() {
        tries += 1;
        assert!(tries < 40, "{}", sim.describe_faults());
    }
    insist(sim, github, office, &ForgeWrite::Merge { repo: repo(), number, head: head.clone() }).await;
    number
}

#[tokio::test]
async fn every_write_is_made_once_in_any_weather() {
    let mut struck = 0;
    for seed in 0..12 {
        let (sim, github) = acme(SimConfig::default()).await;
        let head = push(&sim, BASKET);
        sim.set_faults(weather(seed));
        let number = day(&sim, &github, &head).await;
        struck += sim.injected().len();
        let told = sim.describe_faults();
        sim.set_faults(Faults::default());

        assert_eq!(sim.pulls(REPO).len(), 1, "{told}");
        let issue = sim.issue(REPO, 1).unwrap();
        assert_eq!((issue.comments.len(), issue.labels), (1, vec!["done".to_owned()]), "{told}");
        let labelled = issue.events.iter().filter(|e| e.event == "labeled").count();
        assert_eq!(labelled, 2, "the trigger and done, each once\n{told}");
        assert_eq!(sim.statuses(REPO, head.as_str()).len(), 1, "{told}");
        let seen = github.pulls(&repo(), &PullQuery::Number(number)).await.unwrap().remove(0);
        assert_eq!((seen.reviews.len(), seen.threads.len()), (1, 1), "{told}");
        assert_eq!(github.cards().await.unwrap().len(), 1, "{told}");
    }
    assert!(struck > 50, "the weather was fair: {struck}");
}
