//! Time and turns: what a job's own limits did not end is ended from outside.

use super::{RESPONSE, Starts, talks, working};
use crate::{
    end,
    trouble::{Call, Fate, Woe},
    world::{World, judges, well},
};
use hydra_core::{
    Stage,
    contract::fake::{End, FakeRuntime, Play},
    contract_files::exit,
    egress::gate::GateLine,
    job::JobSpec,
    ports::AuditEntry,
    record::{Phase, StageResult},
};
use hydra_engine::{Happening, Observer};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
async fn a_job_whose_gate_is_gone_for_good_is_not_left_to_wait_for_its_time() {
    let world = World::new(|spec| talks(spec, &working(), 50));
    let ready = GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() };
    world.runtime.tell(vec![ready, GateLine::Gone { exit: Some(139) }]);
    world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::Maxed { .. }), "each time it is an attempt: {:?}", record.phase);
    assert_eq!(record.stages.len(), 3, "{:#?}", record.stages);
    for entry in &record.stages {
        let ran = entry.ended_at.unwrap().duration_since(entry.started_at).as_secs();
        assert!(entry.result == StageResult::Broken && ran < 25, "{entry:?}");
        assert!(entry.note.contains("its gate broke down for good"), "{}", entry.note);
    }
    let audited = world.audit.entries.lock().unwrap();
    assert!(audited.iter().any(|entry| entry.facts["stop"] == "gate"), "{audited:#?}");
    assert!(audited.iter().any(|entry| entry.facts["egress"]["gate_gone"] == true), "{audited:#?}");
}

/// Takes the gates of all jobs away as soon as one of them is heard.
struct TakesAway(FakeRuntime);

impl Observer for TakesAway {
    fn saw(&self, happening: &Happening) {
        if matches!(happening, Happening::GateBack { .. }) {
            self.0.tell(Vec::new());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_somebody_takes_away_is_missed() {
    let world = once(Stage::Build, |spec| talks(spec, &working(), 50));
    let ready = GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() };
    world.runtime.tell(vec![ready.clone(), ready]);
    let observer = Arc::new(TakesAway(world.runtime.clone()));
    world.run(&mut world.engine_with(world.config("1")).observed_by(observer).unwrap()).await;
    let (ran, note) = broken(&world, Stage::Build);
    assert!((10..25).contains(&ran) && note.contains("its gate broke down for good"), "{ran} s: {note}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_itself_without_its_gate_is_judged_by_that_and_not_by_its_own_words() {
    let world = World::new(|spec| Play { end: End::Exits(i64::from(exit::AGENT)), ..well(spec) });
    let ready = GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() };
    world.runtime.tell(vec![ready, GateLine::Gone { exit: Some(1) }]);
    world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::Maxed { .. }), "{:?}", record.phase);
    for entry in &record.stages {
        assert!(entry.note.contains("its gate broke down for good"), "{}", entry.note);
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

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_stop_a_job_is_asked_again_at_length_and_the_reason_is_told_once() {
    let world = once(Stage::Build, |spec| talks(spec, &working(), 50));
    let mut engine = world.engine("1");
    engine.cycle().await;
    engine.cycle().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    world.trouble.by(move |call: Call| {
        let hit = call.name == "stop";
        counted.fetch_add(usize::from(hit), Ordering::Relaxed);
        Fate { before: hit.then_some(Woe::Outage), ..Fate::default() }
    });
    // Ten minutes after its time was over.
    engine.run_until_rest(tokio::time::sleep(Duration::from_secs(36 * 60 + 600))).await;
    assert_eq!(super::running(&world).await, 1);
    assert!((10..=16).contains(&asked.load(Ordering::Relaxed)), "{asked:?} times");
    let told = |entry: &&AuditEntry| entry.facts.get("stop").is_some();
    assert_eq!(world.audit.entries.lock().unwrap().iter().filter(told).count(), 1);
    world.trouble.over();
    world.run(&mut engine).await;
    let (ran, note) = broken(&world, Stage::Build);
    assert!((36 * 60 + 600..=36 * 60 + 660).contains(&ran), "{ran} s: {note}");
}

#[tokio::test(start_paused = true)]
async fn whose_log_cannot_be_heard_for_a_while_is_not_taken_for_silent() {
    let world = World::new(|spec| {
        let mut play = well(spec);
        // Twenty minutes of work, most of them before it is taken over.
        (play.pace, play.after) = (Duration::from_secs(200), Duration::from_secs(1250));
        play
    });
    let mut config = world.config("1/dead");
    (config.first_sign_timeout, config.stall_timeout) = (Duration::from_secs(210), Duration::from_secs(210));
    let mut first = world.engine_with(config.clone());
    first.run_until_rest(tokio::time::sleep(Duration::from_secs(1000))).await;
    drop(first);
    config.owner = "test/here/2".into();
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = heard.clone();
    world.trouble.by(move |call: Call| {
        let hit = call.name == "follow" && counted.fetch_add(1, Ordering::Relaxed) < 5;
        Fate { before: hit.then_some(Woe::Outage), ..Fate::default() }
    });
    world.run(&mut world.engine_with(config)).await;
    assert!(heard.load(Ordering::Relaxed) > 5);
    let record = end::record(&world, 1).unwrap();
    assert_eq!((record.stages[0].result, record.attempts), (StageResult::Pass, 0), "{:?}", record.stages[0]);
    assert_eq!(world.runtime.started().len(), 4);
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn the_quality_stage_has_the_time_that_the_configuration_gives_it() {
    let world = once(Stage::Quality, |spec| talks(spec, &working(), 90));
    let config = hydra_engine::EngineConfig { quality_minutes: 45, ..world.config("1") };
    world.run(&mut world.engine_with(config)).await;
    assert_eq!(broken(&world, Stage::Quality).0, 46 * 60);
}
