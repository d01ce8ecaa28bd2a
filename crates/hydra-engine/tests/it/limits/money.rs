//! Budgets: counted from the stream while a run goes on, told to the wrapper when it starts, kept over all stages and the day.

use super::{RESPONSE, Starts, reasons, talks};
use crate::{
    end,
    world::{World, input, key, well},
};
use hydra_core::{
    Stage, Tokens, Usd,
    egress::gate::GateLine,
    plan::Budget,
    record::{Need, Phase, StageResult},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a response of the builder's model costs.
const CENTS: u64 = 15_000;

fn usd(micros: u64) -> Budget {
    Budget { usd: Some(Usd::micros(micros)), tokens: None }
}

#[tokio::test(start_paused = true)]
async fn the_budget_of_an_issue_ends_a_run_with_the_response_that_reaches_it() {
    let mut world = World::new(|spec| talks(spec, &RESPONSE, 20));
    world.policy.issue_budget = usd(100_000);
    let ended = world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { need: Need::Budget, .. }), "{:?}", record.phase);
    assert_eq!(record.spend().cost, Usd::micros(7 * CENTS), "six are not enough, seven are");
    assert!(world.labels(1).contains(&"needs-input".to_owned()));
    assert!(reasons(&ended, 1).contains("the budget of this issue is spent: $0.1050"), "{}", reasons(&ended, 1));
    // Setting the label again starts nothing as long as the budget is what it is.
    world.label(1, "ready-to-build", false);
    world.label(1, "ready-to-build", true);
    let before = world.runtime.started().len();
    world.run(&mut world.engine("2")).await;
    assert_eq!(world.runtime.started().len(), before);
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_a_budget_of_their_own() {
    let mut world = World::new(|spec| talks(spec, &RESPONSE, 20));
    world.policy.issue_budget = Budget { usd: None, tokens: Some(4_000) };
    world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { need: Need::Budget, .. }), "{:?}", record.phase);
    assert_eq!(record.spend().tokens.total(), 3 * 1400);
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_of_all_stages_together_and_each_wrapper_is_told_what_is_left() {
    let told: Arc<Mutex<Vec<(Stage, u64)>>> = Arc::default();
    let noted = told.clone();
    let mut world = World::new(move |spec| {
        if let Some(allowance) = input(spec).allowance {
            noted.lock().unwrap().push((spec.key.stage, allowance.usd.unwrap().0));
        }
        if spec.key.stage == Stage::SecurityReview { talks(spec, &RESPONSE, 20) } else { well(spec) }
    });
    world.policy.issue_budget = usd(60_000);
    world.run(&mut world.engine("1")).await;
    // The build's two turns cost two cents, so four were left for either review.
    let told = told.lock().unwrap().clone();
    assert_eq!(told, [(Stage::Build, 60_000), (Stage::CodeReview, 40_000), (Stage::SecurityReview, 40_000)]);
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { need: Need::Budget, .. }), "{:?}", record.phase);
    let spent = record.spend().cost;
    assert!(
        (Usd::micros(60_000)..Usd::micros(60_000 + 9_000)).contains(&spent),
        "one response too many at most: {spent}"
    );
    let result = |stage| record.stages.iter().find(|entry| entry.stage == stage).unwrap().result;
    assert_eq!(result(Stage::CodeReview), StageResult::Pass, "what had ended before counts");
}

#[tokio::test(start_paused = true)]
async fn the_day_s_budget_stops_every_run_and_they_go_on_by_themselves_the_next_day() {
    let starts = Starts::default();
    let noted = starts.clone();
    let mut world = World::new(move |spec| {
        noted.note(spec);
        if spec.key.stage == Stage::Build && spec.key.attempt == 0 { talks(spec, &RESPONSE, 20) } else { well(spec) }
    });
    world.policy.day_budget = usd(200_000);
    world.change("change-2");
    world.issue(2, "Change: change-2\n");
    let mut engine = world.engine("1");
    let ended = world.run(&mut engine).await;
    let spent: Vec<Usd> = [1, 2].map(|n| end::record(&world, n).unwrap().spend().cost).into();
    let sum = spent[0] + spent[1];
    assert!(sum >= Usd::micros(200_000) && sum < Usd::micros(200_000 + 2 * CENTS), "{spent:?}");
    for number in [1, 2] {
        let why = reasons(&ended, number);
        assert!(why.contains("the budget of the day ($0.2000) is spent; it begins anew at 00:00 UTC"), "{why}");
        assert!(!world.labels(number).contains(&"needs-input".to_owned()), "nobody has to do anything");
    }
    assert!(ended.last.busy.is_empty(), "poll does not wait for tomorrow");
    // A process that begins today sums the day up from the records.
    world.change("change-3");
    world.issue(3, "Change: change-3\n");
    let begun = starts.stages().len();
    let ended = world.run(&mut world.engine("2")).await;
    assert_eq!(starts.stages().len(), begun, "{:?}", ended.last);
    tokio::time::sleep(Duration::from_secs(16 * 3600)).await;
    let mut engine = world.engine("3");
    world.run(&mut engine).await;
    for number in [1, 2, 3] {
        let shown = (world.labels(number), &end::record(&world, number).unwrap().phase);
        assert!(number == 3 || shown.0.contains(&"done".to_owned()), "#{number}: {shown:?}");
    }
    world.lawful();
}

#[tokio::test(start_paused = true)]
async fn a_day_s_budget_that_is_never_enough_is_not_spent_day_after_day() {
    let mut world = World::new(|spec| talks(spec, &RESPONSE, 20));
    world.policy.day_budget = usd(50_000);
    for day in 0..5 {
        world.run(&mut world.engine(&day.to_string())).await;
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    }
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { need: Need::Budget, .. }), "{:?}", record.phase);
    assert_eq!(record.spend().cost, Usd::micros(3 * 4 * CENTS), "three days");
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_is_refused_before_anything_is_spent() {
    let mut world = World::new(well);
    world.policy.priced.retain(|model| model.as_str() != "claude-sonnet-4-6");
    let ended = world.run(&mut world.engine("1")).await;
    assert!(world.runtime.started().is_empty());
    let why = reasons(&ended, 1);
    assert!(why.contains("the model claude-sonnet-4-6 of juan-claude-van-damme has no price"), "{why}");
    assert!(world.labels(1).contains(&"needs-input".to_owned()));
    assert!(!ended.issues[&key(1)].reasons.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_counted_ends_a_run_whose_agent_says_nothing_of_what_it_uses() {
    let starts = Starts::default();
    let noted = starts.clone();
    let mut world = World::new(move |spec| {
        noted.note(spec);
        talks(spec, &super::working(), 20)
    });
    world.policy.issue_budget = Budget { usd: None, tokens: Some(50_000) };
    let tokens = Tokens { input: 60_000, ..Tokens::default() };
    let report = GateLine::Report { v: 1, policy: "p".into(), reached: Vec::new(), denied: Vec::new(), tokens };
    world.runtime.tell(vec![GateLine::Ready { v: 1, policy: "p".into(), confined: Default::default() }, report]);
    world.run(&mut world.engine("1")).await;
    let record = end::record(&world, 1).unwrap();
    assert!(matches!(record.phase, Phase::NeedsInput { need: Need::Budget, .. }), "{:?}", record.phase);
    let build = &record.stages[0];
    let ran = build.ended_at.unwrap().duration_since(build.started_at).as_secs();
    assert!(ran <= 30, "it was stopped while it ran, after {ran} s");
    assert_eq!((starts.stages().len(), record.spend().tokens.total()), (1, 60_000));
    world.lawful();
}
