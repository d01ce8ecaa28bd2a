//! What `hydra supervise` asks in a cycle over an unchanged board, and what it keeps in memory over ten thousand issues: the real program,
//! against the simulated GitHub in this process.

use crate::stage::{REPO, Stage, TRIGGER, login};
use hydra_figures::{Aim, Figure, number};
use hydra_sim::github::{Logged, Role, SimConfig};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Boards of which every cycle's requests are counted; the supervisor's memory is that over the last.
const BOARDS: [u64; 3] = [10, 1_000, 10_000];
const CYCLES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(900);
/// Issues on a page of a listing.
const PAGE: u64 = 100;
/// Requests that a cycle may make besides: the board's own fields, the base's tip, a page that turns out to be empty.
const BESIDES: u64 = 4;

pub(crate) fn measure() {
    for issues in BOARDS {
        over(issues);
    }
}

fn over(issues: u64) {
    let stage = Stage::empty("extends = \"happy\"\n", SimConfig { hourly_limit: 100_000_000, ..SimConfig::default() });
    fill(&stage, issues);
    let log = std::fs::File::create(stage.sandbox.path("supervise.log")).unwrap();
    let child = stage.sandbox.command(&["supervise"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let mut supervisor = Supervisor(child);
    let begun = Instant::now();
    // The listing of the cycle after the last one that counts has begun: so many cycles are through.
    while listings(&stage.github.log()).len() <= CYCLES {
        assert!(supervisor.0.try_wait().unwrap().is_none(), "{}", said(&stage));
        assert!(begun.elapsed() < PATIENCE, "not {CYCLES} cycles after {PATIENCE:?}: {}", said(&stage));
        sleep(Duration::from_millis(200));
    }
    let [rss, peak, own] = ["VmRSS", "VmHWM", "RssFile"].map(|name| supervisor.kib(name) / 1024.0);
    drop(supervisor);
    let entries = stage.github.log();
    let begins = listings(&entries);
    cycle(issues, &entries[begins[CYCLES - 1]..begins[CYCLES]]);
    if issues != BOARDS[BOARDS.len() - 1] {
        return;
    }
    let reads = entries.iter().filter(|entry| !entry.write).count();
    assert!(reads as u64 > issues, "it looked at each of them: {reads} reads");
    let detail = format!(
        "after {CYCLES} cycles ({} requests, {} writes) over {} open issues with the label, each looked at once",
        number(reads as f64),
        stage.writes().len(),
        number(issues as f64)
    );
    Figure::new("`hydra supervise`, memory (VmRSS)", "the limit that the issue sets", rss, "MiB")
        .aim(Aim::AtMost(30.0 * 1e6 / (1024.0 * 1024.0)))
        .detail(format!("{own:.1} MiB of it are pages of the program's own file; {detail}"))
        .say();
    Figure::new("`hydra supervise`, most memory so far (VmHWM)", "the limit that the issue sets", peak, "MiB")
        .detail(detail)
        .say();
}

/// What one cycle over the board asked, everything on it having been seen before.
fn cycle(issues: u64, entries: &[Logged]) {
    let pages = issues.div_ceil(PAGE);
    let (writes, reads): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.write);
    let known = reads.iter().filter(|entry| entry.status == Some(304)).count();
    let what = format!("cycle over an unchanged board of {} issues", number(issues as f64));
    let limit = format!("{} pages of {PAGE} issues, and {BESIDES} more", number(pages as f64));
    Figure::new(&what, &limit, reads.len() as f64, "requests")
        .aim(Aim::AtMost((pages + BESIDES) as f64))
        .detail(format!("{known} of them answered `304 Not Modified`, which costs nothing of the rate limit"))
        .say();
    Figure::new(&what, "none", writes.len() as f64, "writes").aim(Aim::AtMost(0.0)).say();
}

/// At rest: each has a record that nobody can read any more, so it is listed, looked at once, and left alone.
fn fill(stage: &Stage, issues: u64) {
    stage.github.user("reader");
    stage.github.set_role(REPO, "reader", Role::Read).unwrap();
    for wish in 0..issues {
        let title = format!("Wish {wish}: a slug of a number of words");
        let issue = stage.github.open_issue(REPO, "reader", &title, "openspec/changes/limit-words\n").unwrap();
        stage.github.add_label(REPO, issue, TRIGGER, "reader").unwrap();
        stage
            .github
            .comment(REPO, issue, &login("orchestrator"), "<!-- hydra:status g0 -->\nIt was a fine record once.")
            .unwrap();
    }
}

/// Where in the log a listing begins: its first page names no page.
fn listings(log: &[Logged]) -> Vec<usize> {
    let first = |path: &str| path.contains("/issues?") && path.contains("labels=") && !path.contains("&page=");
    let begins = log.iter().enumerate().filter(|(_, entry)| entry.method == "GET" && first(&entry.path));
    begins.map(|(at, _)| at).collect()
}

fn said(stage: &Stage) -> String {
    std::fs::read_to_string(stage.sandbox.path("supervise.log")).unwrap_or_default()
}

struct Supervisor(Child);

impl Supervisor {
    fn kib(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        // It may have ended already.
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
