//! Leases against the simulator, over the API and over git: of many, one wins.

use crate::sim::{REPO, acme, key};
use hydra_core::{
    Generation,
    ports::{Held, LeaseRecord, Leases as _, Swap},
};
use hydra_github::{GitHub, GitHubConfig, LeaseTransport};
use hydra_sim::github::{Fault, FaultKind, Sim, SimConfig, When};
use secrecy::SecretString;

fn record(owner: &str) -> LeaseRecord {
    LeaseRecord {
        schema: 1,
        owner: owner.into(),
        generation: Generation(1),
        expires_at: "2026-11-24T01:00:00Z".parse().unwrap(),
    }
}

async fn over(transport: LeaseTransport) -> (Sim, GitHub) {
    let (sim, github) = acme(SimConfig::default()).await;
    let mut config = GitHubConfig { lease_transport: transport, ..github.config().clone() };
    let token = "github_pat_hydra-bot_0123456789abcdefghij";
    config.tokens.insert(config.read_role, SecretString::from(token.to_owned()));
    (sim, GitHub::new(config).unwrap())
}

async fn life_of_a_lease(transport: LeaseTransport) {
    let (sim, github) = over(transport).await;
    assert_eq!(github.read(&key()).await, Ok(None));
    assert_eq!(github.swap(&key(), None, None).await, Ok(Swap::Won(None)));
    let Swap::Won(Some(first)) = github.swap(&key(), None, Some(&record("one"))).await.unwrap() else { panic!("lost") };
    assert_eq!(github.read(&key()).await, Ok(Some(Held { oid: first.clone(), record: record("one") })));
    assert_eq!(github.standing(&key().repo).await, Ok(vec![key().number]));
    assert_eq!(github.swap(&key(), None, Some(&record("two"))).await, Ok(Swap::Lost));
    assert_eq!(github.swap(&key(), None, None).await, Ok(Swap::Lost));
    let renewed = LeaseRecord { expires_at: "2026-11-24T02:00:00Z".parse().unwrap(), ..record("one") };
    let Swap::Won(Some(second)) = github.swap(&key(), Some(&first), Some(&renewed)).await.unwrap() else {
        panic!("lost")
    };
    assert_eq!(github.swap(&key(), Some(&first), None).await, Ok(Swap::Lost), "an old holder cannot release");
    assert_eq!(github.swap(&key(), Some(&second), None).await, Ok(Swap::Won(None)));
    assert_eq!(github.read(&key()).await, Ok(None));
    assert_eq!(github.standing(&key().repo).await, Ok(vec![]));
    assert!(!sim.refs(REPO).keys().any(|name| name.starts_with("refs/hydra/")));
}

async fn race(transport: LeaseTransport, runners: usize) {
    let (_sim, github) = over(transport).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..runners {
        // Each orchestrator has its own client, as it would on another machine.
        let mut config = github.config().clone();
        let token = "github_pat_hydra-bot_0123456789abcdefghij";
        config.tokens.insert(config.read_role, SecretString::from(token.to_owned()));
        let github = GitHub::new(config).unwrap();
        tasks.spawn(async move { github.swap(&key(), None, Some(&record(&format!("runner {n}")))).await.unwrap() });
    }
    let ends = tasks.join_all().await;
    let won: Vec<_> = ends.iter().filter(|end| matches!(end, Swap::Won(_))).collect();
    assert_eq!(won.len(), 1, "{ends:?}");
    let held = github.read(&key()).await.unwrap().unwrap();
    assert_eq!(*won[0], Swap::Won(Some(held.oid)));
}

#[tokio::test]
async fn a_lease_is_taken_renewed_and_released_over_the_api() {
    life_of_a_lease(LeaseTransport::Api).await;
}

#[tokio::test]
async fn a_lease_is_taken_renewed_and_released_over_git() {
    life_of_a_lease(LeaseTransport::Git).await;
}

#[tokio::test]
async fn of_sixteen_at_once_one_wins_over_the_api() {
    race(LeaseTransport::Api, 16).await;
}

#[tokio::test]
async fn of_four_at_once_one_wins_over_git() {
    race(LeaseTransport::Git, 4).await;
}

#[tokio::test]
async fn an_answer_lost_after_the_swap_is_a_win_and_before_it_an_outage() {
    let (sim, github) = over(LeaseTransport::Api).await;
    sim.add_fault(Fault::new("POST", "/graphql/SwapRef", When::Nth(1), FaultKind::ErrorAfter(502)));
    let won = github.swap(&key(), None, Some(&record("one"))).await.unwrap();
    let Swap::Won(Some(oid)) = won else { panic!("{won:?}") };
    sim.set_faults(hydra_sim::github::Faults::default());
    sim.add_fault(Fault::new("POST", "/graphql/SwapRef", When::Nth(1), FaultKind::ErrorBefore(502)));
    assert!(github.swap(&key(), Some(&oid), None).await.is_err());
    assert_eq!(github.read(&key()).await.unwrap().unwrap().oid, oid);
}

#[tokio::test]
async fn a_probe_says_which_transports_serve_and_leaves_nothing_behind() {
    let (sim, github) = acme(SimConfig::default()).await;
    let seen = github.probe_leases(&crate::shape::repo()).await.unwrap();
    assert_eq!(seen.serves(), Some(LeaseTransport::Api), "{seen:?}");
    assert!(seen.git.is_ok(), "{seen:?}");
    assert!(!sim.refs(REPO).keys().any(|name| name.starts_with("refs/hydra/")));
}
