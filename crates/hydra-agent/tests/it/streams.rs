//! The parsers on the streams of the real CLIs.

use hydra_agent::{
    drivers::{self, Driver, Finished},
    lines::LineSplitter,
};
use hydra_core::{
    Tokens,
    agent_event::{AgentEnd, EventKind, Trouble},
    redact::Redactor,
};
use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

pub(crate) fn shared_data() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("HYDRA_SHARED_DATA").map_or(default, PathBuf::from)
}

pub(crate) fn read(driver: Driver, bytes: &[u8], code: i32, chunk: usize) -> (Vec<EventKind>, Finished) {
    let mut parser = driver.parser(Path::new("/workspace"));
    let redactor: &Redactor = &REDACTOR;
    let mut splitter = LineSplitter::default();
    let mut events = Vec::new();
    for piece in bytes.chunks(chunk.max(1)) {
        drivers::feed(&mut splitter, parser.as_mut(), redactor, piece, &mut |event| events.push(event));
    }
    drivers::feed_end(&mut splitter, parser.as_mut(), redactor, &mut |event| events.push(event));
    let finished = parser.finish(code, "", &mut |event| events.push(event));
    (events, finished)
}

fn tokens(events: &[EventKind]) -> Tokens {
    events
        .iter()
        .map(|event| if let EventKind::Turn { tokens, .. } = event { *tokens } else { Tokens::default() })
        .sum()
}

/// One line per event, for people.
fn told(events: &[EventKind]) -> String {
    let mut text = String::new();
    for event in events {
        let line = match event {
            EventKind::Started { driver, version, model } => {
                format!(
                    "started {driver} {} {}",
                    version.as_deref().unwrap_or("-"),
                    model.as_ref().map_or("-", |m| m.as_str())
                )
            }
            EventKind::Turn { turn, tokens, .. } => format!("turn {turn}: {} in, {} out", tokens.input, tokens.output),
            EventKind::Text { text } => format!("text {text}"),
            EventKind::Tool { tool, name, path, command, .. } => {
                format!("tool {tool:?} {name} {}", path.as_deref().or(command.as_deref()).unwrap_or("-"))
            }
            EventKind::ToolResult { ok, bytes, .. } => format!("result {} {bytes}", if *ok { "ok" } else { "refused" }),
            EventKind::Provider { trouble, .. } => format!("provider {trouble:?}"),
            EventKind::Step { detail, .. } => format!("step {detail}"),
            other => format!("{other:?}"),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// File, exit code, how it ended, turns, input and output tokens (each turn of the script: 10 in, 9 out).
const CLAUDE: [(&str, i32, &str, u32, u64, u64); 17] = [
    ("bare", 0, "completed", 1, 10, 9),
    ("budget", 1, "crashed", 2, 20, 18),
    ("conn_refused_copy", 137, "network", 0, 0, 0),
    ("denied", 0, "completed", 2, 20, 18),
    ("e400", 1, "refused", 0, 0, 0),
    ("e401", 137, "auth", 0, 0, 0),
    ("e401b", 1, "auth", 0, 0, 0),
    ("e429", 1, "limit", 0, 0, 0),
    ("hi", 0, "completed", 1, 10, 9),
    ("jsonschema", 0, "completed", 2, 20, 18),
    ("maxturns", 1, "turn-limit", 2, 20, 18),
    ("nosession", 1, "crashed", 0, 0, 0),
    ("partial", 0, "completed", 2, 20, 18),
    ("retry", 0, "completed", 1, 10, 9),
    ("sigterm", 143, "crashed", 2, 20, 18),
    ("skip_sandbox", 0, "completed", 2, 20, 18),
    ("tools", 0, "completed", 3, 30, 27),
];

fn kind(end: &AgentEnd) -> &'static str {
    match end {
        AgentEnd::Completed => "completed",
        AgentEnd::TurnLimit => "turn-limit",
        AgentEnd::Budget => "budget",
        AgentEnd::Deadline => "deadline",
        AgentEnd::Provider { trouble, .. } => match trouble {
            Trouble::Limit => "limit",
            Trouble::Auth => "auth",
            Trouble::Overload => "overload",
            Trouble::Refused => "refused",
            Trouble::Network => "network",
        },
        AgentEnd::Interrupted => "interrupted",
        AgentEnd::Crashed { .. } => "crashed",
        AgentEnd::Refused { .. } => "refused-by-wrapper",
    }
}

#[test]
#[ignore = "needs shared data"]
fn every_claude_stream_is_read_and_its_end_told() {
    let folder = shared_data().join("transcripts/claude-code-2.1.197");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, CLAUDE.map(|row| row.0), "every file is in the table");
    for (file, code, end, turns, input, output) in CLAUDE {
        let bytes = std::fs::read(folder.join(format!("{file}.jsonl"))).unwrap();
        let (events, finished) = read(Driver::Claude, &bytes, code, bytes.len());
        let sum = tokens(&events);
        assert_eq!(
            (kind(&finished.end), sum.input, sum.output),
            (end, input, output),
            "{file}: {:?}\n{}",
            finished.end,
            told(&events)
        );
        let ids = events.iter().filter_map(|e| if let EventKind::Turn { turn, .. } = e { Some(*turn) } else { None });
        assert_eq!(ids.max().unwrap_or(0), turns, "{file}:\n{}", told(&events));
        if let Some(reported) = finished.reported {
            assert_eq!(reported, sum, "{file}: what is counted is what the CLI reports");
        }
        for chunk in [1, 7, 4096] {
            assert_eq!(read(Driver::Claude, &bytes, code, chunk).0, events, "{file} in pieces of {chunk}");
        }
        // Cut in the middle of any line: never a panic, never a completed end.
        let cut = &bytes[..bytes.len() - 40];
        assert_ne!(kind(&read(Driver::Claude, cut, 137, 4096).1.end), "completed", "{file}, cut");
    }
}

#[test]
#[ignore = "needs shared data"]
fn a_claude_stream_tells_its_story() {
    let bytes = std::fs::read(shared_data().join("transcripts/claude-code-2.1.197/partial.jsonl")).unwrap();
    insta::assert_snapshot!(told(&read(Driver::Claude, &bytes, 0, 100).0));
    let bytes = std::fs::read(shared_data().join("transcripts/claude-code-2.1.197/tools.jsonl")).unwrap();
    insta::assert_snapshot!(told(&read(Driver::Claude, &bytes, 0, 100).0));
}

#[test]
#[ignore = "needs shared data"]
fn the_other_agents_streams_tell_their_stories() {
    for (driver, folder, long, hi) in [
        (Driver::Codex, "codex-0.169.0", "codex", "codex_hi"),
        (Driver::Gemini, "gemini-cli-0.61.0", "gemini", "gemini_hi"),
        (Driver::Opencode, "opencode-1.18.33", "opencode", "opencode_hi"),
    ] {
        for (file, total) in [(long, (20, 10)), (hi, (10, 5))] {
            let path = shared_data().join(format!("transcripts/{folder}/{file}.jsonl"));
            let (events, finished) = read(driver, &std::fs::read(path).unwrap(), 0, 33);
            let sum = tokens(&events);
            assert_eq!((sum.input, sum.output), total, "{file}:\n{}", told(&events));
            assert_eq!(finished.end, AgentEnd::Completed, "{file}");
            insta::assert_snapshot!(file, told(&events));
        }
    }
}

#[test]
fn a_limit_with_a_reset_and_a_refusal_are_told_apart() {
    // Shapes seen from claude-code 2.1.197 with an OAuth token and a unified reset header, and with stop_reason refusal.
    let limit = br#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795600000,"rateLimitType":"five_hour"}}
{"type":"assistant","message":{"id":"x","model":"<synthetic>","content":[{"type":"text","text":"You've hit your session limit"}]},"error":"rate_limit"}
{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your session limit"}
"#;
    let (_, finished) = read(Driver::Claude, limit, 1, 9);
    let until = Some("2026-11-25T09:46:40Z".parse().unwrap());
    let expected =
        AgentEnd::Provider { trouble: Trouble::Limit, until, detail: "You've hit your session limit".into() };
    assert_eq!(finished.end, expected);
    let refusal = br#"{"type":"result","subtype":"success","is_error":true,"stop_reason":"refusal","result":"API Error: unable to respond"}"#;
    assert_eq!(kind(&read(Driver::Claude, refusal, 1, 9).1.end), "refused");
    let overload =
        br#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"API Error: 529"}"#;
    assert_eq!(kind(&read(Driver::Claude, overload, 1, 9).1.end), "overload");
    let success = br#"{"type":"result","subtype":"success","is_error":false,"result":"ok"}"#;
    assert_eq!(kind(&read(Driver::Claude, success, 1, 9).1.end), "crashed", "an exit code that is not 0 counts");
}

#[test]
fn broken_lines_are_survived() {
    let mut bytes = b"warning: not json\n{\"type\":\"assistant\",\"message\":{\"id\":7,\"content\":\"text\"}}\n\xff\xfe\n[]\n{}\nnull\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'x', 9 << 20));
    bytes.extend_from_slice(b"\n{\"type\":\"assistant\",\"message\":{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"a\x00b\"}]}}\n");
    for driver in Driver::ALL {
        let (events, finished) = read(driver, &bytes, 1, 1 << 16);
        assert_eq!(kind(&finished.end), "crashed", "{driver:?}");
        let noted =
            events.iter().any(|e| matches!(e, EventKind::Step { detail, .. } if detail.contains("9437184 bytes")));
        assert!(noted, "{driver:?}: {}", told(&events));
    }
    let (events, _) = read(Driver::Claude, &bytes, 1, 1 << 16);
    assert!(events.contains(&EventKind::Text { text: "a b".into() }), "{}", told(&events));
}
