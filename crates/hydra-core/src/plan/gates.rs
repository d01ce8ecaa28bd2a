//! What keeps a start from happening although it is due: configuration, budgets, holds, accounts, back-off.

use super::{Draft, Reason};
use crate::{
    AccountName, SignedDuration, Stage, Timestamp,
    record::{Hold, HoldKind},
};

/// A fault of the configuration that no waiting mends.
pub(super) fn configuration(draft: &Draft<'_>) -> Option<String> {
    let policy = &draft.world.policy;
    if let Err(why) = &draft.seen.commands {
        return Some(format!(".hydra.toml at the base commit cannot be used: {why}"));
    }
    for stage in Stage::ALL.iter().filter(|stage| stage.has_agent()) {
        let Some(persona) = policy.personas.get(stage) else {
            return Some(format!("no persona works on {stage}; add it to `stages` of one in hydra.toml"));
        };
        if !policy.priced.contains(&persona.model) {
            return Some(format!(
                "the model {} of {} has no price, so its cost could not be limited; add it to [prices] in hydra.toml",
                persona.model, persona.id
            ));
        }
    }
    None
}

/// Why a start that is due may not happen now. Adds the reasons and the time to look again; true when it must wait.
pub(super) fn waits(draft: &mut Draft<'_>, stage: Stage) -> bool {
    let now = draft.world.now;
    let mut waits = !draft.reasons.is_empty()
        && draft.reasons.iter().any(|reason| matches!(reason, Reason::Dependency { .. } | Reason::Rival { .. }));
    waits |= tell_holds(draft);
    let record = draft.record.as_ref();
    if let Some((due, attempt, error)) = record.and_then(|record| {
        record
            .due
            .filter(|due| *due > now)
            .map(|due| (due, record.attempts + 1, record.last_error.clone().unwrap_or_default()))
    }) {
        waits = true;
        draft.wake_at(due);
        draft.because(Reason::BackOff { due, attempt, error });
    }
    if stage.has_agent() {
        let day = draft.world.policy.day_budget;
        if day.is_spent(draft.world.day_spend.cost, draft.world.day_spend.tokens) {
            waits = true;
            draft.wake_at(tomorrow(now));
            let limit = match (day.usd, day.tokens) {
                (Some(usd), _) => usd.to_string(),
                (None, tokens) => format!("{} tokens", tokens.unwrap_or(0)),
            };
            draft.because(Reason::DayBudget { limit });
        }
    }
    waits
}

/// Whether the issue's own budget is spent, in words.
pub(super) fn issue_budget(draft: &Draft<'_>) -> Option<String> {
    let spent = draft.record.as_ref()?.spend();
    let budget = draft.world.policy.issue_budget;
    budget.is_spent(spent.cost, spent.tokens).then(|| {
        format!(
            "the budget of this issue is spent: {} and {} tokens. Raise [budget] in hydra.toml and set the trigger label again",
            spent.cost,
            spent.tokens.total()
        )
    })
}

/// The account to use now.
pub(super) fn account(draft: &mut Draft<'_>) -> Option<AccountName> {
    let accounts = &draft.world.accounts;
    // What this very plan sets aside does not count either.
    let leaving: Vec<AccountName> = draft
        .effects
        .iter()
        .filter_map(|action| match action {
            super::Action::SetAside { account, .. } => Some(account.clone()),
            _ => None,
        })
        .collect();
    let free = accounts.iter().find(|account| account.aside.is_none() && !leaving.contains(&account.name));
    if let Some(account) = free {
        return Some(account.name.clone());
    }
    let first = accounts.iter().filter_map(|account| account.aside.as_ref()).min_by_key(|(until, _)| *until);
    let (until, why) = match first {
        Some((until, why)) => (Some(*until), why.clone()),
        None if leaving.is_empty() => (None, "secrets/credentials.json and secrets/.env name none".to_owned()),
        None => (None, "the last one was just set aside".to_owned()),
    };
    draft.wake_at(until.unwrap_or_else(|| super::door::soon(draft.world.now)));
    draft.because(Reason::NoAccount { until, why });
    None
}

/// What holds the issue now, and where it was set.
fn holds(draft: &Draft<'_>) -> Vec<(&'static str, Hold)> {
    let now = draft.world.now;
    let everything = draft.world.hold.as_ref().filter(|_| draft.world.trial.as_ref() != Some(&draft.seen.key));
    let repo = draft.world.repo_holds.get(&draft.seen.key.repo.to_string());
    let request_at = draft.record.as_ref().map(|record| record.request.at);
    let own = draft.seen.hold.as_ref().filter(|hold| !is_lifted(hold, request_at));
    let recorded = draft.record.as_ref().and_then(|r| r.hold.clone()).filter(|hold| !is_lifted(hold, request_at));
    let holds = [
        ("everything", everything.cloned()),
        ("this repository", repo.cloned()),
        ("this issue", own.cloned().or(recorded)),
    ];
    let holds = holds.into_iter().filter_map(|(scope, hold)| Some((scope, hold?)));
    holds.filter(|(_, hold)| hold.until.is_none_or(|until| until > now)).collect()
}

/// Says what holds the issue, and looks again when that ends; whether anything does.
pub(super) fn tell_holds(draft: &mut Draft<'_>) -> bool {
    let holds = holds(draft);
    let any = !holds.is_empty();
    for (scope, hold) in holds {
        if let Some(until) = hold.until {
            draft.wake_at(until);
        }
        draft.because(Reason::Held { scope, kind: hold.kind, reason: hold.reason, until: hold.until });
    }
    any
}

/// A cancellation is lifted by a request that a person makes after it; a pause only by `hydra resume`.
fn is_lifted(hold: &Hold, request_at: Option<Timestamp>) -> bool {
    hold.kind == HoldKind::Cancel && request_at.is_some_and(|at| at > hold.since)
}

/// Whether a cancellation holds.
pub(super) fn cancelled<'h>(draft: &'h Draft<'_>) -> Option<&'h Hold> {
    let record = draft.record.as_ref()?;
    let holds = [draft.seen.hold.as_ref(), record.hold.as_ref()];
    holds.into_iter().flatten().find(|hold| hold.kind == HoldKind::Cancel && !is_lifted(hold, Some(record.request.at)))
}

fn tomorrow(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    Timestamp::from_second((now.as_second().div_euclid(DAY) + 1) * DAY).unwrap_or(now)
}

/// Wait before attempt number `failed + 1`: the base doubled each time, up to the cap.
pub(super) fn backoff(draft: &Draft<'_>, failed: u32) -> Timestamp {
    let policy = &draft.world.policy;
    let factor = 1u32.checked_shl(failed.saturating_sub(1).min(20)).unwrap_or(u32::MAX);
    let wait = policy.backoff_base.saturating_mul(factor).min(policy.backoff_cap);
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_secs(3600));
    draft.world.now.checked_add(wait).unwrap_or(draft.world.now)
}
