//! How fast a job's event lines are redacted, parsed and added up, against counting their lines and against `jq`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run ends with its cause")]

#[path = "events/stream.rs"]
mod stream;

use hydra_core::{prices::PriceTable, redact::Redactor};
use hydra_engine::tally;
use hydra_figures::{Aim, Figure, best, gb_per_s, left_out, ratio};
use secrecy::SecretString;
use std::{hint::black_box, path::Path, process::Command, time::Duration};

/// More than the nearest caches hold; short runs, many of them, meet a quiet moment of a busy machine.
const BYTES: usize = 8 * 1024 * 1024;
const RUNS: usize = 40;

fn main() {
    let redactor = redactor();
    measure("a generated session", &stream::generated(BYTES), &redactor);
    match stream::recorded(BYTES) {
        Some(bytes) => measure("recorded sessions of four CLIs", &bytes, &redactor),
        None => left_out("recorded sessions", "shared data"),
    }
}

fn measure(name: &str, bytes: &[u8], redactor: &Redactor) {
    let prices = PriceTable::default();
    let model = "claude-sonnet-4-6".parse().unwrap();
    let count = best(RUNS, || {
        black_box(memchr::memchr_iter(b'\n', black_box(bytes)).count());
    });
    let whole = best(RUNS, || {
        black_box(tally::read(black_box(bytes), redactor, &prices, Some(&model)));
    });
    let (tally, events) = tally::read(bytes, redactor, &prices, Some(&model));
    assert!(tally.garbage == 0 && tally.progress.spend.turns > 0, "the bench's stream is not one");
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| std::str::from_utf8(line).unwrap());
    let lines: Vec<&str> = lines.collect();
    let redaction = best(RUNS, || {
        for line in &lines {
            black_box(redactor.redact_line(black_box(line)));
        }
    });
    let masked = lines.iter().filter(|line| redactor.redact_line(line) != **line).count();
    let speed = gb_per_s(bytes.len(), whole);
    let what = format!("event stream with redaction, {name}");
    Figure::new(&what, "the limit that the issue sets", speed, "GB/s")
        .aim(Aim::AtLeast(0.5))
        .detail(format!(
            "{} MB, {} events of {} bytes on average, {masked} lines masked; redaction alone {:.2} GB/s",
            bytes.len() / 1_000_000,
            events.len(),
            bytes.len() / events.len(),
            gb_per_s(bytes.len(), redaction),
        ))
        .say();
    Figure::new(&what, "memchr line count", ratio(whole, count), "times as long")
        .detail(format!("{:.1} GB/s for the count", gb_per_s(bytes.len(), count)))
        .say();
    match jq(bytes) {
        Some(took) => Figure::new(&what, "jq, which only parses", ratio(took, whole), "times as fast")
            .aim(Aim::AtLeast(5.0))
            .detail(format!("`jq -c .event`: {:.3} GB/s", gb_per_s(bytes.len(), took)))
            .say(),
        None => left_out("the comparison with jq", "jq"),
    }
}

/// `jq` over the same bytes in a file, its start taken off.
fn jq(bytes: &[u8]) -> Option<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let (file, empty) = (folder.path().join("events.jsonl"), folder.path().join("empty"));
    std::fs::write(&file, bytes).unwrap();
    std::fs::write(&empty, b"").unwrap();
    let run = |path: &Path| Command::new("jq").args(["-c", ".event"]).arg(path).output();
    run(&empty).ok().filter(|output| output.status.success())?;
    let start = best(3, || _ = black_box(run(&empty)));
    Some(best(5, || assert!(run(&file).unwrap().status.success())).saturating_sub(start))
}

/// The secrets of a whole installation: git tokens, accounts, keys.
fn redactor() -> Redactor {
    let secrets: Vec<(String, SecretString)> = ["builder", "reviewer", "security", "applier", "orchestrator"]
        .iter()
        .map(|name| (format!("git:{name}"), format!("github_{}_11{}", "pat", stream::word(name, 80)).into()))
        .chain((1..=3).map(|n| {
            (format!("account:{n}"), format!("sk-{}-oat01-{}", "ant", stream::word(&n.to_string(), 90)).into())
        }))
        .chain([("signing-key".to_owned(), SecretString::from(stream::word("signing", 43)))])
        .collect();
    Redactor::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret)))
}
