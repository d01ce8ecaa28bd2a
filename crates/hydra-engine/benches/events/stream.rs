//! Event streams to measure with: a generated session, and the recorded ones of the shared data as the wrapper translates them.

use hydra_agent::{drivers::Driver, drivers::feed, drivers::feed_end, lines::LineSplitter};
use hydra_core::{
    Timestamp, Tokens,
    agent_event::{AgentEvent, EventKind, SCHEMA, ToolKind},
    redact::Redactor,
};
use std::path::{Path, PathBuf};

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

/// A long word that looks like a token's body.
pub(crate) fn word(seed: &str, length: usize) -> String {
    let mut numbers = Numbers(seed.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)));
    let digits: Vec<&str> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".split("").collect();
    (0..length).map(|_| numbers.pick(&digits[1..63])).collect()
}

const PROSE: &[&str] = &[
    "I'll look at the parser first, because the failing test names it.",
    "The bearer of this change is `resolve_path`; the basic idea stays the same.",
    "```rust\nfn half_open(buf_len: usize) -> bool {\n    buf_len > 0 && self.is_ready()\n}\n```",
    "See https://example.org/docs/errors#E0499 and http://localhost:8080/v1/messages?beta=true.",
    "// TODO was removed; the comment says \"why\" now.\n\tlet task = queue.pop();",
    "npm run test prints `1 passing (12ms)`, and the lint is quiet; 100% of the branches are covered.",
    "Zusätzlich prüfe ich die Grüße – die Breite ist in Zeichen, nicht in Bytes.",
    "assert_eq!(half_life(3), 1.5); assert!(self_test().is_ok());",
];
const PATHS: &[&str] = &["src/lib.rs", "src/parser/half_open.rs", "tests/it/main.rs", "package.json", "docs/how to.md"];
const COMMANDS: &[&str] = &[
    "cargo test -p left-pad --all-features 2>&1 | tail -40",
    "git diff --stat HEAD~1 && rg -n 'fn resolve_path' src",
    "python3 -m pytest -x -q tests/test_io.py -k \"not slow\"",
    "curl -s https://example.org/a%20b | head -c 200",
];

fn event(numbers: &mut Numbers, turn: u32) -> EventKind {
    match numbers.below(100) {
        0..=19 => EventKind::Turn {
            turn,
            tokens: Tokens {
                input: numbers.below(40),
                output: numbers.below(3_000),
                cache_read: numbers.below(150_000),
                cache_write: numbers.below(9_000),
            },
            model: "claude-sonnet-4-6".parse().ok(),
        },
        20..=44 => {
            let sentences = 1 + numbers.below(12);
            EventKind::Text { text: (0..sentences).map(|_| numbers.pick(PROSE)).collect::<Vec<_>>().join(" ") }
        }
        45..=69 => EventKind::Tool {
            id: format!("toolu_01{}", word(&turn.to_string(), 22)),
            tool: ToolKind::Shell,
            name: "Bash".into(),
            path: None,
            command: Some(numbers.pick(COMMANDS).into()),
        },
        70..=74 => EventKind::Tool {
            id: format!("toolu_01{}", word(&turn.to_string(), 22)),
            tool: ToolKind::Read,
            name: "Read".into(),
            path: Some(numbers.pick(PATHS).into()),
            command: None,
        },
        75..=97 => EventKind::ToolResult {
            id: format!("toolu_01{}", word(&turn.to_string(), 22)),
            ok: true,
            bytes: numbers.below(20_000),
        },
        98 => EventKind::Command {
            name: "test".into(),
            command: numbers.pick(COMMANDS).into(),
            exit: 0,
            millis: numbers.below(90_000),
            tail: (0..40).map(|n| format!("\u{1b}[32mok\u{1b}[0m {n} - {}\n", numbers.pick(PATHS))).collect(),
        },
        // Every so often one that is masked.
        _ => EventKind::Text {
            text: format!("the header was Authorization: {} {}", "Bearer", word(&turn.to_string(), 40)),
        },
    }
}

fn line(kind: EventKind, second: i64, to: &mut Vec<u8>) {
    let ts = Timestamp::new(1_760_000_000 + second, 123_456_789).unwrap_or_default();
    if serde_json::to_writer(&mut *to, &AgentEvent { v: SCHEMA, ts, kind }).is_ok() {
        to.push(b'\n');
    }
}

/// A session of so many bytes.
pub(crate) fn generated(size: usize) -> Vec<u8> {
    let mut numbers = Numbers(1);
    let mut bytes = Vec::with_capacity(size + 16_384);
    let mut turn = 0;
    while bytes.len() < size {
        turn += 1;
        line(event(&mut numbers, turn), i64::from(turn), &mut bytes);
    }
    bytes
}

/// The recorded streams of real CLIs, translated by the drivers, again and again up to so many bytes.
pub(crate) fn recorded(size: usize) -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("HYDRA_SHARED_DATA").map_or(beside, PathBuf::from).join("transcripts");
    let mut events = Vec::new();
    for (cli, driver) in [
        ("claude-code", Driver::Claude),
        ("codex", Driver::Codex),
        ("gemini-cli", Driver::Gemini),
        ("opencode", Driver::Opencode),
    ] {
        let versions = std::fs::read_dir(&folder).ok()?.flatten();
        for version in versions.filter(|entry| entry.file_name().to_string_lossy().starts_with(cli)) {
            for file in std::fs::read_dir(version.path()).ok()?.flatten() {
                let (mut splitter, redactor) = (LineSplitter::default(), Redactor::default());
                let mut parser = driver.parser(Path::new("/workspace"));
                let bytes = std::fs::read(file.path()).ok()?;
                let mut emit = |kind| events.push(kind);
                feed(&mut splitter, parser.as_mut(), &redactor, &bytes, &mut emit);
                feed_end(&mut splitter, parser.as_mut(), &redactor, &mut emit);
            }
        }
    }
    let mut bytes = Vec::with_capacity(size + 16_384);
    for (second, kind) in events.iter().cycle().enumerate() {
        if bytes.len() >= size {
            break;
        }
        line(kind.clone(), i64::try_from(second).unwrap_or_default(), &mut bytes);
    }
    (!events.is_empty()).then_some(bytes)
}
