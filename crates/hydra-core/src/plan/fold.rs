//! Keeps the record so small that it fits into one comment, however long an outage lasts and however much a tool said.

use super::draft::cut;
use crate::record::{Phase, RunRecord, StageResult};

/// Entries, at most.
const ENTRIES: usize = 60;
/// Ended entries of one stage that count as nothing (outages, limits), at most. Their number in a row is what the wait grows by, and it
/// has reached any cap long before.
const NOTHINGS: usize = 12;
/// Characters of a note whose stage has a newer entry: what people are shown of it.
const OLD_NOTE: usize = 160;
/// Characters of the last error.
const LAST_ERROR: usize = 2_000;
/// Characters of a phase's reason for people.
const DETAIL: usize = 8_000;

/// Folds the oldest ended entries into `spend_before`, and cuts what is too long.
pub(super) fn fold(record: &mut RunRecord) {
    while let Some(index) = surplus(record) {
        let entry = record.stages.remove(index);
        record.spend_before += entry.spend;
    }
    for index in 0..record.stages.len() {
        if has_newer(record, index)
            && let Some(entry) = record.stages.get_mut(index)
        {
            entry.note = cut(&entry.note, OLD_NOTE);
            entry.egress.clear();
        }
    }
    if let Some(error) = &mut record.last_error {
        *error = cut(error, LAST_ERROR);
    }
    match &mut record.phase {
        Phase::NeedsInput { detail, .. }
        | Phase::Maxed { detail }
        | Phase::Cancelled { detail }
        | Phase::Finished { detail } => *detail = cut(detail, DETAIL),
        Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply
        | Phase::Ready => {}
    }
}

/// An entry that is one too many. Never one that runs, nor the newest of its stage.
fn surplus(record: &RunRecord) -> Option<usize> {
    let entries = &record.stages;
    let is_nothing = |result| matches!(result, StageResult::Outage | StageResult::Limited);
    let is_old = |index: &usize| {
        entries.get(*index).is_some_and(|entry| entry.result != StageResult::Running) && has_newer(record, *index)
    };
    let mut old = (0..entries.len()).filter(is_old);
    let nothing = old.clone().find(|index| {
        let Some(entry) = entries.get(*index).filter(|entry| is_nothing(entry.result)) else { return false };
        let same = entries.iter().filter(|other| other.stage == entry.stage && is_nothing(other.result));
        same.count() > NOTHINGS
    });
    if nothing.is_some() || entries.len() <= ENTRIES {
        return nothing;
    }
    // Those of earlier rounds go first.
    let earlier = old.clone().find(|index| entries.get(*index).is_some_and(|entry| entry.round < record.round));
    earlier.or_else(|| old.next())
}

fn has_newer(record: &RunRecord, index: usize) -> bool {
    let mut entries = record.stages.iter().skip(index);
    entries.next().is_some_and(|entry| entries.any(|newer| newer.stage == entry.stage))
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
