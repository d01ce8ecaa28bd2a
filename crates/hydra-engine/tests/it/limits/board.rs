//! An unchanged board costs one listing of each repository and no write, however many issues are on it.

use crate::{
    forge::login,
    trouble::{Call, Fate, Whom, Woe},
    world::{World, key, well},
};
use hydra_core::{IssueNumber, TokenRole, ports::Clock as _, view::CommentView};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Calls of every port, by name.
type Calls = Arc<Mutex<BTreeMap<String, usize>>>;

fn count(world: &World) -> Calls {
    let calls = Calls::default();
    let counted = calls.clone();
    world.trouble.by(move |call: Call| {
        *counted.lock().unwrap().entry(format!("{:?} {}", call.whom, call.name)).or_default() += 1;
        Fate::default()
    });
    calls
}

/// A board at rest: one issue that is ready, one that lacks an answer, and the rest with a record that nobody can read any more.
async fn at_rest(issues: u64) -> World {
    let world = World::new(well);
    for number in 2..=issues {
        world.issue(number, "It would be nice.\n");
    }
    {
        let now = world.clock.now();
        let mut state = world.state.lock().unwrap();
        for number in 3..=issues {
            let comment = CommentView {
                id: state.id(),
                author: login(TokenRole::Orchestrator),
                body: "<!-- hydra:status g0 -->\nIt was a fine record once.".to_owned(),
                created_at: now,
                updated_at: now,
            };
            state.issues.get_mut(&IssueNumber(number)).unwrap().comments.push(comment);
        }
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_cycle_over_an_unchanged_board_is_one_listing_and_no_write_for_10_1000_and_10000_issues() {
    // The jobs, the listing, and the base that the open pull request goes to.
    let one = [("Forge listing", 1), ("Git tips", 1), ("Runtime list", 1)];
    let one: BTreeMap<String, usize> = one.map(|(name, times)| (name.to_owned(), times)).into();
    for issues in [10, 1_000, 10_000] {
        let world = at_rest(issues).await;
        let mut engine = world.engine("1");
        world.run(&mut engine).await;
        assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
        assert!(world.labels(2).contains(&"needs-input".to_owned()), "{:?}", world.labels(2));
        let written = world.writes().len();

        let calls = count(&world);
        let report = engine.cycle().await;
        assert_eq!((report.listed as u64, report.looked_at, report.actions.len(), report.writes), (issues, 0, 0, 0));
        assert_eq!(*calls.lock().unwrap(), one, "{issues} issues");
        println!("{issues} issues: {} calls in a cycle, no write", calls.lock().unwrap().values().sum::<usize>());
        // An hour later nothing is different.
        calls.lock().unwrap().clear();
        let ended = engine.supervise(tokio::time::sleep(Duration::from_secs(610))).await;
        let times: BTreeMap<String, usize> =
            one.keys().map(|name| (name.clone(), ended.cycles.try_into().unwrap())).collect();
        assert_eq!((ended.writes, &*calls.lock().unwrap()), (0, &times));
        assert!((10..=12).contains(&ended.cycles), "{} cycles in ten minutes", ended.cycles);

        // Who knows nothing yet looks at each of them once, and writes nothing either.
        let mut other = world.engine("2");
        let report = other.cycle().await;
        assert_eq!((report.looked_at as u64, report.actions.len()), (issues, 0));
        calls.lock().unwrap().clear();
        let report = other.cycle().await;
        assert_eq!((report.looked_at, report.actions.len(), &*calls.lock().unwrap()), (0, 0, &one));
        assert_eq!(world.writes().len(), written);
        world.lawful();
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_issues_the_one_that_changed_is_looked_at() {
    let world = at_rest(1_000).await;
    let mut engine = world.engine("1");
    world.run(&mut engine).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.label(77, "urgent", true);
    let calls = count(&world);
    let report = engine.cycle().await;
    assert_eq!((report.looked_at, report.actions.len()), (1, 0), "{:?}", report.reasons.keys());
    assert!(report.reasons.contains_key(&key(77)));
    let sum: usize = calls.lock().unwrap().values().sum();
    assert!(sum < 15, "{:?}", calls.lock().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_is_no_empty_one() {
    let world = World::new(well);
    let mut engine = world.engine("1");
    engine.cycle().await;
    engine.cycle().await;
    assert_eq!(super::running(&world).await, 1);
    world.trouble.by(|call: Call| {
        let hit = call.whom == Whom::Forge && call.name == "listing";
        Fate { before: hit.then_some(Woe::Outage), ..Fate::default() }
    });
    let labels = world.labels(1);
    for _ in 0..5 {
        let report = engine.cycle().await;
        assert!(report.failures.iter().any(|failure| failure.what.contains("the listing of acme/shop")), "{report:?}");
        assert_eq!((report.actions.len(), report.writes), (0, 0), "{report:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert_eq!((super::running(&world).await, world.labels(1)), (1, labels), "it runs on");
    world.trouble.over();
    world.run(&mut engine).await;
    assert_eq!(world.runtime.started().len(), 4, "and nothing was begun anew");
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
}
