//! Slots: weighted by kind, and what is nearest to its end goes first.

use super::Starts;
use crate::world::{World, well};
use hydra_core::{
    Stage,
    job::RuntimeStatus,
    ports::{Runtime as _, Selector},
};
use std::collections::BTreeMap;

fn many(world: &World) {
    for number in 2..=4 {
        world.change(&format!("change-{number}"));
        world.issue(number, &format!("Change: change-{number}\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn with_one_slot_reviews_go_before_builds_and_issues_in_their_order() {
    let starts = Starts::default();
    let noted = starts.clone();
    let mut world = World::new(move |spec| {
        noted.note(spec);
        well(spec)
    });
    world.policy.slots = 1;
    many(&world);
    let ended = world.run(&mut world.engine("1")).await;
    assert!(ended.last.busy.is_empty(), "{:?}", ended.last);
    let one = [Stage::Build, Stage::Quality, Stage::CodeReview, Stage::SecurityReview];
    let all: Vec<(u64, Stage)> = (1..=4).flat_map(|issue| one.map(|stage| (issue, stage))).collect();
    assert_eq!(starts.stages(), all, "what was begun is brought to its end before the next build");
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn the_weights_of_what_runs_never_exceed_the_slots() {
    let mut world = World::new(|spec| {
        let mut play = well(spec);
        // One review is slow: a build of another issue fits beside it.
        play.after *= if spec.key.stage == Stage::CodeReview { 2 } else { 1 };
        play
    });
    world.policy.slots = 4;
    let weights = BTreeMap::from([(Stage::Build, 3), (Stage::Quality, 2)]);
    world.policy.weights = weights.clone();
    many(&world);
    let mut engine = world.engine("1");
    let mut most = 0;
    for _ in 0..500 {
        engine.cycle().await;
        let jobs = world.runtime.list(&Selector::Any).await.unwrap();
        let running = jobs.iter().filter(|job| matches!(job.status, RuntimeStatus::Running));
        let used: u32 = running.map(|job| weights.get(&job.key.as_ref().unwrap().stage).unwrap_or(&1)).sum();
        assert!(used <= 4, "{used} slots are used");
        most = most.max(used);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(most, 4, "and they are used");
    for number in 1..=4 {
        assert!(world.labels(number).contains(&"done".to_owned()), "#{number}: {:?}", world.labels(number));
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_slot_is_told_so_and_a_job_heavier_than_all_slots_runs_alone() {
    let mut world = World::new(well);
    world.policy.slots = 2;
    world.policy.weights = BTreeMap::from([(Stage::Build, 7)]);
    many(&world);
    let mut engine = world.engine("1");
    engine.cycle().await;
    let report = engine.cycle().await;
    assert_eq!(super::running(&world).await, 1, "{report:?}");
    let told = &report.reasons[&crate::world::key(2)];
    assert_eq!(told, &["no slot for build: 7 of 2 are in use"]);
    world.run(&mut engine).await;
    assert!(world.labels(4).contains(&"done".to_owned()), "{:?}", world.labels(4));
}
