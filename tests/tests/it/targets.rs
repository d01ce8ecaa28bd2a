//! Real target repositories: published packages of version N whose archives hold their tests. The change is the real difference to the next
//! version, played by the scripted model through the real claude-code CLI in the real images in Docker; the change folder is a real one;
//! quality runs the package's own tests without a network. All come to ready, and one hunk left out turns quality red.

mod accounts;
mod gate;
mod hunks;
mod in_container;
mod moves;
pub(crate) mod package;
mod reach;
mod script;
pub(crate) mod stage;

use crate::stories::{
    hands::{envelope, holds},
    stage::{TRIGGER, login},
};
use hunks::lines;
use hydra_core::{Stage, TokenRole, record::StageResult, verdict::Outcome};
use moves::without;
use package::{Package, Tree};
use stage::{Target, Toolchain};
use std::collections::BTreeSet;

/// Where two trees differ: in each file the first line that does.
fn differences(found: &Tree, expected: &Tree) -> Vec<String> {
    let paths: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ = paths.into_iter().filter(|path| found.get(*path) != expected.get(*path));
    let told = |path: &String| {
        let text = |tree: &Tree| String::from_utf8_lossy(tree.get(path).map_or(&[], Vec::as_slice)).into_owned();
        let (found, expected) = (lines(&text(found)), lines(&text(expected)));
        let first = found.iter().zip(&expected).take_while(|(one, other)| one == other).count();
        format!("{path}, line {}: {:?} instead of {:?}", first + 1, found.get(first), expected.get(first))
    };
    differ.map(told).collect()
}

/// The pipeline is at its end, and everything about it is as it should be.
fn is_ready(target: &Target, package: &Package) {
    let told = || target.told();
    let pull = target.pull();
    assert!(!pull.draft, "{}", told());
    assert_eq!((pull.head_ref.as_str(), pull.base_ref.as_str()), (target.branch.as_str(), "main"));
    let labels = ["build:pass", "code-review:pass", "done", "quality:pass", TRIGGER, "security-review:pass"];
    assert_eq!(target.labels(), labels, "{}", told());
    let statuses = target.github.statuses(&target.repo, &pull.head);
    for context in ["hydra/quality", "hydra/code-review", "hydra/security-review"] {
        let last = statuses.iter().rfind(|status| status.context == context);
        assert_eq!(last.map(|status| status.state.as_str()), Some("success"), "{context}\n{}", told());
    }

    // What each agent's gate proved and told; quality is sealed off without one.
    for stage in ["build", "code-review", "security-review"] {
        holds(&target.egress(stage), &["| proved before the start: ", "; policy ", "; reached: ", "; refused: "]);
    }

    // The head is the next release to the byte, and nothing else.
    let (expected, found) = (package.repository(&package.to), target.tree(&pull.head));
    assert_eq!(differences(&found, &expected), [""; 0], "the head is another than the release");

    // Two different identities judged this very head, in their own images, having looked at every file of it.
    assert_eq!(pull.reviews.len(), 2, "{}", told());
    for (role, stage, image) in [
        (TokenRole::Reviewer, Stage::CodeReview, "hydra-reviewer"),
        (TokenRole::Security, Stage::SecurityReview, "hydra-security"),
    ] {
        let review = pull.reviews.iter().find(|review| review.author == login(role)).expect("a review");
        let envelope = envelope(review);
        assert_eq!((envelope.stage, envelope.outcome), (stage, Outcome::Pass));
        assert_eq!((envelope.head.as_str(), envelope.image.as_str()), (&*pull.head, &*Target::pin(image)));
        assert_eq!(envelope.evidence.files_unread, [""; 0], "every file of the diff was read");
        let judged = envelope.verdict.expect("a verdict").requirements;
        let asked = package.requirements().len();
        assert!(stage != Stage::CodeReview || judged.len() >= asked && asked > 0, "{judged:?}");
    }

    // Every agent was the real CLI, and what Hydra counted is what the model counted.
    let (record, usage) = (target.record(), target.model.usage());
    let logs = target.logs();
    for entry in record.stages.iter().filter(|entry| entry.stage.has_agent()) {
        assert_eq!(entry.spend.tokens, usage.sessions[entry.job.as_str()].tokens, "{}", entry.job);
        let log = logs.iter().find(|(path, _)| path.contains(entry.job.as_str())).expect("a log").1;
        holds(log, &["claude with claude-"]);
    }
    assert_eq!(target.left(), "", "containers or volumes are left");
}

/// The release is built at once.
async fn becomes_the_next_release(name: &str) {
    let package = Package::named(name);
    let target = Target::of(&package, &package.to, None).await;
    target.run().await;
    is_ready_at_once(&target, &package);
}

fn is_ready_at_once(target: &Target, package: &Package) {
    let stages = ["build: pass", "quality: pass", "code-review: pass", "security-review: pass"];
    assert_eq!(target.stages(), stages, "{}", target.told());
    is_ready(target, package);
    // Nothing that the CLI was asked to do failed, the tests in the builder's own container among it.
    for (path, log) in target.logs() {
        assert_eq!(failed_calls(&log), [""; 0], "{path}");
    }
}

/// Events of a stream that tell of a tool's failure.
pub(crate) fn failed_calls(log: &str) -> Vec<String> {
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events
        .filter(|event| event["event"] == "tool_result" && event["ok"] == false)
        .map(|event| event.to_string())
        .collect()
}

/// One hunk is missing first: the package's own tests see it, and what was red is mended.
async fn misses_a_hunk(name: &str) {
    let package = Package::named(name);
    let (file, hunk) = &package.leave_out;
    let short = without(&package.from, &package.to, file, *hunk);
    let target = Target::of(&package, &short, None).await;
    target.run().await;
    let stages = target.stages();
    assert_eq!(stages[..2], ["build: pass", "quality: fail"], "{}", target.told());
    let red = target.record().stages[1].clone();
    assert_eq!(red.result, StageResult::Fail);
    holds(&red.note, &["quality is red: test (`", "exited with 1"]);
    assert!(target.logs().values().any(|log| !failed_calls(log).is_empty()), "the builder saw its tests fail too");
    // The red head is the release without that hunk, and says so.
    let parent = target.github.git(&target.repo, &["rev-parse", &format!("{}^", target.branch)]).expect("a commit");
    assert_eq!(differences(&target.tree(parent.trim()), &package.repository(&short)), [""; 0]);
    let statuses = target.github.statuses(&target.repo, parent.trim());
    let last = statuses.iter().rfind(|status| status.context == "hydra/quality").expect("a status");
    assert_eq!(last.state, "failure");
    // Mended, it goes on.
    assert_eq!(
        stages[2..],
        ["fix-quality: pass", "quality: pass", "code-review: pass", "security-review: pass"],
        "{}",
        target.told()
    );
    is_ready(&target, &package);
}

macro_rules! targets {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs docker, images, targets, shared data"]
            async fn $test() {
                becomes_the_next_release($name).await;
                if std::env::var_os("HYDRA_NIGHTLY").is_some() {
                    misses_a_hunk($name).await;
                }
            }
        )+
        /// Those that have a test here.
        const TESTED: &[&str] = &[$($name),+];
    };
}

targets! {
    sqlparse_becomes_its_next_release: "sqlparse",
    cachetools_becomes_its_next_release: "cachetools",
    xmltodict_becomes_its_next_release: "xmltodict",
    more_itertools_becomes_its_next_release: "more-itertools",
    fastify_error_becomes_its_next_release: "fastify-error",
    process_warning_becomes_its_next_release: "process-warning",
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn one_hunk_left_out_turns_quality_red() {
    misses_a_hunk("cachetools").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker, images, targets, shared data"]
async fn builder_and_quality_work_in_the_toolchain_image_that_the_repository_names() {
    let mut package = Package::named("xmltodict");
    let image = Toolchain::with("team-python");
    // No other image has this program.
    package.test = format!("team-python {}", package.test);
    package.toolchain = Some(image.name.clone());
    let target = Target::of(&package, &package.to, Some(&image)).await;
    target.run().await;
    is_ready_at_once(&target, &package);
}

#[test]
fn every_package_of_the_list_is_tested() {
    let list: serde_json::Value = serde_json::from_str(include_str!("targets/packages.json")).expect("a list");
    let names: Vec<&str> =
        list["packages"].as_array().expect("packages").iter().flat_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, TESTED);
}
