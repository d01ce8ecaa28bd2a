//! The real wrapper in its real container when there is not enough of something: room, memory, words. What a person is told of it is asserted,
//! through the engine that `hydra poll` would make.

use crate::{
    stories::{
        hands::holds,
        script::{bash, demo, happy_but, nth, say},
        stage::TRIGGER,
    },
    targets::{
        package::{Package, Tree},
        stage::{Play, Target},
    },
};
use hydra_core::{
    Stage,
    record::{StageEntry, StageResult},
};
use hydra_sim::model::{Session, Step, demo_repo};
use std::time::Instant;

const CHANGE: &str = "add-word-limit";

/// The demo's repository as a target.
fn words() -> Package {
    let own = format!("openspec/changes/{CHANGE}/");
    let (folder, from): (Tree, Tree) = demo_repo().into_iter().partition(|(path, _)| path.starts_with(&own));
    let folder = folder.into_iter().map(|(path, text)| (path[own.len()..].to_owned(), text)).collect();
    Package {
        name: "words".to_owned(),
        test: "sh tests/test_words.sh".to_owned(),
        toolchain: None,
        change: CHANGE.to_owned(),
        versions: ("one".to_owned(), "two".to_owned()),
        leave_out: (String::new(), 0),
        to: from.clone(),
        from,
        folder,
    }
}

/// Agents that need no Node, of which the builder has so much memory.
fn agents(memory_mib: u32) -> String {
    let personas = ["juan-claude-van-damme", "clyde-barcode", "axel-plier"];
    let others: String = personas.iter().map(|name| format!("\n[personas.{name}]\ndriver = \"demo\"\n")).collect();
    format!("\n[personas.al-gorithm]\ndriver = \"demo\"\nmemory_mib = {memory_mib}\n{others}")
}

/// A builder that does this at its first attempt, and no second one.
fn once(steps: Vec<Step>) -> Play {
    Play {
        script: Some(happy_but(vec![nth(1, Stage::Build, steps)])),
        pipeline: "[pipeline.retry]\nattempts = 1".to_owned(),
        more: agents(512),
        ..Play::default()
    }
}

/// The one attempt broke, it was nobody's fault but the container's, and nothing was delivered or left.
#[track_caller]
fn the_broken_one(target: &Target) -> StageEntry {
    assert_eq!(target.stages(), ["build: broken"], "{}", target.told());
    assert_eq!(target.labels(), ["agent-maxed-out", TRIGGER], "{}", target.told());
    assert!(target.github.pulls(&target.repo).is_empty());
    assert_eq!(target.left(), "", "containers or volumes are left");
    let entry = target.record().stages[0].clone();
    holds(&target.status(), &[&entry.note]);
    entry
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn an_agent_that_fills_its_workspace_is_told_and_so_is_the_person() {
    let fills = vec![bash("cat /dev/zero > big"), say("There is no room left for my work.")];
    let runtime = "workspace_mib = 64".to_owned();
    let package = words();
    let target = Target::with(&package, &package.to, None, Play { runtime, ..once(fills) }).await;
    target.run().await;
    let entry = the_broken_one(&target);
    holds(&entry.note, &["its outputs could not be written: outputs: /workspace is full: it holds 64 MiB; "]);
    assert_eq!(entry.spend.turns, 2, "what it cost counts");
    // The agent itself saw it first.
    let failed: Vec<String> = target.logs().values().flat_map(|log| super::targets::failed_calls(log)).collect();
    assert_eq!(failed.len(), 1, "{}", target.told());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn a_workspace_that_is_too_small_for_the_repository_is_named_before_an_agent_begins() {
    let mut package = words();
    // Nothing makes it smaller: as an object and as a file it needs more than there is.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let noise = (0..5 << 20).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    package.from.insert("noise.bin".to_owned(), noise.collect());
    let runtime = "workspace_mib = 64".to_owned();
    let target = Target::with(&package, &package.to, None, Play { runtime, ..once(vec![say("Never.")]) }).await;
    target.run().await;
    let entry = the_broken_one(&target);
    holds(&entry.note, &["the workspace could not be made: workspace: /workspace is full: it holds 64 MiB; git "]);
    assert_eq!((entry.spend.turns, target.model.requests().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn an_agent_without_memory_is_told_apart_and_one_that_gets_over_it_goes_on() {
    let package = words();
    // A file that takes no room, read as a whole: the kernel ends the agent. At the second attempt it ends a command of the agent's alone.
    let reads = bash("truncate -s 3G big");
    let read: Step = serde_json::from_value(serde_json::json!({
        "tool": { "name": "Read", "input": { "file_path": "{{workspace}}/big" } },
    }))
    .expect("a step");
    let mut builds = demo("happy").sessions.into_iter().find(|one| one.stage == Stage::Build).expect("a build").steps;
    builds.insert(0, bash("tail /dev/zero"));
    let second = Session { nth: Some(2), stage: Stage::Build, when: None, steps: builds };
    let script = happy_but(vec![nth(1, Stage::Build, vec![reads, read, say("Never.")]), second]);
    let pipeline = "[pipeline.retry]\nbase = \"1s\"\ncap = \"1s\"".to_owned();
    let play = Play { script: Some(script), pipeline, more: agents(128), ..Play::default() };
    let target = Target::with(&package, &package.to, None, play).await;
    target.run().await;
    let stages = target.stages();
    assert_eq!(stages[..2], ["build: broken", "build: pass"], "{}", target.told());
    let record = target.record();
    assert_eq!(record.stages[0].note, "it needed more than 128 MiB of memory");
    assert!(record.stages[0].spend.turns >= 2, "what it cost counts: {}", target.told());
    let killed = |log: &&String| log.contains("\"step\":\"driver\"") && super::targets::failed_calls(log).len() == 1;
    assert_eq!(target.logs().values().filter(killed).count(), 1, "{}", target.told());
    assert!(target.labels().contains(&"done".to_owned()), "{}", target.told());
    assert_eq!(target.left(), "", "containers or volumes are left");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn a_workspace_that_eats_the_memory_ends_the_container_and_it_is_said_why() {
    // What lies in the workspace is memory of the container: there is room in the one, and none in the other.
    let package = words();
    let eats = vec![bash("cat /dev/zero > big; cat /dev/zero > big"), say("Never.")];
    let target = Target::with(&package, &package.to, None, Play { more: agents(128), ..once(eats) }).await;
    target.run().await;
    let entry = the_broken_one(&target);
    assert_eq!(entry.note, "it needed more than 128 MiB of memory");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images"]
async fn an_agent_that_says_nothing_for_too_long_is_interrupted_and_it_is_said() {
    let package = words();
    let play = once(vec![bash("sleep 300"), say("Never.")]);
    let pipeline = format!("stall_timeout = \"20s\"\n{}", play.pipeline);
    let target = Target::with(&package, &package.to, None, Play { pipeline, ..play }).await;
    let begun = Instant::now();
    target.run().await;
    let entry = the_broken_one(&target);
    holds(&entry.note, &["it stalled: "]);
    assert_eq!((entry.result, entry.spend.turns), (StageResult::Broken, 1));
    assert!(begun.elapsed().as_secs() < 100, "it was not waited for: {:?}", begun.elapsed());
    // It was asked first: the wrapper had the time to say how its agent ended.
    let logs: String = target.logs().into_values().collect();
    holds(&logs, &["\"interrupted\""]);
}
