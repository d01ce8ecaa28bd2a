//! Time and turns: what a job's own limits did not end is ended from outside.

use super::{RESPONSE, Starts, talks, working};
use crate::{
    end,
    world::{World, judges, well},
};
use hydra_core::{
    Stage,
    contract::fake::End,
    job::JobSpec,
    record::{Phase, StageResult},
};
use std::time::Duration;

/// A world in which the first run of one stage goes wrong; a first review blocks, so that every stage is seen.
fn once(stage: Stage, wrong: impl Fn(&JobSpec) -> hydra_core::contract::fake::Play + Send + Sync + 'static) -> World {
    World::new(move |spec| match (spec.key.stage, spec.key.round, spec.key.attempt) {
        (of, _, 0) if of == stage => wrong(spec),
        (Stage::CodeReview, 0, _) if matches!(stage, Stage::Apply | Stage::Fix) => {
            judges(spec, false, &["the tax is wrong"])
        }
        _ => well(spec),
    })
}

/// How long the broken run of a stage lasted, in seconds, and what is said of it.
fn broken(world: &World, stage: Stage) -> (i64, String) {
    let record = end::record(world, 1).unwrap();
    let entry = record.stages.iter().find(|entry| entry.stage == stage && entry.result == StageResult::Broken);
    let entry = entry.unwrap_or_else(|| panic!("no broken {stage}: {:#?}", record.stages));
    let ran = entry.ended_at.unwrap().duration_since(entry.started_at);
    assert!(matches!(record.phase, Phase::Ready), "it is done all the same: {:?}", record.phase);
    (ran.as_secs(), entry.note.clone())
}

#[tokio::test(start_paused = true)]
async fn each_stage_has_its_own_time_and_a_minute_of_grace() {
    let minutes = [
        (Stage::Build, 35),
        (Stage::Fix, 35),
        (Stage::Quality, 20),
        (Stage::CodeReview, 20),
        (Stage::SecurityReview, 20),
        (Stage::Apply, 10),
    ];
    for (stage, minutes) in minutes {
        let world = once(stage, |spec| talks(spec, &working(), 50));
        world.run(&mut world.engine("1")).await;
        let (ran, note) = broken(&world, stage);
        assert_eq!(ran, minutes * 60 + 60, "{stage}");
        assert!(note.starts_with("its time ran out"), "{note}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_takes_no_notice_is_killed_after_the_grace() {
    let world = once(Stage::Build, |spec| {
        let mut play = talks(spec, &working(), 50);
        play.end = End::RunsDeaf;
        play
    });
    world.run(&mut world.engine("1")).await;
    assert_eq!(broken(&world, Stage::Build).0, 35 * 60 + 60 + 10);
}

#[tokio::test(start_paused = true)]
async fn no_first_sign_of_life_and_a_stall_end_a_run_early_and_it_is_tried_again() {
    let silent = |spec: &JobSpec| {
        let mut play = talks(spec, &working(), 1);
        play.lines.clear();
        play
    };
    let world = once(Stage::Build, silent);
    world.run(&mut world.engine("1")).await;
    let (ran, note) = broken(&world, Stage::Build);
    assert_eq!(ran, 120, "{note}");
    assert!(note.contains("no sign of life"), "{note}");

    let world = once(Stage::SecurityReview, |spec| {
        let mut play = talks(spec, &working(), 30);
        play.lines.truncate(4);
        play
    });
    world.run(&mut world.engine("1")).await;
    let (ran, note) = broken(&world, Stage::SecurityReview);
    assert_eq!(ran, 4 * 30 + 300, "{note}");
    assert!(note.contains("stall"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_stall_time_out_of_zero_is_off() {
    let world = once(Stage::Build, |spec| {
        let mut play = talks(spec, &working(), 1);
        play.lines.clear();
        play
    });
    let mut config = world.config("1");
    (config.stall_timeout, config.first_sign_timeout) = (Duration::ZERO, Duration::ZERO);
    world.run(&mut world.engine_with(config)).await;
    assert_eq!(broken(&world, Stage::Build).0, 35 * 60 + 60);
}

#[tokio::test(start_paused = true)]
async fn more_turns_than_allowed_end_a_run_whose_own_limit_did_not() {
    for (stage, turns) in
        [(Stage::Build, 200), (Stage::CodeReview, 30), (Stage::SecurityReview, 20), (Stage::Apply, 20)]
    {
        let world = once(stage, |spec| talks(spec, &RESPONSE, 2));
        world.run(&mut world.engine("1")).await;
        let (_, note) = broken(&world, stage);
        assert_eq!(note, format!("{} turns, {turns} are allowed", turns + 2), "{stage}");
        let record = end::record(&world, 1).unwrap();
        let entry = record.stages.iter().find(|entry| entry.result == StageResult::Broken).unwrap();
        assert_eq!(entry.spend.turns, turns + 2, "what they cost is counted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_gives_a_job_no_new_time() {
    let starts = Starts::default();
    let noted = starts.clone();
    let world = World::new(move |spec| {
        noted.note(spec);
        if spec.key.stage == Stage::Build && spec.key.attempt == 0 { talks(spec, &working(), 50) } else { well(spec) }
    });
    for process in ["1/dead", "2/dead", "3"] {
        let mut engine = world.engine(process);
        let stop = tokio::time::sleep(Duration::from_secs(if process == "3" { 9000 } else { 900 }));
        let ended = engine.run_until_rest(stop).await;
        assert!(ended.cycles < 200, "the loop spins: {:?}", ended.last);
    }
    assert_eq!(broken(&world, Stage::Build).0, 36 * 60);
    assert_eq!(starts.count(Stage::Build), 2);
    world.lawful();
}
