//! `cargo xtask threats`: the attacks that the fence is measured against, row by row, each tried now in mode `isolated`.

use crate::{
    available::Need,
    test::{self, Binary},
    traffic::Traffic,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};
use table::{KUBERNETES, ROWS, Row};

mod table;

/// Version of the JSON.
const VERSION: u32 = 1;
/// Lines of a failed test's output that are shown.
const SHOWN: usize = 40;

/// What came of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Passed,
    Failed,
    /// Something that it needs is not here.
    NotRun,
}

/// One test that was to be run.
#[derive(Debug, Clone, Serialize)]
struct Ran {
    /// Package and target.
    binary: String,
    name: String,
    outcome: Outcome,
    seconds: f64,
    /// What is missing, or how it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
}

/// What is known of a row after its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Held,
    /// Held as far as the document says; the tests show how far.
    Residual,
    Failed,
    NotRun,
    /// No test has one of the names that the document gives.
    NoTest,
    /// Another fence's.
    Kubernetes,
}

impl Verdict {
    /// Of a row with these tests; `named` is whether each name of the document is one of a test.
    fn of(residual: bool, named: bool, ran: &[Ran]) -> Self {
        let any = |outcome: Outcome| ran.iter().any(|one| one.outcome == outcome);
        match () {
            () if any(Outcome::Failed) => Self::Failed,
            () if !named || ran.is_empty() => Self::NoTest,
            () if any(Outcome::NotRun) => Self::NotRun,
            () if residual => Self::Residual,
            () => Self::Held,
        }
    }
    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Residual => "residual",
            Self::Failed => "FAILED",
            Self::NotRun => "NOT RUN",
            Self::NoTest => "NO TEST",
            Self::Kubernetes => "kubernetes",
        }
    }
    const fn is_fine(self) -> bool {
        matches!(self, Self::Held | Self::Residual | Self::Kubernetes)
    }
}

/// A row and what came of it.
#[derive(Debug, Serialize)]
struct Line {
    number: u8,
    attack: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    promise: String,
    verdict: Verdict,
    seconds: f64,
    tests: Vec<Ran>,
}

/// Runs the tests of every row, or of those whose numbers are given, and prints the table. An error when a row is not held.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let (mut json, mut wanted) = (false, Vec::new());
    for arg in args {
        match (arg.as_str(), arg.parse::<u8>()) {
            ("--json", _) => json = true,
            (_, Ok(number)) if ROWS.contains(&number) => wanted.push(number),
            _ => return Err(format!("cargo xtask threats takes --json and numbers of rows (1 to 37), not {arg:?}")),
        }
    }
    let mut rows = table::read(root)?;
    rows.retain(|row| wanted.is_empty() || wanted.contains(&row.number));
    let mut bench = Bench::new(root)?;
    let mut lines = Vec::new();
    for row in rows {
        let line = bench.line(row)?;
        if !json {
            print(&line);
        }
        lines.push(line);
    }
    if wanted.is_empty() {
        lines.extend(KUBERNETES.map(|(number, attack)| Line {
            number,
            attack: attack.to_owned(),
            promise: String::new(),
            verdict: Verdict::Kubernetes,
            seconds: 0.0,
            tests: Vec::new(),
        }));
    }
    let count = |verdict: Verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    let bad: Vec<String> =
        lines.iter().filter(|line| !line.verdict.is_fine()).map(|line| line.number.to_string()).collect();
    if json {
        let all = serde_json::json!({ "v": VERSION, "mode": "isolated", "rows": lines });
        println!("{}", serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?);
    } else {
        lines.iter().filter(|line| line.verdict == Verdict::Kubernetes).for_each(print);
        failures(&lines);
        println!(
            "\n{} rows held, {} of them with a documented residual; {} not; {} are Kubernetes'",
            count(Verdict::Held) + count(Verdict::Residual),
            count(Verdict::Residual),
            bad.len(),
            count(Verdict::Kubernetes)
        );
    }
    if bad.is_empty() { Ok(()) } else { Err(format!("not held, or not shown: rows {}", bad.join(", "))) }
}

/// The test binaries, and what came of the tests so far.
struct Bench<'a> {
    root: &'a Path,
    here: Vec<Need>,
    binaries: Vec<Binary>,
    /// Names of each binary's tests, and why those are ignored that are.
    listed: Vec<(Vec<String>, BTreeMap<String, String>)>,
    /// By binary and name: a test that shows two rows runs once.
    ran: BTreeMap<(usize, String), Ran>,
    _traffic: Traffic,
}

impl<'a> Bench<'a> {
    fn new(root: &'a Path) -> Result<Self, String> {
        let traffic = Traffic::begin(root)?;
        let binaries = test::build(root, &traffic)?;
        let mut listed = Vec::new();
        for binary in &binaries {
            let ignored = test::ignored(root, binary)?.into_iter().collect();
            listed.push((test::names(root, binary, &["--list"])?, ignored));
        }
        let here = Need::ALL.into_iter().filter(|need| need.is_here(root)).collect();
        Ok(Self { root, here, binaries, listed, ran: BTreeMap::new(), _traffic: traffic })
    }

    fn line(&mut self, row: Row) -> Result<Line, String> {
        let (mut tests, mut named) = (Vec::new(), true);
        for filter in &row.tests {
            let found: Vec<(usize, String)> = self.found(filter);
            named &= !found.is_empty();
            for (binary, name) in found {
                tests.push(self.test(binary, name)?);
            }
        }
        Ok(Line {
            number: row.number,
            attack: row.attack,
            promise: row.promise,
            verdict: Verdict::of(row.residual, named, &tests),
            seconds: tests.iter().map(|one| one.seconds).sum(),
            tests,
        })
    }

    /// The tests whose paths hold a text.
    fn found(&self, filter: &str) -> Vec<(usize, String)> {
        let of = |(binary, (names, _)): (usize, &(Vec<String>, _))| -> Vec<(usize, String)> {
            names.iter().filter(|name| name.contains(filter)).map(|name| (binary, name.clone())).collect()
        };
        self.listed.iter().enumerate().flat_map(of).collect()
    }

    fn test(&mut self, binary: usize, name: String) -> Result<Ran, String> {
        let key = (binary, name);
        if let Some(ran) = self.ran.get(&key) {
            return Ok(ran.clone());
        }
        let (Some(program), Some((_, ignored))) = (self.binaries.get(binary), self.listed.get(binary)) else {
            return Err("there is no such binary".to_owned());
        };
        let mut ran = Ran {
            binary: program.label.clone(),
            name: key.1.clone(),
            outcome: Outcome::NotRun,
            seconds: 0.0,
            why: String::new(),
        };
        let reason = ignored.get(&key.1).cloned().unwrap_or_default();
        let needs = Need::of(&reason);
        if ignored.contains_key(&key.1) && (needs.is_empty() || needs.iter().any(|need| !self.here.contains(need))) {
            ran.why = reason;
        } else {
            let begun = Instant::now();
            let mut command = test::base(self.root, program);
            command.args(["--include-ignored", "--exact", &key.1]);
            let output = command.output().map_err(|error| format!("{}: {error}", program.path))?;
            ran.seconds = seconds(begun.elapsed());
            let said = String::from_utf8_lossy(&output.stdout);
            let passed = output.status.success() && said.contains("test result: ok. 1 passed");
            ran.outcome = if passed { Outcome::Passed } else { Outcome::Failed };
            if !passed {
                let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(SHOWN).collect();
                ran.why = format!("{}\n{}", output.status, lines.join("\n"));
            }
        }
        self.ran.insert(key, ran.clone());
        Ok(ran)
    }
}

/// To a tenth.
fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

fn print(line: &Line) {
    println!("{:>2}  {:<10}  {:>6.1} s  {}", line.number, line.verdict.name(), line.seconds, line.attack);
    for test in &line.tests {
        let outcome = match test.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotRun => "not run",
        };
        println!("      {outcome:<8}  {:>6.1} s  {} {}", test.seconds, test.binary, test.name);
    }
}

/// Why tests failed or were not run, each once.
fn failures(lines: &[Line]) {
    let tests = lines.iter().flat_map(|line| &line.tests).filter(|test| test.outcome != Outcome::Passed);
    let why: BTreeMap<(&str, &str), &str> =
        tests.map(|test| ((test.binary.as_str(), test.name.as_str()), test.why.as_str())).collect();
    for ((binary, name), why) in why {
        println!("\n{binary} {name}: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(outcome: Outcome) -> Ran {
        Ran { binary: "a::it".into(), name: "x".into(), outcome, seconds: 0.0, why: String::new() }
    }

    #[test]
    fn a_row_is_held_only_when_all_its_tests_ran_and_passed() {
        let (passed, failed, not_run) = (ran(Outcome::Passed), ran(Outcome::Failed), ran(Outcome::NotRun));
        let held = std::slice::from_ref(&passed);
        assert_eq!(Verdict::of(false, true, held), Verdict::Held);
        assert_eq!(Verdict::of(true, true, held), Verdict::Residual);
        assert_eq!(Verdict::of(false, true, &[]), Verdict::NoTest);
        assert_eq!(Verdict::of(false, false, held), Verdict::NoTest, "one of its names is nobody's");
        assert_eq!(Verdict::of(true, true, &[passed.clone(), not_run.clone()]), Verdict::NotRun);
        assert_eq!(Verdict::of(true, false, &[passed, not_run, failed]), Verdict::Failed);
        let fine = [Verdict::Held, Verdict::Residual, Verdict::Kubernetes];
        for verdict in [Verdict::Failed, Verdict::NotRun, Verdict::NoTest] {
            assert!(!verdict.is_fine() && fine.iter().all(|one| one.is_fine()));
        }
    }
}
