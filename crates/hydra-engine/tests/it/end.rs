//! What a story left behind, in a form that two tellings of it can be compared by: no numbers that the forge gave out, no times.

use crate::world::World;
use hydra_core::{
    JobId,
    money::Spend,
    ports::{Runtime as _, Selector},
    record::{Phase, RunRecord},
    verdict::{Envelope, Signed},
    view::{IssueView, PullState, PullView},
};
use std::collections::BTreeMap;

/// The end of a story.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    pub(crate) issues: BTreeMap<u64, IssueEnd>,
    pub(crate) pulls: Vec<PullEnd>,
    pub(crate) branches: BTreeMap<String, String>,
    /// Every start of a job, sorted: one that was started twice stands here twice.
    pub(crate) starts: Vec<JobId>,
    /// Jobs that nobody removed.
    pub(crate) left: Vec<JobId>,
    pub(crate) leases: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssueEnd {
    pub(crate) labels: Vec<String>,
    /// Author and marker of each comment of Hydra's, sorted: a doubled one stands here twice.
    pub(crate) comments: Vec<String>,
    pub(crate) phase: Phase,
    pub(crate) counts: (u32, u32, u32),
    /// Stage, round, attempt, result, cost; sorted.
    pub(crate) stages: Vec<String>,
    pub(crate) spend: Spend,
    pub(crate) head: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PullEnd {
    pub(crate) marker: String,
    pub(crate) state: PullState,
    pub(crate) draft: bool,
    pub(crate) author: String,
    pub(crate) head: String,
    pub(crate) text: String,
    pub(crate) statuses: Vec<String>,
    /// Author and marker, sorted.
    pub(crate) reviews: Vec<String>,
    pub(crate) comments: Vec<String>,
}

impl End {
    /// The same, for a telling in which what judges had in hand was lost and judged anew: without attempts and cost.
    pub(crate) fn without_attempts(mut self) -> Self {
        let plain = |line: &String| -> String {
            let words: Vec<&str> = line.split(' ').filter(|word| !is_attempt(word)).collect();
            words.join(" ")
        };
        for issue in self.issues.values_mut() {
            let kept = issue.stages.iter().filter(|line| !line.contains(": outage,") && !line.contains(": stopped,"));
            issue.stages = kept.map(|line| line.split(", ").next().unwrap_or_default().to_owned()).collect();
            issue.stages = issue.stages.iter().map(|line| plain(&line.replace(':', " :"))).collect();
            issue.spend = Spend::default();
        }
        for pull in &mut self.pulls {
            pull.text.clear();
            pull.reviews = pull.reviews.iter().map(plain).collect();
        }
        self.starts.clear();
        self
    }
    /// What was made twice.
    pub(crate) fn doubled(&self) -> Vec<String> {
        let comments = self.issues.values().flat_map(|issue| &issue.comments);
        let reviews = self.pulls.iter().flat_map(|pull| pull.reviews.iter().chain(&pull.comments));
        let jobs = self.starts.iter().map(ToString::to_string);
        let pulls = self.pulls.iter().map(|pull| pull.marker.clone());
        let mut all: Vec<String> = comments.chain(reviews).cloned().chain(jobs).chain(pulls).collect();
        all.sort();
        all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect()
    }
    /// Jobs with an agent that were started.
    pub(crate) fn agents(&self) -> u32 {
        let is_quality = |job: &&JobId| job.as_str().contains("-quality-") && !job.as_str().contains("-fix-quality-");
        self.starts.iter().filter(|job| !is_quality(job)).count() as u32
    }
    /// Model turns that the records know of.
    pub(crate) fn turns(&self) -> u32 {
        self.issues.values().map(|issue| issue.spend.turns).sum()
    }
}

fn is_attempt(word: &str) -> bool {
    word.strip_prefix('a').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// The record in an issue's status comment, as it stands.
pub(crate) fn record(world: &World, number: u64) -> Option<RunRecord> {
    record_in(&world.status(number))
}
pub(crate) fn recorded(issue: &IssueView) -> Option<RunRecord> {
    let status = issue.comments.iter().find(|comment| comment.body.starts_with("<!-- hydra:status g0 -->"))?;
    record_in(&status.body)
}
pub(crate) fn record_in(text: &str) -> Option<RunRecord> {
    let (_, rest) = text.split_once("```json hydra-record\n")?;
    let (json, _) = rest.split_once("\n```")?;
    let signed: Signed<RunRecord> = serde_json::from_str(json).unwrap();
    Some(signed.payload)
}

/// The verdict in a review.
pub(crate) fn envelope(body: &str) -> Envelope {
    let (_, rest) = body.split_once("```json hydra-verdict\n").unwrap();
    let (json, _) = rest.split_once("\n```").unwrap();
    serde_json::from_str::<Signed<Envelope>>(json).unwrap().payload
}

pub(crate) async fn of(world: &World) -> End {
    let left = world.runtime.list(&Selector::Any).await.unwrap();
    let mut starts = world.runtime.started();
    starts.sort();
    let numbers: Vec<u64> = world.state.lock().unwrap().issues.keys().map(|number| number.0).collect();
    let mut pulls: Vec<PullEnd> = world.pulls().iter().map(pull).collect();
    pulls.sort_by(|a, b| a.marker.cmp(&b.marker));
    let state = world.state.lock().unwrap();
    let branches = state.branches.iter().map(|(name, at)| (name.to_string(), at.to_string())).collect();
    let leases = state.leases.len();
    drop(state);
    End {
        issues: numbers.into_iter().map(|number| (number, issue(world, number))).collect(),
        pulls,
        branches,
        starts,
        left: left.into_iter().map(|job| job.id).collect(),
        leases,
    }
}

fn issue(world: &World, number: u64) -> IssueEnd {
    let record = record(world, number).unwrap_or_else(|| panic!("#{number} has no record"));
    let comments = world.state.lock().unwrap().issues[&hydra_core::IssueNumber(number)].comments.clone();
    let mut stages: Vec<String> = record
        .stages
        .iter()
        .map(|e| format!("{} r{} a{}: {}, {}", e.stage, e.round, e.attempt, e.result, e.spend.cost))
        .collect();
    stages.sort();
    let spend = record.spend();
    IssueEnd {
        labels: world.labels(number),
        comments: marked(comments.iter().map(|comment| (comment.author.to_string(), comment.body.as_str()))),
        counts: (record.generation.0, record.round, record.quality_fixes),
        phase: plain(record.phase),
        stages,
        spend,
        head: record.head.map(|head| head.to_string()),
    }
}

/// A pull request's number is not the same in every telling.
fn plain(phase: Phase) -> Phase {
    match phase {
        Phase::NeedsInput { need, .. } => Phase::NeedsInput { need, detail: String::new() },
        Phase::Maxed { .. } => Phase::Maxed { detail: String::new() },
        Phase::Cancelled { .. } => Phase::Cancelled { detail: String::new() },
        Phase::Finished { .. } => Phase::Finished { detail: String::new() },
        other => other,
    }
}

fn pull(pull: &PullView) -> PullEnd {
    // How long a stage took is not the same in every telling.
    let line = |line: &str| -> String {
        let cells: Vec<&str> = line.split(" | ").collect();
        if cells.len() == 7 { [&cells[..3], &cells[4..]].concat().join(" | ") } else { line.to_owned() }
    };
    let mut statuses: Vec<String> =
        pull.statuses.iter().map(|s| format!("{} {:?}: {}", s.context, s.state, s.description)).collect();
    statuses.sort();
    let mut text: Vec<String> = pull.body.lines().map(line).collect();
    // Which of two reviews that run side by side is settled first is nobody's concern.
    text.sort();
    PullEnd {
        marker: pull.body.lines().next().unwrap_or_default().to_owned(),
        state: pull.state,
        draft: pull.draft,
        author: pull.author.to_string(),
        head: pull.head.to_string(),
        text: text.join("\n"),
        statuses,
        reviews: marked(pull.reviews.iter().map(|review| (review.author.to_string(), review.body.as_str()))),
        comments: marked(pull.comments.iter().map(|comment| (comment.author.to_string(), comment.body.as_str()))),
    }
}

fn marked<'t>(texts: impl Iterator<Item = (String, &'t str)>) -> Vec<String> {
    let marked = texts.filter(|(_, body)| body.starts_with("<!-- hydra:"));
    let mut all: Vec<String> =
        marked.map(|(author, body)| format!("{author} {}", body.lines().next().unwrap_or_default())).collect();
    all.sort();
    all
}
