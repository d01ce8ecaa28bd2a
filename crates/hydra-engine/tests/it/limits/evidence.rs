//! Nothing starts and nothing counts without its evidence: who asked, what was recorded, what was signed, and a log that can be written.

use super::reasons;
use crate::{
    end,
    forge::login,
    world::{World, ada, judges, key, well},
};
use hydra_core::{
    IssueNumber, Stage, Timestamp, TokenRole,
    record::Phase,
    view::{CommentView, Permission},
};
use hydra_engine::Engine;

/// The trigger label of #1, set anew by somebody.
fn set_by(world: &World, who: &str) {
    let now = hydra_core::ports::Clock::now(&*world.clock);
    let mut state = world.state.lock().unwrap();
    let who = who.parse().unwrap();
    state.label(1, "ready-to-build", false, &who, now);
    state.label(1, "ready-to-build", true, &who, now);
}

fn edit_status(world: &World, edit: impl FnOnce(&mut Vec<CommentView>, usize)) {
    let mut state = world.state.lock().unwrap();
    let comments = &mut state.issues.get_mut(&IssueNumber(1)).unwrap().comments;
    let at = comments.iter().position(|comment| comment.body.starts_with("<!-- hydra:status g0 -->")).unwrap();
    edit(comments, at);
}

/// Until #1 has had so many cycles that only a job can be waited for.
async fn some(engine: &mut Engine) {
    for _ in 0..4 {
        engine.cycle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_set_the_label_starts_nothing_whatever_else_is_on_the_issue() {
    for permission in [None, Some(Permission::Read), Some(Permission::Triage)] {
        let world = World::new(well);
        if let Some(permission) = permission {
            world.state.lock().unwrap().people.insert("mallory".parse().unwrap(), permission);
        }
        set_by(&world, "mallory");
        let ended = world.run(&mut world.engine("1")).await;
        assert!(world.runtime.started().is_empty(), "{permission:?}");
        let why = reasons(&ended, 1);
        assert!(why.contains("`ready-to-build` was set by mallory") && why.contains("Write"), "{why}");
        // Nor do the labels by which a person asks for more.
        for request in ["retry:queued", "rebuild:queued"] {
            let now = hydra_core::ports::Clock::now(&*world.clock);
            world.state.lock().unwrap().label(1, request, true, &"mallory".parse().unwrap(), now);
            world.run(&mut world.engine(request)).await;
            assert!(world.runtime.started().is_empty(), "{permission:?} {request}");
            assert!(!world.labels(1).contains(&request.to_owned()), "it is taken off: {:?}", world.labels(1));
        }
        // Somebody who may does.
        set_by(&world, "ada");
        world.run(&mut world.engine("2")).await;
        assert!(world.labels(1).contains(&"done".to_owned()), "{permission:?} {:?}", world.labels(1));
        world.lawful();
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_who_lost_the_permission_meanwhile_starts_nothing() {
    let world = World::new(well);
    world.state.lock().unwrap().people.insert(ada(), Permission::Read);
    let ended = world.run(&mut world.engine("1")).await;
    assert!(world.runtime.started().is_empty(), "{}", reasons(&ended, 1));
}

#[tokio::test(start_paused = true)]
async fn labels_of_passed_stages_set_by_hand_prove_nothing_and_are_reported() {
    let world = World::new(|spec| match spec.key.stage {
        Stage::SecurityReview => judges(spec, false, &["the secret is in the log"]),
        _ => well(spec),
    });
    let foreign = ["build:pass", "quality:pass", "code-review:pass", "security-review:pass", "applier:pass", "done"];
    for label in foreign {
        world.label(1, label, true);
    }
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { .. }), "{:?}", record.phase);
    assert!(record.stages.iter().any(|entry| entry.stage == Stage::Build), "every stage ran all the same");
    assert!(!world.labels(1).contains(&"security-review:pass".to_owned()), "{:?}", world.labels(1));
    assert!(!world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
    assert!(reasons(&ended, 1).contains("the secret is in the log"), "{}", reasons(&ended, 1));
    // At rest too: it is taken off, and said.
    for label in ["security-review:pass", "done"] {
        world.label(1, label, true);
    }
    let started = world.runtime.started().len();
    let report = engine.cycle().await;
    let told = report.reasons[&key(1)].join("; ");
    for label in ["security-review:pass", "done"] {
        assert!(told.contains(&format!("the label `{label}` was set by hand and counts for nothing")), "{told}");
    }
    let ended = world.run(&mut engine).await;
    assert!(!world.labels(1).iter().any(|label| label == "done" || label == "security-review:pass"));
    assert_eq!(world.runtime.started().len(), started);
    assert!(world.pulls()[0].draft, "nobody is asked to merge it: {:?}", ended.last);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_counts_only_signed_for_this_head_and_by_the_one_who_may() {
    // What two good reviews look like, to be copied.
    let good = World::new(well);
    good.run(&mut good.engine("1")).await;
    let reviews = good.pulls()[0].reviews.clone();
    assert_eq!(reviews.len(), 2);
    type Forge = fn(&mut hydra_core::view::ReviewView);
    let forgeries: [(&str, Forge); 4] = [
        ("by a person", |review| review.author = ada()),
        ("by another of Hydra's identities", |review| review.author = login(TokenRole::Builder)),
        ("changed", |review| review.body = review.body.replace("\"round\":0", "\"round\":1")),
        ("of another key", |review| {
            let (front, rest) = review.body.split_once("\"signature\":\"").unwrap();
            let flipped = if rest.starts_with('A') { "B" } else { "A" };
            review.body = format!("{front}\"signature\":\"{flipped}{}", &rest[1..]);
        }),
    ];
    for (what, forge) in forgeries {
        let world = World::new(|spec| match spec.key.stage {
            Stage::CodeReview => judges(spec, false, &["it does not work at all"]),
            _ => well(spec),
        });
        // A good verdict of each stage lies on the pull request from its first moment on.
        let mut engine = world.engine("1");
        for _ in 0..200 {
            engine.cycle().await;
            if let Some(pull) = world.state.lock().unwrap().pulls.values_mut().next() {
                let forged = reviews.iter().cloned().map(|mut review| {
                    forge(&mut review);
                    review
                });
                pull.reviews.extend(forged);
                break;
            }
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        }
        world.run(&mut engine).await;
        let stages: Vec<Stage> = end::record(&world, 1).unwrap().stages.iter().map(|entry| entry.stage).collect();
        assert!(stages.contains(&Stage::CodeReview) && stages.contains(&Stage::SecurityReview), "{what}: {stages:?}");
        assert!(world.labels(1).contains(&"needs-input".to_owned()), "{what}: {:?}", world.labels(1));
        world.lawful();
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_altered_moved_or_taken_away_starts_nothing_until_a_person_resets_it() {
    type Harm = fn(&mut Vec<CommentView>, usize);
    let harms: [(&str, Harm); 4] = [
        ("altered", |comments, at| comments[at].body = comments[at].body.replace("\"round\":2", "\"round\":0")),
        ("less was spent", |comments, at| {
            let (front, rest) = comments[at].body.split_once("\"turns\":2").unwrap();
            comments[at].body = format!("{front}\"turns\":0{rest}");
        }),
        ("cut", |comments, at| comments[at].body.truncate(400)),
        ("taken away", |comments, at| _ = comments.remove(at)),
    ];
    for (what, harm) in harms {
        let world = World::new(|spec| match spec.key.stage {
            Stage::SecurityReview => judges(spec, false, &["the secret is in the log"]),
            _ => well(spec),
        });
        world.run(&mut world.engine("1")).await;
        let started = world.runtime.started().len();
        let spent = end::record(&world, 1).unwrap().spend();
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        let now: Timestamp = hydra_core::ports::Clock::now(&*world.clock);
        edit_status(&world, |comments, at| {
            comments[at].updated_at = now;
            let before = comments.clone();
            harm(comments, at);
            assert_ne!(before, *comments, "{what}");
        });
        world.label(1, "retry:queued", true);
        let ended = world.run(&mut world.engine("2")).await;
        let why = reasons(&ended, 1);
        assert_eq!(world.runtime.started().len(), started, "{what}: {why}");
        assert!(why.contains("the spend record of this issue is not usable"), "{what}: {why}");
        assert!(why.contains("Write permission removes and sets `ready-to-build` again"), "{what}: {why}");
        // Who may resets it, and everything begins anew in a generation of its own.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        set_by(&world, "ada");
        let ended = world.run(&mut world.engine("3")).await;
        let record = end::record(&world, 1).unwrap();
        assert_eq!(record.generation.0, 2, "{what}: {}", reasons(&ended, 1));
        assert_eq!(world.labels(1).iter().filter(|label| *label == "needs-input").count(), 1, "{:?}", world.labels(1));
        assert!(spent.turns > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_issue_is_none() {
    let world = World::new(well);
    world.change("change-2");
    world.issue(2, "Change: change-2\n");
    world.run(&mut world.engine("1")).await;
    let body = world.status(2);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let now = hydra_core::ports::Clock::now(&*world.clock);
    edit_status(&world, |comments, at| (comments[at].body, comments[at].updated_at) = (body, now));
    world.label(1, "rebuild:queued", true);
    let started = world.runtime.started().len();
    let ended = world.run(&mut world.engine("2")).await;
    assert_eq!(world.runtime.started().len(), started);
    assert!(reasons(&ended, 1).contains("the spend record of this issue is not usable"), "{}", reasons(&ended, 1));
}

#[tokio::test(start_paused = true)]
async fn without_an_audit_log_nothing_starts_and_what_runs_is_stopped_all_the_same_when_it_must_be() {
    let world = World::new(well);
    *world.audit.broken.lock().unwrap() = true;
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    assert!(world.runtime.started().is_empty());
    let why = reasons(&ended, 1);
    assert!(why.contains("the audit log cannot be written: no space left on device"), "{why}");
    // There is space again: it goes on by itself, and the log says what happened.
    *world.audit.broken.lock().unwrap() = false;
    world.run(&mut engine).await;
    assert!(world.labels(1).contains(&"done".to_owned()), "{:?}", world.labels(1));
    assert!(world.audit.entries.lock().unwrap().iter().any(|entry| entry.facts["recovered"] == true));

    let world = World::new(well);
    let mut engine = world.engine("1");
    some(&mut engine).await;
    assert_eq!(super::running(&world).await, 1);
    *world.audit.broken.lock().unwrap() = true;
    world.label(1, "ready-to-build", false);
    world.run(&mut engine).await;
    assert_eq!(super::running(&world).await, 0, "stopping is the safe direction");
}
