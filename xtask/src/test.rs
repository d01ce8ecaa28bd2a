//! `cargo xtask test`: every test that can run here, and the names of those that cannot.

use crate::{
    available::{Need, claude, shared_data},
    traffic::{self, Traffic},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// One test binary.
pub(crate) struct Binary {
    pub(crate) path: String,
    /// Where it keeps what it says to a GitHub.
    traffic: PathBuf,
    /// Where it is run: its package's folder.
    folder: PathBuf,
    /// Its package and its target.
    pub(crate) label: String,
}

/// Builds all test binaries once, then runs each: first what needs nothing, then the ignored tests whose needs are met.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let mut required = Vec::new();
    let mut filter = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--require" {
            for name in args.next().ok_or("--require takes names, joined by commas")?.split(',') {
                let need = Need::ALL.into_iter().find(|need| need.name() == name);
                required.push(need.ok_or_else(|| format!("there is no need {name:?}"))?);
            }
        } else if arg.starts_with('-') {
            return Err(format!("there is no option {arg:?}"));
        } else {
            filter = Some(arg.clone());
        }
    }
    let here: Vec<Need> = Need::ALL.into_iter().filter(|need| need.is_here(root)).collect();
    for need in &required {
        if !here.contains(need) {
            return Err(format!("{} is required and is not here", need.name()));
        }
    }
    let kept = Traffic::begin(root)?;
    let binaries = build(root, &kept)?;
    let mut totals = Totals::default();
    let mut failed = Vec::new();
    for binary in &binaries {
        execute(root, binary, &filter.iter().map(String::as_str).collect::<Vec<_>>(), &mut totals, &mut failed)?;
    }
    let mut left_out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = None;
    for binary in &binaries {
        // libtest does not tell why a test is ignored in its listing; the reason is printed when it is passed over.
        for (test, reason) in ignored(root, binary)? {
            if filter.as_ref().is_some_and(|filter| !test.contains(filter.as_str())) && test != traffic::TEST {
                continue;
            }
            let needs = Need::of(&reason);
            if (binary.label.as_str(), test.as_str()) == (traffic::BINARY, traffic::TEST) {
                last = Some(binary);
                continue;
            }
            if needs.is_empty() || needs.iter().any(|need| !here.contains(need)) {
                left_out.entry(reason).or_default().push(format!("{} {test}", binary.label));
                continue;
            }
            execute(root, binary, &["--ignored", "--exact", &test], &mut totals, &mut failed)?;
            totals.ignored = totals.ignored.saturating_sub(1);
        }
    }
    if last.is_none() && filter.is_none() {
        return Err(format!(
            "{} has no test {}: what was said to GitHub is not checked",
            traffic::BINARY,
            traffic::TEST
        ));
    }
    // Of a part of the tests that says nothing there is nothing to check.
    if let Some(binary) = last.filter(|_| filter.is_none() || !kept.is_empty()) {
        if here.contains(&Need::Contracts) {
            execute(root, binary, &["--ignored", "--exact", traffic::TEST], &mut totals, &mut failed)?;
            totals.ignored = totals.ignored.saturating_sub(1);
        } else {
            left_out.entry(Need::Contracts.reason()).or_default().push(format!("{} {}", binary.label, traffic::TEST));
        }
    }
    for (reason, tests) in &left_out {
        println!("\nleft out ({reason}):");
        for test in tests {
            println!("  {test}");
        }
    }
    for test in &failed {
        println!("failed: {test}");
    }
    if let Some(report) = kept.report() {
        println!("\nheld against GitHub's own descriptions: {}", report.trim_end());
    }
    let result = if totals.failed == 0 && failed.is_empty() { "ok" } else { "FAILED" };
    let skipped: usize = left_out.values().map(Vec::len).sum();
    println!(
        "\ntest result: {result}. {} passed; {} failed; {skipped} ignored; 0 measured; 0 filtered out; finished in {:.2}s",
        totals.passed, totals.failed, totals.seconds
    );
    if totals.passed == 0 {
        return Err("no test ran".to_owned());
    }
    if result == "ok" { Ok(()) } else { Err(format!("{} tests failed", totals.failed.max(failed.len()))) }
}

#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    ignored: usize,
    seconds: f64,
}

/// `cargo test --no-run`, and the binaries that it names.
pub(crate) fn build(root: &Path, kept: &Traffic) -> Result<Vec<Binary>, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--workspace", "--all-features", "--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = command
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let mut binaries = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
        let line = line.map_err(|error| error.to_string())?;
        let Ok(message) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        let is_test = message["profile"]["test"] == true;
        let Some(path) = message["executable"].as_str().filter(|_| is_test) else { continue };
        let folder =
            message["manifest_path"].as_str().and_then(|path| Path::new(path).parent()).unwrap_or(root).to_path_buf();
        let package = folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        let target = message["target"]["name"].as_str().unwrap_or("?");
        let (traffic, label) = (kept.folder.clone(), format!("{package}::{target}"));
        binaries.push(Binary { path: path.to_owned(), traffic, folder, label });
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(binaries) } else { Err("the tests do not build".to_owned()) }
}

/// A binary in the surroundings that its tests expect.
pub(crate) fn base(root: &Path, binary: &Binary) -> Command {
    let mut command = Command::new(&binary.path);
    command.current_dir(&binary.folder).env("CARGO_MANIFEST_DIR", &binary.folder).stdin(Stdio::null());
    command.env(traffic::VARIABLE, &binary.traffic);
    if let Some(data) = shared_data(root) {
        command.env("HYDRA_SHARED_DATA", data);
    }
    static CLAUDE: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(program) = CLAUDE.get_or_init(|| claude(root)) {
        command.env("HYDRA_CLAUDE", program);
    }
    command
}

/// Runs one binary, passes its output on, and adds up its result lines.
fn execute(
    root: &Path,
    binary: &Binary,
    args: &[&str],
    totals: &mut Totals,
    failed: &mut Vec<String>,
) -> Result<(), String> {
    let mut command = base(root, binary);
    command.args(args).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", binary.path))?;
    println!("\n--- {} {}", binary.label, args.join(" "));
    let mut summary = false;
    for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(rest) = line.strip_prefix("test result: ") {
            summary = true;
            let number = |what: &str| {
                rest.split([';', '.'])
                    .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<usize>().ok())
                    .unwrap_or(0)
            };
            totals.passed += number(" passed");
            totals.failed += number(" failed");
            totals.ignored += number(" ignored");
            let seconds =
                rest.rsplit("finished in ").next().and_then(|text| text.trim_end_matches('s').parse::<f64>().ok());
            totals.seconds += seconds.unwrap_or(0.0);
            // Only the last line of the whole run is a summary.
            println!("  {rest}");
        } else {
            if line.ends_with("... FAILED") {
                failed.push(format!(
                    "{} {}",
                    binary.label,
                    line.trim_start_matches("test ").trim_end_matches(" ... FAILED")
                ));
            }
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() && !summary {
        totals.failed += 1;
        failed.push(format!("{} ended with {status} before its summary", binary.label));
    }
    Ok(())
}

/// The tests that a binary lists.
pub(crate) fn names(root: &Path, binary: &Binary, args: &[&str]) -> Result<Vec<String>, String> {
    let listing = base(root, binary).args(args).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&listing.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned)).collect())
}

/// The ignored tests of a binary, each with its reason.
pub(crate) fn ignored(root: &Path, binary: &Binary) -> Result<Vec<(String, String)>, String> {
    let names = names(root, binary, &["--list", "--ignored"])?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // Run with a filter that passes every test over by name is not to be had; passing over the ignored ones alone is cheap.
    let mut command = base(root, binary);
    command.args(["--exact"]).args(&names);
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let reasons: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| {
            let (name, reason) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
            Some((name.to_owned(), reason.trim_start_matches([',', ' ']).to_owned()))
        })
        .collect();
    Ok(names.into_iter().map(|name| (name.clone(), reasons.get(&name).cloned().unwrap_or_default())).collect())
}
