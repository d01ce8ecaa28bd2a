//! One live line per stage while the pipeline runs: who, how long, turns, tokens, cost. On a pipe, plain lines.

use super::mask::scrub;
use hydra_core::{
    JobId, Timestamp,
    job::JobKey,
    money::Spend,
    plan::OutcomeKind,
    verdict::{Envelope, Verdict, judge::open_findings},
};
use hydra_engine::observer::{Happening, Observer};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Prints what happens.
pub struct Live {
    /// Absent on a pipe.
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<JobId, Option<ProgressBar>>>,
    quiet: bool,
    /// Several issues may be under way: each line names its own, and what an issue waits for is said.
    issues: bool,
}

impl Live {
    /// Live lines on a terminal, plain ones elsewhere, none for programs.
    #[must_use]
    pub fn new(terminal: bool, quiet: bool) -> Self {
        Self { bars: (terminal && !quiet).then(MultiProgress::new), running: Mutex::default(), quiet, issues: false }
    }

    /// Names the issue on each line, and says what issues wait for.
    #[must_use]
    pub fn of_issues(mut self) -> Self {
        self.issues = true;
        self
    }

    fn name(&self, key: &JobKey) -> String {
        let stage =
            if key.round == 0 { key.stage.to_string() } else { format!("{} (round {})", key.stage, key.round + 1) };
        if self.issues { format!("{}  {stage:<26}", key.issue) } else { format!("{stage:<26}") }
    }

    /// A line of its own while the job runs.
    fn begin(&self, word: &str, label: &str) -> Option<ProgressBar> {
        let Some(bars) = &self.bars else {
            self.print(&format!("{word:<8} {label}"));
            return None;
        };
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner}        {prefix} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    fn print(&self, line: &str) {
        if self.quiet {
            return;
        }
        // Reasons and errors hold texts of others: no control character of theirs reaches a terminal.
        let line: String = scrub(line).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match &self.bars {
            // A terminal that refuses a line is no reason to end the pipeline.
            Some(bars) => drop(bars.println(line)),
            None => drop(writeln!(std::io::stdout().lock(), "{line}")),
        }
    }
}

/// `3 turns, 1,204 tokens, $0.0123`; nothing for what costs nothing.
#[must_use]
pub fn cost(spend: &Spend) -> String {
    if spend.turns == 0 {
        return String::new();
    }
    format!(", {} turns, {} tokens, {}", spend.turns, spend.tokens.total(), spend.cost)
}

/// `1.2 s` between two times.
#[must_use]
pub fn took(from: Timestamp, to: Timestamp) -> String {
    let millis = to.duration_since(from).as_millis().max(0);
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

/// A few words for how it went.
#[must_use]
pub fn word(kind: &OutcomeKind) -> String {
    match kind {
        OutcomeKind::Delivered { delivery, .. } => {
            let (added, removed) =
                delivery.diff.files.iter().filter_map(|file| file.lines).fold((0, 0), |a, l| (a.0 + l.0, a.1 + l.1));
            format!("delivered {} files (+{added} -{removed})", delivery.diff.files.len())
        }
        OutcomeKind::Judged(envelope) => match (&envelope.outcome, &envelope.verdict) {
            (hydra_core::verdict::Outcome::Pass, _) => "pass".to_owned(),
            (hydra_core::verdict::Outcome::Fail, Some(verdict)) => {
                format!("blocks: {}", what_blocks(envelope, verdict).join("; "))
            }
            (hydra_core::verdict::Outcome::Fail, None) => "blocks".to_owned(),
            (hydra_core::verdict::Outcome::Void, _) => {
                format!("void: {}", envelope.void_reason.as_deref().unwrap_or("no evidence of work"))
            }
        },
        other => other.to_string(),
    }
}

/// The reviewer's own sentences, or what its findings say where it wrote none.
fn what_blocks(envelope: &Envelope, verdict: &Verdict) -> Vec<String> {
    if verdict.blocking.is_empty() {
        open_findings(envelope).into_iter().map(|finding| finding.message).collect()
    } else {
        verdict.blocking.clone()
    }
}

/// Reasons that say nothing new beside the lines of the stages.
const IN_PASSING: [&str; 2] = ["running", "working"];

impl Observer for Live {
    fn saw(&self, happening: &Happening) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match happening {
            Happening::StageStarted { key, job, who, .. } => {
                let who = if who.is_empty() { "the repository's own commands" } else { who };
                let bar = self.begin("started", &format!("{} {who}", self.name(key)));
                running.insert(job.clone(), bar);
            }
            Happening::StageProgress { key, progress } => {
                // A job that an earlier process started is followed from here on.
                let bar = running.entry(key.id()).or_insert_with(|| self.begin("goes on", &self.name(key)));
                if let Some(bar) = bar {
                    let cost = cost(&progress.spend);
                    bar.set_message(format!("{}  {}", cost.trim_start_matches(", "), progress.doing));
                }
            }
            Happening::GateBack { key, times } => {
                self.print(&format!("gate     {} broke down and is back ({times} times so far)", self.name(key)));
            }
            Happening::Refused { key, refused } => self.print(&format!("refused  {} {refused}", self.name(key))),
            Happening::StageEnded { key, started_at, at, outcome } => {
                if let Some(bar) = running.remove(&key.id()).flatten() {
                    bar.finish_and_clear();
                }
                let (took, cost) = (took(*started_at, *at), cost(&outcome.spend));
                self.print(&format!("ended    {} {took}{cost}: {}", self.name(key), word(&outcome.kind)));
            }
            Happening::ActionFailed { issue, action, why } if self.issues => {
                self.print(&format!("failed   {issue}  {action}: {why}"));
            }
            Happening::ActionFailed { action, why, .. } => self.print(&format!("failed   {action}: {why}")),
            Happening::Trouble { what } => self.print(&format!("trouble  {what}")),
            Happening::ReasonChanged { issue, reasons, kinds } if self.issues => {
                for (reason, _) in reasons.iter().zip(kinds).filter(|(_, kind)| !IN_PASSING.contains(kind)) {
                    self.print(&format!("now      {issue}  {reason}"));
                }
            }
            Happening::ActionDone { .. } | Happening::ReasonChanged { .. } => {}
        }
    }
}
