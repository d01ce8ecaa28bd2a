//! What people do in a story, and what they see on GitHub afterwards.

use crate::stories::stage::{ADA, BRANCH, ORG, REPO, Story, TRIGGER, key, login};
use hydra_core::{
    TokenRole,
    record::{RunRecord, StageResult},
    verdict::{Envelope, Signed},
};
use hydra_engine::{Ended, Engine};
use hydra_sim::github::{Issue, Pull, Review};
use std::{collections::BTreeMap, time::Duration};

/// A story that takes longer than this has gone wrong.
const LONGEST: Duration = Duration::from_secs(150);

impl Story {
    /// Runs an engine until everything rests.
    pub(crate) async fn run(&self, engine: &mut Engine) -> Ended {
        let ended = engine.run_until_rest(tokio::time::sleep(LONGEST)).await;
        assert!(ended.cycles < 400, "the loop spins: {:#?}\n{}", ended.last, self.status());
        assert!(ended.last.busy.is_empty(), "it does not come to rest: {:#?}\n{}", ended.last, self.status());
        ended
    }
    /// Runs an engine that waits for something later, for a moment.
    pub(crate) async fn run_for_a_while(&self, engine: &mut Engine) -> Ended {
        engine.run_until_rest(tokio::time::sleep(Duration::from_millis(300))).await
    }
    /// Cycles until something can be seen.
    pub(crate) async fn until(&self, engine: &mut Engine, what: &str, seen: impl Fn(&Self) -> bool) {
        let begun = std::time::Instant::now();
        loop {
            let report = engine.cycle().await;
            if seen(self) {
                return;
            }
            assert!(begun.elapsed() < LONGEST, "{what} never comes: {report:#?}\n{}", self.status());
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
    /// The engine's reasons for the issue, as one text, from a look that was made just now.
    pub(crate) fn reasons(&self, ended: &Ended) -> String {
        ended.last.reasons.get(&self.key()).map(|reasons| reasons.join("\n")).unwrap_or_default()
    }

    /// What `hydra explain` says: each reason with its way out, asked by a process that knows nothing yet.
    pub(crate) async fn explain(&self) -> String {
        let facts = self.engine("explain").explain(&self.key()).await.expect("it can be explained");
        facts.reasons.iter().map(|reason| format!("{} ({})\n", reason.text, reason.remedy)).collect()
    }

    // ---- what people do

    /// Ada takes the label off and sets it again.
    pub(crate) fn ask_again(&self) {
        self.skip(Duration::from_secs(2));
        self.github.remove_label(REPO, self.issue, TRIGGER, ADA).expect("it is set");
        self.github.add_label(REPO, self.issue, TRIGGER, ADA).expect("a label");
    }
    /// Ada sets a label.
    pub(crate) fn label(&self, label: &str) {
        self.skip(Duration::from_secs(2));
        self.github.add_label(REPO, self.issue, label, ADA).expect("a label");
    }
    /// Ada opens another issue and labels it.
    pub(crate) fn another_issue(&self, body: &str) -> u64 {
        let number = self.github.open_issue(REPO, ADA, "Another wish", body).expect("an issue");
        self.github.add_label(REPO, number, TRIGGER, ADA).expect("a label");
        number
    }

    // ---- what people see

    pub(crate) fn labels_of(&self, number: u64) -> Vec<String> {
        let mut labels = self.github.issue(REPO, number).expect("an issue").labels;
        labels.sort();
        labels
    }
    /// The issue's labels, sorted.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.labels_of(self.issue)
    }
    pub(crate) fn has(&self, label: &str) -> bool {
        self.labels().iter().any(|have| have == label)
    }
    /// The text of the status comment of an issue; there is never more than one.
    pub(crate) fn status_of(&self, number: u64) -> String {
        let issue = self.github.issue(REPO, number).expect("an issue");
        let own = issue.comments.iter().filter(|comment| comment.body.starts_with("<!-- hydra:status g0 -->"));
        let own: Vec<_> = own.collect();
        assert!(own.len() < 2, "one status comment, edited in place: {own:#?}");
        own.first().map(|comment| comment.body.clone()).unwrap_or_default()
    }
    pub(crate) fn status(&self) -> String {
        self.status_of(self.issue)
    }
    /// The first lines of the status comment: what stands before the table.
    pub(crate) fn headline(&self) -> String {
        self.status().split("| stage |").next().unwrap_or_default().to_owned()
    }
    /// The record behind the status comment.
    pub(crate) fn record_of(&self, number: u64) -> RunRecord {
        record_in(&self.status_of(number))
    }
    pub(crate) fn record(&self) -> RunRecord {
        self.record_of(self.issue)
    }
    /// `stage/round: result` of everything that ran, in order.
    pub(crate) fn stages(&self) -> Vec<String> {
        let row = |entry: &hydra_core::record::StageEntry| format!("{}/{}: {}", entry.stage, entry.round, entry.result);
        self.record().stages.iter().map(row).collect()
    }
    /// How often a stage came to a result.
    pub(crate) fn count(&self, stage: hydra_core::Stage, result: StageResult) -> usize {
        self.record().stages.iter().filter(|entry| entry.stage == stage && entry.result == result).count()
    }
    /// Comments on the issue besides the status comment.
    pub(crate) fn other_comments(&self) -> Vec<String> {
        let issue = self.github.issue(REPO, self.issue).expect("an issue");
        let bodies = issue.comments.into_iter().map(|comment| comment.body);
        bodies.filter(|body| !body.starts_with("<!-- hydra:status g0 -->")).collect()
    }
    pub(crate) fn pulls(&self) -> Vec<Issue> {
        self.github.pulls(REPO)
    }
    /// The one pull request.
    pub(crate) fn pull(&self) -> (Issue, Pull) {
        let mut pulls = self.pulls();
        assert_eq!(pulls.len(), 1, "one pull request: {pulls:#?}");
        let issue = pulls.remove(0);
        let pull = issue.pull.clone().expect("a pull request");
        (issue, pull)
    }
    /// Its reviews by one identity.
    pub(crate) fn reviews_by(&self, role: TokenRole) -> Vec<Review> {
        let by = self.login_of(role);
        self.pull().1.reviews.into_iter().filter(|review| review.author == by).collect()
    }
    /// `context: state, description` of the newest statuses of a commit.
    pub(crate) fn checks(&self, sha: &str) -> BTreeMap<String, String> {
        let all = self.github.statuses(REPO, sha).into_iter();
        all.map(|s| (s.context, format!("{}: {}", s.state, s.description.unwrap_or_default()))).collect()
    }
    /// The states of the newest statuses of a commit, by context.
    pub(crate) fn states(&self, sha: &str) -> Vec<(String, String)> {
        let all = self.github.statuses(REPO, sha).into_iter().map(|s| (s.context, s.state));
        all.collect::<BTreeMap<_, _>>().into_iter().collect()
    }
    /// Where the work branch stands.
    pub(crate) fn branch(&self) -> Option<String> {
        self.github.branch(REPO, BRANCH)
    }
    /// The column of the issue's card.
    pub(crate) fn column(&self) -> Option<String> {
        let board = self.github.board_state(ORG, 1).expect("a board");
        board.cards.into_iter().find(|card| card.number == self.issue).expect("a card").status
    }
    /// Who holds a lease: nobody, once everything rests.
    pub(crate) fn leases(&self) -> Vec<String> {
        self.github.refs(REPO).into_keys().filter(|name| name.starts_with("refs/hydra/lease/")).collect()
    }
    /// Everything that was written, by whom, with numbers left out; leases apart, as they come and go.
    pub(crate) fn writes(&self) -> Vec<String> {
        let log = self.github.log();
        let writes = log.iter().filter(|entry| entry.write && entry.operation.as_deref() != Some("SwapRef"));
        // A commit object is made for the lease alone.
        let writes = writes.filter(|entry| !entry.path.ends_with("/git/commits"));
        writes
            .map(|entry| {
                let who = entry.identity.clone().unwrap_or_else(|| "nobody".to_owned());
                let what = entry.operation.clone().unwrap_or_else(|| shape(&entry.path));
                format!("{who} {} {what}", entry.method)
            })
            .collect()
    }
    /// How often each write was made.
    pub(crate) fn write_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for write in self.writes() {
            *counts.entry(write).or_insert(0) += 1;
        }
        counts
    }
    /// A second cycle on an unchanged board writes nothing; nor does another process that knows nothing yet.
    pub(crate) async fn nothing_more_is_written(&self, engine: &mut Engine) {
        let before = self.github.writes();
        let report = engine.cycle().await;
        assert_eq!(report.actions, [], "{report:#?}");
        let mut other = self.engine("afterwards");
        let ended = self.run(&mut other).await;
        assert_eq!(ended.writes, 0, "{:#?}", ended.last);
        assert_eq!(self.github.writes(), before, "{:#?}", self.github.log().iter().rev().take(10).collect::<Vec<_>>());
    }
}

/// A path below the repository, with numbers and commits left out.
fn shape(path: &str) -> String {
    let path = path.trim_start_matches(&format!("/repos/{REPO}")).split('?').next().unwrap_or_default();
    let part = |part: &str| {
        let number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let commit = part.len() == 40 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if number || commit { "N".to_owned() } else { part.to_owned() }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The record in the text of a status comment.
pub(crate) fn record_in(status: &str) -> RunRecord {
    let json = status.split("```json hydra-record\n").nth(1).and_then(|rest| rest.split("\n```").next());
    let signed: Signed<RunRecord> = serde_json::from_str(json.expect("a record")).expect("a record");
    signed.payload
}

/// The envelope in a review.
pub(crate) fn envelope(review: &Review) -> Envelope {
    let json = review.body.split("```json hydra-verdict\n").nth(1).and_then(|rest| rest.split("\n```").next());
    let signed: Signed<Envelope> = serde_json::from_str(json.expect("an envelope")).expect("an envelope");
    signed.payload
}

/// Asserts that a text holds each of these.
#[track_caller]
pub(crate) fn holds(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
    }
}

/// The orchestrator's own login.
pub(crate) fn hydra() -> &'static str {
    login(TokenRole::Orchestrator)
}

/// Why nothing happens for some other issue, as it was last seen.
pub(crate) fn reasons_of(ended: &Ended, number: u64) -> String {
    ended.issues.get(&key(number)).map(|driven| driven.reasons.join("\n")).unwrap_or_default()
}
