//! The loop: mutate, run, keep what is new, stop at the first failure.
#![expect(clippy::print_stdout, reason = "a test says how much it tried")]

use crate::{NIGHTLY, REPLAY, SECONDS, SEED, mutate::mutate, numbers::Numbers, shrink::shrink};
use std::{
    cell::Cell,
    collections::BTreeMap,
    env, fs,
    hash::{BuildHasher, RandomState},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Once,
    time::{Duration, Instant},
};

/// In CI.
const FEW_SECONDS: u64 = 4;
/// At night.
const MANY_SECONDS: u64 = 180;
/// No input of 64 KiB may take longer, in a build that is not optimised, on a machine that is busy.
const SLOW: Duration = Duration::from_secs(5);
/// Inputs that are kept because their answer was new.
const KEPT: usize = 4_000;

/// What was tried.
#[derive(Debug, Default)]
pub struct Report {
    /// How many inputs.
    pub inputs: u64,
    /// How often each kind of answer came.
    pub answers: BTreeMap<String, u64>,
}

impl Report {
    /// Whether some answer began with these words.
    #[must_use]
    pub fn saw(&self, beginning: &str) -> bool {
        self.answers.keys().any(|answer| answer.starts_with(beginning))
    }
}

/// Runs a target over mutations of the corpus until its time is up. The target returns the kind of its answer; digits in it do not count.
///
/// # Panics
/// When an input makes the target panic, or takes it too long.
pub fn fuzz(name: &str, corpus: &[Vec<u8>], target: impl Fn(&[u8]) -> String) -> Report {
    fuzz_in(&folder(), name, corpus, target)
}

fn fuzz_in(folder: &Path, name: &str, corpus: &[Vec<u8>], target: impl Fn(&[u8]) -> String) -> Report {
    assert!(!corpus.is_empty(), "{name}: the corpus is empty");
    let mut report = Report::default();
    if let Some(path) = env::var_os(REPLAY) {
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{name}: {}", target(&bytes));
        return report;
    }
    let seed = seed();
    let mut numbers = Numbers(seed);
    let mut kept = corpus.to_vec();
    let begun = Instant::now();
    let end = seconds();
    // The corpus itself first, whole.
    let mut waiting = corpus.to_vec();
    while !waiting.is_empty() || begun.elapsed() < end {
        let input = waiting.pop().unwrap_or_else(|| {
            let from = numbers.pick(&kept).cloned().unwrap_or_default();
            mutate(&from, &kept, &mut numbers)
        });
        report.inputs += 1;
        let answer = match attempt(&input, &target) {
            Ok(answer) => answer,
            Err(why) => fail(folder, name, seed, &input, &why, &target),
        };
        let times = report.answers.entry(kind(&answer)).or_default();
        *times += 1;
        if *times == 1 && kept.len() < KEPT {
            kept.push(input);
        }
    }
    println!(
        "{name}: {} inputs in {:.1} s, {} kinds of answer, seed {seed}",
        report.inputs,
        begun.elapsed().as_secs_f64(),
        report.answers.len()
    );
    report
}

/// The answer, or why there is none.
fn attempt(input: &[u8], target: &impl Fn(&[u8]) -> String) -> Result<String, String> {
    quietly(|| {
        let begun = Instant::now();
        let answer = panic::catch_unwind(AssertUnwindSafe(|| target(input)));
        let took = begun.elapsed();
        match answer {
            Err(cause) => Err(text(&*cause)),
            Ok(_) if took > SLOW => Err(format!("it takes {took:?} for {} bytes", input.len())),
            Ok(answer) => Ok(answer),
        }
    })
}

fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let said = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    said.unwrap_or("it panics").to_owned()
}

fn fail(folder: &Path, name: &str, seed: u64, input: &[u8], why: &str, target: &impl Fn(&[u8]) -> String) -> ! {
    let small = shrink(input, |bytes| attempt(bytes, target).is_err());
    let why = attempt(&small, target).err().unwrap_or_else(|| why.to_owned());
    let path = folder.join(format!("{name}-{seed}"));
    let kept = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &small));
    let kept = match kept {
        Ok(()) => format!("kept in {}; again with {REPLAY}={}", path.display(), path.display()),
        Err(error) => format!("not kept, {}: {error}", path.display()),
    };
    let shown = String::from_utf8_lossy(small.get(..400).unwrap_or(&small)).into_owned();
    panic!("{name}, seed {seed}: {why}\nthe input, {} bytes: {shown:?}\n{kept}", small.len())
}

/// An answer without what differs in every one: numbers, and what is quoted from the input.
fn kind(answer: &str) -> String {
    let mut kind = String::new();
    let mut quoted = false;
    for one in answer.chars().take(400) {
        match one {
            '"' | '`' => quoted = !quoted,
            _ if quoted => continue,
            '0'..='9' if kind.ends_with('0') => continue,
            '0'..='9' => {
                kind.push('0');
                continue;
            }
            _ => {}
        }
        kind.push(one);
    }
    kind
}

fn seconds() -> Duration {
    let few = if env::var_os(NIGHTLY).is_some() { MANY_SECONDS } else { FEW_SECONDS };
    Duration::from_secs_f64(number(SECONDS).unwrap_or(few as f64))
}

/// The same in CI, so that a red run is red again; another every night.
fn seed() -> u64 {
    let any = || if env::var_os(NIGHTLY).is_some() { RandomState::new().hash_one("night") } else { 1 };
    number(SEED).unwrap_or_else(any)
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name}={text:?} is no number"),
    }
}

/// `target/fuzz` of the workspace.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz")
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Panics of this thread are not printed: the last one, with the small input, is.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    QUIET.set(true);
    let done = run();
    QUIET.set(false);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Vec<Vec<u8>> {
        vec![br#"{"name":"a","size":3,"list":[1,2]}"#.to_vec()]
    }

    #[test]
    fn a_fault_that_stands_deep_is_found_made_small_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let target = |bytes: &[u8]| {
            let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return "no JSON".to_owned() };
            // Only after a step that is worth keeping: no list, then no size.
            match (value.get("list").is_some_and(serde_json::Value::is_array), value["size"].as_u64()) {
                (true, _) => "a list".to_owned(),
                (false, Some(_)) => "no list".to_owned(),
                (false, None) => panic!("neither list nor size"),
            }
        };
        let found = quietly(|| panic::catch_unwind(|| fuzz_in(folder.path(), "planted", &corpus(), target)));
        let said = text(&*found.unwrap_err());
        assert!(said.starts_with("planted, seed ") && said.contains("neither list nor size"), "{said}");
        let kept = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let small = fs::read(kept.path()).unwrap();
        assert!(small.len() <= 2, "{:?}", String::from_utf8_lossy(&small));
    }

    #[test]
    fn a_target_without_fault_is_run_for_its_time_and_its_answers_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let report = fuzz_in(folder.path(), "sound", &corpus(), |bytes| {
            serde_json::from_slice::<serde_json::Value>(bytes)
                .map_or_else(|error| error.to_string(), |_| "ok".to_owned())
        });
        assert!(report.inputs > 1_000 && report.saw("ok") && report.saw("expected"), "{report:?}");
        assert!(report.answers.len() < 60, "line and column are no difference: {:?}", report.answers.keys());
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn numbers_and_quoted_words_make_no_other_kind() {
        assert_eq!(kind("line 12, column 345: `abc` is no \"x\""), kind("line 1, column 2: `` is no \"yz\""));
        assert_ne!(kind("line 1"), kind("column 1"));
    }
}
