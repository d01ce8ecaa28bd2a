//! `hydra stop --credential NAME`: every job that holds or uses it. Needs no GitHub.

use super::operator::{clean, operator};
use crate::{
    args::StopArgs, compose, config::Settings, context::Context, exit::Exit, failure::Failure, output::table::aligned,
};
use hydra_core::{SignedDuration, Timestamp, TokenRole, plan::StopReason, ports::Accounts as _};
use hydra_engine::operator::StopFacts;
use serde::Serialize;
use std::collections::BTreeSet;

/// A model account whose jobs were stopped is not used again for so long, unless its token is replaced: then it starts clean at once.
const ASIDE: SignedDuration = SignedDuration::from_hours(24);

#[derive(Serialize)]
struct Report {
    credentials: Vec<String>,
    jobs: Vec<StopFacts>,
    /// Accounts that are not used again until then, unless their token is replaced.
    set_aside: Vec<String>,
    until: Option<Timestamp>,
}

pub(super) fn run(context: &Context, args: &StopArgs) -> Result<Exit, Failure> {
    let settings = super::installation(context)?;
    let operator = operator(&settings)?;
    let report = super::block_on(async {
        let runtime = compose::runtime(context, &settings)?;
        let seen = runtime.list(&hydra_core::ports::Selector::Any).await?;
        let held = seen.iter().filter(|job| operator.owns(job)).flat_map(|job| job.credentials.iter().cloned());
        let known: BTreeSet<String> = configured(&settings).into_iter().chain(held).collect();
        let names = named(&args.credential, &known)?;
        // First nobody takes it any more, then those that have it are stopped.
        let (set_aside, until) = set_aside(&settings, &names).await?;
        let detail = format!("an operator stopped every job that holds {}", args.credential);
        let holds = |job: &hydra_core::job::Observed| job.credentials.iter().any(|name| names.contains(name));
        let jobs = operator.stop(&*runtime, StopReason::Credential, &detail, holds).await?;
        Ok::<_, Failure>(Report { credentials: names.into_iter().collect(), jobs, set_aside, until })
    })??;
    let clean = clean(&settings);
    if context.screen.json {
        clean.json(&context.screen, "stop", &report)?;
    } else {
        show(context, &clean, &report)?;
    }
    Ok(if report.jobs.iter().all(|job| job.stopped) { Exit::Ok } else { Exit::Runtime })
}

/// Every credential that the configuration names.
fn configured(settings: &Settings) -> Vec<String> {
    let accounts = settings.secrets.accounts.iter().map(|account| format!("account:{}", account.name));
    let registries = settings.secrets.registries.keys().map(|name| format!("registry:{name}"));
    accounts.chain(TokenRole::ALL.iter().map(|role| format!("git:{role}"))).chain(registries).collect()
}

/// The credentials that a name stands for: a whole name, or the bare name of an account or role.
fn named(text: &str, known: &BTreeSet<String>) -> Result<BTreeSet<String>, Failure> {
    let bare = |name: &String| name.split_once(':').map(|(_, bare)| bare.to_owned());
    let found: BTreeSet<String> =
        known.iter().filter(|name| *name == text || bare(name).as_deref() == Some(text)).cloned().collect();
    if found.is_empty() {
        let all: Vec<&str> = known.iter().map(String::as_str).collect();
        return Err(Failure::new(Exit::Usage, format!("there is no credential {text:?}"))
            .help(format!("it is one of {}", all.join(", "))));
    }
    Ok(found)
}

async fn set_aside(settings: &Settings, names: &BTreeSet<String>) -> Result<(Vec<String>, Option<Timestamp>), Failure> {
    let accounts = compose::accounts(settings);
    let until = Timestamp::now().checked_add(ASIDE).unwrap_or(Timestamp::MAX);
    let mut done = Vec::new();
    for account in &settings.secrets.accounts {
        if names.contains(&format!("account:{}", account.name)) {
            accounts
                .set_aside(&account.name, until, "an operator stopped its jobs (`hydra stop --credential`)")
                .await?;
            done.push(account.name.to_string());
        }
    }
    let until = (!done.is_empty()).then_some(until);
    Ok((done, until))
}

fn show(context: &Context, clean: &crate::output::clean::Clean, report: &Report) -> Result<(), Failure> {
    let screen = &context.screen;
    let row = |job: &StopFacts| {
        vec![
            if job.stopped { "stopped" } else { "NOT stopped" }.to_owned(),
            job.job.to_string(),
            job.credentials.join(", "),
            job.why.as_ref().map(|why| clean.line(why)).unwrap_or_default(),
        ]
    };
    for line in aligned(&report.jobs.iter().map(row).collect::<Vec<_>>()) {
        screen.line(line)?;
    }
    let names = clean.line(&report.credentials.join(", "));
    match report.jobs.len() {
        0 => screen.line(format!("no job holds {names}"))?,
        1 => screen.line(format!("1 job held {names}"))?,
        more => screen.line(format!("{more} jobs held {names}"))?,
    }
    if let Some(until) = report.until {
        let accounts = clean.line(&report.set_aside.join(", "));
        screen.line(format!(
            "{accounts} is not used again before {}, unless its token is replaced: then at once",
            crate::output::issue::time(until)
        ))?;
    }
    if report.credentials.iter().any(|name| name.starts_with("git:")) {
        screen.line("Hydra itself goes on with a git token: revoke it at GitHub, and `hydra pause --reason …` until it is replaced.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_named_in_full_or_by_its_bare_name() {
        let known: BTreeSet<String> =
            ["account:main", "account:builder", "git:builder"].iter().map(|name| (*name).to_owned()).collect();
        let names = |text: &str| named(text, &known).map(|names| names.into_iter().collect::<Vec<_>>());
        assert_eq!(names("account:main").unwrap(), ["account:main"]);
        assert_eq!(names("main").unwrap(), ["account:main"]);
        assert_eq!(names("builder").unwrap(), ["account:builder", "git:builder"], "the safe direction is more");
        assert_eq!(names("nobody").unwrap_err().exit(), Exit::Usage);
    }
}
