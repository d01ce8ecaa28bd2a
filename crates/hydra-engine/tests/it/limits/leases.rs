//! Two orchestrators and one issue: the lease is taken by compare-and-swap, whoever lost it makes no effect, and a generation that is over
//! leaves nothing behind.

use super::{Starts, reasons, running};
use crate::{
    end,
    forge::error,
    trouble::{Call, Fate, Whom, Woe},
    world::{World, builds, key, well},
};
use hydra_core::{
    IssueNumber, Stage,
    ports::{Clock as _, ForgeErrorKind},
    record::{Phase, StageResult},
};
use hydra_engine::Engine;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

fn elsewhere(world: &World, process: &str) -> Engine {
    let mut config = world.config(process);
    config.owner = format!("test/there/{process}");
    config.owner_gone = |_| false;
    // A job may be silent here for as long as it likes.
    (config.stall_timeout, config.first_sign_timeout) = (Duration::ZERO, Duration::ZERO);
    world.engine_with(config)
}

fn noted() -> (World, Starts) {
    let starts = Starts::default();
    let noted = starts.clone();
    let world = World::new(move |spec| {
        noted.note(spec);
        well(spec)
    });
    (world, starts)
}

fn holder(world: &World) -> Option<String> {
    world.state.lock().unwrap().leases.get(&key(1)).map(|held| held.record.owner.clone())
}

#[tokio::test(start_paused = true)]
async fn of_two_that_look_at_the_same_moment_one_wins_and_the_other_says_who() {
    let (world, starts) = noted();
    // Every call takes a moment, so that both look before either has swapped.
    world.trouble.by(|_| Fate { takes: Duration::from_millis(100), ..Fate::default() });
    let (mut a, mut b) = (elsewhere(&world, "a"), elsewhere(&world, "b"));
    let (one, two) = futures_util::join!(a.cycle(), b.cycle());
    let taken =
        |report: &hydra_engine::CycleReport| report.actions.iter().filter(|(_, name)| *name == "take-lease").count();
    assert_eq!(taken(&one) + taken(&two), 1, "{one:?}\n{two:?}");
    let lost = if taken(&one) == 1 { &two } else { &one };
    assert!(lost.failures[0].why.contains("another orchestrator took the lease"), "{:?}", lost.failures);
    let (one, two) = futures_util::join!(world.run(&mut a), world.run(&mut b));
    let told = format!("{} {}", reasons(&one, 1), reasons(&two, 1));
    assert!(told.contains("the orchestrator test/there/") && told.contains("holds its lease until"), "{told}");
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
    assert_eq!(starts.stages().len(), 4, "{:?}", starts.stages());
    let ended = end::of(&world).await;
    assert!(ended.doubled().is_empty() && ended.leases == 0 && ended.left.is_empty(), "{ended:#?}");
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn polls_that_overlap_take_only_what_nobody_holds() {
    let (world, starts) = noted();
    let mut a = elsewhere(&world, "a");
    a.cycle().await;
    a.cycle().await;
    world.change("change-2");
    world.issue(2, "Change: change-2\n");
    let ended = world.run(&mut elsewhere(&world, "b")).await;
    assert!(world.labels(2).contains(&"done".to_owned()), "{:?}", ended.last);
    assert_eq!(holder(&world).as_deref(), Some("test/there/a"));
    assert_eq!(starts.stages().iter().filter(|(issue, _)| *issue == 1).count(), 1);
    assert!(ended.last.busy.is_empty(), "it does not wait for what another holds");
    world.run(&mut a).await;
    assert!(world.labels(1).contains(&"done".to_owned()));
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_a_job_runs_and_taken_over_only_when_it_lapses() {
    let (world, starts) = {
        let starts = Starts::default();
        let noted = starts.clone();
        let world = World::new(move |spec| {
            noted.note(spec);
            let mut play = well(spec);
            if spec.key.stage == Stage::Build {
                play.after = Duration::from_secs(1800);
            }
            play
        });
        (world, starts)
    };
    let (mut a, mut b) = (elsewhere(&world, "a"), elsewhere(&world, "b"));
    a.supervise(tokio::time::sleep(Duration::from_secs(1300))).await;
    for _ in 0..3 {
        b.cycle().await;
        assert_eq!(holder(&world).as_deref(), Some("test/there/a"), "twice its time is over, and it is renewed");
    }
    // Nobody hears of `a` any more.
    let silent = world.clock.now();
    while holder(&world).as_deref() == Some("test/there/a") {
        tokio::time::sleep(Duration::from_secs(10)).await;
        b.cycle().await;
    }
    let after = world.clock.now().duration_since(silent).as_secs();
    assert!((290..=610).contains(&after), "it lapsed {after} s after its last sign");
    world.run(&mut b).await;
    assert!(world.labels(1).contains(&"done".to_owned()));
    assert_eq!(starts.count(Stage::Build), 1, "the job that ran was taken over, not begun anew");
    // The one that was taken for dead comes back: what it remembers is worth nothing.
    let written = world.writes().len();
    let ended = world.run(&mut a).await;
    assert_eq!((ended.writes, world.writes().len()), (0, written), "{:?}", ended.last);
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_lease_between_the_look_and_the_effect_makes_none() {
    // Whatever the planner asks for after each of the calls of a look, it comes too late: the look took longer than the lease lasts.
    let mut late = 0;
    for at in 1..=40 {
        let (world, starts) = noted();
        let (mut a, mut b) = (elsewhere(&world, "a"), elsewhere(&world, "b"));
        a.cycle().await;
        let reads = Arc::new(AtomicU64::new(0));
        let counted = reads.clone();
        world.trouble.by(move |call: Call| {
            let slow = !call.writes && counted.fetch_add(1, Ordering::Relaxed) + 1 == at;
            Fate { takes: Duration::from_secs(if slow { 400 } else { 0 }), ..Fate::default() }
        });
        let other = async {
            tokio::time::sleep(Duration::from_secs(620)).await;
            for _ in 0..40 {
                b.cycle().await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        };
        let (report, ()) = futures_util::join!(a.cycle(), other);
        if reads.load(Ordering::Relaxed) < at {
            break;
        }
        let lost = report.failures.iter().any(|failure| failure.why.contains("lease"));
        late += u32::from(lost);
        world.run(&mut a).await;
        world.run(&mut b).await;
        assert!(world.labels(1).contains(&"done".to_owned()), "read {at}: {:?}", world.labels(1));
        assert_eq!(starts.stages().len(), 4, "read {at}: {:?}", starts.stages());
        assert!(end::of(&world).await.doubled().is_empty(), "read {at}");
        world.lawful();
    }
    assert!(late >= 3, "{late} looks came too late and made nothing");
    println!("{late} plans came too late");
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_nothing_is_done_and_one_that_cannot_be_read_is_not_free() {
    let (world, starts) = noted();
    for name in ["swap", "lease"] {
        world.trouble.by(move |call: Call| {
            let hit = call.whom == Whom::Forge && call.name == name;
            Fate { before: hit.then_some(Woe::Outage), ..Fate::default() }
        });
        let mut engine = elsewhere(&world, name);
        for _ in 0..5 {
            let report = engine.cycle().await;
            assert!(report.actions.is_empty(), "{name}: {report:?}");
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        assert!(starts.stages().is_empty() && world.writes().is_empty(), "{name}: {:?}", world.writes());
    }
    world.trouble.over();
    world.state.lock().unwrap().outage = Some(error(ForgeErrorKind::Auth, "401: Bad credentials"));
    let report = elsewhere(&world, "c").cycle().await;
    assert!(report.actions.is_empty() && format!("{:?}", report.failures).contains("401"), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_generation_that_is_over_delivers_is_never_pushed() {
    let starts = Starts::default();
    let noted = starts.clone();
    let world = World::new(move |spec| {
        noted.note(spec);
        let mut play = well(spec);
        if spec.key.generation.0 == 1 {
            play.after = Duration::from_secs(600);
        }
        play
    });
    let mut engine = elsewhere(&world, "a");
    engine.cycle().await;
    engine.cycle().await;
    assert_eq!(running(&world).await, 1);
    tokio::time::sleep(Duration::from_secs(20)).await;
    world.label(1, "rebuild:queued", true);
    world.run(&mut engine).await;
    let record = end::record(&world, 1).unwrap();
    assert_eq!((record.generation.0, &record.phase), (2, &Phase::Ready));
    assert_eq!(starts.count(Stage::Build), 2);
    assert_eq!(world.writes().iter().filter(|write| *write == "git push").count(), 1, "{:?}", world.writes());
    assert_eq!(world.pulls().len(), 1);
    assert!(end::of(&world).await.left.is_empty(), "the job of the first generation is gone");
    world.lawful();

    // Its end comes by itself just before anybody looks: it is counted, and thrown away.
    let world = World::new(|spec| if spec.key.stage == Stage::Build { builds(spec) } else { well(spec) });
    let mut engine = elsewhere(&world, "a");
    engine.cycle().await;
    engine.cycle().await;
    engine.drain().await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    world.label(1, "rebuild:queued", true);
    world.run(&mut engine).await;
    let record = end::record(&world, 1).unwrap();
    assert_eq!((record.generation.0, &record.phase), (2, &Phase::Ready));
    assert_eq!(world.writes().iter().filter(|write| *write == "git push").count(), 1, "{:?}", world.writes());
    let all = end::of(&world).await;
    assert_eq!(all.turns(), 2 * all.agents(), "what it cost is counted");
    assert!(record.stages.iter().all(|entry| entry.result != StageResult::Running));
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_earlier_generation_that_is_put_back_is_seen_through() {
    let (world, starts) = noted();
    world.run(&mut elsewhere(&world, "a")).await;
    let old = world.status(1);
    world.label(1, "rebuild:queued", true);
    world.run(&mut elsewhere(&world, "b")).await;
    assert_eq!(end::record(&world, 1).unwrap().generation.0, 2);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let now = world.clock.now();
    for comment in &mut world.state.lock().unwrap().issues.get_mut(&IssueNumber(1)).unwrap().comments {
        if comment.body.starts_with("<!-- hydra:status g0 -->") {
            (comment.body, comment.updated_at) = (old.clone(), now);
        }
    }
    world.label(1, "retry:queued", true);
    let begun = starts.stages().len();
    let ended = world.run(&mut elsewhere(&world, "c")).await;
    assert!(reasons(&ended, 1).contains("an old text was put back"), "{}", reasons(&ended, 1));
    assert_eq!(starts.stages().len(), begun);
}
