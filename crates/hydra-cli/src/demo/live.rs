//! One live line per stage while the pipeline runs: who, how long, turns, tokens, cost. On a pipe, plain lines.

use hydra_core::{JobId, Stage, Timestamp, money::Spend, plan::OutcomeKind};
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
    running: Mutex<BTreeMap<JobId, ProgressBar>>,
    quiet: bool,
}

impl Live {
    /// Live lines on a terminal, plain ones elsewhere, none for programs.
    #[must_use]
    pub fn new(terminal: bool, quiet: bool) -> Self {
        Self { bars: (terminal && !quiet).then(MultiProgress::new), running: Mutex::default(), quiet }
    }

    fn print(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bars {
            // A terminal that refuses a line is no reason to end the pipeline.
            Some(bars) => drop(bars.println(line)),
            None => drop(writeln!(std::io::stdout().lock(), "{line}")),
        }
    }
}

fn name(stage: Stage, round: u32) -> String {
    if round == 0 { stage.to_string() } else { format!("{stage} (round {})", round + 1) }
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
            (hydra_core::verdict::Outcome::Fail, Some(verdict)) => format!("blocks: {}", verdict.blocking.join("; ")),
            (hydra_core::verdict::Outcome::Fail, None) => "blocks".to_owned(),
            (hydra_core::verdict::Outcome::Void, _) => {
                format!("void: {}", envelope.void_reason.as_deref().unwrap_or("no evidence of work"))
            }
        },
        other => other.to_string(),
    }
}

impl Observer for Live {
    fn saw(&self, happening: &Happening) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match happening {
            Happening::StageStarted { key, job, who, .. } => {
                let who = if who.is_empty() { "the repository's own commands" } else { who };
                let label = format!("{:<26} {who}", name(key.stage, key.round));
                let Some(bars) = &self.bars else { return self.print(&format!("started  {label}")) };
                let bar = bars.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner}        {prefix} {elapsed} {msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix(label);
                bar.enable_steady_tick(Duration::from_millis(120));
                running.insert(job.clone(), bar);
            }
            Happening::StageProgress { key, progress } => {
                if let Some(bar) = running.get(&key.id()) {
                    let cost = cost(&progress.spend);
                    bar.set_message(format!("{}  {}", cost.trim_start_matches(", "), progress.doing));
                }
            }
            Happening::StageEnded { key, started_at, at, outcome } => {
                if let Some(bar) = running.remove(&key.id()) {
                    bar.finish_and_clear();
                }
                let stage = name(key.stage, key.round);
                self.print(&format!(
                    "ended    {stage:<26} {}{}: {}",
                    took(*started_at, *at),
                    cost(&outcome.spend),
                    word(&outcome.kind)
                ));
            }
            Happening::ActionFailed { action, why, .. } => self.print(&format!("failed   {action}: {why}")),
            Happening::Trouble { what } => self.print(&format!("trouble  {what}")),
            Happening::ActionDone { .. } | Happening::ReasonChanged { .. } => {}
        }
    }
}
