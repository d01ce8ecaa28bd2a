//! The pipeline as it should go: built, checked, reviewed, mended, ready.

use crate::stories::{
    hands::{envelope, holds, hydra},
    script::{always, blocks, demo, happy_but, judges, nth, passes, say, write},
    stage::{ADA, BRANCH, REPO, Story, login, told},
};
use hydra_core::{Stage, TokenRole, Usd, prices::PriceTable, verdict::Outcome};
use hydra_sim::model::UsageTotals;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_labelled_issue_becomes_a_reviewed_pull_request_that_waits_for_a_person() {
    let story = told(demo("happy")).begin().await;
    let base = story.github.branch(REPO, "main").unwrap();
    let mut engine = story.engine("1");
    let ended = story.run(&mut engine).await;
    println!("{:#?}", ended.last);
    println!("{}", story.status());
    println!("{:#?}", story.write_counts());
    println!("cycles {}", ended.cycles);
    println!("requests {}", story.github.log().len());
    println!("{:?} {base}", story.labels());
}
