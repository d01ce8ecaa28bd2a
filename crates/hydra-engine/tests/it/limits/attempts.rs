//! Attempts, outages and the breaker.

use super::{Starts, reasons};
use crate::{
    end,
    world::{World, key, well},
};
use hydra_core::{
    Stage,
    contract::fake::{End, Play},
    job::JobSpec,
    ports::Clock as _,
    record::{Phase, StageResult},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_repeated_after_10_20_and_40_seconds_and_then_no_more() {
    let starts = Starts::default();
    let noted = starts.clone();
    let mut world = World::new(move |spec| {
        noted.note(spec);
        Play::exits(1)
    });
    world.policy.max_attempts = 4;
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    assert_eq!(starts.seconds(Stage::Build), [0, 10, 30, 70]);
    assert!(world.labels(1).contains(&"agent-maxed-out".to_owned()), "{:?}", world.labels(1));
    let record = end::record(&world, 1).unwrap();
    let Phase::Maxed { detail } = &record.phase else { panic!("{:?}", record.phase) };
    assert!((1..=4).all(|n| detail.contains(&format!("build, attempt {n}: it ended with exit code 1"))), "{detail}");
    assert!(reasons(&ended, 1).contains("attempts are used up"), "{}", reasons(&ended, 1));
    assert!(world.status(1).contains("attempt 4"), "{}", world.status(1));
    // A person asks for more.
    world.label(1, "retry:queued", true);
    world.run(&mut engine).await;
    assert_eq!(starts.count(Stage::Build), 8);
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_due_is_shown_with_its_time_its_number_and_the_last_error() {
    let world = World::new(|_| Play::exits(3));
    let mut engine = world.engine("1");
    engine.cycle().await;
    engine.cycle().await;
    let report = engine.cycle().await;
    let report = if report.actions.is_empty() { report } else { engine.cycle().await };
    let due = end::record(&world, 1).unwrap().due.unwrap();
    let told = &report.reasons[&key(1)];
    let wanted = format!("attempt 2 is due at {due:.0}, after: it ended with exit code 3: it left no word");
    assert_eq!(told, &[wanted], "{report:?}");
    assert!(due > world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_no_attempt_and_no_round_and_the_wait_grows_all_the_same() {
    let (starts, times) = (Starts::default(), Arc::new(AtomicUsize::new(0)));
    let (noted, counted) = (starts.clone(), times.clone());
    let world = World::new(move |spec| {
        noted.note(spec);
        let mut play = well(spec);
        if spec.key.stage == Stage::Quality && counted.fetch_add(1, Ordering::Relaxed) < 7 {
            (play.end, play.after) = (End::Vanishes("the machine was taken away".into()), Duration::from_secs(1));
        }
        play
    });
    let ended = world.run(&mut world.engine("1")).await;
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?} {:?}", world.labels(1), ended.last);
    let seconds = starts.seconds(Stage::Quality);
    let waits: Vec<u64> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [11, 21, 41, 81, 161, 301, 301], "a second of work, and the wait up to its cap");
    let record = end::record(&world, 1).unwrap();
    assert_eq!((record.attempts, record.round, record.errors.len()), (0, 0, 0));
    assert_eq!(record.stages.iter().filter(|entry| entry.result == StageResult::Outage).count(), 7);
}

#[tokio::test(start_paused = true)]
async fn five_issues_that_fail_alike_open_the_breaker_and_one_trial_closes_it() {
    let (starts, mended) = (Starts::default(), Arc::new(AtomicBool::new(false)));
    let (noted, well_again) = (starts.clone(), mended.clone());
    let mut world = World::new(move |spec| {
        noted.note(spec);
        if well_again.load(Ordering::Relaxed) { well(spec) } else { Play::exits(9) }
    });
    world.policy.max_attempts = 9;
    for number in 2..=7 {
        world.change(&format!("change-{number}"));
        world.issue(number, &format!("Change: change-{number}\n"));
    }
    let mut engine = world.engine("1");
    for _ in 0..60 {
        engine.cycle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let begun = starts.stages().len();
    let report = engine.cycle().await;
    assert!((5..=12).contains(&begun), "{begun} starts, then none: {report:?}");
    world.run(&mut engine).await;
    assert_eq!(starts.stages().len(), begun, "nothing starts while it is open");
    // Another process of the machine knows it too, and says why.
    let mut engine = world.engine("2");
    let ended = world.run(&mut engine).await;
    assert_eq!(starts.stages().len(), begun);
    let told = reasons(&ended, 7);
    assert!(told.contains("failures of the class `crash`") && told.contains("one trial is made at"), "{told}");
    // The pause is over and the cause is not: one trial, and it is open again.
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    for _ in 0..30 {
        engine.cycle().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(starts.stages().len(), begun + 1, "one trial");
    // The next one works: everybody goes on.
    mended.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    engine.cycle().await;
    engine.cycle().await;
    assert_eq!(starts.stages().len(), begun + 2, "one trial");
    world.run(&mut engine).await;
    for number in 1..=7 {
        assert!(world.labels(number).contains(&"done".to_owned()), "#{number}: {:?}", world.labels(number));
    }
    world.lawful();
}

/// Seven issues whose builds crash until the breaker is open; its pause is over, and from now on they do this.
async fn pause_is_over(play: impl Fn(&JobSpec) -> Play + Send + Sync + 'static) -> World {
    let mended = Arc::new(AtomicBool::new(false));
    let well_again = mended.clone();
    let mut world =
        World::new(move |spec| if well_again.load(Ordering::Relaxed) { play(spec) } else { Play::exits(9) });
    world.policy.max_attempts = 9;
    for number in 2..=7 {
        world.change(&format!("change-{number}"));
        world.issue(number, &format!("Change: change-{number}\n"));
    }
    world.run(&mut world.engine("1")).await;
    let told = reasons(&world.run(&mut world.engine("2")).await, 7);
    assert!(told.contains("one trial is made at"), "{told}");
    mended.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_called_off_lets_another_issue_try() {
    let world = pause_is_over(well).await;
    let mut engine = world.engine("3");
    engine.cycle().await;
    let tries = world.runtime.started().last().unwrap().to_string();
    let number = (1..=7).find(|number| tries.contains(&format!("-{number}-"))).unwrap();
    world.label(number, "ready-to-build", false);
    world.run(&mut engine).await;
    for other in (1..=7).filter(|other| *other != number) {
        assert!(world.labels(other).contains(&"done".to_owned()), "#{other}: {:?}", world.labels(other));
    }
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_job_decides_nothing_lets_another_issue_try() {
    // The wrapper refuses the first of them: neither the cause of before, nor the work.
    let refused = AtomicBool::new(false);
    let world =
        pause_is_over(move |spec| if refused.swap(true, Ordering::Relaxed) { well(spec) } else { Play::exits(20) })
            .await;
    let mut engine = world.engine("3");
    world.run(&mut engine).await;
    let done = (1..=7).filter(|number| world.labels(*number).contains(&"done".to_owned())).count();
    assert!(done >= 6, "{done} of 7");
    world.lawful();
}
