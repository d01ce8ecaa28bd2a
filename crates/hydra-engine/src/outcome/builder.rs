//! What a builder delivered: inspected in quarantine, held against the rules, or nothing, or a question.

use super::{Left, broken};
use crate::observe::Unseen;
use hydra_core::{
    contract_files::Rfi,
    delivery::{self, DeliveryRules},
    hidden, instructions, loosened,
    plan::OutcomeKind,
    ports::{Delivery, WorkspaceErrorKind},
    publish,
    verdict::{Finding, Severity},
};

/// Largest `rfi.json`, in bytes; questions, at most; characters of each.
const MAX_RFI: usize = 64 * 1024;
const MAX_QUESTIONS: usize = 20;
const MAX_QUESTION: usize = 1_000;

pub(super) async fn of(left: &Left<'_>) -> Result<OutcomeKind, Unseen> {
    let config = &left.shared.config;
    if let Some(bytes) = left.out.files.get("rfi.json") {
        return Ok(rfi(left, bytes));
    }
    let summary = left.result.as_ref().map(|result| result.summary.as_str()).unwrap_or_default();
    let summary = publish::harmless(&hidden::strip(&config.scrub(summary)), &config.link_hosts);
    let Some(bundle) = left.out.files.get("changes.bundle") else {
        if let Some(bytes) = left.out.too_large.get("changes.bundle") {
            let refusal =
                format!("changes.bundle has {bytes} bytes, {} are allowed; deliver less", config.max_out_bytes);
            return Ok(OutcomeKind::Refused { refusals: vec![refusal] });
        }
        if left.result.as_ref().is_some_and(|result| result.head.is_some()) {
            return Ok(broken("output", "result.json names commits, and changes.bundle is not there".into()));
        }
        return Ok(OutcomeKind::NoChange { summary });
    };
    let repo = &left.note.key.issue.repo;
    let delivery = match left.shared.ports.workspace.inspect(repo, &left.note.head, bundle).await {
        Ok(delivery) => delivery,
        Err(error) if error.kind == WorkspaceErrorKind::Refused => {
            return Ok(OutcomeKind::Refused { refusals: vec![config.scrub(&error.message)] });
        }
        Err(error) => return Err(Unseen::new(format!("the delivery of {}", left.job.id), error)),
    };
    if delivery.head == left.note.head {
        return Ok(OutcomeKind::NoChange { summary });
    }
    let mut rules = DeliveryRules::new(&config.redactor);
    rules.change = left.note.change.as_ref();
    rules.protected = &left.note.protected;
    rules.scope = &left.note.scope;
    rules.max_bytes = config.max_out_bytes;
    rules.author = Some(&left.note.author);
    let refusals = delivery::judge(&delivery, &rules);
    if !refusals.is_empty() {
        let refusals = refusals.iter().map(|refusal| config.scrub(&refusal.to_string())).collect();
        return Ok(OutcomeKind::Refused { refusals });
    }
    let findings = notable(&delivery);
    Ok(OutcomeKind::Delivered { delivery: Box::new(delivery), summary, findings })
}

/// What a person should know of, though it is not refused.
fn notable(delivery: &Delivery) -> Vec<Finding> {
    let finding = |file: String, line, rule: &str, message: String| Finding {
        severity: Severity::Warning,
        file: Some(file),
        line,
        rule: rule.to_owned(),
        message,
        remediation: String::new(),
    };
    let instructions = instructions::changed(&delivery.diff).into_iter().map(|file| {
        let message = format!("{file} is read by agents as instructions and was changed");
        finding(file, None, "instruction-file", message)
    });
    let loosened = loosened::loosened(&delivery.diff.patch).into_iter().map(|test| {
        let message = test.to_string();
        finding(test.file, test.line, "loosened-test", message)
    });
    instructions.chain(loosened).collect()
}

fn rfi(left: &Left<'_>, bytes: &[u8]) -> OutcomeKind {
    let invalid = |why: String| broken("output", format!("rfi.json cannot be used: {why}"));
    if bytes.len() > MAX_RFI {
        return invalid(format!("it has {} bytes; at most {MAX_RFI} are read", bytes.len()));
    }
    let rfi: Rfi = match serde_json::from_slice(bytes) {
        Ok(rfi) => rfi,
        Err(error) => return invalid(error.to_string()),
    };
    let text = |text: &str, most| -> String {
        hidden::strip(&left.shared.config.scrub(text)).chars().take(most).collect::<String>().trim().to_owned()
    };
    let questions = rfi.questions.iter().take(MAX_QUESTIONS).map(|question| text(question, MAX_QUESTION));
    let questions: Vec<String> = questions.filter(|question| !question.is_empty()).collect();
    if questions.is_empty() {
        return invalid("it asks nothing".into());
    }
    OutcomeKind::Rfi(Rfi { questions, context: text(&rfi.context, 8_000) })
}
