//! The orchestrator is killed before and after every effect, and every answer is lost once: the end is the same as if nothing had happened.

use crate::{
    end::{self, End},
    trouble::{Call, Fate, Woe},
    world::{World, ada, judges, prompt, well, works},
};
use hydra_core::{
    Stage,
    contract::fake::Play,
    contract_files::{CommandResult, JobResult},
    job::JobSpec,
};
use hydra_engine::{EffectHook, EffectPoint, Engine, Proceed};
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A story: what the jobs do, and what a person does each time that everything rests.
struct Story {
    name: &'static str,
    play: fn(&JobSpec) -> Play,
    /// How the world is when it begins.
    begin: fn(&mut World),
    people: &'static [fn(&World)],
    /// Whether a second attempt goes otherwise than the first: then a run that is made anew ends the story otherwise.
    by_attempt: bool,
}

const STORIES: [Story; 8] = [
    Story { name: "happy", play: well, begin: as_usual, people: &[], by_attempt: false },
    Story { name: "fix round and applier", play: one_finding, begin: as_usual, people: &[], by_attempt: false },
    Story { name: "red quality, mended", play: red_once, begin: as_usual, people: &[], by_attempt: true },
    Story { name: "a question, answered", play: asks, begin: as_usual, people: &[answer], by_attempt: false },
    Story { name: "rounds exhausted", play: never_content, begin: as_usual, people: &[], by_attempt: false },
    Story { name: "a void review, judged again", play: void_once, begin: as_usual, people: &[], by_attempt: true },
    Story { name: "rebuild", play: well, begin: as_usual, people: &[rebuild], by_attempt: false },
    Story { name: "yolo, merged", play: well, begin: with_yolo, people: &[], by_attempt: false },
];

fn as_usual(_: &mut World) {}
fn with_yolo(world: &mut World) {
    world.policy.yolo_allowed = vec![ada()];
    world.label(1, "yolo", true);
}

fn one_finding(spec: &JobSpec) -> Play {
    match (spec.key.stage, spec.key.round) {
        (Stage::CodeReview, 0) => judges(spec, false, &["the tax is never added"]),
        _ => well(spec),
    }
}
fn red_once(spec: &JobSpec) -> Play {
    let mut play = well(spec);
    if spec.key.stage == Stage::Quality && spec.key.attempt == 0 {
        let mut result: JobResult = serde_json::from_slice(&play.out["result.json"]).unwrap();
        for CommandResult { exit, tail, .. } in &mut result.commands {
            (*exit, *tail) = (1, "1 failed".into());
        }
        play.out.insert("result.json".into(), serde_json::to_vec(&result).unwrap());
    }
    play
}
fn asks(spec: &JobSpec) -> Play {
    if spec.key.stage != Stage::Build || prompt(spec).contains("It is 21") {
        return well(spec);
    }
    let rfi = serde_json::to_vec(&serde_json::json!({ "questions": ["Which rate?"] })).unwrap();
    works(spec, &[("rfi.json", rfi)], None)
}
fn answer(world: &World) {
    world.state.lock().unwrap().issues.values_mut().next().unwrap().body = "Change: add-tax\n\nIt is 21 %.".into();
    world.label(1, "ready-to-build", false);
    world.label(1, "ready-to-build", true);
}
fn never_content(spec: &JobSpec) -> Play {
    match spec.key.stage {
        Stage::SecurityReview => judges(spec, false, &["the secret is in the log"]),
        _ => well(spec),
    }
}
fn void_once(spec: &JobSpec) -> Play {
    let mut play = well(spec);
    if spec.key.stage == Stage::SecurityReview && spec.key.attempt == 0 {
        play.lines.clear();
        play.out.insert("events.jsonl".into(), Vec::new());
    }
    play
}
fn rebuild(world: &World) {
    world.label(1, "rebuild:queued", true);
}

/// Counts effects over all engines of a story, and kills at one of them.
#[derive(Default)]
struct Killer {
    /// Calls of the hook: the odd ones come before an effect.
    calls: AtomicU64,
    /// At which call; 0: never.
    at: u64,
}
impl EffectHook for Killer {
    fn at(&self, _: EffectPoint<'_>) -> Proceed {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if call == self.at { Proceed::Die } else { Proceed::Yes }
    }
}

/// Who goes on after the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heir {
    /// A process of the same machine, which sees that the old one is gone, and has its state folder.
    SameFolder,
    /// The same, and the state folder is lost.
    LostFolder,
    /// A process elsewhere: it must wait until the lease lapses.
    Elsewhere,
}

fn heir(world: &World, heir: Heir) -> Engine {
    let mut config = world.config("2");
    config.owner_gone = match heir {
        Heir::SameFolder | Heir::LostFolder => |owner| owner.ends_with("/1"),
        Heir::Elsewhere => |_| false,
    };
    if heir == Heir::LostFolder {
        for entry in std::fs::read_dir(world.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path)).unwrap();
        }
    }
    world.engine_with(config)
}

/// Tells a story; kills at one call of the hook. Returns its end and the calls of the hook.
async fn tell(story: &Story, at: u64, who: Heir) -> (End, u64) {
    let mut world = World::new(story.play);
    (story.begin)(&mut world);
    let killer = Arc::new(Killer { at, ..Killer::default() });
    let mut engine = world.engine("1").hooked_by(killer.clone());
    for act in 0..=story.people.len() {
        world.run(&mut engine).await;
        if engine.is_dead() {
            engine = heir(&world, who);
            world.run(&mut engine).await;
            if who == Heir::Elsewhere {
                tokio::time::sleep(Duration::from_secs(601)).await;
                world.run(&mut engine).await;
            }
        }
        if let Some(person) = story.people.get(act) {
            person(&world);
        }
    }
    let calls = killer.calls.load(Ordering::Relaxed);
    // What rests is left alone, by a process that knows nothing too.
    let before = world.writes().len();
    let mut last = world.engine("3");
    let ended = world.run(&mut last).await;
    assert_eq!((ended.writes, world.writes().len()), (0, before), "{}: a write at rest: {:?}", story.name, ended.last);
    world.lawful();
    let merged = world.state.lock().unwrap().merges;
    assert_eq!(merged, u32::from(story.name.starts_with("yolo")), "{}: merges", story.name);
    (end::of(&world).await, calls)
}

/// Which of so many points of a story are tried: all of the first two stories and every third of the others; all of them at night.
fn points(story: usize, all: u64) -> impl Iterator<Item = u64> {
    let step = if story < 2 || std::env::var_os("HYDRA_NIGHTLY").is_some() { 1 } else { 3 };
    (1..=all).step_by(step)
}

/// Printed although the test passes: the test harness hides only what goes through its own macros.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap();
}

async fn kill_everywhere(who: Heir) {
    let (mut total, mut kills, mut wrong) = (0, 0, Vec::new());
    for (number, story) in STORIES.iter().enumerate() {
        let (undisturbed, calls) = tell(story, 0, who).await;
        assert!(undisturbed.left.is_empty() && undisturbed.leases == 0, "{}: {undisturbed:#?}", story.name);
        let tried = points(number, calls).count();
        println!("{}: {} effects, {tried} kills before and after them ({who:?})", story.name, calls / 2);
        kills += tried;
        for at in points(number, calls) {
            let (told, _) = tell(story, at, who).await;
            let side = if at % 2 == 1 { "before" } else { "after" };
            let what = format!("{}, killed {side} effect {} ({who:?})", story.name, at.div_ceil(2));
            let doubled = told.doubled();
            if !doubled.is_empty() {
                wrong.push(format!("{what}: made twice: {doubled:?}"));
            }
            if !story.name.contains("void") && told.turns() != 2 * told.agents() {
                wrong.push(format!("{what}: {} agents made two turns each, counted: {}", told.agents(), told.turns()));
            }
            let (before, after) = match (who, story.by_attempt) {
                (Heir::SameFolder | Heir::Elsewhere, _) => (undisturbed.clone(), told),
                (Heir::LostFolder, false) => (undisturbed.clone().without_attempts(), told.without_attempts()),
                (Heir::LostFolder, true) => {
                    assert!(told.pulls.len() == 1 && told.leases == 0 && told.left.is_empty(), "{what}: {told:#?}");
                    assert_eq!(told.issues[&1].phase, undisturbed.issues[&1].phase, "{what}");
                    continue;
                }
            };
            wrong.extend(differs(&before, &after, &what));
        }
        total += calls / 2;
    }
    say(&format!("{total} effects in {} stories, {kills} kills before and after them ({who:?})", STORIES.len()));
    assert!(total > 150 && kills > 200, "the stories have effects");
    assert!(wrong.is_empty(), "{} of {kills} kills end otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// Says only what differs.
fn differs(undisturbed: &End, told: &End, what: &str) -> Option<String> {
    if undisturbed == told {
        return None;
    }
    let (before, after) = (format!("{undisturbed:#?}"), format!("{told:#?}"));
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    Some(format!("{what}:\n{}{}", gone.collect::<String>(), new.collect::<String>()))
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_effect_and_started_again_on_the_same_machine() {
    kill_everywhere(Heir::SameFolder).await;
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_effect_and_started_again_with_the_state_folder_lost() {
    kill_everywhere(Heir::LostFolder).await;
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_effect_and_taken_over_by_another_machine_when_the_lease_lapses() {
    kill_everywhere(Heir::Elsewhere).await;
}

/// Tells a story in which one write of some port goes wrong.
async fn tell_with(story: &Story, at: u64, fate: Fate) -> (End, u64) {
    let world = World::new(story.play);
    let writes = Arc::new(AtomicU64::new(0));
    let counted = writes.clone();
    world.trouble.by(move |call: Call| {
        let hit = call.writes && counted.fetch_add(1, Ordering::Relaxed) + 1 == at;
        if hit { fate } else { Fate::default() }
    });
    let mut engine = world.engine("1");
    for act in 0..=story.people.len() {
        world.run(&mut engine).await;
        if let Some(person) = story.people.get(act) {
            person(&world);
        }
    }
    world.lawful();
    (end::of(&world).await, writes.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn every_write_refused_once_and_every_answer_lost_once() {
    let refused = Fate { before: Some(Woe::Outage), ..Fate::default() };
    let lost = Fate { after: Some(Woe::Outage), ..Fate::default() };
    let mut wrong = Vec::new();
    for (number, story) in STORIES.iter().enumerate() {
        let (undisturbed, writes) = tell_with(story, 0, Fate::default()).await;
        let tried = points(number, writes).count();
        println!("{}: {writes} writes, {tried} of them refused once, and as many answers lost once", story.name);
        for at in points(number, writes) {
            for (how, fate) in [("refused", refused), ("done, its answer lost", lost)] {
                let (told, _) = tell_with(story, at, fate).await;
                wrong.extend(differs(&undisturbed, &told, &format!("{}, write {at} {how}", story.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} end otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
