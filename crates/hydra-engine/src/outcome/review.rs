//! What a reviewer or the applier judged: its verdict, held against evidence and diff, as an unsigned envelope.

use super::Left;
use crate::observe::{CHANGES, Unseen};
use hydra_core::{
    evidence::evidence,
    instructions, loosened,
    openspec::ChangeFolder,
    plan::OutcomeKind,
    verdict::{
        Envelope, Verdict,
        judge::{Facts, judge},
        parse::{VerdictError, parse},
    },
};

/// Version of the envelope.
const SCHEMA: u32 = 1;

pub(super) async fn of(left: &Left<'_>) -> Result<OutcomeKind, Unseen> {
    let (note, workspace) = (left.note, &left.shared.ports.workspace);
    let repo = &note.key.issue.repo;
    let unseen = |what: &str, error: &hydra_core::ports::WorkspaceError| Unseen::new(what.to_owned(), error);
    let (diff, _) = workspace
        .diff(repo, &note.base, &note.head)
        .await
        .map_err(|error| unseen("the diff that was judged", &error))?;
    let requirements = match &note.change {
        None => Vec::new(),
        Some(change) => {
            let path = format!("{CHANGES}/{change}");
            let files =
                workspace.read(repo, &note.base, &path).await.map_err(|error| unseen("the change folder", &error))?;
            ChangeFolder::parse(&files).map(|folder| folder.requirements()).unwrap_or_default()
        }
    };
    let verdict = verdict(left);
    let evidence = evidence(&left.events, &diff);
    let loosened = loosened::loosened(&diff.patch);
    let changed = instructions::changed(&diff);
    let judged = judge(&Facts {
        stage: note.key.stage,
        verdict: verdict.as_ref(),
        evidence: &evidence,
        diff: &diff,
        requirements: &requirements,
        loosened: &loosened,
        instruction_changes: &changed,
    });
    let persona = left.shared.config.policy.personas.get(&note.key.stage);
    let (Some(persona), Some(model)) =
        (note.persona.clone().or_else(|| persona.map(|p| p.id.clone())), note.model.clone())
    else {
        return Ok(OutcomeKind::WrapperRefused { why: "it was started without a persona or a model".into() });
    };
    Ok(OutcomeKind::Judged(Box::new(Envelope {
        schema: SCHEMA,
        issue: note.key.issue.clone(),
        generation: note.key.generation,
        stage: note.key.stage,
        round: note.key.round,
        attempt: note.key.attempt,
        persona,
        head: note.head.clone(),
        base: note.base.clone(),
        snapshot: note.snapshot.clone(),
        policy: note.policy.clone(),
        prompt: note.prompt.clone(),
        image: note.image.clone(),
        model,
        spend: left.tally.progress.spend,
        egress: super::egress::of(left.shared, left.out, &left.tally).unwrap_or_else(|| "not observed".to_owned()),
        loosened_tests: loosened.iter().map(ToString::to_string).collect(),
        evidence,
        outcome: judged.outcome,
        void_reason: judged.void_reason,
        verdict: judged.verdict,
    })))
}

/// The verdict as it was written, redacted before it is read: a secret in it would else be signed and published.
fn verdict(left: &Left<'_>) -> Result<Verdict, VerdictError> {
    match left.out.files.get("verdict.json") {
        Some(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|error| VerdictError::NotUtf8(error.valid_up_to()))?;
            parse(left.shared.config.scrub(text).as_bytes())
        }
        None => Err(match left.out.too_large.get("verdict.json") {
            Some(bytes) => VerdictError::TooLarge(*bytes),
            None => VerdictError::Missing,
        }),
    }
}
