//! Golden scripts: what happens in, what Hydra does out. Whole outputs, never parts.

use crate::world::{World, at, cancel, quality, rfi, sha};
use hydra_core::{
    IssueNumber, Stage, Timestamp,
    plan::{OutcomeKind, StopReason},
    verdict::Outcome,
    view::{IssueState, PullState},
};
use std::{fmt::Write, path::PathBuf};

/// Plays one script: a line is something that happens, or `tick`/`settle`.
fn play(script: &str) -> String {
    let mut world = World::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(world.log, "{line}").unwrap();
        if line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        happens(&mut world, &words);
    }
    world.log
}

/// One line of a script.
pub(crate) fn happens(world: &mut World, words: &[&str]) {
    let stage = |name: &str| name.parse::<Stage>().unwrap();
    match *words {
        ["tick"] => {
            world.tick();
        }
        ["settle"] => world.settle(),
        ["wait", seconds] => world.now += seconds.parse::<i64>().unwrap(),
        ["label", name, "by", who] => world.label(name, who, true),
        ["unlabel", name, "by", who] => world.label(name, who, false),
        [name, "delivers", head] => {
            let kind = world.delivered(head);
            world.end(stage(name), kind);
        }
        [name, "asks", question] => world.end(stage(name), rfi(question)),
        [name, "does-nothing"] => world.end(stage(name), OutcomeKind::NoChange { summary: String::new() }),
        [name, "refused", why] => world.end(stage(name), OutcomeKind::Refused { refusals: vec![why.into()] }),
        [name, "breaks", class] => {
            let class: &'static str = match class {
                "time-out" => "time-out",
                _ => "crash",
            };
            world.end(stage(name), OutcomeKind::Broken { class, why: format!("it broke ({class})") });
        }
        [name, "outage"] => {
            world.end(stage(name), OutcomeKind::Outage { class: "engine", why: "the engine is gone".into() })
        }
        [name, "limited", seconds] => {
            let until: Timestamp = at(world.now + seconds.parse::<i64>().unwrap());
            world.end(stage(name), OutcomeKind::AccountUnusable { until, why: "usage limit".into() });
        }
        [name, "over-budget"] => world.end(stage(name), OutcomeKind::Stopped(StopReason::Budget)),
        [name, "vanishes"] => world.seen.jobs.retain(|job| job.key.stage != stage(name)),
        ["quality", "green"] => world.end(Stage::Quality, quality(0)),
        ["quality", "red"] => world.end(Stage::Quality, quality(1)),
        [name, "passes"] => {
            let kind = world.judged(stage(name), Outcome::Pass, "");
            world.end(stage(name), kind);
        }
        [name, "blocks", what] => {
            let kind = world.judged(stage(name), Outcome::Fail, what);
            world.end(stage(name), kind);
        }
        [name, "is-void"] => {
            let kind = world.judged(stage(name), Outcome::Void, "");
            world.end(stage(name), kind);
        }
        ["person", "pushes", head] => {
            world.seen.head_tip = Some(sha(head));
            if let Some(pull) = world.seen.pulls.first_mut() {
                pull.head = sha(head);
                pull.statuses.clear();
            }
        }
        ["pull", "closed", "by", who] => {
            let pull = world.seen.pulls.first_mut().unwrap();
            (pull.state, pull.closed_by) = (PullState::Closed, Some(who.parse().unwrap()));
        }
        ["pull", "merged"] => world.seen.pulls.first_mut().unwrap().state = PullState::Merged,
        ["issue", "closed"] => world.seen.issue.state = IssueState::Closed,
        ["rival", "#3", "names", "it"] => world.seen.rivals = vec![IssueNumber(3)],
        ["rival", "gone"] => world.seen.rivals.clear(),
        ["branch", "deleted"] => world.seen.head_tip = None,
        ["base", "conflicts"] => world.seen.conflicts = true,
        ["cancel"] => world.seen.hold = Some(cancel(world.now)),
        ["verdicts", "deleted"] => world.seen.verdicts.clear(),
        ["no-commands"] => world.seen.commands = Ok(false),
        ["slots-elsewhere", n] => world.slots_elsewhere = n.parse().unwrap(),
        ["max-fix-rounds", n] => world.policy.max_fix_rounds = n.parse().unwrap(),
        ref other => panic!("the script says {other:?}"),
    }
}

#[test]
fn every_script_plays_as_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut played = 0;
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e == "txt")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let told = play(&std::fs::read_to_string(path).unwrap());
        insta::assert_snapshot!(name, told);
        played += 1;
    }
    assert!(played >= 10, "only {played} scripts were found");
}

#[test]
fn a_settled_world_has_an_empty_plan() {
    let mut world = World::new();
    world.label("ready-to-build", "alice", true);
    world.settle();
    assert_eq!(world.tick(), 0);
    let kind = world.delivered("h1");
    world.end(Stage::Build, kind);
    world.settle();
    assert_eq!(world.tick(), 0);
}

#[test]
fn a_pull_request_says_what_left_the_container_of_each_stage() {
    let mut world = World::new();
    world.label("ready-to-build", "alice", true);
    world.settle();
    let kind = world.delivered("h1");
    world.end(Stage::Build, kind);
    world.settle();
    world.end(Stage::Quality, quality(0));
    world.settle();
    let body = &world.seen.pulls[0].body;
    let table = body.split_once("| stage | round | egress |").map_or("", |(_, table)| table);
    insta::assert_snapshot!(table, @r"
    |---|---|---|
    | build | 0 | reached: build.example.org (1 connections, 2 B up, 3 B down); refused: nothing |
    | quality | 0 | reached: quality.example.org (1 connections, 2 B up, 3 B down); refused: nothing |
    ");
}
