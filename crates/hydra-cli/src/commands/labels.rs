//! `hydra labels sync`: the vocabulary with colours and descriptions, in every repository that is looked at. Labels that are not Hydra's are left alone.

use crate::{
    args::LabelsCommand,
    compose,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::{screen::Tint, table::aligned},
};
use hydra_core::{
    RepoName, TokenRole, label,
    ports::{Applied, Forge, ForgeWrite, ForgeWriter},
    view::RepoLabel,
};
use serde::Serialize;

#[derive(Serialize)]
struct Change {
    repo: RepoName,
    label: String,
    /// `create` or `update`.
    action: &'static str,
    done: bool,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    unchanged: usize,
    changes: Vec<Change>,
}

pub(super) fn run(context: &Context, command: &LabelsCommand) -> Result<Exit, Failure> {
    let LabelsCommand::Sync { dry_run } = command;
    let settings = context.load()?.settings;
    if settings.repos.is_empty() {
        return Err(
            Failure::new(Exit::Configuration, "`github.repos` names no repository").help("add them to hydra.toml")
        );
    }
    let pipeline = &settings.values.pipeline;
    let wanted = label::definitions(&pipeline.label_prefix, &pipeline.trigger_label);
    let report = super::block_on(async {
        let github = compose::github(&settings)?;
        let mut report = Report { dry_run: *dry_run, unchanged: 0, changes: Vec::new() };
        for repo in &settings.repos {
            let have = github.repository(repo).await?.labels;
            for label in &wanted {
                sync_one(&github, repo, &have, label, &mut report).await?;
            }
        }
        Ok::<_, Failure>(report)
    })??;
    show(context, &report)?;
    Ok(Exit::Ok)
}

async fn sync_one(
    writer: &impl ForgeWriter,
    repo: &RepoName,
    have: &[RepoLabel],
    label: &RepoLabel,
    report: &mut Report,
) -> Result<(), Failure> {
    let old = have.iter().find(|old| old.name.eq_ignore_ascii_case(&label.name));
    let action = match old {
        None => "create",
        Some(old) if old.color.eq_ignore_ascii_case(&label.color) && old.description == label.description => {
            report.unchanged += 1;
            return Ok(());
        }
        Some(_) => "update",
    };
    let mut done = false;
    if !report.dry_run {
        let write = ForgeWrite::DefineLabel { repo: repo.clone(), label: label.clone() };
        done = matches!(writer.apply(TokenRole::Orchestrator, &write).await?, Applied::Made(_));
    }
    report.changes.push(Change { repo: repo.clone(), label: label.name.clone(), action, done });
    Ok(())
}

fn show(context: &Context, report: &Report) -> Result<(), Failure> {
    let screen = &context.screen;
    if screen.json {
        return screen.json("labels-sync", report);
    }
    let row = |change: &Change| vec![change.action.to_owned(), change.repo.to_string(), change.label.clone()];
    for line in aligned(&report.changes.iter().map(row).collect::<Vec<_>>()) {
        screen.line(line)?;
    }
    let words = if report.dry_run { "would be changed (dry run)" } else { "changed" };
    let count = report.changes.len();
    screen.line(format!(
        "{}: {count} {words}, {} as they should be",
        screen.tint(Tint::Good, "labels"),
        report.unchanged
    ))
}
