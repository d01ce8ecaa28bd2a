//! `cargo xtask fuzz`: the libFuzzer targets of `fuzz/`, built with coverage counters by the stable compiler, each for some seconds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

/// In CI.
const FEW_SECONDS: u64 = 8;
/// At night.
pub(crate) const MANY_SECONDS: u64 = 600;
/// What cargo-fuzz passes for `--sanitizer none`: counters on edges and comparisons, and no sanitizer, which would need a nightly compiler.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0";
/// Bytes of an input at most.
const LONGEST: usize = 16_384;
/// Seconds that one input may take, on a machine that is busy.
const SLOW: u64 = 10;
/// Lines of a failed target's output that are shown.
const SHOWN: usize = 30;

/// `[TARGET] [--seconds N]`.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let (mut only, mut seconds) = (None, FEW_SECONDS);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let number = args.next().and_then(|text| text.parse().ok());
            seconds = number.filter(|number| *number > 0).ok_or("--seconds takes a number above 0")?;
        } else if arg.starts_with('-') {
            return Err(format!("there is no option {arg:?}"));
        } else {
            only = Some(arg.clone());
        }
    }
    let folder = root.join("fuzz");
    let mut targets = targets(&fs::read_to_string(folder.join("Cargo.toml")).map_err(|error| error.to_string())?)?;
    if let Some(only) = &only {
        if !targets.contains(only) {
            return Err(format!("there is no target {only:?}; there are {}", targets.join(", ")));
        }
        targets.retain(|target| target == only);
    }
    let begun = Instant::now();
    let programs = build(&folder, only.as_deref())?;
    println!("built in {:.0} s; {} targets, {seconds} s each", begun.elapsed().as_secs_f64(), targets.len());
    all(root, &programs, &targets, seconds)
}

/// The names of the package's binaries.
fn targets(manifest: &str) -> Result<Vec<String>, String> {
    let manifest: toml::Table = manifest.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let bins = manifest.get("bin").and_then(toml::Value::as_array).into_iter().flatten();
    let names: Vec<String> = bins.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())).collect();
    if names.is_empty() { Err("fuzz/Cargo.toml names no target".to_owned()) } else { Ok(names) }
}

/// Builds them; the folder that they are in.
fn build(folder: &Path, only: Option<&str>) -> Result<PathBuf, String> {
    let version = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let target = folder.join("target");
    let mut command = Command::new(env!("CARGO"));
    // With a target named, build scripts and macros are built without the flags.
    command.args(["build", "--quiet", "--locked", "--release", "--target", host, "--target-dir"]).arg(&target);
    match only {
        Some(name) => command.args(["--bin", name]),
        None => command.arg("--bins"),
    };
    let status = command.env("RUSTFLAGS", FLAGS).current_dir(folder).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(target.join(host).join("release")) } else { Err("the targets do not build".to_owned()) }
}

/// Runs them, as many at a time as there are processors.
fn all(root: &Path, programs: &Path, targets: &[String], seconds: u64) -> Result<(), String> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match one(root, programs, target, seconds) {
                        Ok(done) => println!("{target}: {done}"),
                        Err(why) => {
                            println!("{target}: FAILED\n{why}");
                            failed.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(format!("fuzzing found something in {}", failed.join(", "))) }
}

/// Runs one; what it tried, or what it found and where that is kept.
fn one(root: &Path, programs: &Path, target: &str, seconds: u64) -> Result<String, String> {
    let folder = root.join("fuzz");
    let (corpus, artifacts) = (folder.join("corpus").join(target), folder.join("artifacts").join(target));
    for path in [&corpus, &artifacts] {
        fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let mut command = Command::new(programs.join(target));
    command
        .arg(&corpus)
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={SLOW}"))
        .args(["-rss_limit_mb=2048", "-print_final_stats=1"])
        .current_dir(&folder);
    if let Some(data) = crate::available::shared_data(root) {
        command.env("HYDRA_SHARED_DATA", data);
    }
    let output = command.output().map_err(|error| format!("it cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return tried(&said).ok_or_else(|| format!("it does not tell what it tried\n{}", end(&said)));
    }
    let kept = said.lines().find_map(|line| line.split("Test unit written to ").nth(1));
    let kept = kept.map_or("no input was kept".to_owned(), |path| {
        format!("the input: {path}\nagain: {} {path}", programs.join(target).display())
    });
    Err(format!("{}\n{kept}", end(&said)))
}

/// What libFuzzer's last lines say: how many inputs, and how many edges they came to.
fn tried(said: &str) -> Option<String> {
    let number = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let inputs = number("stat::number_of_executed_units:")?;
    let each = number("stat::average_exec_per_sec:")?;
    let edges = said.lines().rev().find_map(|line| line.split("cov: ").nth(1)?.split(' ').next()?.parse::<u64>().ok());
    // Without counters it would be blind, and nobody would see it.
    let edges = edges.filter(|edges| *edges > 100)?;
    Some(format!("{inputs} inputs, {each} a second, {edges} edges"))
}

/// The end of what it said, without the progress.
fn end(said: &str) -> String {
    let lines = said.lines().filter(|line| !line.starts_with('#') && !line.contains(" # Uses: "));
    let lines: Vec<&str> = lines.collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_file_and_every_file_its_target() {
        let folder = crate::root().join("fuzz");
        let mut named = targets(&fs::read_to_string(folder.join("Cargo.toml")).unwrap()).unwrap();
        let files = fs::read_dir(folder.join("targets")).unwrap().map(|file| file.unwrap().path());
        let mut there: Vec<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        named.sort();
        there.sort();
        assert_eq!(named, there);
        for name in named {
            let text = fs::read_to_string(folder.join(format!("targets/{name}.rs"))).unwrap();
            let called = text.split("target!(").nth(1).map(str::trim_start);
            let its = called.is_some_and(|called| called.starts_with(&format!("\"{name}\",")));
            assert!(its, "{name} fills another corpus");
        }
        assert!(targets("[package]\nname = \"x\"").is_err());
    }

    #[test]
    fn a_run_without_coverage_is_no_run() {
        let said = |edges: u64| {
            format!(
                "#9\tNEW    cov: 7 ft: 1\n#99\tDONE   cov: {edges} ft: 9 corp: 3\nstat::number_of_executed_units: 99\nstat::average_exec_per_sec:     12\n"
            )
        };
        assert_eq!(tried(&said(345)).as_deref(), Some("99 inputs, 12 a second, 345 edges"));
        assert_eq!(tried(&said(3)), None);
        assert_eq!(tried("stat::number_of_executed_units: 99\n"), None);
    }
}
