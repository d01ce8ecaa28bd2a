//! What counts in the end: the reviewer's verdict, held against what it did, what the change asks for and what the diff shows.

use super::{
    Envelope, Evidence, Finding, Outcome, RequirementJudgement, RequirementState, Severity, Verdict,
    parse::VerdictError,
};
use crate::{Stage, hidden, loosened::LoosenedTest, openspec::RequirementName, patch, ports::Diff};

/// Everything that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Which review.
    pub stage: Stage,
    /// What the agent wrote.
    pub verdict: Result<&'a Verdict, &'a VerdictError>,
    /// What it did.
    pub evidence: &'a Evidence,
    /// What it was to judge.
    pub diff: &'a Diff,
    /// Requirements and scenarios of the change. Judged in the code review only.
    pub requirements: &'a [RequirementName],
    /// Tests that lost their strength.
    pub loosened: &'a [LoosenedTest],
    /// Changed files that agents take instructions from.
    pub instruction_changes: &'a [String],
}

/// What counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Pass, fail or void.
    pub outcome: Outcome,
    /// Why it is void, where it is.
    pub void_reason: Option<String>,
    /// The verdict with what the orchestrator adds: every requirement named, changed instruction files and loosened tests as findings.
    /// Absent where there was no valid one.
    pub verdict: Option<Verdict>,
    /// What must be mended; empty unless it fails.
    pub open: Vec<Finding>,
}

/// Judges. Total: every set of facts has exactly one outcome.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let verdict = match facts.verdict {
        Ok(verdict) => completed(verdict, facts),
        Err(error) => return void(error.to_string(), None),
    };
    if let Some(reason) = no_work(facts) {
        return void(reason, Some(verdict));
    }
    let open = open_of(&verdict);
    let fails = !verdict.pass || !open.is_empty();
    Judgement {
        outcome: if fails { Outcome::Fail } else { Outcome::Pass },
        void_reason: None,
        verdict: Some(verdict),
        open,
    }
}

fn void(reason: String, verdict: Option<Verdict>) -> Judgement {
    Judgement { outcome: Outcome::Void, void_reason: Some(reason), verdict, open: Vec::new() }
}

/// Why there is no evidence of work, if there is none.
fn no_work(facts: &Facts<'_>) -> Option<String> {
    let evidence = facts.evidence;
    if evidence.turns == 0 {
        return Some("no evidence of work: the model took no turn".to_owned());
    }
    if evidence.output_tokens == 0 {
        return Some("no evidence of work: the model wrote no token".to_owned());
    }
    if evidence.tool_calls == 0 {
        return Some("no evidence of work: no tool was called".to_owned());
    }
    if facts.diff.files.is_empty() {
        return Some("there is nothing to judge: head and base do not differ".to_owned());
    }
    let readable = facts.diff.files.iter().any(|file| file.status != 'D' && !file.binary);
    if readable && evidence.files_read.is_empty() {
        return Some(format!(
            "no evidence of work: none of the {} changed file(s) was looked at",
            facts.diff.files.len()
        ));
    }
    None
}

fn completed(verdict: &Verdict, facts: &Facts<'_>) -> Verdict {
    let mut verdict = verdict.clone();
    if facts.stage == Stage::CodeReview {
        verdict.requirements = requirements(&verdict.requirements, facts.requirements);
    } else {
        verdict.requirements.clear();
    }
    let extra = |file: &str, line, rule: &str, message: String, remediation: &str| Finding {
        severity: Severity::Warning,
        file: Some(file.to_owned()),
        line,
        rule: rule.to_owned(),
        message,
        remediation: remediation.to_owned(),
    };
    verdict.findings.extend(facts.instruction_changes.iter().map(|file| {
        let message = "The change touches a file that coding agents take instructions from; agents keep to the base commit's version until it is merged.";
        extra(file, None, "instruction-file", message.to_owned(), "A person must look at this file before approving.")
    }));
    verdict.findings.extend(facts.loosened.iter().map(|test| {
        let message =
            if test.text.is_empty() { test.kind.to_string() } else { format!("{}: {}", test.kind, test.text) };
        extra(&test.file, test.line, "loosened-test", message, "Show why the test may ask for less, or restore it.")
    }));
    verdict
}

/// Every requirement and scenario of the change with what the reviewer said of it; what it said of others is left out.
fn requirements(said: &[RequirementJudgement], known: &[RequirementName]) -> Vec<RequirementJudgement> {
    let same = |a: &str, b: &str| normal(a) == normal(b);
    let state = |requirement: &str, scenario: Option<&str>| {
        let states = said
            .iter()
            .filter(|j| {
                same(&j.requirement, requirement)
                    && match (&j.scenario, scenario) {
                        (Some(a), Some(b)) => same(a, b),
                        (None, None) => true,
                        _ => false,
                    }
            })
            .map(|j| j.state);
        // Said twice, the worse counts.
        states.max_by_key(|state| match state {
            RequirementState::Unmet => 2,
            RequirementState::NotJudged => 1,
            RequirementState::Met => 0,
        })
    };
    let mut all = Vec::new();
    for name in known {
        let whole = state(&name.name, None).unwrap_or(RequirementState::NotJudged);
        let judged = |scenario, state| RequirementJudgement { requirement: name.name.clone(), scenario, state };
        all.push(judged(None, whole));
        for scenario in &name.scenarios {
            // A requirement that is met as a whole is met in each of its scenarios, unless one of them says otherwise.
            let inherited = if whole == RequirementState::Met { whole } else { RequirementState::NotJudged };
            all.push(judged(Some(scenario.clone()), state(&name.name, Some(scenario)).unwrap_or(inherited)));
        }
    }
    all
}

/// A name as it is compared. What nobody sees in it is no part of it: an agent that copies a name may or may not copy that.
fn normal(name: &str) -> String {
    let name: String = name.chars().filter(|c| !hidden::is_hidden(*c)).collect();
    let name = name.trim().trim_start_matches("Requirement:").trim_start_matches("Scenario:");
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// What must be mended according to a posted envelope: empty unless its outcome is `Fail`.
#[must_use]
pub fn open_findings(envelope: &Envelope) -> Vec<Finding> {
    match (&envelope.outcome, &envelope.verdict) {
        (Outcome::Fail, Some(verdict)) => open_of(verdict),
        (Outcome::Fail | Outcome::Pass | Outcome::Void, _) => Vec::new(),
    }
}

/// What must be mended according to a verdict that fails, each problem once.
///
/// Reviewers are asked for one sentence in `blocking` for each thing that must be mended, and for CRITICAL findings: they say most things
/// twice, seldom in the same words. A sentence that no finding contains therefore speaks of a finding that has no sentence yet, as long as
/// there is one. Should it mean something else after all, nothing is lost: the fixer reads both under one entry.
#[must_use]
pub fn open_of(verdict: &Verdict) -> Vec<Finding> {
    let critical = |rule: &str, message: String| Finding {
        severity: Severity::Critical,
        file: None,
        line: None,
        rule: rule.to_owned(),
        message,
        remediation: String::new(),
    };
    // Each with whether a sentence speaks of it.
    let mut open: Vec<(Finding, bool)> =
        verdict.findings.iter().filter(|f| f.severity == Severity::Critical).map(|f| (f.clone(), false)).collect();
    let mut others: Vec<&String> = Vec::new();
    for sentence in &verdict.blocking {
        match open.iter_mut().find(|(finding, _)| same_words(&finding.message, sentence)) {
            Some((_, told)) => *told = true,
            None if others.iter().any(|other| same_words(other, sentence)) => {}
            None => others.push(sentence),
        }
    }
    for sentence in others {
        let untold = |named: bool| {
            let file =
                move |finding: &Finding| finding.file.as_ref().is_some_and(|file| sentence.contains(file.as_str()));
            open.iter().position(|(finding, told)| !told && (!named || file(finding)))
        };
        // Of the findings that are left, the one whose file it names, else the first.
        let at = untold(true).or_else(|| untold(false));
        match at.and_then(|at| open.get_mut(at)) {
            Some((finding, told)) => {
                finding.message = format!("{} In other words: {sentence}", finding.message);
                *told = true;
            }
            None => open.push((critical("blocking", sentence.clone()), true)),
        }
    }
    let mut open: Vec<Finding> = open.into_iter().map(|(finding, _)| finding).collect();
    for judgement in verdict.requirements.iter().filter(|j| j.state == RequirementState::Unmet) {
        let place = judgement.scenario.as_ref().map(|s| format!(", scenario \"{s}\"")).unwrap_or_default();
        open.push(critical("requirement", format!("Requirement \"{}\"{place} is not met.", judgement.requirement)));
    }
    if !verdict.pass && open.is_empty() {
        open.push(critical("summary", verdict.summary.clone()));
    }
    open
}

/// Whether one says what the other says, word for word.
fn same_words(one: &str, other: &str) -> bool {
    let (one, other) = (normal(one), normal(other));
    one.contains(&other) || other.contains(&one)
}

/// Where a finding can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this line of the diff: an inline comment.
    Inline(u32),
    /// In a file of the diff, but on no line of a hunk: in the body.
    File,
    /// In a file that the change does not touch: in the body, and said so.
    OffDiff,
    /// It names no file.
    Nowhere,
}

/// Says for each finding where it can be shown.
#[must_use]
pub fn places(findings: &[Finding], diff: &Diff) -> Vec<Place> {
    let files = patch::parse(&diff.patch);
    let place = |finding: &Finding| {
        let Some(path) = &finding.file else { return Place::Nowhere };
        if !diff.files.iter().any(|file| file.path == *path) {
            return Place::OffDiff;
        }
        match (files.iter().find(|file| file.path == *path), finding.line) {
            (Some(file), Some(line)) if file.shows(line) => Place::Inline(line),
            _ => Place::File,
        }
    };
    findings.iter().map(place).collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
