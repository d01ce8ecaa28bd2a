//! `hydra prune`: jobs, their volumes, and leftovers of the state folder that nobody owns. What cannot be seen is kept.

use super::operator::{clean, looking};
use crate::{
    args::PruneArgs,
    compose,
    config::Settings,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{clean::Clean, table::aligned},
};
use hydra_engine::prune::{Pruned, PrunedJob};
use serde::Serialize;
use std::time::Duration;

/// Bundles and quarantines that nobody touched for so long; they are made again when they are needed.
const UNTOUCHED: Duration = Duration::from_secs(86_400);

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    #[serde(flatten)]
    pruned: &'a Pruned,
}

pub(super) fn run(context: &Context, args: &PruneArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let pruned = super::block_on(async {
        let mut pruned = looking(context, &settings).await?.prune(args.dry_run).await?;
        pruned.files.extend(files(&settings, args.dry_run)?);
        Ok::<_, Failure>(pruned)
    })??;
    let clean = clean(&settings);
    if context.screen.json {
        clean.json(&context.screen, "prune", &Report { dry_run: args.dry_run, pruned: &pruned })?;
    } else {
        show(context, &clean, args.dry_run, &pruned)?;
    }
    Ok(super::worst(pruned.failures.iter().map(|failure| failure.side)))
}

/// Git's leftovers, and job folders that were half made or half removed.
fn files(settings: &Settings, dry_run: bool) -> Result<Vec<String>, Failure> {
    let workspace = compose::workspace(settings)?;
    let mut stale = workspace.stale(UNTOUCHED)?;
    if !dry_run {
        workspace.sweep(UNTOUCHED)?;
    }
    stale.extend(hydra_runtime::process::sweep(&settings.state_dir, UNTOUCHED, dry_run)?);
    let relative =
        |path: &std::path::PathBuf| path.strip_prefix(&settings.state_dir).unwrap_or(path).display().to_string();
    Ok(stale.iter().map(relative).collect())
}

fn show(context: &Context, clean: &Clean, dry_run: bool, pruned: &Pruned) -> Result<(), Failure> {
    let screen = &context.screen;
    let word = if dry_run { "would remove" } else { "removed" };
    let row = |word: &str, job: &PrunedJob| vec![word.to_owned(), job.job.to_string(), clean.line(&job.why)];
    let mut rows: Vec<Vec<String>> = pruned.jobs.iter().map(|job| row(word, job)).collect();
    rows.extend(pruned.files.iter().map(|file| vec![word.to_owned(), file.clone()]));
    rows.extend(pruned.kept.iter().map(|job| row("kept", job)));
    for line in aligned(&rows) {
        screen.line(line)?;
    }
    for failure in &pruned.failures {
        screen
            .line(clean.line(&format!("kept, for it cannot be seen or removed: {}: {}", failure.what, failure.why)))?;
    }
    screen.line(sentence(pruned.jobs.len(), pruned.files.len(), pruned.kept.len(), dry_run))
}

/// What it comes to, in one line.
fn sentence(jobs: usize, files: usize, kept: usize, dry_run: bool) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let (jobs, files, kept) = (count(jobs, "job"), count(files, "file"), count(kept, "job"));
    if dry_run {
        format!("{jobs} and {files} would be removed, {kept} kept (dry run)")
    } else {
        format!("{jobs} and {files} removed, {kept} kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_comes_to_is_said_in_proper_words() {
        assert_eq!(sentence(0, 0, 2, true), "0 jobs and 0 files would be removed, 2 jobs kept (dry run)");
        assert_eq!(sentence(1, 1, 1, true), "1 job and 1 file would be removed, 1 job kept (dry run)");
        assert_eq!(sentence(1, 2, 0, false), "1 job and 2 files removed, 0 jobs kept");
    }
}
