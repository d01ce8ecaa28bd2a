//! The real program, killed at its effects and started again: the same end as if nothing had happened, and nothing twice.
//!
//! The audit log has a line before each effect and one after it: the kill comes at the n-th line, so in the middle of an effect or just
//! after it. In CI a few lines are tried; at night (`HYDRA_NIGHTLY`) every one.

use crate::stage::{REPO, Stage};
use nix::sys::signal::Signal;
use std::{
    collections::BTreeMap,
    io::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

/// What stands at GitHub and on this machine when everything rests, without what differs from one telling to the next.
#[derive(Debug, PartialEq)]
struct End {
    labels: Vec<String>,
    /// Author and first line of each comment on the issue.
    comments: Vec<String>,
    pulls: Vec<Pull>,
    /// All refs but those of the pull requests; a lease that is left would stand here.
    refs: Vec<String>,
    /// The content of the work branch.
    tree: String,
    card: Option<String>,
    /// Jobs that are left.
    jobs: usize,
    /// Requests to the model by its stage: a job that was made twice would ask twice.
    asked: usize,
}

#[derive(Debug, PartialEq)]
struct Pull {
    title: String,
    state: (bool, bool),
    author: String,
    head: String,
    comments: Vec<String>,
    reviews: Vec<String>,
    inline: Vec<String>,
    /// The last state of each status.
    statuses: BTreeMap<String, (String, Option<String>)>,
}

fn first(author: &str, body: &str) -> String {
    // A marker names the commit, which has a time in it.
    let line = body.lines().next().unwrap_or_default();
    let words = line.split(' ').filter(|word| !(word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit())));
    format!("{author}: {}", words.collect::<Vec<_>>().join(" "))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = lines.collect();
    all.sort();
    all
}

fn end(stage: &Stage) -> End {
    let github = &stage.github;
    let issue = github.issue(REPO, stage.issue).unwrap();
    let pull = |seen: &hydra_sim::github::Issue| {
        let pull = seen.pull.as_ref().unwrap();
        let of_head = github.statuses(REPO, &pull.head);
        let last = of_head.iter().map(|s| (s.context.clone(), (s.state.clone(), s.description.clone())));
        Pull {
            title: seen.title.clone(),
            state: (seen.open, pull.draft),
            author: seen.author.clone(),
            head: pull.head_ref.clone(),
            comments: sorted(seen.comments.iter().map(|comment| first(&comment.author, &comment.body))),
            reviews: sorted(pull.reviews.iter().map(|review| first(&review.author, &review.body))),
            inline: sorted(pull.threads.iter().flat_map(|t| &t.comments).map(|c| format!("{}: {}", c.author, c.body))),
            statuses: last.collect(),
        }
    };
    let pulls: Vec<Pull> = github.pulls(REPO).iter().map(pull).collect();
    let branch = &pulls[0].head;
    let tree = github.git(REPO, &["rev-parse", &format!("refs/heads/{branch}^{{tree}}")]).unwrap();
    let status = stage.sandbox.run(&["status", "--json"]).json();
    let board = github.board_state("acme", 1).unwrap();
    End {
        labels: sorted(issue.labels.iter().cloned()),
        comments: sorted(issue.comments.iter().map(|comment| first(&comment.author, &comment.body))),
        pulls,
        refs: sorted(github.refs(REPO).into_keys().filter(|name| !name.starts_with("refs/pull/"))),
        tree: tree.trim().to_owned(),
        card: board.cards.iter().find(|card| card.number == stage.issue).and_then(|card| card.status.clone()),
        jobs: status["issues"].as_array().unwrap().iter().map(|issue| issue["jobs"].as_array().unwrap().len()).sum(),
        asked: stage.model.requests().len(),
    }
}

/// The same status twice in a row says nothing that was not said.
fn said_twice(stage: &Stage) -> Vec<String> {
    let mut twice = Vec::new();
    for seen in stage.github.pulls(REPO) {
        let mut last: BTreeMap<String, (String, Option<String>)> = BTreeMap::new();
        for status in stage.github.statuses(REPO, &seen.pull.unwrap().head) {
            let now = (status.state, status.description);
            if last.get(&status.context) == Some(&now) {
                twice.push(format!("{}: {now:?}", status.context));
            }
            last.insert(status.context, now);
        }
    }
    twice
}

fn audited(stage: &Stage) -> usize {
    let log = std::fs::read(stage.sandbox.work("state/audit.jsonl")).unwrap_or_default();
    log.iter().filter(|byte| **byte == b'\n').count()
}

/// `hydra poll`, until everything rests.
fn rests(stage: &Stage, what: &str) {
    let ran = stage.sandbox.run(&["poll"]);
    assert_eq!(ran.code, 0, "{what}: {}", ran.all());
}

/// Kills `hydra poll` at the n-th line of its audit log. False when it was at its end before.
fn killed_at(stage: &Stage, line: usize) -> bool {
    let mut poll = stage.spawn(&["poll"]);
    let begun = Instant::now();
    while audited(stage) < line {
        assert!(begun.elapsed() < Duration::from_secs(60), "line {line} never came");
        if poll.has_ended() {
            return false;
        }
        sleep(Duration::from_micros(200));
    }
    poll.signal(Signal::SIGKILL);
    let (code, ..) = poll.end();
    code.is_none()
}

/// Tells a story undisturbed, and then once for each line that is tried. Returns the lines, and the kills that hit.
fn kill(script: &str, few: usize) -> (usize, usize) {
    let stage = Stage::new(script);
    rests(&stage, "undisturbed");
    let (undisturbed, lines) = (end(&stage), audited(&stage));
    assert!(undisturbed.jobs == 0 && undisturbed.refs.iter().all(|name| !name.contains("lease")), "{undisturbed:#?}");
    assert_eq!(said_twice(&stage), Vec::<String>::new());
    drop(stage);
    let all = std::env::var_os("HYDRA_NIGHTLY").is_some();
    let step = if all { 1 } else { (lines / few).max(1) };
    let mut kills = 0;
    for line in (1..=lines).rev().step_by(step) {
        let what = format!("killed at line {line} of {lines} of the audit log");
        let stage = Stage::new(script);
        kills += usize::from(killed_at(&stage, line));
        rests(&stage, &what);
        assert_eq!(end(&stage), undisturbed, "{what}");
        assert_eq!(said_twice(&stage), Vec::<String>::new(), "{what}");
        // And then nothing more.
        stage.github.reset_log();
        rests(&stage, &what);
        assert_eq!(stage.writes(), Vec::<String>::new(), "{what}");
        let log = hydra_engine::audit_log::verify(&stage.sandbox.work("state/audit.jsonl"));
        assert!(log.is_ok(), "{what}: {log:?}");
    }
    (lines, kills)
}

/// Printed although the test passes: the test harness hides only what goes through its own macros.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").unwrap();
}

#[test]
fn killed_at_its_effects_and_started_again_the_program_comes_to_the_same_end() {
    let (lines, kills) = kill("extends = \"happy\"\n", 5);
    say(&format!("the program: {lines} lines of the audit log, so {} effects; killed {kills} times", lines / 2));
    assert!(lines > 40 && kills >= 4, "{kills} kills in {lines} lines");
    if std::env::var_os("HYDRA_NIGHTLY").is_some() {
        let (lines, kills) = kill("extends = \"fix-round\"\n", 1);
        say(&format!("the program, fix round: {lines} lines, so {} effects; killed {kills} times", lines / 2));
        assert!(kills + 5 >= lines);
    }
}
