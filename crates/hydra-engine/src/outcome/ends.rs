//! Exits that are not "done": what the wrapper's code and the agent's own end say about whose fault it was.

use super::{Left, broken};
use hydra_core::{
    SignedDuration, Timestamp,
    agent_event::{AgentEnd, EventKind, Trouble},
    contract_files::exit,
    plan::{OutcomeKind, StopReason},
    ports::AUTH_REST,
};

/// The outcome of an exit code other than "done".
pub(super) fn of(left: &Left<'_>, code: i64) -> OutcomeKind {
    match i32::try_from(code) {
        Ok(exit::AGENT) => agent(left),
        Ok(exit::CONTRACT) => {
            OutcomeKind::WrapperRefused { why: format!("the input contract is not met: {}", said(left)) }
        }
        Ok(exit::FENCE) => {
            OutcomeKind::WrapperRefused { why: format!("the fence could not be made or proved: {}", said(left)) }
        }
        Ok(exit::WORKSPACE) => broken("disk", format!("the workspace could not be made: {}", said(left))),
        Ok(exit::OUTPUTS) => broken("disk", format!("its outputs could not be written: {}", said(left))),
        Ok(exit::DEADLINE) => broken("time-out", format!("its {} minutes were over", left.note.limits.minutes)),
        Ok(137) => broken("killed", "it was killed from outside (signal 9)".into()),
        Ok(143) => broken("killed", "it was ended from outside (signal 15)".into()),
        _ => broken("crash", format!("it ended with exit code {code}: {}", said(left))),
    }
}

fn agent(left: &Left<'_>) -> OutcomeKind {
    let end = left.result.as_ref().and_then(|result| result.end.clone()).or_else(|| left.tally.end.clone());
    match end {
        None => broken("crash", "the coding agent ended without saying how".into()),
        Some(AgentEnd::Completed) => {
            broken("crash", "the coding agent says that it is done, and the wrapper does not".into())
        }
        Some(AgentEnd::TurnLimit) => {
            broken("turn-limit", format!("it did not finish within {} turns", left.note.limits.turns))
        }
        Some(AgentEnd::Deadline) => broken("time-out", format!("its {} minutes were over", left.note.limits.minutes)),
        Some(AgentEnd::Budget) => OutcomeKind::Stopped(StopReason::Budget),
        Some(AgentEnd::Provider { trouble, until, detail }) => provider(left, trouble, until, &detail),
        Some(AgentEnd::Interrupted) => broken("killed", "the coding agent was interrupted from outside".into()),
        Some(AgentEnd::Crashed { code, detail }) => {
            broken("crash", format!("the coding agent crashed with exit code {code}: {}", clean(left, &detail)))
        }
        Some(AgentEnd::Refused { step, detail }) => {
            OutcomeKind::WrapperRefused { why: format!("{step}: {}", clean(left, &detail)) }
        }
    }
}

fn provider(left: &Left<'_>, trouble: Trouble, until: Option<Timestamp>, detail: &str) -> OutcomeKind {
    let words = clean(left, detail);
    let unnamed = SignedDuration::try_from(left.shared.config.unnamed_reset).unwrap_or(SignedDuration::MAX);
    let rest = |wait: SignedDuration| left.ended_at.checked_add(wait).unwrap_or(left.ended_at);
    match trouble {
        Trouble::Limit => OutcomeKind::AccountUnusable {
            until: until.filter(|until| *until > left.ended_at).unwrap_or_else(|| rest(unnamed)),
            why: format!("its usage limit is reached: {words}"),
        },
        Trouble::Auth => OutcomeKind::AccountUnusable {
            until: rest(AUTH_REST),
            why: format!("the provider refuses its credential: {words}"),
        },
        Trouble::Overload => {
            OutcomeKind::Outage { class: "provider", why: format!("the provider is overloaded: {words}") }
        }
        Trouble::Network => {
            OutcomeKind::Outage { class: "network", why: format!("the provider cannot be reached: {words}") }
        }
        Trouble::Refused => broken("crash", format!("the provider refused the request: {words}")),
    }
}

/// The wrapper's own words: its last step, or the end of its error output.
fn said(left: &Left<'_>) -> String {
    if let Some(AgentEnd::Refused { step, detail }) = &left.tally.end {
        return clean(left, &format!("{step}: {detail}"));
    }
    let step = left.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Step { step, detail } => Some(format!("{step}: {detail}")),
        _ => None,
    });
    step.map_or_else(|| "it left no word".to_owned(), |text| clean(left, &text))
}

fn clean(left: &Left<'_>, text: &str) -> String {
    let text = left.shared.config.scrub(text);
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(600).collect()
}
