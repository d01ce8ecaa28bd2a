//! Pause, cancel, stop: what an operator says holds over restarts, whatever the forge does, until a person lifts it.

use super::{Starts, reasons, running};
use crate::{
    end,
    trouble::{Call, Fate, Woe},
    world::{World, key, well},
};
use hydra_core::{
    JobId, SignedDuration, Stage,
    plan::StopReason,
    ports::{Clock as _, Runtime as _, Selector},
    record::{Phase, StageResult},
};
use hydra_engine::{
    holds::{HoldEntry, Scope},
    operator::Operator,
    store::StateDir,
};
use std::time::Duration;

fn operator(world: &World) -> Operator {
    Operator {
        state: StateDir::open(world.dir.path()).unwrap(),
        instance: "test".into(),
        audit: world.audit.clone(),
        clock: world.clock.clone(),
        stop_grace: Duration::from_secs(10),
    }
}

fn hold(world: &World, cancel: bool, hours: Option<i64>) -> HoldEntry {
    let set_at = world.clock.now();
    let until = hours.map(|hours| set_at.checked_add(SignedDuration::from_hours(hours)).unwrap());
    HoldEntry { reason: "the release goes first".into(), until, set_at, cancel }
}

/// What `hydra cancel` does without the forge.
async fn cancel(world: &World) -> Vec<JobId> {
    let operator = operator(world);
    operator.hold(&Scope::Issue(key(1)), hold(world, true, None)).unwrap();
    let of_issue = |job: &hydra_core::job::Observed| job.key.as_ref().is_some_and(|of| of.issue == key(1));
    let stopped = operator.stop(&world.runtime, StopReason::Cancelled, "ada cancelled it", of_issue).await.unwrap();
    assert!(stopped.iter().all(|job| job.stopped && job.why.is_none()), "{stopped:?}");
    stopped.into_iter().map(|facts| facts.job).collect()
}

fn two_issues() -> (World, Starts) {
    let starts = Starts::default();
    let noted = starts.clone();
    let world = World::new(move |spec| {
        noted.note(spec);
        well(spec)
    });
    world.change("change-2");
    world.issue(2, "Change: change-2\n");
    (world, starts)
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_everything_a_repository_or_an_issue_holds_over_restarts_until_it_is_lifted() {
    let scopes = [
        (Scope::All, "everything is on hold", false),
        (Scope::Repo(key(1).repo), "this repository is on hold", false),
        (Scope::Issue(key(1)), "this issue is on hold", true),
    ];
    for (scope, told, second_runs) in scopes {
        let (world, starts) = two_issues();
        operator(&world).hold(&scope, hold(&world, false, None)).unwrap();
        for process in ["1", "2", "3"] {
            let ended = world.run(&mut world.engine(process)).await;
            let why = reasons(&ended, 1);
            assert!(why.contains(told) && why.contains("the release goes first"), "{scope}: {why}");
            assert!(why.contains("`hydra resume` lifts it"), "{scope}: {why}");
            assert!(ended.last.busy.is_empty(), "poll does not wait for it");
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        assert!(!starts.stages().iter().any(|(issue, _)| *issue == 1), "{scope}: {:?}", starts.stages());
        assert_eq!(world.labels(2).contains(&"done".to_owned()), second_runs, "{scope}");
        // Lifted, it goes on in the process that runs: no label has to be set again.
        let mut engine = world.engine("4");
        world.run(&mut engine).await;
        assert_eq!(operator(&world).lift(&scope).unwrap().unwrap().reason, "the release goes first");
        world.run(&mut engine).await;
        for number in [1, 2] {
            assert!(world.labels(number).contains(&"done".to_owned()), "{scope}: {:?}", world.labels(number));
        }
        let entries = world.audit.entries.lock().unwrap();
        let said: Vec<&str> = entries.iter().filter_map(|entry| entry.facts["command"].as_str()).collect();
        assert_eq!(said, ["pause", "resume"], "who did what stands in the audit log");
        drop(entries);
        world.lawful();
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_in_mid_run_lets_the_job_end_and_starts_no_other_until_its_time_is_over() {
    let (world, starts) = two_issues();
    let mut engine = world.engine("1");
    engine.cycle().await;
    engine.cycle().await;
    assert_eq!(running(&world).await, 2);
    operator(&world).hold(&Scope::All, hold(&world, false, Some(2))).unwrap();
    let ended = world.run(&mut engine).await;
    assert_eq!((starts.stages().len(), running(&world).await), (2, 0));
    for number in [1, 2] {
        let record = end::record(&world, number).unwrap();
        assert_eq!(record.stages[0].result, StageResult::Pass, "what had begun is not lost: {:?}", ended.last);
        assert_eq!(record.phase, Phase::Quality);
    }
    // Nobody lifts it: two hours later it goes on by itself.
    engine.supervise(tokio::time::sleep(Duration::from_secs(3 * 3600))).await;
    let second = starts.seconds(Stage::Quality);
    assert_eq!(second.len(), 2);
    let began = starts.0.lock().unwrap().clone();
    let (build, quality) = (began[0].2, began.iter().find(|(_, stage, _)| *stage == Stage::Quality).unwrap().2);
    assert!((7200..7260).contains(&(quality - build).as_secs()), "{:?}", quality - build);
    assert!(world.labels(2).contains(&"done".to_owned()));
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_cancel_holds_over_restarts_with_the_label_still_set_and_even_when_no_write_arrives() {
    for (how, lift) in [("retry", "retry:queued"), ("the label again", "ready-to-build")] {
        let (world, starts) = two_issues();
        let mut engine = world.engine("1/dead");
        engine.cycle().await;
        engine.cycle().await;
        // GitHub takes no writes from now on.
        world.trouble.by(|call: Call| {
            let hit = call.writes && call.name == "apply";
            Fate { before: hit.then_some(Woe::Outage), ..Fate::default() }
        });
        assert_eq!(cancel(&world).await.len(), 1, "the build of #1");
        let begun = |starts: &Starts| starts.stages().iter().filter(|(issue, _)| *issue == 1).count();
        for process in ["2/dead", "3/dead", "4/dead"] {
            let mut engine = world.engine(process);
            for _ in 0..20 {
                engine.cycle().await;
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            assert_eq!(begun(&starts), 1, "{how}: nothing starts again");
            assert!(world.labels(1).contains(&"ready-to-build".to_owned()));
        }
        // It takes them again, and shows what is; the label is still there, and starts nothing.
        world.trouble.over();
        let ended = world.run(&mut world.engine("5")).await;
        let record = end::record(&world, 1).unwrap();
        assert!(matches!(&record.phase, Phase::Cancelled { .. }), "{:?}", record.phase);
        assert!(reasons(&ended, 1).contains("the release goes first"), "{}", reasons(&ended, 1));
        assert!(world.labels(2).contains(&"done".to_owned()), "the other one went on");
        for process in ["6", "7"] {
            let written = world.writes().len();
            world.run(&mut world.engine(process)).await;
            assert_eq!((begun(&starts), world.writes().len()), (1, written), "{how}");
        }
        // Until a person asks for it.
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.label(1, lift, false);
        world.label(1, lift, true);
        world.run(&mut world.engine("8")).await;
        assert!(world.labels(1).contains(&"done".to_owned()), "{how}: {:?}", world.labels(1));
        world.lawful();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_holds_when_the_folder_that_kept_it_is_lost_after_it_was_shown() {
    let (world, starts) = two_issues();
    let mut engine = world.engine("1");
    engine.cycle().await;
    engine.cycle().await;
    cancel(&world).await;
    world.run(&mut engine).await;
    assert!(matches!(end::record(&world, 1).unwrap().phase, Phase::Cancelled { .. }));
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    world.run(&mut world.engine("2")).await;
    assert_eq!(starts.stages().iter().filter(|(issue, _)| *issue == 1).count(), 1);
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn every_job_that_holds_a_credential_is_stopped_and_no_other_and_it_is_no_failed_attempt() {
    let (world, starts) = two_issues();
    // The second issue's work is done with another account.
    let mut engine = world.engine("1");
    world.label(2, "ready-to-build", false);
    engine.cycle().await;
    engine.cycle().await;
    let until = world.clock.now().checked_add(SignedDuration::from_hours(24)).unwrap();
    world.accounts.aside.lock().unwrap().insert("main".parse().unwrap(), (until, "it leaked".into()));
    world.label(2, "ready-to-build", true);
    engine.cycle().await;
    engine.cycle().await;
    let jobs = world.runtime.list(&Selector::Any).await.unwrap();
    let held: Vec<Vec<String>> = jobs.iter().map(|job| job.credentials.clone()).collect();
    assert_eq!(held, [["account:main"], ["account:spare"]]);
    let holds = |job: &hydra_core::job::Observed| job.credentials.contains(&"account:main".to_owned());
    let facts = operator(&world).stop(&world.runtime, StopReason::Credential, "main leaked", holds).await.unwrap();
    assert_eq!(facts.len(), 1);
    assert_eq!((facts[0].stopped, facts[0].issue.as_deref()), (true, Some("acme/shop#1")));
    assert_eq!(running(&world).await, 1);
    world.run(&mut engine).await;
    let record = end::record(&world, 1).unwrap();
    assert_eq!((record.stages[0].result, record.attempts), (StageResult::Stopped, 0), "{:?}", record.stages[0]);
    assert!(matches!(record.phase, Phase::Ready), "it went on with the other account: {:?}", record.phase);
    assert!(starts.count(Stage::Build) == 3, "{:?}", starts.stages());
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn holds_that_cannot_be_read_hold_everything() {
    let (world, starts) = two_issues();
    operator(&world).hold(&Scope::All, hold(&world, false, None)).unwrap();
    let file = StateDir::open(world.dir.path()).unwrap().holds();
    for (what, bytes) in [("cut", &b"{\"schema\":1,\"all\":{\"reas"[..]), ("empty", b""), ("not JSON", b"hold on!")] {
        std::fs::write(&file, bytes).unwrap();
        let mut engine = world.engine(what);
        for _ in 0..3 {
            let report = engine.cycle().await;
            let told = format!("{:?}", report.failures);
            assert!(told.contains("the holds") && told.contains("holds.json"), "{what}: {told}");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(starts.stages().is_empty(), "{what}");
    }
    std::fs::remove_file(&file).unwrap();
    world.run(&mut world.engine("mended")).await;
    assert!(world.labels(1).contains(&"done".to_owned()));
}
