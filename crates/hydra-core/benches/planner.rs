//! How fast the planner decides, and that its time grows with the number of issues and no faster.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

#[path = "../tests/it/world.rs"]
#[expect(dead_code, reason = "the golden scripts use more of it than the bench")]
mod world;

use hydra_core::{
    IssueNumber, Stage,
    plan::{IssueSnapshot, Snapshot, plan},
    verdict::Outcome,
};
use hydra_figures::{Aim, Figure, best, number};
use std::hint::black_box;
use world::{World, quality, rfi};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn main() {
    let kinds = kinds();
    let mut per_issue = Vec::new();
    for size in SIZES {
        let snapshot = board(&kinds, size);
        let plan_of = plan(&snapshot);
        let acting = plan_of.issues.iter().filter(|issue| !issue.actions.is_empty()).count();
        assert!(plan_of.issues.len() == size && acting > size / 10 && acting < size, "{acting} of {size} act");
        let runs = 2_000_000 / size;
        let took = best(runs.clamp(20, 400), || {
            black_box(plan(black_box(&snapshot)));
        });
        per_issue.push(took.as_secs_f64() / size as f64);
        Figure::new(
            &format!("planner, {} issues", number(size as f64)),
            "the limit that the issue sets",
            size as f64 / took.as_secs_f64(),
            "decisions a second",
        )
        .aim(Aim::AtLeast(100_000.0))
        .detail(format!(
            "{:.2} ms a plan; {} of the issues have something to do",
            took.as_secs_f64() * 1e3,
            number(acting as f64)
        ))
        .say();
    }
    Figure::new(
        "planner, time for each of 100,000 issues",
        "the same for each of 1,000",
        per_issue[2] / per_issue[0],
        "",
    )
    .aim(Aim::AtMost(2.0))
    .detail(format!(
        "linear would be 1; {:.0}, {:.0} and {:.0} ns",
        per_issue[0] * 1e9,
        per_issue[1] * 1e9,
        per_issue[2] * 1e9
    ))
    .say();
}

/// A board of so many issues, of all kinds in turn.
fn board(kinds: &[IssueSnapshot], size: usize) -> Snapshot {
    let mut snapshot = World::new().snapshot();
    snapshot.issues = (1..).zip(kinds.iter().cycle()).take(size).map(|(number, kind)| numbered(kind, number)).collect();
    snapshot
}

fn numbered(kind: &IssueSnapshot, number: u64) -> IssueSnapshot {
    let mut issue = kind.clone();
    issue.key.number = IssueNumber(number);
    issue.issue.key = issue.key.clone();
    for job in &mut issue.jobs {
        job.key.issue = issue.key.clone();
        job.observed.id = job.key.id();
        job.observed.key = Some(job.key.clone());
    }
    issue
}

/// One issue at each point of a run: new, at work, delivered, under review, blocked, waiting for a person, ready.
fn kinds() -> Vec<IssueSnapshot> {
    let mut world = World::new();
    let mut kinds = Vec::new();
    let mut seen = |world: &World| kinds.push(world.seen.clone());
    seen(&world);
    world.label("ready-to-build", "alice", true);
    seen(&world);
    world.settle();
    seen(&world);
    let kind = world.delivered("h1");
    world.end(Stage::Build, kind);
    seen(&world);
    world.settle();
    world.end(Stage::Quality, quality(0));
    world.settle();
    seen(&world);
    let code = world.judged(Stage::CodeReview, Outcome::Fail, "it loses a line");
    world.end(Stage::CodeReview, code);
    let security = world.judged(Stage::SecurityReview, Outcome::Pass, "");
    world.end(Stage::SecurityReview, security);
    seen(&world);
    world.settle();
    let kind = world.delivered("h2");
    world.end(Stage::Fix, kind);
    world.settle();
    world.end(Stage::Quality, quality(0));
    world.settle();
    for stage in [Stage::CodeReview, Stage::SecurityReview] {
        let kind = world.judged(stage, Outcome::Pass, "");
        world.end(stage, kind);
    }
    world.settle();
    seen(&world);
    let kind = world.judged(Stage::Apply, Outcome::Pass, "");
    world.end(Stage::Apply, kind);
    world.settle();
    seen(&world);
    let mut asking = World::new();
    asking.label("ready-to-build", "alice", true);
    asking.settle();
    asking.end(Stage::Build, rfi("which one?"));
    asking.settle();
    kinds.push(asking.seen.clone());
    kinds
}
