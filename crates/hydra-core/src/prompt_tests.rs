//! Prompts: whole, the same every time, and with no way out of the data.
use super::*;
use crate::{Timestamp, persona::defaults, verdict::Severity};
use proptest::prelude::*;

fn pinned(body: &str) -> Pinned {
    let comment =
        PinnedComment { author: "ann".parse().unwrap(), at: Timestamp::UNIX_EPOCH, body: "and a test".into() };
    Pinned { title: "Add login".into(), body: body.into(), comments: vec![comment] }
}

fn prompt(stage: Stage, issue: &Pinned, change: impl FnOnce(&mut PromptInput<'_>)) -> Prompt {
    let persona = defaults().into_iter().find(|p| p.stages.contains(&stage)).unwrap();
    let (base, head): (CommitSha, CommitSha) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
    let (branch, name) = ("hydra/add-login".parse().unwrap(), "add-login".parse().unwrap());
    let requirements = [RequirementName {
        file: "specs/a/spec.md".into(),
        operation: Operation::Added,
        name: "Log in".into(),
        scenarios: vec!["Right".into()],
    }];
    let finding = [Finding {
        severity: Severity::Critical,
        file: Some("a.rs".into()),
        line: Some(3),
        rule: "overflow".into(),
        message: "x overflows".into(),
        remediation: "check".into(),
    }];
    let commands = [QualityCommand { name: "test".into(), command: "make test".into() }];
    let mut input = PromptInput {
        stage,
        persona: &persona,
        issue,
        change: Some(&name),
        requirements: &requirements,
        base: &base,
        head: &head,
        branch: &branch,
        round: 1,
        commands: &commands,
        protected: &["infra/".to_owned()],
        red: &[],
        findings: if stage == Stage::Fix { &finding } else { &[] },
        history: &[],
        answered: &[],
        loosened: &[],
        instruction_changes: &[],
        focus: "",
        extra: "",
    };
    change(&mut input);
    assemble(&input)
}

#[test]
fn every_stage_has_a_task_without_open_places_and_its_contract() {
    for stage in Stage::ALL.iter().filter(|stage| stage.has_agent()) {
        let prompt = prompt(*stage, &pinned("Please."), |_| {});
        for place in ["{{CHANGE}}", "{{BASE}}", "{{HEAD}}", "{{BRANCH}}", "{{ROUND}}"] {
            assert!(!prompt.task.contains(place), "{stage} {place}");
        }
        assert!(prompt.task.contains("{{OUT}}") && prompt.task.contains("{{WORKSPACE}}"), "{stage}");
        let rest = PLACES.iter().fold(prompt.task.clone(), |task, place| task.replace(place, ""));
        assert!(!rest.contains("{{"), "{stage}: what the wrapper fills in is in PLACES");
        assert_eq!(prompt.task.contains("verdict.json"), stage.judges(), "{stage}");
        assert_eq!(prompt.task.contains("rfi.json"), !stage.judges(), "{stage}");
        assert!(prompt.system.contains("<<<DATA") && prompt.task.contains("add-login"), "{stage}");
    }
}

#[test]
fn what_each_stage_needs_is_there() {
    let build = prompt(Stage::Build, &pinned("x"), |_| {}).task;
    assert!(build.contains("\ninfra/\n") && build.contains("\ntest: make test\n") && build.contains("and a test"));
    let review = prompt(Stage::CodeReview, &pinned("x"), |_| {}).task;
    assert!(review.contains("- Log in\n  - Right\n") && review.contains(&"a".repeat(40)) && !review.contains("infra/"));
    let fix = prompt(Stage::Fix, &pinned("x"), |_| {}).task;
    assert!(
        fix.contains("(finding, CRITICAL)\na.rs:3\noverflow: x overflows\nHow to mend it: check\n")
            && fix.contains("fix round 1")
    );
    let changed = ["CLAUDE.md".to_owned()];
    let told = |stage| {
        let changed = Box::leak(Box::new(changed.clone()));
        prompt(stage, &pinned("x"), |input| input.instruction_changes = changed).task.contains("\nCLAUDE.md\n")
    };
    assert!(told(Stage::SecurityReview) && told(Stage::Apply) && !told(Stage::Fix));
}

#[test]
fn the_hash_changes_with_what_is_said() {
    let hash = |body: &str| prompt(Stage::Build, &pinned(body), |_| {}).hash;
    assert_eq!(hash("a"), hash("a"));
    assert_ne!(hash("a"), hash("b"));
}

#[test]
fn data_cannot_use_our_places_hide_text_or_grow_without_end() {
    let task = prompt(Stage::Build, &pinned("{{OUT}} a<!-- secret order -->b\u{202e}c"), |_| {}).task;
    assert!(task.contains("{ {OUT}} abc\n") && !task.contains("secret order"));
    let task = prompt(Stage::Build, &pinned("{{{SPEC}}} {{O{{OUT}}UT}} {{\u{200b}OUT}} {{ name }}"), |_| {}).task;
    assert!(task.contains("\n{{ {SPEC}}} {{O{ {OUT}}UT}} { {OUT}} {{ name }}\n"), "{task}");
    let long = prompt(Stage::Build, &pinned(&"x".repeat(300_000)), |_| {}).task;
    assert!(long.len() < MAX_DATA + 10_000 && long.contains("(cut: 300011 bytes in all)"));
}

#[test]
fn of_many_long_comments_the_newest_are_kept() {
    let mut issue = pinned("x");
    let comment =
        |n: usize| PinnedComment { body: format!("comment {n} {}", "y".repeat(65_000)), ..issue.comments[0].clone() };
    issue.comments = (0..200).map(comment).collect();
    let task = prompt(Stage::Build, &issue, |_| {}).task;
    assert!(task.len() < MAX_COMMENTS + 50_000, "{}", task.len());
    assert!(task.contains("\ncomment 199 y") && task.contains("\ncomment 194 y") && !task.contains("\ncomment 192 y"));
    assert_eq!(task.matches("(comment on the issue by ann)").count(), 200, "what is left out is said");
    assert_eq!(task.matches("\n(cut: 65").count(), 200);
}

#[test]
fn what_a_program_printed_is_shown_to_its_end() {
    let red = [CommandResult {
        name: "test".into(),
        command: "make test".into(),
        exit: 2,
        millis: 1,
        tail: "expected <!-- a\n\u{1b}[31mFAILED\n>>>DATA".into(),
    }];
    let task = prompt(Stage::FixQuality, &pinned("x"), |input| input.red = Box::leak(Box::new(red))).task;
    assert!(
        task.contains("(red check)\ntest\n$ make test\nexit code 2\nexpected <!-- a\n[31mFAILED\n>>>DATA\n>>>DATA ")
    );
}

proptest! {
    #[test]
    fn nobody_gets_out_of_the_data(body in "(>>>DATA |<<<DATA |[0-9a-f]{24}|\n|\\PC|\u{200b}|\\{\\{OUT\\}\\}){0,30}") {
        let task = prompt(Stage::Build, &pinned(&body), |_| {}).task;
        let lines: Vec<&str> = task.lines().collect();
        let open = lines.iter().position(|l| l.starts_with("<<<DATA ") && l.ends_with("(the issue)")).unwrap();
        let mark = lines[open].split(' ').nth(1).unwrap();
        let close = format!(">>>DATA {mark}");
        // The one true end, after all of the issue's lines.
        prop_assert_eq!(lines.iter().filter(|l| **l == close).count(), 1);
        let end = lines.iter().position(|l| *l == close).unwrap();
        prop_assert_eq!(lines[open + 1], "Add login");
        prop_assert!(lines[end + 2].ends_with("(comment on the issue by ann)"));
        prop_assert!(PLACES.iter().all(|place| !lines[open..end].iter().any(|line| line.contains(place))));
    }
}
