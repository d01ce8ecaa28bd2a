//! What a stage by hand came to: a folder with everything that the job was given and left, and a report.

use super::{next, place::Place, spec::Change};
use crate::{
    args::DevRunArgs,
    config::Settings,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{
        clean::Clean,
        issue::{cost, length},
        json,
        live::word,
        screen::{Screen, Tint},
    },
};
use hydra_core::{Stage, Timestamp, plan::OutcomeKind, redact::Redactor, verdict::Outcome};
use hydra_engine::{
    EngineError,
    by_hand::{HandResult, Published},
    status::SpendFacts,
};
use serde::Serialize;
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The folder that results are kept in.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Chooses it. Nothing is made yet: what is refused before the stage begins leaves no folder.
    pub(super) fn choose(context: &Context, settings: &Settings, args: &DevRunArgs) -> Result<Self, Failure> {
        let path = match &args.out {
            Some(out) => context.cwd.join(out),
            None => {
                let at = Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
                settings.state_dir.join("dev-run").join(format!("{}-{at}-{}", args.stage, std::process::id()))
            }
        };
        match fs::read_dir(&path).map(|mut entries| entries.next().is_some()) {
            Ok(false) => Ok(Self(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self(path)),
            Ok(true) => {
                let what = format!("{} holds something already, and nothing is overwritten", path.display());
                Err(Failure::new(Exit::Usage, what).help("name another folder with --out, or remove what is in it"))
            }
            Err(error) => Err(Failure::local(format_args!("{} cannot be used", path.display()), &error)),
        }
    }

    /// Makes it, before anything is spent.
    pub(super) fn make(&self) -> Result<(), Failure> {
        let path = &self.0;
        let failed = |error: std::io::Error| Failure::local(format_args!("{} cannot be made", path.display()), &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
    }

    /// Nothing came of the stage: an empty folder would say that something had.
    pub(super) fn unmake(&self) {
        // What holds something stays.
        let _ = fs::remove_dir(&self.0);
    }

    /// Writes everything down, texts redacted.
    pub(super) fn keep(&self, report: &Report, result: &HandResult, redactor: &Redactor) -> Result<(), Failure> {
        for (name, bytes) in &result.given {
            self.file(&format!("given/{name}"), &redacted(bytes, redactor))?;
        }
        for (name, bytes) in &result.left.files {
            // A bundle is not text, and was searched for secrets commit by commit.
            let bytes = if name.ends_with(".bundle") { bytes.clone() } else { redacted(bytes, redactor) };
            self.file(name, &bytes)?;
        }
        match &result.outcome.kind {
            OutcomeKind::Delivered { delivery, .. } => {
                self.file("changes.patch", &redacted(delivery.diff.patch.as_bytes(), redactor))?;
            }
            OutcomeKind::Judged(envelope) => {
                let text = serde_json::to_vec_pretty(envelope)
                    .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
                self.file("envelope.json", &redacted(&text, redactor))?;
            }
            _ => {}
        }
        self.file("report.json", &redacted(json::document("dev-run", report)?.as_bytes(), redactor))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.0.join(name);
        let failed =
            |error: std::io::Error| Failure::local(format_args!("{} cannot be written", path.display()), &error);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)
    }
}

fn redacted(bytes: &[u8], redactor: &Redactor) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => redactor.redact(text).into_owned().into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

/// What came of it, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    stage: Stage,
    repo: String,
    change: String,
    base: String,
    head: String,
    job: String,
    /// `delivered`, `refused`, `no-change`, `asks`, `green`, `red`, `pass`, `fail`, `void`, `broken`, `outage`, `account`, `wrapper`, `stopped`.
    outcome: &'static str,
    /// In words.
    detail: String,
    /// Whether the pipeline would go on from here.
    pub(super) good: bool,
    /// The commit that was delivered.
    delivered: Option<String>,
    model: Option<String>,
    account: Option<String>,
    image: String,
    started_at: Timestamp,
    ended_at: Timestamp,
    spend: SpendFacts,
    /// Where everything is kept.
    folder: String,
    /// Files left out because they are too large, with their size.
    too_large: Vec<(String, u64)>,
    /// What was written to GitHub.
    published: Vec<String>,
    /// Why nothing was.
    not_published: Option<String>,
}

impl Report {
    pub(super) fn of(
        args: &DevRunArgs,
        place: &Place,
        change: &Change,
        folder: &Folder,
        result: &HandResult,
        published: Option<&Result<Published, EngineError>>,
    ) -> Self {
        let (outcome, good) = outcome(&result.outcome.kind);
        let delivered = match &result.outcome.kind {
            OutcomeKind::Delivered { delivery, .. } => Some(delivery.head.to_string()),
            _ => None,
        };
        let (published, not_published) = match published {
            None => (Vec::new(), None),
            Some(Ok(published)) => (published.lines.clone(), None),
            Some(Err(error)) => (Vec::new(), Some(error.to_string())),
        };
        Self {
            stage: args.stage,
            repo: place
                .folder
                .as_ref()
                .map_or_else(|| place.view.name.to_string(), |folder| folder.display().to_string()),
            change: change.name.to_string(),
            base: place.base.to_string(),
            head: place.head.to_string(),
            job: result.job.to_string(),
            outcome,
            detail: word(&result.outcome.kind),
            good,
            delivered,
            model: result.model.as_ref().map(ToString::to_string),
            account: result.account.as_ref().map(ToString::to_string),
            image: result.image.clone(),
            started_at: result.started_at,
            ended_at: result.ended_at,
            spend: result.outcome.spend.into(),
            folder: folder.0.display().to_string(),
            too_large: result.left.too_large.iter().map(|(name, bytes)| (name.clone(), *bytes)).collect(),
            published,
            not_published,
        }
    }

    /// For people.
    pub(super) fn show(&self, screen: &Screen, clean: &Clean, result: &HandResult) -> Result<(), Failure> {
        let tint = if self.good { Tint::Good } else { Tint::Bad };
        let spent = cost(&self.spend);
        let spent = if spent.is_empty() { String::new() } else { format!(", {spent}") };
        let took = length(self.started_at, self.ended_at);
        screen.line(format!("{}  {} in {took}{spent}", screen.tint(tint, self.outcome), self.stage))?;
        details(screen, clean, &result.outcome.kind)?;
        screen.line(format!("results   {}", self.folder))?;
        for line in &self.published {
            screen.line(format!("published {}", clean.line(line)))?;
        }
        if let Some(head) = &self.delivered {
            screen.line(format!("delivered {head}"))?;
            screen.line(format!(
                "take it   git fetch {} refs/heads/hydra-result:{}",
                shown(&self.folder),
                result.branch
            ))?;
        }
        let head = self.delivered.as_ref().unwrap_or(&self.head);
        // Where nothing was changed yet, nothing is to be judged.
        let next = next(self.stage).filter(|next| !next.judges() || *head != self.base);
        if let (true, Some(next)) = (self.good, next) {
            screen.line(format!(
                "next      hydra dev-run {next} --repo {} --change {} --base {} --head {head}",
                self.repo, self.change, self.base
            ))?;
        } else if matches!(self.outcome, "red" | "fail") {
            let fix = if self.outcome == "red" { Stage::FixQuality } else { Stage::Fix };
            screen.line(format!(
                "mend it   hydra dev-run {fix} --repo {} --change {} --base {} --head {head} --after {}",
                self.repo, self.change, self.base, self.folder
            ))?;
        }
        Ok(())
    }
}

fn shown(folder: &str) -> String {
    Path::new(folder).join("changes.bundle").display().to_string()
}

fn details(screen: &Screen, clean: &Clean, kind: &OutcomeKind) -> Result<(), Failure> {
    match kind {
        OutcomeKind::Delivered { delivery, summary, findings } => {
            for file in &delivery.diff.files {
                let (added, removed) = file.lines.unwrap_or_default();
                screen.line(format!("  {} {} (+{added} -{removed})", file.status, clean.line(&file.path)))?;
            }
            for finding in findings {
                screen.line(format!("  {}: {}", finding.severity, clean.line(&finding.message)))?;
            }
            if !summary.is_empty() {
                screen.line(format!("  {}", clean.line(summary)))?;
            }
        }
        OutcomeKind::Quality { commands } => {
            for command in commands {
                screen.line(format!("  {}: exit {} after {} ms", command.name, command.exit, command.millis))?;
                if command.exit != 0 {
                    for line in command.tail.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev() {
                        screen.line(format!("    {}", clean.line(line)))?;
                    }
                }
            }
        }
        OutcomeKind::Judged(envelope) => {
            let verdict = envelope.verdict.as_ref();
            for finding in verdict.map(|verdict| verdict.findings.as_slice()).unwrap_or_default() {
                let place = match (&finding.file, finding.line) {
                    (Some(file), Some(line)) => format!("{file}:{line}: "),
                    (Some(file), None) => format!("{file}: "),
                    (None, _) => String::new(),
                };
                screen.line(format!(
                    "  {}: {}",
                    finding.severity,
                    clean.line(&format!("{place}{}", finding.message))
                ))?;
            }
            for sentence in verdict.map(|verdict| verdict.blocking.as_slice()).unwrap_or_default() {
                screen.line(format!("  blocks: {}", clean.line(sentence)))?;
            }
            if let Some(why) = &envelope.void_reason {
                screen.line(format!("  {}", clean.line(why)))?;
            }
        }
        other => screen.line(format!("  {}", clean.line(&other.to_string())))?,
    }
    Ok(())
}

/// A word for programs, and whether the pipeline would go on.
fn outcome(kind: &OutcomeKind) -> (&'static str, bool) {
    match kind {
        OutcomeKind::Delivered { .. } => ("delivered", true),
        OutcomeKind::Refused { .. } => ("refused", false),
        OutcomeKind::NoChange { .. } => ("no-change", false),
        OutcomeKind::Rfi(_) => ("asks", false),
        OutcomeKind::Quality { .. } if kind.is_green() => ("green", true),
        OutcomeKind::Quality { .. } => ("red", false),
        OutcomeKind::Judged(envelope) => match envelope.outcome {
            Outcome::Pass => ("pass", true),
            Outcome::Fail => ("fail", false),
            Outcome::Void => ("void", false),
        },
        OutcomeKind::Broken { .. } => ("broken", false),
        OutcomeKind::Outage { .. } => ("outage", false),
        OutcomeKind::AccountUnusable { .. } => ("account", false),
        OutcomeKind::WrapperRefused { .. } => ("wrapper", false),
        OutcomeKind::Stopped(_) => ("stopped", false),
    }
}
