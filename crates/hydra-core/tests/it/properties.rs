//! What holds of every plan, whatever has happened: sequences that nobody thought of, each a script that can be played again.

use crate::{
    scripts::happens,
    world::{World, brief},
};
use hydra_core::{
    Stage,
    job::RuntimeStatus,
    plan::{Action, PhaseKind, plan},
    ports::ForgeWrite,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, fmt::Write};

/// What may happen now, as lines of a script.
fn possible(world: &World, nth: usize) -> Vec<String> {
    let mut lines: Vec<String> = [
        "label ready-to-build by alice",
        "label ready-to-build by mallory",
        "unlabel ready-to-build by alice",
        "label retry:queued by alice",
        "label rebuild:queued by alice",
        "label yolo by boss",
        "label yolo by mallory",
        "wait 15",
        "wait 700",
        "rival #3 names it",
        "rival gone",
        "slots-elsewhere 0",
        "slots-elsewhere 5",
    ]
    .map(str::to_owned)
    .into();
    // What ends most stories comes less often.
    if nth % 4 == 3 {
        lines
            .extend(["cancel", "issue closed", "no-commands", "verdicts deleted", "base conflicts"].map(str::to_owned));
    }
    if !world.seen.pulls.is_empty() {
        lines.push(format!("person pushes p{nth}"));
        if nth % 4 == 3 {
            lines.extend(["pull closed by alice", "pull merged", "branch deleted"].map(str::to_owned));
        }
    }
    let running = world.seen.jobs.iter().filter(|job| job.observed.status == RuntimeStatus::Running);
    for stage in running.map(|job| job.key.stage) {
        let own: &[&str] = match stage {
            Stage::Build | Stage::Fix | Stage::FixQuality => {
                &["delivers", "delivers", "asks why", "does-nothing", "refused it"]
            }
            Stage::Quality => &["green", "green", "red"],
            Stage::CodeReview | Stage::SecurityReview | Stage::Apply => &["passes", "passes", "blocks it", "is-void"],
        };
        let any = ["vanishes", "breaks crash", "breaks time-out", "outage", "limited 60", "over-budget"];
        // A run that ends is what moves a story on: it stands for as much as everything else.
        for what in own.iter().cycle().take(12).chain(&any) {
            let head = if *what == "delivers" { format!(" h{nth}") } else { String::new() };
            lines.push(format!("{stage} {what}{head}"));
        }
    }
    lines
}

/// Two actions of one plan that cannot both be meant.
fn conflicts(actions: &[Action]) -> Vec<String> {
    let mut found = Vec::new();
    let mut twice = |what: &str, count: usize| {
        if count > 1 {
            found.push(format!("{what}, {count} times"));
        }
    };
    let count = |is: fn(&Action) -> bool| actions.iter().filter(|action| is(action)).count();
    twice("a record is saved", count(|action| matches!(action, Action::SaveRecord { .. })));
    twice("the card is placed", count(|action| matches!(action, Action::PlaceCard { .. })));
    twice(
        "the lease is taken or given back",
        count(|action| matches!(action, Action::TakeLease { .. } | Action::ReleaseLease { .. })),
    );
    twice(
        "a pull request is opened",
        count(|action| written(action, |write| matches!(write, ForgeWrite::OpenPull { .. }))),
    );
    twice(
        "a pull request is made ready, closed or merged",
        count(|action| {
            written(action, |write| {
                matches!(write, ForgeWrite::MarkReady { .. } | ForgeWrite::ClosePull { .. } | ForgeWrite::Merge { .. })
            })
        })
        .saturating_sub(usize::from(made_ready_and_merged(actions))),
    );
    let (mut started, mut ended, mut stages) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for action in actions {
        match action {
            Action::StartJob(order) => {
                if !stages.insert((order.key.stage, order.key.generation)) {
                    found.push(format!("two jobs of {} are started", order.key.stage));
                }
                started.insert(order.key.id());
            }
            Action::StopJob { job, .. } | Action::RemoveJob { job } => _ = ended.insert(job.clone()),
            Action::Write { write: ForgeWrite::Labels { add, remove, .. }, .. } => {
                added.extend(add.iter().cloned());
                removed.extend(remove.iter().cloned());
            }
            _ => {}
        }
    }
    found.extend(started.intersection(&ended).map(|job| format!("{job} is started and ended")));
    found.extend(added.intersection(&removed).map(|label| format!("{label} is set and taken off")));
    found
}

fn written(action: &Action, is: fn(&ForgeWrite) -> bool) -> bool {
    matches!(action, Action::Write { write, .. } if is(write))
}

/// A draft is made ready before it is merged: one after the other, in one plan.
fn made_ready_and_merged(actions: &[Action]) -> bool {
    let at = |is: fn(&ForgeWrite) -> bool| actions.iter().position(|action| written(action, is));
    let ready = at(|write| matches!(write, ForgeWrite::MarkReady { .. }));
    let merged = at(|write| matches!(write, ForgeWrite::Merge { .. }));
    matches!((ready, merged), (Some(ready), Some(merged)) if ready < merged)
}

/// Plays what the numbers choose. Returns the phases that were seen.
fn play(choices: &[usize]) -> Result<BTreeSet<PhaseKind>, TestCaseError> {
    let mut world = World::new();
    let (mut script, mut phases) = (String::new(), BTreeSet::new());
    for (nth, choice) in choices.iter().enumerate() {
        let lines = possible(&world, nth);
        // A story begins with its label.
        let line = if nth == 0 { &lines[0] } else { &lines[choice % lines.len()] };
        writeln!(script, "{line}").unwrap();
        happens(&mut world, &line.split_whitespace().collect::<Vec<_>>());
        for round in 0.. {
            let snapshot = world.snapshot();
            let (one, again) = (plan(&snapshot), plan(&snapshot));
            prop_assert_eq!(&one, &again, "one snapshot, two plans:\n{}", script);
            let actions = &one.issues[0].actions;
            let shown = || actions.iter().map(brief).collect::<Vec<_>>();
            let conflicts = conflicts(actions);
            prop_assert!(conflicts.is_empty(), "{conflicts:?} in {:#?}\n{script}", shown());
            prop_assert!(round < 20, "it never comes to rest: {:#?}\n{script}", shown());
            // What is satisfied has an empty plan.
            if world.tick() == 0 {
                break;
            }
        }
        phases.extend(world.record().map(|record| record.phase.kind()));
    }
    Ok(phases)
}

#[test]
fn whatever_happens_a_plan_holds_no_conflict_and_comes_to_rest() {
    let cases = if std::env::var_os("HYDRA_NIGHTLY").is_some() { 5_000 } else { 300 };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let seen = std::cell::RefCell::new(BTreeSet::new());
    let choices = proptest::collection::vec(any::<usize>(), 1..60);
    let played = runner.run(&choices, |choices| {
        seen.borrow_mut().extend(play(&choices)?);
        Ok(())
    });
    played.unwrap_or_else(|why| panic!("{why}"));
    // It has been nearly everywhere that a run can be.
    assert!(seen.borrow().len() >= 8, "{seen:?}");
}
