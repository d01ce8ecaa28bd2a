//! Model accounts: a limited one is set aside, the next one is taken, and when none is left the job waits and then goes on.

use super::{Starts, reasons};
use crate::{
    end,
    world::{World, event, well},
};
use hydra_core::{
    Stage, Timestamp,
    agent_event::{AgentEnd, EventKind, Trouble},
    contract::fake::{End, Play},
    contract_files::{JobResult, exit},
    job::JobSpec,
    ports::{Clock as _, LogLine},
    record::{Phase, StageResult},
};
use std::time::Duration;

/// The provider ends it.
fn refused(spec: &JobSpec, trouble: Trouble, until: Option<Timestamp>) -> Play {
    let mut play = well(spec);
    let detail = "You have hit your limit".to_owned();
    let end = AgentEnd::Provider { trouble, until, detail };
    let mut result: JobResult = serde_json::from_slice(&play.out["result.json"]).unwrap();
    result.end = Some(end.clone());
    let text = event(EventKind::Ended { end, reported: None });
    play.lines = vec![LogLine { stderr: false, text: text.clone() }];
    play.out.clear();
    play.out.insert("result.json".into(), serde_json::to_vec(&result).unwrap());
    play.out.insert("events.jsonl".into(), text.into_bytes());
    play.end = End::Exits(exit::AGENT.into());
    play
}

fn account(spec: &JobSpec) -> String {
    spec.credentials[0].to_string()
}

#[tokio::test(start_paused = true)]
async fn a_limited_account_is_set_aside_until_its_reset_and_the_stage_goes_on_with_the_next_one() {
    let world = World::new(|spec| {
        let until = "2026-11-24T13:00:00Z".parse().ok();
        match spec.key.stage {
            Stage::Build if account(spec) == "account:main" => refused(spec, Trouble::Limit, until),
            Stage::Quality => well(spec),
            _ => {
                assert_eq!(account(spec), "account:spare");
                well(spec)
            }
        }
    });
    world.run(&mut world.engine("1")).await;
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
    let aside = world.accounts.aside.lock().unwrap().clone();
    let [(name, (until, why))] = &aside.into_iter().collect::<Vec<_>>()[..] else { panic!("one is aside") };
    assert_eq!((name.as_str(), until.to_string().as_str()), ("main", "2026-11-24T13:00:00Z"));
    assert!(why.contains("You have hit your limit"), "{why}");
    let record = end::record(&world, 1).unwrap();
    assert_eq!(record.stages[0].result, StageResult::Limited);
    assert_eq!(record.stages[0].account.as_ref().unwrap().as_str(), "main");
    assert_eq!(record.attempts, 0);
}

#[tokio::test(start_paused = true)]
async fn when_every_account_is_aside_the_job_waits_visibly_and_goes_on_at_the_first_reset() {
    let starts = Starts::default();
    let noted = starts.clone();
    let world = World::new(move |spec| {
        noted.note(spec);
        let until = if account_is_main(spec) { "2026-11-24T12:00:00Z" } else { "2026-11-24T11:00:00Z" };
        if spec.key.stage == Stage::Build && spec.key.attempt < 2 {
            refused(spec, Trouble::Limit, until.parse().ok())
        } else {
            well(spec)
        }
    });
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    assert_eq!(starts.count(Stage::Build), 2);
    let why = reasons(&ended, 1);
    assert!(why.contains("every model account is set aside") && why.contains("2026-11-24T11:00:00Z"), "{why}");
    assert!(ended.last.busy.is_empty(), "poll does not wait for it");
    // Supervised, it goes on by itself.
    engine.supervise(tokio::time::sleep(Duration::from_secs(3 * 3600))).await;
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
    let third = starts.seconds(Stage::Build)[2];
    assert!((7200..7260).contains(&third), "at eleven o'clock: {third} s after the first");
    assert_eq!(end::record(&world, 1).unwrap().attempts, 0);
    world.lawful();
}

fn account_is_main(spec: &JobSpec) -> bool {
    spec.credentials.first().is_some_and(|name| name.to_string() == "account:main")
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_refused_is_set_aside_for_a_day_and_an_overload_is_nobody_s_fault() {
    let world = World::new(|spec| match (spec.key.stage, spec.key.attempt) {
        (Stage::Build, 0) => refused(spec, Trouble::Auth, None),
        (Stage::Build, 1 | 2) => refused(spec, Trouble::Overload, None),
        _ => well(spec),
    });
    world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::Ready), "{:?}", record.phase);
    let results: Vec<StageResult> = record.stages.iter().take(4).map(|entry| entry.result).collect();
    assert_eq!(results, [StageResult::Limited, StageResult::Outage, StageResult::Outage, StageResult::Pass]);
    let aside = world.accounts.aside.lock().unwrap().clone();
    assert_eq!(aside.len(), 1, "{aside:?}");
    let (until, _) = aside.values().next().unwrap();
    assert!(until.duration_since(world.clock.now()).as_hours() >= 23, "{until}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_without_a_named_reset_lasts_as_long_as_the_configuration_says() {
    let world = World::new(|spec| match spec.key.stage {
        Stage::Build if account(spec) == "account:main" => refused(spec, Trouble::Limit, None),
        _ => well(spec),
    });
    let config = hydra_engine::EngineConfig { unnamed_reset: Duration::from_secs(5 * 3600), ..world.config("1") };
    world.run(&mut world.engine_with(config)).await;
    let (until, _) = world.accounts.aside.lock().unwrap()[&"main".parse().unwrap()].clone();
    let ended = end::record(&world, 1).unwrap().stages[0].ended_at.unwrap();
    assert_eq!(until.duration_since(ended).as_secs(), 5 * 3600);
}
