//! Good and bad verdicts.
use super::*;
use proptest::prelude::*;

fn error(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn pass_and_blocking_alone_are_a_verdict() {
    let verdict = parse(br#"{"pass": true, "blocking": []}"#).unwrap();
    assert!(verdict.pass && verdict.findings.is_empty() && verdict.summary.is_empty());
}

#[test]
fn a_whole_verdict_is_read() {
    let verdict = parse(
        br#"{"pass":false,"blocking":["x is wrong"],"findings":[{"severity":"critical","file":"./a/b.rs","line":3,"rule":"r","message":"m","remediation":"do"},
        {"severity":"INFO","line":9,"message":"no file, so no line"}],"summary":"s","requirements":[{"requirement":"R","scenario":"S","state":"met"},{"requirement":"R","state":"UNMET"}]}"#,
    )
    .unwrap();
    assert_eq!(verdict.findings[0].file.as_deref(), Some("a/b.rs"));
    assert_eq!(verdict.findings[0].severity, Severity::Critical);
    assert_eq!(verdict.findings[1].line, None);
    assert_eq!(verdict.requirements[1].state, RequirementState::Unmet);
}

#[test]
fn what_is_not_a_verdict_says_why() {
    assert_eq!(error("{}"), "verdict.json: pass: it is missing; it must be true or false");
    assert_eq!(
        error(r#"{"pass":true}"#),
        "verdict.json: blocking: it is missing; it must be a list, [] where nothing blocks"
    );
    assert!(error("nonsense").starts_with("verdict.json is not JSON"));
    assert!(error("[]").contains("must be an object"));
    assert!(error(r#"{"pass":"yes","blocking":[]}"#).contains("pass: it must be true or false"));
    assert!(error(r#"{"pass":true,"blocking":[],"finding":[]}"#).contains("did you mean `findings`?"));
    assert!(error(r#"{"pass":false,"blocking":[{"severity":"CRITICAL"}]}"#).contains("belong in findings"));
    let unknown = error(r#"{"pass":false,"blocking":[],"findings":[{"severity":"HIGH","message":"m"}]}"#);
    assert!(unknown.contains("findings[0].severity") && unknown.contains("CRITICAL, WARNING"), "{unknown}");
    assert_eq!(parse(&[b'{', 0xff]).unwrap_err(), VerdictError::NotUtf8(1));
}

#[test]
fn pass_true_with_a_critical_finding_is_refused() {
    let text = r#"{"pass":true,"blocking":[],"findings":[{"severity":"CRITICAL","message":"m"}]}"#;
    assert_eq!(error(text), "verdict.json contradicts itself: pass is true with 1 CRITICAL finding(s)");
    assert!(error(r#"{"pass":true,"blocking":["x"]}"#).contains("1 blocking"));
    assert!(error(r#"{"pass":false,"blocking":[]}"#).contains("does not say why"));
}

#[test]
fn ten_megabytes_are_not_even_read() {
    assert_eq!(parse(&vec![b' '; 10 << 20]).unwrap_err(), VerdictError::TooLarge(10 << 20));
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(matches!(parse(deep.as_bytes()), Err(VerdictError::NotJson(_))));
}

#[test]
fn control_and_hidden_characters_do_not_survive() {
    let text =
        "{\"pass\":true,\"blocking\":[],\"summary\":\"a\\u001b[31mb\\u202ec\\u200bd\\ne<!-- hydra:status g1 -->\"}";
    let verdict = parse(text.as_bytes()).unwrap();
    assert_eq!(verdict.summary, "a[31mbcd\ne");
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_was_written_is_read_back(pass in any::<bool>(), texts in proptest::collection::vec("[a-zA-Z0-9 .,]{1,40}x", 1..4), line in 1u32..9999) {
        let verdict = Verdict {
            pass,
            blocking: if pass { vec![] } else { texts.clone() },
            findings: texts.iter().map(|t| Finding { severity: Severity::Warning, file: Some("a.rs".into()), line: Some(line), rule: "r".into(), message: t.clone(), remediation: String::new() }).collect(),
            summary: texts[0].clone(),
            requirements: vec![],
        };
        prop_assert_eq!(parse(&serde_json::to_vec(&verdict).unwrap()), Ok(verdict));
    }
}
