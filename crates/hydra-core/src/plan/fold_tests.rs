//! What `fold` keeps, and that the rest fits.

use super::*;
use crate::{
    Generation, Stage, Timestamp,
    money::{Spend, Tokens, Usd},
    record::{Need, Request, SCHEMA, StageEntry},
};
use proptest::prelude::*;

/// What GitHub takes of a comment, less what stands around the record in it.
const ROOM: usize = crate::publish::MAX_BODY - 1_000;

fn record() -> RunRecord {
    RunRecord {
        schema: SCHEMA,
        generation: Generation(1),
        request: Request { event: 1, by: "ada".parse().unwrap(), at: Timestamp::UNIX_EPOCH },
        answered: 1,
        snapshot: "0".repeat(64),
        change: None,
        base: None,
        branch: None,
        head: None,
        pull: None,
        phase: Phase::Build,
        round: 0,
        quality_fixes: 0,
        attempts: 0,
        due: None,
        last_error: None,
        errors: Vec::new(),
        stages: Vec::new(),
        spend_before: Spend::default(),
        hold: None,
    }
}

fn entry(stage: Stage, round: u32, attempt: u32, result: StageResult, note: &str) -> StageEntry {
    StageEntry {
        stage,
        round,
        attempt,
        job: format!("hydra-a-long-name-000001-g1-{stage}-r{round}-a{attempt}").parse().unwrap(),
        started_at: Timestamp::UNIX_EPOCH,
        ended_at: Some(Timestamp::UNIX_EPOCH),
        result,
        spend: Spend { tokens: Tokens { input: 3, output: 2, ..Tokens::default() }, turns: 1, cost: Usd(7) },
        account: None,
        note: note.to_owned(),
        egress: "proved before the start: 13, rules 0123456789ab; ".repeat(12),
    }
}

/// Of the record. The text for people that stands before it is cut where it does not fit.
fn length(record: &RunRecord) -> usize {
    serde_json::to_string(record).unwrap().encode_utf16().count()
}

#[test]
fn an_outage_of_a_week_fits_into_the_record_and_its_cost_is_kept() {
    let mut record = record();
    for attempt in 0..2_000 {
        record.stages.push(entry(
            Stage::Build,
            0,
            attempt,
            StageResult::Outage,
            &"the provider is overloaded ".repeat(11),
        ));
        fold(&mut record);
    }
    assert_eq!(record.stages.len(), NOTHINGS);
    assert_eq!((record.spend().turns, record.spend().cost), (2_000, Usd(14_000)));
    // The next attempt's number comes from the newest.
    assert_eq!(record.stages.last().unwrap().attempt, 1_999);
    assert!(length(&record) < ROOM, "{}", length(&record));
}

#[test]
fn what_runs_and_what_is_newest_stays() {
    let mut record = record();
    record.stages.push(entry(Stage::SecurityReview, 0, 0, StageResult::Running, ""));
    record.stages.push(entry(Stage::Quality, 0, 0, StageResult::Fail, "red"));
    for round in 0..100 {
        record.round = round;
        record.stages.push(entry(Stage::Fix, round, 0, StageResult::Pass, "mended"));
        fold(&mut record);
    }
    assert_eq!(record.stages.len(), ENTRIES);
    assert_eq!(record.stages[0].result, StageResult::Running);
    assert_eq!(record.stages[1].note, "red");
    assert_eq!(record.stages[2].round, 42, "the oldest round went first");
}

#[test]
fn nothing_is_lost_of_a_record_as_they_are() {
    let mut record = record();
    record.last_error = Some("red".to_owned());
    record.phase = Phase::NeedsInput { need: Need::Quality, detail: "why, and what to do".to_owned() };
    for (stage, result) in
        [(Stage::Build, StageResult::Pass), (Stage::Quality, StageResult::Fail), (Stage::Quality, StageResult::Fail)]
    {
        record.stages.push(entry(stage, 0, 0, result, "a note that is short enough to be shown"));
    }
    let mut before = record.clone();
    fold(&mut record);
    // What left the containers is kept of a stage's newest run.
    before.stages[1].egress.clear();
    assert_eq!(record, before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_happened_it_fits(
        ends in prop::collection::vec((0..7_usize, 0..9_usize, "[a-z🐍\"\\\\ ]{0,400}"), 0..200),
        error in (0..5000_usize).prop_map(|length| "🐍x".repeat(length / 2)),
    ) {
        let mut record = record();
        record.errors = vec![super::cut(&error, 340); 20];
        record.last_error = Some(error.clone());
        record.phase = Phase::Maxed { detail: error.repeat(4) };
        for (attempt, (stage, result, note)) in ends.into_iter().enumerate() {
            record.round = u32::try_from(attempt / 20).unwrap();
            let result = StageResult::ALL[result % StageResult::ALL.len()];
            record.stages.push(entry(Stage::ALL[stage % Stage::ALL.len()], record.round, u32::try_from(attempt).unwrap(), result, &super::cut(&note, 300)));
            fold(&mut record);
        }
        let running = record.stages.iter().filter(|entry| entry.result == StageResult::Running).count();
        prop_assert!(record.stages.len() <= ENTRIES.max(running + Stage::ALL.len()));
        // Hydra never has more than a few jobs of one issue at a time.
        if running < 10 {
            prop_assert!(length(&record) < ROOM, "{}", length(&record));
        }
    }
}
