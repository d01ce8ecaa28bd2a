//! A review's body: the verdict for people, then the signed block for machines, within GitHub's limit.

use super::{
    Envelope, Finding, Outcome, RequirementState, Severity, Signed, Verdict,
    block::{Tag, embed},
    envelope::{SignatureError, Signer},
    judge::{Place, places},
};
use crate::{
    Stage,
    ports::{Diff, InlineComment},
    publish::{MAX_BODY, cut, harmless_line, harmless_within},
};
use std::fmt::Write;

/// Room that is left in a body for the marker and what the adapter adds (inline comments that GitHub refuses).
const RESERVE: usize = 4_096;
/// The signed block takes at most this much of a body, in bytes.
const MAX_BLOCK: usize = 40_000;
/// Inline comments, at most; the other findings stand in the body.
const MAX_INLINE: usize = 30;

/// A review, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedReview {
    /// What was signed; shortened where it was too long.
    pub signed: Signed<Envelope>,
    /// The body, without its marker.
    pub body: String,
    /// Findings that stand on a line of the diff.
    pub comments: Vec<InlineComment>,
}

/// Signs an envelope and renders it. Texts of the agent are made harmless; secrets must have been taken out before.
///
/// # Errors
/// When the envelope has no canonical form.
pub fn review(
    envelope: Envelope,
    diff: &Diff,
    signer: &Signer,
    allow_hosts: &[String],
) -> Result<RenderedReview, SignatureError> {
    let signed = sign_within(envelope, signer)?;
    let block = embed(Tag::Verdict, &signed)?;
    let room = (MAX_BODY - RESERVE).saturating_sub(block.len() + 2);
    let people = people(&signed.payload, diff, allow_hosts, room);
    let comments = inline(&signed.payload, diff, allow_hosts);
    Ok(RenderedReview { body: format!("{people}\n\n{block}"), signed, comments })
}

/// What the envelope's signature is tied to besides itself: nothing, as it names issue, generation, stage and head itself.
pub const CONTEXT: &str = "";

/// Signs; where the block would be too large, long texts and then whole lists are shortened **before** the signature.
fn sign_within(mut envelope: Envelope, signer: &Signer) -> Result<Signed<Envelope>, SignatureError> {
    for (text, entries) in [(8_000, 1_000), (2_000, 200), (500, 100), (200, 50), (100, 20), (60, 10)] {
        shorten(&mut envelope, text, entries);
        let signed = Signed::sign(envelope.clone(), signer, CONTEXT)?;
        if embed(Tag::Verdict, &signed)?.len() <= MAX_BLOCK {
            return Ok(signed);
        }
    }
    // Free texts of the envelope itself are bounded too, so that this fits in any case.
    shorten(&mut envelope, 40, 3);
    Signed::sign(envelope, signer, CONTEXT)
}

fn shorten(envelope: &mut Envelope, text: usize, entries: usize) {
    let limit = |value: &mut String| {
        if value.len() > text {
            *value = format!("{}…", cut(value, text));
        }
    };
    limit(&mut envelope.egress);
    envelope.void_reason.iter_mut().for_each(limit);
    for list in [&mut envelope.loosened_tests, &mut envelope.evidence.files_read, &mut envelope.evidence.files_unread] {
        list.truncate(entries);
        list.iter_mut().for_each(limit);
    }
    let Some(verdict) = &mut envelope.verdict else { return };
    limit(&mut verdict.summary);
    verdict.blocking.truncate(entries);
    verdict.blocking.iter_mut().for_each(limit);
    // The gravest stay.
    verdict.findings.sort_by_key(|finding| finding.severity);
    verdict.findings.truncate(entries);
    for finding in &mut verdict.findings {
        finding.file.iter_mut().for_each(limit);
        [&mut finding.rule, &mut finding.message, &mut finding.remediation].into_iter().for_each(limit);
    }
    verdict.requirements.sort_by_key(|judgement| match judgement.state {
        RequirementState::Unmet => 0,
        RequirementState::NotJudged => 1,
        RequirementState::Met => 2,
    });
    verdict.requirements.truncate(entries.saturating_mul(2));
    for judgement in &mut verdict.requirements {
        limit(&mut judgement.requirement);
        judgement.scenario.iter_mut().for_each(limit);
    }
}

fn title(envelope: &Envelope) -> String {
    let what = match envelope.stage {
        Stage::CodeReview => "Code review",
        Stage::SecurityReview => "Security review",
        Stage::Apply => "Go or no-go",
        Stage::Build | Stage::Quality | Stage::FixQuality | Stage::Fix => "Review",
    };
    let how = match (envelope.outcome, envelope.stage) {
        (Outcome::Pass, Stage::Apply) => "go",
        (Outcome::Fail, Stage::Apply) => "no-go",
        (Outcome::Pass, _) => "pass",
        (Outcome::Fail, _) => "blocks",
        (Outcome::Void, _) => "void",
    };
    format!("{what}: {how}")
}

/// The part for people, at most `room` bytes. What does not fit is cut from the end, where the least important stands.
fn people(envelope: &Envelope, diff: &Diff, allow_hosts: &[String], room: usize) -> String {
    let mut text = String::new();
    let head: String = envelope.head.as_str().chars().take(12).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "## {}\n", title(envelope));
    if let Some(reason) = &envelope.void_reason {
        let _ = writeln!(text, "This review does not count: {}\n", harmless_line(reason, allow_hosts, 1_000));
    }
    if let Some(verdict) = &envelope.verdict {
        let summary = harmless_within(&verdict.summary, allow_hosts, 4_000);
        if !summary.trim().is_empty() {
            let _ = writeln!(text, "{summary}\n");
        }
        blocking(verdict, allow_hosts, &mut text);
        findings(verdict, diff, allow_hosts, &mut text);
        requirements(verdict, allow_hosts, &mut text);
    }
    if !envelope.loosened_tests.is_empty() {
        let _ = writeln!(text, "### Tests that ask for less (found by rules)\n");
        for test in &envelope.loosened_tests {
            let _ = writeln!(text, "- {}", harmless_line(test, allow_hosts, 300));
        }
        text.push('\n');
    }
    let facts = facts(envelope, &head, allow_hosts);
    let room = room.saturating_sub(facts.len() + 60);
    if text.len() > room {
        let end = cut(&text, room).rfind('\n').unwrap_or_default();
        text.truncate(end);
        // A fence that was cut open would swallow what follows.
        if text.matches("\n```").count() % 2 == 1 {
            text.push_str("\n```");
        }
        text.push_str("\n\n(cut: the rest is in the block below)\n\n");
    }
    text + &facts
}

fn facts(envelope: &Envelope, head: &str, allow_hosts: &[String]) -> String {
    let evidence = &envelope.evidence;
    let total = evidence.files_read.len() + evidence.files_unread.len();
    let unread: Vec<String> = evidence
        .files_unread
        .iter()
        .take(20)
        .map(|f| format!("`{}`", harmless_line(f, allow_hosts, 200).replace('`', "")))
        .collect();
    let unread = if unread.is_empty() { String::new() } else { format!("; not read: {}", unread.join(", ")) };
    let rerun = if envelope.attempt == 0 { String::new() } else { format!(", run {}", envelope.attempt + 1) };
    format!(
        "---\nJudged `{head}` (round {}{rerun}) with {}. Evidence: {} of {total} changed files read, {} tool calls{unread}. {} turns, {} tokens, {}. Egress: {}.",
        envelope.round,
        harmless_line(envelope.model.as_str(), allow_hosts, 100),
        evidence.files_read.len(),
        evidence.tool_calls,
        envelope.spend.turns,
        envelope.spend.tokens.total(),
        envelope.spend.cost,
        harmless_line(&envelope.egress, allow_hosts, 500),
    )
}

fn blocking(verdict: &Verdict, allow_hosts: &[String], text: &mut String) {
    if verdict.blocking.is_empty() {
        return;
    }
    let _ = writeln!(text, "### What blocks\n");
    for sentence in &verdict.blocking {
        let _ = writeln!(text, "- {}", harmless_line(sentence, allow_hosts, 1_000));
    }
    text.push('\n');
}

fn findings(verdict: &Verdict, diff: &Diff, allow_hosts: &[String], text: &mut String) {
    if verdict.findings.is_empty() {
        return;
    }
    let _ =
        writeln!(text, "### Findings\n\n| severity | where | rule | what | how to mend it |\n|---|---|---|---|---|");
    for (finding, place) in verdict.findings.iter().zip(places(&verdict.findings, diff)) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            finding.severity,
            place_words(finding, place, allow_hosts),
            harmless_line(&finding.rule, allow_hosts, 100),
            harmless_line(&finding.message, allow_hosts, 1_500),
            harmless_line(&finding.remediation, allow_hosts, 1_000),
        );
    }
    text.push('\n');
}

fn place_words(finding: &Finding, place: Place, allow_hosts: &[String]) -> String {
    let Some(file) = &finding.file else { return "-".to_owned() };
    let file = harmless_line(file, allow_hosts, 200);
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    let note = if place == Place::OffDiff { " (not in this change)" } else { "" };
    format!("{file}{line}{note}")
}

fn requirements(verdict: &Verdict, allow_hosts: &[String], text: &mut String) {
    if verdict.requirements.is_empty() {
        return;
    }
    let count = |state| verdict.requirements.iter().filter(|r| r.state == state).count();
    let _ = writeln!(
        text,
        "### Requirements: {} met, {} unmet, {} not judged\n",
        count(RequirementState::Met),
        count(RequirementState::Unmet),
        count(RequirementState::NotJudged)
    );
    for judgement in verdict.requirements.iter().filter(|r| r.state != RequirementState::Met) {
        let scenario = judgement
            .scenario
            .as_ref()
            .map(|s| format!(" / {}", harmless_line(s, allow_hosts, 200)))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "- {}: {}{scenario}",
            judgement.state,
            harmless_line(&judgement.requirement, allow_hosts, 200)
        );
    }
    text.push('\n');
}

fn inline(envelope: &Envelope, diff: &Diff, allow_hosts: &[String]) -> Vec<InlineComment> {
    let Some(verdict) = envelope.verdict.as_ref().filter(|_| envelope.outcome != Outcome::Void) else {
        return Vec::new();
    };
    let placed = verdict.findings.iter().zip(places(&verdict.findings, diff));
    let comments = placed.filter_map(|(finding, place)| match (place, &finding.file) {
        (Place::Inline(line), Some(path)) => {
            let mut body = format!("**{}**", finding.severity);
            if !finding.rule.is_empty() {
                let _ = write!(body, " {}", harmless_line(&finding.rule, allow_hosts, 100));
            }
            let _ = write!(body, "\n\n{}", harmless_within(&finding.message, allow_hosts, 4_000));
            if !finding.remediation.trim().is_empty() {
                let _ = write!(body, "\n\n{}", harmless_within(&finding.remediation, allow_hosts, 4_000));
            }
            Some((finding.severity, InlineComment { path: path.clone(), line, body }))
        }
        (Place::Inline(_) | Place::File | Place::OffDiff | Place::Nowhere, _) => None,
    });
    let mut comments: Vec<(Severity, InlineComment)> = comments.collect();
    comments.sort_by_key(|(severity, _)| *severity);
    comments.truncate(MAX_INLINE);
    comments.into_iter().map(|(_, comment)| comment).collect()
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
