//! Outcomes, told one by one.
use super::*;
use crate::{
    loosened::Loosening,
    openspec::Operation,
    ports::FileChange,
    verdict::parse::{self, VerdictError},
};

fn diff() -> Diff {
    let file = |path: &str| FileChange {
        path: path.into(),
        from: None,
        status: 'M',
        mode: "100644".into(),
        link: None,
        bytes: 1,
        lines: Some((1, 0)),
        binary: false,
    };
    Diff {
        files: vec![file("a.rs"), file("b.rs")],
        patch: "diff --git a/a.rs b/a.rs\n--- a/a.rs\n+++ b/a.rs\n@@ -1 +1,2 @@\n x\n+y\n".into(),
        truncated: false,
    }
}

fn worked() -> Evidence {
    Evidence {
        files_read: vec!["a.rs".into()],
        files_unread: vec!["b.rs".into()],
        tool_calls: 3,
        turns: 4,
        output_tokens: 100,
    }
}

fn judged(text: &str, evidence: &Evidence, loosened: &[LoosenedTest]) -> Judgement {
    let verdict = parse::parse(text.as_bytes());
    let requirements = [RequirementName {
        file: "specs/a/spec.md".into(),
        operation: Operation::Added,
        name: "Log in".into(),
        scenarios: vec!["Right".into(), "Wrong".into()],
    }];
    judge(&Facts {
        stage: Stage::CodeReview,
        verdict: verdict.as_ref(),
        evidence,
        diff: &diff(),
        requirements: &requirements,
        loosened,
        instruction_changes: &["CLAUDE.md".to_owned()],
    })
}

#[test]
fn work_and_a_good_verdict_pass_and_everything_unsaid_is_named() {
    let found = judged(
        r#"{"pass":true,"blocking":[],"requirements":[{"requirement":"requirement","state":"met"},{"requirement":"LOG  in","scenario":"right","state":"met"}]}"#,
        &worked(),
        &[],
    );
    assert_eq!((found.outcome, found.open.len()), (Outcome::Pass, 0));
    let verdict = found.verdict.unwrap();
    let states: Vec<_> = verdict.requirements.iter().map(|r| (r.scenario.as_deref(), r.state)).collect();
    assert_eq!(
        states,
        [
            (None, RequirementState::NotJudged),
            (Some("Right"), RequirementState::Met),
            (Some("Wrong"), RequirementState::NotJudged)
        ]
    );
    assert_eq!(verdict.findings[0].rule, "instruction-file");
}

#[test]
fn an_unmet_requirement_blocks_even_a_pass() {
    let found = judged(
        r#"{"pass":true,"blocking":[],"requirements":[{"requirement":"Log in","state":"met"},{"requirement":"Log in","scenario":"Wrong","state":"unmet"}]}"#,
        &worked(),
        &[],
    );
    assert_eq!(found.outcome, Outcome::Fail);
    assert_eq!(found.open[0].message, "Requirement \"Log in\", scenario \"Wrong\" is not met.");
}

#[test]
fn what_nobody_sees_in_a_name_saves_no_unmet_requirement() {
    let found = judged(
        "{\"pass\":true,\"blocking\":[],\"requirements\":[{\"requirement\":\"Log\u{200b} in\",\"state\":\"unmet\"}]}",
        &worked(),
        &[],
    );
    assert_eq!((found.outcome, found.open[0].message.as_str()), (Outcome::Fail, "Requirement \"Log in\" is not met."));
}

#[test]
fn one_problem_said_twice_is_open_once() {
    let found = judged(
        r#"{"pass":false,"blocking":["x overflows","y is missing"],"findings":[{"severity":"CRITICAL","file":"a.rs","line":2,"message":"x overflows."},{"severity":"WARNING","message":"w"}]}"#,
        &worked(),
        &[],
    );
    let messages: Vec<_> = found.open.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages, ["x overflows.", "y is missing"]);
}

#[test]
fn one_problem_said_in_other_words_is_open_once_and_no_word_is_lost() {
    let found = judged(
        r#"{"pass":false,"blocking":["Names of files are printed.","b.rs: the lock is never released.","x overflows"],"findings":[
        {"severity":"CRITICAL","file":"a.rs","line":2,"message":"The title is expanded as a pattern."},
        {"severity":"CRITICAL","file":"b.rs","line":9,"message":"A guard is leaked."},
        {"severity":"CRITICAL","file":"c.rs","line":1,"message":"x overflows."}]}"#,
        &worked(),
        &[],
    );
    let messages: Vec<_> = found.open.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "The title is expanded as a pattern. In other words: Names of files are printed.",
            "A guard is leaked. In other words: b.rs: the lock is never released.",
            "x overflows."
        ]
    );
}

#[test]
fn more_sentences_than_findings_are_problems_of_their_own() {
    let found = judged(
        r#"{"pass":false,"blocking":["One.","Two.","two"],"findings":[{"severity":"CRITICAL","message":"m"},{"severity":"WARNING","message":"w"}]}"#,
        &worked(),
        &[],
    );
    let messages: Vec<_> = found.open.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages, ["m In other words: One.", "Two."]);
    // And more findings than sentences as well.
    let found = judged(
        r#"{"pass":false,"blocking":["One."],"findings":[{"severity":"CRITICAL","message":"m"},{"severity":"CRITICAL","message":"n"}]}"#,
        &worked(),
        &[],
    );
    assert_eq!(found.open.len(), 2);
}

#[test]
fn a_review_of_nothing_is_void_whatever_it_did() {
    let verdict = parse::parse(br#"{"pass":true,"blocking":[]}"#);
    for evidence in [worked(), Evidence { files_read: vec![], files_unread: vec![], ..worked() }] {
        for stage in [Stage::CodeReview, Stage::SecurityReview, Stage::Apply] {
            let found = judge(&Facts {
                stage,
                verdict: verdict.as_ref(),
                evidence: &evidence,
                diff: &Diff { files: vec![], patch: String::new(), truncated: false },
                requirements: &[],
                loosened: &[],
                instruction_changes: &[],
            });
            assert_eq!(found.outcome, Outcome::Void, "{stage}");
            assert!(found.void_reason.unwrap().contains("head and base do not differ"));
        }
    }
}

#[test]
fn no_work_is_neither_pass_nor_fail() {
    let pass = r#"{"pass":true,"blocking":[]}"#;
    for (evidence, reason) in [
        (Evidence { turns: 0, ..worked() }, "took no turn"),
        (Evidence { output_tokens: 0, ..worked() }, "no token"),
        (Evidence { tool_calls: 0, ..worked() }, "no tool was called"),
        (Evidence { files_read: vec![], ..worked() }, "none of the 2 changed file(s)"),
    ] {
        for text in [pass, r#"{"pass":false,"blocking":["x"]}"#] {
            let found = judged(text, &evidence, &[]);
            assert_eq!(found.outcome, Outcome::Void);
            assert!(found.void_reason.unwrap().contains(reason));
            assert!(found.open.is_empty());
        }
    }
}

#[test]
fn an_invalid_verdict_is_void_with_its_reason() {
    let found =
        judged(r#"{"pass":true,"blocking":[],"findings":[{"severity":"CRITICAL","message":"m"}]}"#, &worked(), &[]);
    assert_eq!(found.outcome, Outcome::Void);
    assert!(found.void_reason.unwrap().contains("pass is true with 1 CRITICAL"));
    let missing = judge(&Facts {
        stage: Stage::Apply,
        verdict: Err(&VerdictError::Missing),
        evidence: &worked(),
        diff: &diff(),
        requirements: &[],
        loosened: &[],
        instruction_changes: &[],
    });
    assert_eq!(missing.void_reason.as_deref(), Some("the agent wrote no verdict.json"));
}

#[test]
fn a_no_without_findings_keeps_its_summary_open() {
    let found = judged(r#"{"pass":false,"blocking":[],"summary":"It does nothing."}"#, &worked(), &[]);
    assert_eq!(found.open[0].message, "It does nothing.");
}

#[test]
fn a_loosened_test_is_shown_as_a_finding() {
    let test = LoosenedTest { kind: Loosening::Skipped, file: "t.js".into(), line: Some(3), text: "it.skip".into() };
    let found = judged(r#"{"pass":true,"blocking":[]}"#, &worked(), &[test]);
    let finding = found.verdict.unwrap().findings.pop().unwrap();
    assert_eq!((finding.rule.as_str(), finding.severity, finding.line), ("loosened-test", Severity::Warning, Some(3)));
    assert_eq!(found.outcome, Outcome::Pass);
}

#[test]
fn a_file_outside_the_diff_is_kept_and_never_inline() {
    let finding = |file: Option<&str>, line| Finding {
        severity: Severity::Info,
        file: file.map(Into::into),
        line,
        rule: String::new(),
        message: "m".into(),
        remediation: String::new(),
    };
    let all = [
        finding(Some("a.rs"), Some(2)),
        finding(Some("a.rs"), Some(99)),
        finding(Some("z.rs"), Some(1)),
        finding(None, None),
    ];
    assert_eq!(places(&all, &diff()), [Place::Inline(2), Place::File, Place::OffDiff, Place::Nowhere]);
}
