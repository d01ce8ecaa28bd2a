//! What becomes of jobs that do not do their work: whose fault it is, what it costs, when it is tried again, and when it is given up.

use crate::stories::{
    hands::{holds, reasons_of},
    plays::{does_nothing, first, gives_up, runs_on, turn, well},
    script::{always, bash, demo, happy_but, nth, say},
    stage::{ADA, REPO, Story, played, told},
};
use hydra_core::{
    Stage,
    contract::fake::{End, Play},
    contract_files::exit,
    job::JobSpec,
    ports::{Runtime as _, RuntimeError, RuntimeErrorKind},
    record::StageResult,
};
use hydra_engine::{
    holds::{HoldEntry, Scope},
    operator::Operator,
    store::StateDir,
};
use hydra_sim::github::{Fault, FaultKind, Faults, When};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

impl Story {
    /// The first run of the build broke, for this reason; the second did the work.
    #[track_caller]
    fn built_at_the_second_attempt(&self, why: &str) {
        assert!(self.has("done"), "{:?}\n{}", self.labels(), self.headline());
        let stages = self.record().stages;
        assert_eq!(
            (stages[0].result, stages[1].result),
            (StageResult::Broken, StageResult::Pass),
            "{:?}",
            self.stages()
        );
        assert_eq!((stages[0].stage, stages[1].stage), (Stage::Build, Stage::Build));
        holds(&stages[0].note, &[why]);
        assert_eq!(self.pulls().len(), 1);
    }
    pub(crate) fn runtime(&self) -> hydra_core::contract::fake::FakeRuntime {
        self.fake.as_ref().expect("a played story").instance("story")
    }
    async fn the_running_job(&self) -> hydra_core::JobId {
        self.engine("asks").running_jobs().await.expect("jobs").remove(0)
    }
    pub(crate) fn operator(&self) -> Operator {
        let audit = hydra_engine::audit_log::AuditLog::open(
            &self.dir.path().join("audit.jsonl"),
            hydra_engine::Scrub::from(self.config("operator", self.dir.path()).redactor),
        );
        Operator {
            state: StateDir::open(self.dir.path()).expect("a folder"),
            instance: "story".into(),
            audit: Arc::new(audit.expect("an audit log")),
            clock: self.clock.clone(),
            stop_grace: Duration::from_secs(1),
        }
    }
}

#[tokio::test]
async fn an_agent_that_exits_0_having_done_nothing_is_no_success() {
    let story = told(happy_but(vec![always(Stage::Build, vec![say("All is well. I have built it.")])])).begin().await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    for text in [story.reasons(&ended), story.headline()] {
        holds(&text, &["build ended without a change", "All is well. I have built it."]);
    }
    assert_eq!(story.stages(), ["build/0: fail"], "it is not tried again by itself: it would say the same");
    assert!(story.has("needs-input") && story.has("build:fail"), "{:?}", story.labels());
    assert_eq!((story.pulls().len(), story.branch()), (0, None));
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn a_fixer_that_does_nothing_is_no_success_either() {
    let story = played(|spec| match spec.key.stage {
        Stage::CodeReview => crate::stories::plays::judges(spec, &crate::stories::script::blocks("It is off by one.")),
        Stage::Fix => does_nothing(spec),
        _ => well(spec),
    })
    .begin()
    .await;
    let ended = story.run(&mut story.engine("1")).await;
    holds(&story.reasons(&ended), &["fix ended without a change"]);
    assert!(story.pull().1.draft && story.has("needs-input"), "{:?}", story.labels());
}

#[tokio::test]
async fn an_agent_that_kills_itself_is_tried_again() {
    let dies = nth(1, Stage::Build, vec![bash("kill -9 $PPID"), say("I am still here.")]);
    let builds = demo("happy").sessions.into_iter().find(|session| session.stage == Stage::Build).unwrap();
    let builds = hydra_sim::model::Session { nth: Some(2), ..builds };
    let story = told(happy_but(vec![dies, builds])).begin().await;
    story.run(&mut story.engine("1")).await;
    story.built_at_the_second_attempt("the coding agent");
    assert!(story.record().stages[0].spend.turns > 0, "what it cost until then is counted");
}

#[tokio::test]
async fn a_container_that_is_killed_from_outside_is_tried_again() {
    let story = played(first(Stage::Build, |_| Play::exits(137))).begin().await;
    story.run(&mut story.engine("1")).await;
    story.built_at_the_second_attempt("it was killed from outside (signal 9)");
}

#[tokio::test]
async fn a_container_that_needs_more_memory_than_it_has_is_told_so() {
    let story = played(first(Stage::Build, |_| Play { end: End::OutOfMemory, ..Play::exits(137) })).begin().await;
    story.run(&mut story.engine("1")).await;
    story.built_at_the_second_attempt("it needed more than 8192 MiB of memory");
}

#[tokio::test]
async fn a_workspace_that_is_full_is_an_attempt_and_after_the_last_one_a_person_is_told_all_reasons() {
    let full = "No space left on device (os error 28)";
    let story = played(move |spec| match spec.key.stage {
        Stage::Build => gives_up("workspace", full, exit::WORKSPACE),
        _ => well(spec),
    })
    .begin()
    .await;
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    let reason = |n: u32| format!("build, attempt {n}: the workspace could not be made: workspace: {full}");
    for text in [story.reasons(&ended), story.headline(), story.explain().await] {
        holds(&text, &["attempts are used up", &reason(1), &reason(2), &reason(3), "retry:queued"]);
    }
    assert!(story.has("agent-maxed-out") && !story.has("needs-input"), "{:?}", story.labels());
    assert_eq!((story.pulls().len(), story.leases().len(), story.column().as_deref()), (0, 0, Some("Needs Input")));
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn outputs_that_found_no_room_are_no_delivery() {
    let story =
        played(first(Stage::Build, |_| gives_up("outputs", "No space left on device", exit::OUTPUTS))).begin().await;
    story.run(&mut story.engine("1")).await;
    story.built_at_the_second_attempt("its outputs could not be written: outputs: No space left on device");
}

#[tokio::test]
async fn a_build_whose_time_is_over_is_stopped_and_tried_again() {
    let setup = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)])));
    let story = setup.with(|config| config.stall_timeout = Duration::ZERO).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    story.skip(Duration::from_secs(30 * 60));
    engine.cycle().await;
    assert_eq!(story.runtime().started().len(), 1, "35 minutes are its time");
    story.skip(Duration::from_secs(6 * 60 + 1));
    story.run(&mut engine).await;
    story.built_at_the_second_attempt("its time ran out");
}

#[tokio::test]
async fn a_build_that_says_nothing_for_too_long_is_stopped_and_tried_again() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    story.skip(Duration::from_secs(301));
    story.run(&mut engine).await;
    story.built_at_the_second_attempt("it stalled");
}

#[tokio::test]
async fn a_build_that_never_says_anything_is_stopped_sooner() {
    let story = played(first(Stage::Build, |_| runs_on(Vec::new()))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    story.skip(Duration::from_secs(121));
    story.run(&mut engine).await;
    story.built_at_the_second_attempt("it gave no sign of life");
}

#[tokio::test]
async fn a_failed_attempt_waits_its_time_and_the_wait_can_be_read_everywhere() {
    let setup = played(first(Stage::Build, |_| Play::exits(3)));
    let setup = setup.with(|config| {
        (config.policy.backoff_base, config.policy.backoff_cap) = (Duration::from_secs(60), Duration::from_secs(600));
    });
    let story = setup.begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the failure", |s| s.status().contains("Next attempt")).await;
    let due = story.record().due.unwrap();
    let why = format!("attempt 2 is due at {due:.0}, after: it ended with exit code 3");
    let report = engine.cycle().await;
    assert!(report.reasons.get(&story.key()).is_none_or(|reasons| reasons[0].starts_with(&why)), "{report:#?}");
    holds(&story.explain().await, &[&why, "it is tried again by itself"]);
    holds(&story.status(), &["Next attempt: ", "(1 failed so far)"]);
    assert_eq!(story.runtime().started().len(), 1);
    story.skip(Duration::from_secs(61));
    story.run(&mut engine).await;
    story.built_at_the_second_attempt("it ended with exit code 3");
}

#[tokio::test]
async fn agent_maxed_out_goes_on_when_a_person_asks_for_it() {
    let mended = Arc::new(AtomicBool::new(false));
    let well_again = Arc::clone(&mended);
    let story =
        played(move |spec| if well_again.load(Ordering::Relaxed) { well(spec) } else { Play::exits(1) }).begin().await;
    let mut engine = story.engine("1");
    story.run(&mut engine).await;
    assert!(story.has("agent-maxed-out"), "{:?}", story.labels());
    assert_eq!(story.count(Stage::Build, StageResult::Broken), 3, "the documented number of attempts here");
    mended.store(true, Ordering::Relaxed);
    story.label("retry:queued");
    story.run(&mut engine).await;
    assert!(story.has("done") && !story.has("agent-maxed-out") && !story.has("retry:queued"), "{:?}", story.labels());
    story.nothing_more_is_written(&mut engine).await;
}

#[tokio::test]
async fn a_container_that_vanished_costs_no_attempt() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    // Somebody removes it behind Hydra's back.
    let job = story.the_running_job().await;
    story.runtime().remove(&job).await.unwrap();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    let record = story.record();
    assert_eq!((record.stages[0].result, record.attempts), (StageResult::Outage, 0), "{:?}", story.stages());
    holds(&record.stages[0].note, &["vanished"]);
}

#[tokio::test]
async fn an_engine_that_is_gone_for_a_while_costs_no_attempt_and_no_job() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    let gone = RuntimeError {
        kind: RuntimeErrorKind::Unavailable,
        message: "cannot connect to the Docker daemon".into(),
        hint: None,
    };
    story.runtime().outage(Some(gone));
    for _ in 0..3 {
        let report = engine.cycle().await;
        assert!(report.failures.iter().any(|failure| failure.why.contains("Docker daemon")), "{report:#?}");
    }
    assert_eq!(story.stages(), ["build/0: running"]);
    story.runtime().outage(None);
    let job = story.the_running_job().await;
    assert!(
        story
            .runtime()
            .end(&job, hydra_core::contract::fake::exited(143, hydra_core::ports::Clock::now(&*story.clock)))
    );
    story.run(&mut engine).await;
    story.built_at_the_second_attempt("signal 15");
}

#[tokio::test]
async fn a_board_or_a_listing_that_answers_502_stops_no_job_and_closes_no_issue() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    let made =
        || story.github.log().iter().filter(|entry| entry.write && entry.status.is_some_and(|s| s < 400)).count();
    let (labels, before) = (story.labels(), made());
    for path in ["/graphql*", "/repos/acme/words/*", "*"] {
        story.github.add_fault(Fault::new("*", path, When::Always, FaultKind::ErrorBefore(502)));
        story.skip(Duration::from_secs(5));
        let report = engine.cycle().await;
        assert!(!report.failures.is_empty(), "{path}: it is said that nothing could be seen: {report:#?}");
        assert_eq!(engine.running_jobs().await.unwrap().len(), 1, "{path}");
    }
    assert_eq!((story.labels(), story.record().attempts), (labels, 0));
    assert_eq!(story.column().as_deref(), Some("In Progress"));
    story.github.set_faults(Faults::default());
    assert_eq!(made(), before, "nothing was written meanwhile");
    let job = story.the_running_job().await;
    story.runtime().stop(&job, Duration::ZERO).await.unwrap();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
}

#[tokio::test]
async fn five_issues_that_fail_alike_stop_all_starts_and_one_trial_opens_them_again() {
    let (mended, starts) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (well_again, counted) = (Arc::clone(&mended), Arc::clone(&starts));
    let mut setup = played(move |spec: &JobSpec| {
        counted.fetch_add(1, Ordering::Relaxed);
        if well_again.load(Ordering::Relaxed) { well(spec) } else { Play::exits(9) }
    })
    .with(|config| {
        (config.policy.slots, config.policy.max_attempts) = (10, 50);
        (config.policy.backoff_base, config.policy.backoff_cap) = (Duration::from_secs(120), Duration::from_secs(600));
    });
    for n in 2..=6 {
        setup = setup.change(&format!("change-{n}"));
    }
    let story = setup.begin().await;
    let five: Vec<u64> = (2..=5).map(|n| story.another_issue(&format!("Change: change-{n}\n"))).collect();
    let mut engine = story.engine("1");
    let shown = |story: &Story, number: u64| story.status_of(number).contains("Next attempt");
    story.until(&mut engine, "five failures", |s| shown(s, s.issue) && five.iter().all(|n| shown(s, *n))).await;
    // A sixth comes now, and does not start.
    let sixth = story.another_issue("Change: change-6\n");
    let begun = starts.load(Ordering::Relaxed);
    let ended = story.run_for_a_while(&mut engine).await;
    holds(
        &reasons_of(&ended, sixth),
        &[
            "everything is on hold until",
            "5 failures of the class `crash`",
            "it ended with exit code 9",
            "one trial is made at",
        ],
    );
    assert_eq!(starts.load(Ordering::Relaxed), begun, "nothing starts");
    assert!(story.labels_of(sixth).iter().all(|label| label == crate::stories::stage::TRIGGER));

    // The pause is over: one of them tries, then all.
    mended.store(true, Ordering::Relaxed);
    story.skip(Duration::from_secs(15 * 60 + 1));
    engine.cycle().await;
    assert_eq!(starts.load(Ordering::Relaxed), begun + 1, "one trial");
    story.run(&mut engine).await;
    for number in five.into_iter().chain([sixth, story.issue]) {
        assert!(story.labels_of(number).contains(&"done".to_owned()), "#{number}: {}", story.status_of(number));
    }
}

#[tokio::test]
async fn cancel_holds_over_a_restart_with_the_label_set_and_even_when_labels_cannot_be_written() {
    let story = played(first(Stage::Build, |_| runs_on(vec![turn(1, 900, 90)]))).begin().await;
    let mut engine = story.engine("1");
    story.until(&mut engine, "the build", |s| s.has("build:running")).await;
    story.skip(Duration::from_secs(2));
    let entry = HoldEntry {
        reason: "it builds the wrong thing".into(),
        until: None,
        set_at: hydra_core::ports::Clock::now(&*story.clock),
        cancel: true,
    };
    story.operator().hold(&Scope::Issue(story.key()), entry).unwrap();
    // GitHub refuses every change of a label just now.
    for method in ["POST", "PUT", "DELETE"] {
        story.github.add_fault(Fault::new(method, "*/labels*", When::Always, FaultKind::ErrorBefore(500)));
    }
    for _ in 0..4 {
        engine.cycle().await;
    }
    assert_eq!(engine.running_jobs().await.unwrap(), [], "what ran was stopped");
    drop(engine);
    let mut engine = story.engine("2");
    for _ in 0..3 {
        engine.cycle().await;
    }
    story.github.set_faults(Faults::default());
    story.skip(Duration::from_secs(600));
    let mut engine = story.engine("3");
    story.run(&mut engine).await;
    assert!(story.has(crate::stories::stage::TRIGGER), "nobody took it off");
    assert_eq!(story.runtime().started().len(), 1, "and nothing was started in spite of it");
    holds(&story.explain().await, &["cancelled: it builds the wrong thing", "set the trigger label again to go on"]);
    assert!(!story.labels().iter().any(|label| label.ends_with(":running")), "{:?}", story.labels());
    story.nothing_more_is_written(&mut engine).await;

    story.ask_again();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
}

#[tokio::test]
async fn a_pause_starts_nothing_and_lets_what_runs_run() {
    let story = played(well).begin().await;
    let scope = Scope::Repo(REPO.parse().unwrap());
    let set_at = hydra_core::ports::Clock::now(&*story.clock);
    let entry = HoldEntry { reason: "release week".into(), until: None, set_at, cancel: false };
    story.operator().hold(&scope, entry).unwrap();
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    holds(&story.reasons(&ended), &["this repository is on hold: release week; `hydra resume` lifts it"]);
    assert_eq!((story.runtime().started().len(), ended.writes), (0, 0));
    story.operator().lift(&scope).unwrap().unwrap();
    story.run(&mut engine).await;
    assert!(story.has("done"), "{}", story.headline());
    story.github.comment(REPO, story.issue, ADA, "Thank you.").unwrap();
    assert_eq!(story.run(&mut engine).await.writes, 0);
}
