//! `cargo xtask bench`: the figures of docs/performance.md, each measured against a peer or a limit in the same run.

use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The variable that tells a bench where its figures go (`hydra-figures` reads it).
const OUT: &str = "HYDRA_BENCH_OUT";
const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- figures: written by cargo xtask bench --write -->";
const END: &str = "<!-- figures: end -->";

/// One bench target.
struct Bench {
    package: String,
    name: String,
}

/// Runs the benches whose package or name holds the word, all of them without one.
pub(crate) fn run(root: &Path, args: &[String]) -> Result<(), String> {
    let mut write = false;
    let mut word = None;
    for arg in args {
        match arg.as_str() {
            "--write" => write = true,
            arg if arg.starts_with('-') => return Err(format!("bench: there is no option {arg:?}")),
            arg => word = Some(arg),
        }
    }
    if write && word.is_some() {
        return Err("bench --write takes the figures of all benches, not of one".to_owned());
    }
    let benches = benches(root)?;
    let wanted = |bench: &&Bench| word.is_none_or(|word| bench.name.contains(word) || bench.package.contains(word));
    let chosen: Vec<&Bench> = benches.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = benches.iter().map(|bench| bench.name.as_str()).collect();
        return Err(format!("there is no such bench; there are {}", known.join(", ")));
    }
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (mut figures, mut broken) = (Vec::new(), Vec::new());
    for bench in chosen {
        println!("--- {} {}", bench.package, bench.name);
        match measure(root, bench, &folder) {
            Ok(found) => figures.extend(found),
            Err(why) => broken.push(format!("{} {}: {why}", bench.package, bench.name)),
        }
    }
    let missed: Vec<&Value> = figures.iter().filter(|figure| figure["met"] != true).collect();
    println!("\n{} figures, {} of them miss their aim", figures.len(), missed.len());
    for figure in &missed {
        println!("  {}", sentence(figure));
    }
    if !broken.is_empty() {
        return Err(format!("benches that did not run to their end:\n  {}", broken.join("\n  ")));
    }
    if write {
        document(root, &figures)?;
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("{} figures miss their aim", missed.len())) }
}

/// The bench targets of the workspace.
fn benches(root: &Path) -> Result<Vec<Bench>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut benches = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_bench = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bench"));
            if let (true, Some(package), Some(name)) = (is_bench, package["name"].as_str(), target["name"].as_str()) {
                benches.push(Bench { package: package.to_owned(), name: name.to_owned() });
            }
        }
    }
    Ok(benches)
}

/// Runs one bench; its figures.
fn measure(root: &Path, bench: &Bench, folder: &Path) -> Result<Vec<Value>, String> {
    let out: PathBuf = folder.join(format!("{}-{}.json", bench.package, bench.name));
    if out.exists() {
        fs::remove_file(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["bench", "--quiet", "--all-features", "--package", &bench.package, "--bench", &bench.name]);
    command.current_dir(root).env(OUT, &out);
    if let Some(data) = crate::available::shared_data(root) {
        command.env("HYDRA_SHARED_DATA", data);
    }
    let status = command.status().map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    let text = fs::read_to_string(&out).unwrap_or_default();
    let figures: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if figures.is_empty() {
        println!("  no figure: all of it was left out");
    }
    Ok(figures)
}

fn text<'v>(figure: &'v Value, name: &str) -> &'v str {
    figure[name].as_str().unwrap_or_default()
}

fn sentence(figure: &Value) -> String {
    let [what, against, shown, aimed] = ["what", "against", "shown", "aimed"].map(|name| text(figure, name));
    format!("{what}, against {against}: {shown}, not {aimed}")
}

/// Writes the table between its marks.
fn document(root: &Path, figures: &[Value]) -> Result<(), String> {
    let path = root.join(DOCUMENT);
    let old = fs::read_to_string(&path).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    let new = replaced(&old, &format!("{}\n\n{}", machine(), table(figures)))
        .ok_or_else(|| format!("{DOCUMENT}: has no lines {BEGIN:?} and {END:?}"))?;
    fs::write(&path, new).map_err(|error| format!("{DOCUMENT}: {error}"))?;
    println!("{DOCUMENT}: written");
    Ok(())
}

fn replaced(old: &str, between: &str) -> Option<String> {
    let (before, rest) = old.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{between}{END}{after}"))
}

fn table(figures: &[Value]) -> String {
    let mut table = "| what | against | figure | aim | how |\n|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        let cell = |name| text(figure, name).replace('|', "\\|");
        let miss = if figure["met"] == true { "" } else { " (missed)" };
        let (what, against, shown) = (cell("what"), cell("against"), cell("shown"));
        let _ = writeln!(table, "| {what} | {against} | {shown}{miss} | {} | {} |", cell("aimed"), cell("detail"));
    }
    table
}

/// The machine and the day, without a name of its own.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let day = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let day = day.map(|day| String::from_utf8_lossy(&day.stdout).trim().to_owned()).unwrap_or_default();
    format!("Measured {day} on {cores} cores of {model}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_written_between_its_marks_and_nowhere_else() {
        let figure = serde_json::json!({"what": "a|b", "against": "c", "shown": "0.90", "aimed": "<= 0.80", "detail": "d", "met": false});
        let old = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
        assert_eq!(
            replaced(&old, &table(&[figure])).unwrap(),
            format!(
                "head\n{BEGIN}\n| what | against | figure | aim | how |\n|---|---|---|---|---|\n| a\\|b | c | 0.90 (missed) | <= 0.80 | d |\n{END}\ntail\n"
            )
        );
        assert_eq!(replaced("no marks", ""), None);
    }
}
