//! What agents, people and repositories hand in, fuzzed: whatever it is, it is read or refused with a message that can be shown.

use hydra_core::{
    ChangeName, ContainerType,
    agent_event::AgentEvent,
    diagnostic::Diagnostic,
    egress::{AllowedNames, EgressPolicy, Endpoint, HostName, HostPattern, InspectRule, gate::GateConfig},
    openspec::{ChangeFolder, Manifest, change_named_by},
    record::RunRecord,
    target::Target,
    verdict::{
        Envelope,
        block::{Tag, extract},
        parse::parse,
    },
};
use hydra_fuzz::fuzz;
use std::collections::BTreeMap;

fn corpus(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A message for people: not empty, of bounded length.
fn said(message: String) -> String {
    assert!(!message.is_empty() && message.len() < 4_000, "a message of {} bytes", message.len());
    message
}

fn all(faults: &[Diagnostic]) -> String {
    assert!(!faults.is_empty(), "refused without a fault");
    // A path is as long as it is.
    faults.iter().map(|fault| said(fault.message.clone())).next().unwrap_or_default()
}

const VERDICTS: [&str; 3] = [
    r#"{"pass":false,"blocking":["src/a.rs:12 loses a line"],"findings":[{"severity":"CRITICAL","file":"src/a.rs","line":12,"rule":"loss","message":"It loses a line.","remediation":"Keep it."},{"severity":"SUGGESTION","file":null,"line":null,"rule":"r","message":"m","remediation":""}],"summary":"No.","requirements":[{"requirement":"Log in","scenario":"Right password","state":"unmet"}]}"#,
    r#"{"pass":true,"blocking":[],"findings":[],"summary":"Fine."}"#,
    "```json\n{\"pass\":true}\n```",
];

#[test]
fn verdicts() {
    let report = fuzz("verdict", &corpus(&VERDICTS), |bytes| match parse(bytes) {
        Err(error) => said(error.to_string()),
        Ok(verdict) => {
            // What was taken is taken again, and as it is.
            let again = serde_json::to_vec(&verdict).unwrap();
            assert_eq!(parse(&again).as_ref(), Ok(&verdict));
            assert!(!verdict.summary.chars().any(|one| one.is_control() && one != '\n' && one != '\t'));
            format!("ok {} {}", verdict.pass, verdict.findings.len().min(3))
        }
    });
    assert!(report.saw("ok true") && report.saw("ok false") && report.saw("verdict.json is not JSON"), "{report:?}");
    assert!(report.saw("verdict.json: findings[0]"), "{report:?}");
}

const MANIFESTS: [&str; 2] = [
    r##"{"repo":"acme/widgets","title":"Limit words","depends_on":["acme/other#7","#12"]}"##,
    r#"{"$schema":"x","repo":"acme/widgets","issue":12,"depends_on":[]}"#,
];

#[test]
fn manifests() {
    let report = fuzz("hydra.json", &corpus(&MANIFESTS), |bytes| match Manifest::parse(bytes) {
        Err(faults) => all(&faults),
        Ok(manifest) => {
            assert_eq!(Manifest::parse(manifest.render().as_bytes()).as_ref(), Ok(&manifest));
            "ok".to_owned()
        }
    });
    assert!(report.saw("ok") && report.answers.len() > 5, "{report:?}");
}

/// One file after another, each behind a line with its path.
const FOLDER: &str = "=== proposal.md\n## Why\nBecause.\n=== design.md\n# D\n=== tasks.md\n## 1. First\n- [x] 1.1 Do this\n- [ ] 1.2 Do that\n=== specs/auth/spec.md\n# T\n\n## Purpose\nx\n\n## ADDED Requirements\n\n### Requirement: Log in\nA user SHALL log in.\n\n#### Scenario: Right password\n- **GIVEN** a user\n- **WHEN** they log in\n- **THEN** they are in\n\n## MODIFIED Requirements\n### Requirement: Other\nIt SHALL.\n#### Scenario: S\n- **WHEN** a\n- **THEN** b\n\n## REMOVED Requirements\n### Requirement: Gone\n**Reason**: r\n**Migration**: m\n\n## RENAMED Requirements\n- FROM: `### Requirement: Old`\n- TO: `### Requirement: New`\n=== hydra.json\n{\"repo\":\"acme/widgets\"}\n=== .openspec.yaml\nschema: x\n";

fn files(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut name = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"=== ") {
            Some(path) => {
                let path = String::from_utf8_lossy(path).trim().to_owned();
                files.entry(path.clone()).or_default();
                name = Some(path);
            }
            None => {
                if let Some(file) = name.as_ref().and_then(|name| files.get_mut(name)) {
                    file.extend_from_slice(line);
                }
            }
        }
    }
    files
}

#[test]
fn change_folders() {
    let name: ChangeName = "limit-words".parse().unwrap();
    let repo = "acme/widgets".parse().unwrap();
    let report = fuzz("change-folder", &corpus(&[FOLDER]), |bytes| {
        let files = files(bytes);
        match ChangeFolder::parse(&files) {
            Err(faults) => all(&faults),
            Ok(change) => {
                assert!(change.render() == files, "it is not written back as it was read");
                assert!(!change.title(&name).is_empty());
                let misplaced = change.check_place(&name, &repo).len();
                format!("ok {} {misplaced}", change.requirements().len().min(4))
            }
        }
    });
    assert!(report.saw("ok") && report.answers.len() > 15, "{report:?}");
}

#[test]
fn issue_bodies() {
    let texts = [
        "Do it.\n\nopenspec/changes/limit-words\n",
        "change: limit-words",
        "`openspec/changes/a`, openspec/changes/b/",
    ];
    let report = fuzz("issue-body", &corpus(&texts), |bytes| match change_named_by(&String::from_utf8_lossy(bytes)) {
        Err(fault) => said(fault.to_string()),
        Ok(named) => {
            if named.is_some() {
                "ok".to_owned()
            } else {
                "none".to_owned()
            }
        }
    });
    assert!(report.saw("ok") && report.saw("none"), "{report:?}");
}

#[test]
fn target_files() {
    let text = "protected = [\"infra/\", \"**/*.lock\"]\nfocus = \"money\"\n[commands]\nlint = \"make lint\"\ntest = \"make test\"\n[toolchain]\nimage = \"node-22\"\nsetup = \"npm ci\"\ncache = [\".npm\"]\n[egress]\nbuilder = [\"registry.example.org\"]\n";
    let report = fuzz(".hydra.toml", &corpus(&[text, ""]), |bytes| match Target::parse(bytes) {
        Err(faults) => all(&faults),
        Ok(target) => {
            let quality = target.quality();
            assert!(quality.iter().all(|command| !command.command.trim().is_empty()));
            format!("ok {} {}", quality.len(), target.hosts(ContainerType::Builder).len().min(2))
        }
    });
    assert!(report.saw("ok") && report.answers.len() > 10, "{report:?}");
}

#[test]
fn egress_names() {
    let texts = [
        "api.anthropic.com",
        "*.example.com",
        "xn--bcher-kva.example",
        "bücher.example",
        "*.co.uk",
        "a.b.c.d.example.org.",
    ];
    let report = fuzz("egress-name", &corpus(&texts), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let pattern = match text.parse::<HostPattern>() {
            Err(error) => {
                said(error.to_string());
                return error.why.to_owned();
            }
            Ok(pattern) => pattern,
        };
        assert_eq!(pattern.to_string().parse::<HostPattern>().as_ref(), Ok(&pattern));
        assert!(pattern.to_string().is_ascii() && pattern.covers(&pattern));
        match &pattern {
            HostPattern::Exact(name) => {
                assert!(pattern.matches(name) && !name.as_str().contains(['*', '/', ':', '@', ' ']));
                "exact".to_owned()
            }
            HostPattern::Below(parent) => {
                assert!(!pattern.matches(parent), "a star stands for one label more");
                // Nothing has a name so long.
                let Ok(further) = format!("b.a.{parent}").parse::<HostName>() else { return "below, long".to_owned() };
                let below: HostName = format!("a.{parent}").parse().unwrap();
                assert!(pattern.matches(&below) && !pattern.matches(&further));
                "below".to_owned()
            }
        }
    });
    assert!(report.saw("exact") && report.saw("below") && report.answers.len() > 6, "{report:?}");
}

/// What a gate is told: read or refused, written back as the same, and decided as each of its lines says.
#[test]
fn gate_configurations() {
    let mut policy = EgressPolicy { model_endpoint: "models.internal:8443".parse().ok(), ..EgressPolicy::default() };
    policy.base.extend(["*.example.com", "a.example.com", "xn--bcher-kva.example"].map(|line| line.parse().unwrap()));
    policy.inspect.insert("pypi.org".parse().unwrap(), InspectRule::default());
    let mut config = GateConfig::of(&policy, ContainerType::Builder, "hydra-widgets-7-builder-1");
    config.resolvers.insert("10.0.0.53:53".parse().unwrap());
    let names =
        ["a.example.com", "b.example.com", "example.com", "a.b.example.com", "com", "pypi.org", "models.internal"]
            .map(|name| name.parse::<HostName>().unwrap());
    let corpus = [serde_json::to_vec(&config).unwrap(), serde_json::to_vec_pretty(&config).unwrap()];
    let report = fuzz("gate-config", &corpus, |bytes| match serde_json::from_slice::<GateConfig>(bytes) {
        Err(error) => error.to_string().chars().take(40).collect(),
        Ok(config) => {
            let again: GateConfig = serde_json::from_slice(&serde_json::to_vec(&config).unwrap()).unwrap();
            assert_eq!(again, config);
            let index: AllowedNames = config.allow.iter().cloned().collect();
            for name in &names {
                let lines: Vec<_> = config.allow.iter().filter(|line| line.matches(name)).collect();
                assert_eq!(index.allows(name), !lines.is_empty(), "{name}");
                let named = index.line(name).map(|line| line.parse::<HostPattern>().unwrap());
                assert!(named.is_none_or(|named| lines.contains(&&named)), "{name}");
            }
            for line in &config.allow {
                let text = line.to_string();
                assert!(
                    text.is_ascii() && !text.trim_start_matches("*.").contains(['*', '/', ':', '@', ' ']),
                    "{text}"
                );
            }
            format!("ok {}", config.allow.len().min(3))
        }
    });
    assert!(report.saw("ok") && report.answers.len() > 10, "{report:?}");
}

#[test]
fn model_endpoints() {
    let texts = ["models.internal:8443", "10.0.0.7:443", "[fd00::7]:8080", "host:65536"];
    let report =
        fuzz("model-endpoint", &corpus(&texts), |bytes| match String::from_utf8_lossy(bytes).parse::<Endpoint>() {
            Err(error) => {
                said(error.to_string());
                error.why.to_owned()
            }
            Ok(endpoint) => {
                assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
                "ok".to_owned()
            }
        });
    assert!(report.saw("ok") && report.answers.len() > 3, "{report:?}");
}

const EVENTS: [&str; 8] = [
    r#"{"v":1,"ts":"2026-01-02T03:04:05.123456789Z","event":"turn","turn":3,"tokens":{"input":1,"output":2,"cache_read":3,"cache_write":4},"model":"claude-sonnet-4-6"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"text","text":"a \"b\" \u0000 \\ \ud83d\ude00 é"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"tool","id":"t1","tool":"shell","name":"Bash","path":null,"command":"cargo test"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"tool_result","id":"t1","ok":true,"bytes":12}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"step","step":"clone","detail":"d"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"command","name":"test","command":"npm test","exit":1,"millis":7,"tail":"t"}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"started","driver":"claude","version":"2.1","model":null}"#,
    r#"{"v":1,"ts":"2026-01-02T03:04:05Z","event":"provider","trouble":"overloaded","until":"2026-01-02T03:09:05Z","detail":"529"}"#,
];

#[test]
fn event_lines() {
    let report = fuzz("event-line", &corpus(&EVENTS), |bytes| {
        let line = String::from_utf8_lossy(bytes);
        // The quick reader takes what the derived one takes, as the same event.
        let (quick, derived) = (AgentEvent::from_line(&line), serde_json::from_str::<AgentEvent>(&line));
        match (quick, derived) {
            (Ok(quick), Ok(derived)) => {
                assert_eq!(quick, derived);
                format!("ok {}", format!("{:?}", quick.kind).split([' ', '{']).next().unwrap_or_default())
            }
            (Err(quick), Err(derived)) => {
                assert_eq!(quick.to_string(), derived.to_string());
                quick.to_string()
            }
            (quick, derived) => panic!("{quick:?}, but derived {derived:?}"),
        }
    });
    for kind in ["ok Turn", "ok Text", "ok Tool", "ok Step"] {
        assert!(report.saw(kind), "{kind}: {report:?}");
    }
}

#[test]
fn signed_blocks() {
    let texts = [
        "<!-- hydra:verdict -->\n<details><summary>x</summary>\n\n```json hydra-verdict\n{\"payload\":{\"v\":1},\"key\":\"k\",\"signature\":\"s\"}\n```\n\n</details>",
        "```json hydra-record\n{}\n```\n```json hydra-record\n{\"payload\":null}\n```",
    ];
    let report = fuzz("signed-block", &corpus(&texts), |bytes| {
        let body = String::from_utf8_lossy(bytes);
        let answers = [
            extract::<Envelope>(Tag::Verdict, &body).map(|found| found.is_some()).map_err(|error| error.to_string()),
            extract::<RunRecord>(Tag::Record, &body).map(|found| found.is_some()).map_err(|error| error.to_string()),
        ];
        answers.map(|answer| answer.map_or_else(said, |found| found.to_string())).join(", ")
    });
    assert!(report.saw("false, false") && report.saw("the signed block"), "{report:?}");
}
