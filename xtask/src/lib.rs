//! The tasks: tests, tidy checks, images, contracts, benches.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks on its standard streams")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

mod available;
mod bench;
mod contracts;
mod fuzz;
mod images;
mod nightly;
mod targets;
mod test;
mod threats;
mod tidy;
mod traffic;

const HELP: &str = "\
cargo xtask TASK

  test [--require WHAT,…]  the tests; adds those that need Docker, network namespaces, shared data, contracts or the real
                           claude-code CLI where these are there, and names what it left out. --require fails without them
                           (docker, images, targets, namespaces, shared-data, contracts, claude-code)
  threats [--json] [N…]    the attacks that the fence is measured against, row by row (docs/security.md), each tried now in mode isolated;
                           fails when a row does, when a test of it cannot run here, or when it has none
  tidy                     the house rules: edges between crates, file sizes, headers, no host or secret
  contracts                fetches GitHub's OpenAPI description and GraphQL schema from npm into target/contracts
  images [NAME…]           builds the container images from Debian packages into the local Docker Engine, and writes their IDs to
                           target/images.lock.json (base, builder, reviewer, security, applier, hydra; all without a name)
                           [--base IMAGE] [--mirror URL] [--prefix PREFIX] [--tag TAG] [--release]
  targets                  fetches the published packages that tests make target repositories of into target/targets-cache
  bench                    the figures of docs/performance.md, as ratios of one run
  fuzz [TARGET] [--seconds N]
                           the libFuzzer targets of fuzz/, eight seconds each; fails with the path of the input that breaks one
  nightly                  what does not fit into CI
";

/// Runs the task that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    let rest = args.get(1..).unwrap_or_default();
    let done = match args.first().map(String::as_str) {
        Some("test") => test::run(&root, rest),
        Some("threats") => threats::run(&root, rest),
        Some("tidy") => tidy::run(&root),
        Some("contracts") => contracts::fetch(&root),
        Some("images") => images::run(&root, rest),
        Some("targets") => targets::fetch(&root),
        Some("bench") => bench::run(&root, rest),
        Some("fuzz") => fuzz::run(&root, rest),
        Some("nightly") => nightly::run(&root),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("there is no task {other:?}\n\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Tidy's findings, for the test that holds the house to them.
#[must_use]
pub fn tidy_findings() -> Vec<String> {
    tidy::findings(&root())
}
