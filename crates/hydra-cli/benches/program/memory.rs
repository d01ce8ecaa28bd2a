//! What `hydra supervise` keeps in memory over ten thousand labelled issues: the real program, against the simulated GitHub in this process.

use crate::stage::{REPO, Stage, TRIGGER, login};
use hydra_figures::{Aim, Figure, number};
use hydra_sim::github::{Role, SimConfig};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const ISSUES: u64 = 10_000;
const CYCLES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) fn measure() {
    let stage = Stage::empty("extends = \"happy\"\n", SimConfig { hourly_limit: 100_000_000, ..SimConfig::default() });
    fill(&stage);
    let log = std::fs::File::create(stage.sandbox.path("supervise.log")).unwrap();
    let child = stage.sandbox.command(&["supervise"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let mut supervisor = Supervisor(child);
    let begun = Instant::now();
    // The listing of the cycle after the last one that counts has begun: so many cycles are through.
    while listings(&stage) <= CYCLES {
        assert!(supervisor.0.try_wait().unwrap().is_none(), "{}", said(&stage));
        assert!(begun.elapsed() < PATIENCE, "{} cycles after {PATIENCE:?}: {}", listings(&stage), said(&stage));
        sleep(Duration::from_secs(1));
    }
    let [rss, peak, own] = ["VmRSS", "VmHWM", "RssFile"].map(|name| supervisor.kib(name) / 1024.0);
    let entries = stage.github.log();
    let reads = entries.iter().filter(|entry| !entry.write).count();
    let writes = stage.writes().len();
    drop(supervisor);
    assert!(reads as u64 > ISSUES, "it looked at each of them: {reads} reads");
    let detail = format!(
        "after {CYCLES} cycles ({} requests, {writes} writes) over {} open issues with the label, each looked at once",
        number(reads as f64),
        number(ISSUES as f64)
    );
    Figure::new("`hydra supervise`, memory (VmRSS)", "the limit that the issue sets", rss, "MiB")
        .aim(Aim::AtMost(30.0 * 1e6 / (1024.0 * 1024.0)))
        .detail(format!("{own:.1} MiB of it are pages of the program's own file; {detail}"))
        .say();
    Figure::new("`hydra supervise`, most memory so far (VmHWM)", "the limit that the issue sets", peak, "MiB")
        .detail(detail)
        .say();
}

/// At rest: each has a record that nobody can read any more, so it is listed, looked at once, and left alone.
fn fill(stage: &Stage) {
    stage.github.user("reader");
    stage.github.set_role(REPO, "reader", Role::Read).unwrap();
    for wish in 0..ISSUES {
        let title = format!("Wish {wish}: a slug of a number of words");
        let issue = stage.github.open_issue(REPO, "reader", &title, "openspec/changes/limit-words\n").unwrap();
        stage.github.add_label(REPO, issue, TRIGGER, "reader").unwrap();
        stage
            .github
            .comment(REPO, issue, &login("orchestrator"), "<!-- hydra:status g0 -->\nIt was a fine record once.")
            .unwrap();
    }
}

/// How often the listing was begun: its first page names no page.
fn listings(stage: &Stage) -> usize {
    let first = |path: &str| path.contains("/issues?") && path.contains("labels=") && !path.contains("&page=");
    stage.github.log().iter().filter(|entry| entry.method == "GET" && first(&entry.path)).count()
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
