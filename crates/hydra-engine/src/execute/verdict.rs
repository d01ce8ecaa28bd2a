//! A verdict as a pull request review: signed, in the persona's name, with inline comments on the lines that it names.

use super::{Effect, Fault};
use crate::watch::Shared;
use hydra_core::{
    IssueKey, PullNumber, TokenRole,
    ports::{Applied, ForgeWrite, InlineComment, Marker},
    publish::harmless,
    verdict::{
        Envelope, Finding, Outcome, Signed,
        envelope::canonical,
        judge::{Place, places},
    },
};
use std::fmt::Write as _;

const OPEN: &str = "```json hydra-verdict\n";
const CLOSE: &str = "\n```";

/// Signs and posts it. The key is the marker with generation, stage, head, round and attempt.
pub(super) async fn post(
    shared: &Shared,
    key: &IssueKey,
    number: PullNumber,
    role: TokenRole,
    envelope: &Envelope,
) -> Result<Effect, Fault> {
    let envelope = &fitted(envelope);
    let (diff, _) = shared.ports.workspace.diff(&key.repo, &envelope.base, &envelope.head).await?;
    let findings = envelope.verdict.as_ref().map(|verdict| verdict.findings.as_slice()).unwrap_or_default();
    let hosts = &shared.config.link_hosts;
    let comments = findings.iter().zip(places(findings, &diff)).filter_map(|(finding, place)| {
        let (Place::Inline(line), Some(path)) = (place, &finding.file) else { return None };
        Some(InlineComment { path: path.clone(), line, body: text_of(finding, hosts) })
    });
    let comments: Vec<InlineComment> = comments.collect();
    let signed = Signed::sign(envelope.clone(), &shared.config.signer, "").map_err(Fault::failed)?;
    let body = render(&signed, hosts, |finding| {
        comments.iter().any(|c| Some(&c.path) == finding.file.as_ref() && Some(c.line) == finding.line)
    })?;
    let head: String = envelope.head.as_str().chars().take(12).collect();
    let marker = Marker {
        purpose: "verdict".into(),
        generation: envelope.generation,
        key: format!("{} {head} r{} a{}", envelope.stage, envelope.round, envelope.attempt),
    };
    let write =
        ForgeWrite::Review { repo: key.repo.clone(), number, commit: envelope.head.clone(), marker, body, comments };
    let detail = format!("{} on #{number}: {:?}", envelope.stage, envelope.outcome);
    Ok(match shared.ports.writer.apply(role, &write).await? {
        Applied::Made(_) => Effect::made(detail),
        Applied::AlreadyThere(_) => Effect::there(detail),
    })
}

/// Characters of the signed block, at most: GitHub takes 65,536 in a review's text, and people read the rest of it.
const MOST: usize = 40_000;

/// The envelope with the longest texts cut and the least grave findings left out, until it can be posted. What blocks stays.
fn fitted(envelope: &Envelope) -> Envelope {
    let mut fitted = envelope.clone();
    let is_long = |envelope: &Envelope| canonical(envelope).is_ok_and(|text| text.chars().count() > MOST);
    for most in [2_000, 500, 160] {
        if !is_long(&fitted) {
            return fitted;
        }
        let cut = |text: &mut String| *text = text.chars().take(most).collect();
        if let Some(verdict) = &mut fitted.verdict {
            cut(&mut verdict.summary);
            verdict.blocking.iter_mut().for_each(cut);
            for finding in &mut verdict.findings {
                cut(&mut finding.message);
                cut(&mut finding.remediation);
            }
        }
        fitted.loosened_tests.iter_mut().for_each(cut);
    }
    while is_long(&fitted) {
        let Some(verdict) = &mut fitted.verdict else { break };
        verdict.findings.sort_by_key(|finding| finding.severity);
        let longest = [verdict.findings.len(), verdict.blocking.len(), verdict.requirements.len()];
        match longest.iter().max() {
            Some(most) if *most > 10 => {
                verdict.findings.truncate(most / 2);
                verdict.blocking.truncate(most / 2);
                verdict.requirements.truncate(most / 2);
            }
            _ => {
                fitted.evidence.files_read.truncate(50);
                fitted.evidence.files_unread.truncate(50);
                fitted.loosened_tests.truncate(50);
                break;
            }
        }
    }
    fitted
}

/// The signed envelope in a review's text, unchecked.
pub(crate) fn extract(body: &str) -> Option<Signed<Envelope>> {
    let body = body.replace("\r\n", "\n");
    let (_, rest) = body.split_once(OPEN)?;
    let (json, _) = rest.split_once(CLOSE)?;
    serde_json::from_str(json).ok()
}

fn render(signed: &Signed<Envelope>, hosts: &[String], inline: impl Fn(&Finding) -> bool) -> Result<String, Fault> {
    let envelope = &signed.payload;
    let word = match envelope.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Void => "void",
    };
    let mut text = format!("**{}: {word}** (head `{}`)\n", envelope.stage, envelope.head);
    if let Some(reason) = &envelope.void_reason {
        let _ = write!(text, "\nIt counts neither as pass nor as fail: {}\n", harmless(reason, hosts));
    }
    if let Some(verdict) = &envelope.verdict {
        if !verdict.summary.is_empty() {
            let _ = write!(text, "\n{}\n", harmless(&verdict.summary, hosts));
        }
        for sentence in &verdict.blocking {
            let _ = write!(text, "\n- blocks: {}", harmless(sentence, hosts));
        }
        for finding in verdict.findings.iter().filter(|finding| !inline(finding)) {
            let place = match (&finding.file, finding.line) {
                (Some(file), Some(line)) => format!(" (`{}:{line}`)", file.replace('`', "")),
                (Some(file), None) => format!(" (`{}`)", file.replace('`', "")),
                (None, _) => String::new(),
            };
            let _ = write!(text, "\n- {}{place}", text_of(finding, hosts).replace('\n', " "));
        }
        for judged in &verdict.requirements {
            let scenario = judged.scenario.as_ref().map(|name| format!(" / {name}")).unwrap_or_default();
            let name = harmless(&format!("{}{scenario}", judged.requirement), hosts);
            let _ = write!(text, "\n- requirement {name}: {}", judged.state);
        }
        text.push('\n');
    }
    let evidence = &envelope.evidence;
    let _ = write!(
        text,
        "\nRead {} of {} changed files in {} tool calls and {} turns; {} for {} tokens.\n",
        evidence.files_read.len(),
        evidence.files_read.len() + evidence.files_unread.len(),
        evidence.tool_calls,
        evidence.turns,
        envelope.spend.cost,
        envelope.spend.tokens.total(),
    );
    let json = canonical(signed).map_err(Fault::failed)?;
    let _ = write!(text, "\n<details><summary>Envelope (signed)</summary>\n\n{OPEN}{json}{CLOSE}\n\n</details>");
    Ok(text)
}

fn text_of(finding: &Finding, hosts: &[String]) -> String {
    let rule = if finding.rule.is_empty() { String::new() } else { format!(" [{}]", finding.rule) };
    let mend = if finding.remediation.is_empty() { String::new() } else { format!("\n{}", finding.remediation) };
    harmless(&format!("{}{rule}: {}{mend}", finding.severity, finding.message), hosts)
}
