//! The ending: the pull request, the verdicts, what each stage cost, and what to try next.

use super::{
    play::Seen,
    report::{self, PullReport, Report, Serving, Spent, Told, VerdictReport},
    stage_set::{self, REPO, StageSet},
};
use crate::{
    failure::Failure,
    output::{
        screen::{Screen, Tint},
        table,
    },
};
use hydra_core::{money::Usd, verdict::Outcome};

/// Looks at what GitHub shows in the end.
///
/// # Errors
/// When the fresh clone fails.
pub async fn look(set: &StageSet, seen: Seen, story: Told, runtime: &'static str) -> Result<Report, Failure> {
    let mut report = report::gather(set, seen, story, runtime);
    if let Some(issue) = set.github.pulls(REPO).into_iter().next_back()
        && let Some(pull) = issue.pull
    {
        let clone = super::fresh_clone::clone_and_test(set, &pull.head_ref, &pull.base_ref).await?;
        report.pull = Some(PullReport {
            number: issue.number,
            title: issue.title,
            state: match (pull.merged_at.is_some(), issue.open, pull.draft) {
                (true, _, _) => "merged",
                (_, false, _) => "closed",
                (_, _, true) => "draft",
                (_, _, false) => "ready for a person",
            },
            url: format!("{}/{REPO}/pull/{}", set.github.base_url().trim_end_matches('/'), issue.number),
            head: pull.head,
            diffstat: clone.diffstat,
            tests: clone.tests,
        });
    }
    Ok(report)
}

/// Prints it for people.
///
/// # Errors
/// When the output cannot be written.
pub fn print(screen: Screen, report: &Report) -> Result<(), Failure> {
    screen.line("")?;
    match &report.pull {
        Some(pull) => {
            screen.line(screen.tint(Tint::Bold, &format!("Pull request #{}: {}", pull.number, pull.title)))?;
            let tint = if pull.state == "ready for a person" { Tint::Good } else { Tint::Warn };
            screen.line(format!("  state   {}", screen.tint(tint, pull.state)))?;
            for line in &pull.diffstat {
                screen.line(format!("  {line}"))?;
            }
            let (tint, word) = if pull.tests.green { (Tint::Good, "green") } else { (Tint::Bad, "red") };
            let tests =
                format!("{} on a fresh clone of {}: {}", pull.tests.command, short(&pull.head), pull.tests.last_line);
            screen.line(format!("  tests   {}  {tests}", screen.tint(tint, word)))?;
        }
        None => screen.line(screen.tint(Tint::Bold, "No pull request was opened."))?,
    }
    if report.end != "ready" {
        screen.line("")?;
        screen.line(screen.tint(Tint::Warn, &format!("Ended with {}:", report.end)))?;
        for reason in &report.reasons {
            screen.line(format!("  {reason}"))?;
        }
    }
    if !report.verdicts.is_empty() {
        screen.line("")?;
        screen.line(screen.tint(Tint::Bold, "Verdicts"))?;
    }
    for verdict in &report.verdicts {
        print_verdict(screen, verdict)?;
    }
    screen.line("")?;
    screen.line(screen.tint(Tint::Bold, "Stages"))?;
    for line in table::aligned(&rows(report)) {
        screen.line(format!("  {line}"))?;
    }
    for complaint in report.complaints() {
        screen.line(screen.tint(Tint::Bad, &format!("not as it should be: {complaint}")))?;
    }
    Ok(())
}

fn short(head: &str) -> &str {
    head.get(..8).unwrap_or(head)
}

fn round(round: u32) -> String {
    if round == 0 { String::new() } else { format!(" (round {})", round + 1) }
}

fn print_verdict(screen: Screen, verdict: &VerdictReport) -> Result<(), Failure> {
    let (tint, word) = match verdict.outcome {
        Outcome::Pass => (Tint::Good, "pass"),
        Outcome::Fail => (Tint::Bad, "blocks"),
        Outcome::Void => (Tint::Warn, "void"),
    };
    let said = verdict.void_reason.as_deref().unwrap_or(&verdict.summary);
    let stage = format!("{}{}", verdict.stage, round(verdict.round));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    screen.line(format!("  {:<26} {}  {}: {said}", stage, screen.tint(tint, &format!("{word:<6}")), verdict.who))?;
    for finding in &verdict.findings {
        let place = match (&finding.file, finding.line) {
            (Some(file), Some(line)) => format!(" {file}:{line}"),
            (Some(file), None) => format!(" {file}"),
            (None, _) => String::new(),
        };
        screen.line(format!("      {}{place}: {}", finding.severity, finding.message))?;
    }
    Ok(())
}

fn rows(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![["stage", "who", "time", "turns", "tokens", "cost"].map(str::to_owned).to_vec()];
    let numbers = |spend: &Spent| {
        if spend.turns == 0 {
            [String::new(), String::new(), String::new()]
        } else {
            [spend.turns.to_string(), spend.tokens.total().to_string(), Usd(spend.usd_micros).to_string()]
        }
    };
    for stage in &report.stages {
        let mut row = vec![format!("{}{}", stage.stage, round(stage.round)), stage.who.clone(), stage.took.clone()];
        row.extend(numbers(&stage.spend));
        rows.push(row);
    }
    let total = &report.total;
    let mut row = vec![
        "total".to_owned(),
        format!("the model's own count: {} tokens", total.model_tokens.total()),
        format!("{}.{} s", total.millis / 1000, total.millis % 1000 / 100),
    ];
    row.extend(numbers(&total.spend));
    rows.push(row);
    rows
}

/// What to try next.
///
/// # Errors
/// When the output cannot be written.
pub fn next(screen: Screen, report: &Report) -> Result<(), Failure> {
    let others: Vec<&str> =
        hydra_sim::model::SCENARIOS.iter().copied().filter(|name| Some(*name) != report.story.scenario).collect();
    screen.line("")?;
    screen.line(screen.tint(Tint::Bold, "Next"))?;
    screen.line(format!("  another story     hydra demo --scenario {}", others.join("|")))?;
    screen.line("  look around       hydra demo --keep      (status, explain, curl, git clone)")?;
    screen.line("  in containers     cargo xtask images, then hydra demo --runtime docker")?;
    screen.line("  your own model    hydra demo --script FILE")?;
    screen.line("  for real          hydra init, then hydra doctor")
}

/// The addresses of a stage that is kept.
#[must_use]
pub fn serving(set: &StageSet) -> Serving {
    Serving {
        github: set.github.base_url().trim_end_matches('/').to_owned(),
        model: set.model.url(),
        config: set.folder.path().join("hydra.toml").display().to_string(),
        clone_url: set.github.clone_url(REPO),
        token: stage_set::token_of("orchestrator"),
        issue: format!("{REPO}#{}", set.issue),
    }
}

/// Prints them for people.
///
/// # Errors
/// When the output cannot be written.
pub fn addresses(screen: Screen, serving: &Serving) -> Result<(), Failure> {
    let Serving { github, model, config, clone_url, token, issue } = serving;
    screen.line("")?;
    screen.line(screen.tint(Tint::Bold, "Serving until Ctrl-C"))?;
    screen.line(format!("  GitHub   {github}"))?;
    screen.line(format!("  model    {model}"))?;
    screen.line(format!("  hydra --config {config} status"))?;
    screen.line(format!("  hydra --config {config} explain {issue}"))?;
    screen.line(format!("  curl -s -H 'Authorization: Bearer {token}' {github}/repos/{REPO}/pulls"))?;
    screen.line(format!("  git clone {clone_url}"))
}
