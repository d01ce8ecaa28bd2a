//! `hydra doctor`: one line per check, each with how to mend it.

use crate::{
    args::DoctorArgs,
    compose,
    config::{Settings, runtime::RuntimeKind},
    context::Context,
    doctor::{Check, State, docker, forge, machine},
    exit::Exit,
    failure::Failure,
    output::{
        mask::scrub,
        screen::{Screen, Tint},
    },
};
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    checks: &'a [Check],
}

pub(super) fn run(context: &Context, args: &DoctorArgs) -> Result<Exit, Failure> {
    let checks = match context.load() {
        Ok(loaded) => examine(context, &loaded.settings, args)?,
        Err(Failure::Configuration(problems)) => {
            let mut checks = machine::problems(&problems);
            checks.push(machine::git());
            checks
        }
        Err(other) => return Err(other),
    };
    let ok = checks.iter().all(|check| check.state != State::Fail);
    if context.screen.json {
        context.screen.json("doctor", &Report { ok, checks: &checks })?;
    } else {
        show(&context.screen, &checks)?;
    }
    Ok(if ok { Exit::Ok } else { Exit::Failed })
}

fn examine(context: &Context, settings: &Settings, args: &DoctorArgs) -> Result<Vec<Check>, Failure> {
    let mut checks = machine::configuration(settings);
    checks.push(machine::git());
    checks.push(machine::state_folder(settings));
    checks.push(machine::audit(settings));
    checks.push(machine::disk(settings));
    checks.extend(machine::ignored(settings));
    if settings.values.runtime.kind == RuntimeKind::Docker {
        match compose::docker::runtime(context, settings) {
            Ok(runtime) => checks.extend(super::block_on(docker::all(settings, &runtime))?),
            Err(Failure::Other(trouble)) => {
                let mend = trouble.help.unwrap_or_else(|| "check [runtime]".to_owned());
                checks.push(Check::fail("docker engine", trouble.message, mend));
            }
            Err(other) => return Err(other),
        }
    }
    if !args.offline && !settings.secrets.tokens.is_empty() {
        let found = super::block_on(async {
            match compose::github(settings) {
                Ok(github) => forge::all(settings, &github).await,
                Err(Failure::Other(trouble)) => {
                    vec![Check::fail(
                        "github",
                        trouble.message,
                        trouble.help.unwrap_or_else(|| "check [github]".to_owned()),
                    )]
                }
                Err(Failure::Configuration(problems)) => machine::problems(&problems),
                Err(Failure::BrokenPipe) => Vec::new(),
            }
        })?;
        checks.extend(found);
    }
    Ok(checks)
}

fn show(screen: &Screen, checks: &[Check]) -> Result<(), Failure> {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in checks {
        let word = match check.state {
            State::Ok => screen.tint(Tint::Good, "ok  "),
            State::Warn => screen.tint(Tint::Warn, "warn"),
            State::Fail => screen.tint(Tint::Bad, "FAIL"),
        };
        screen.line(format!("{word}  {:width$}  {}", check.name, scrub(&check.detail)))?;
        if let Some(mend) = &check.mend {
            screen.line(format!("      {:width$}  -> {}", "", scrub(mend)))?;
        }
    }
    let failed = checks.iter().filter(|check| check.state == State::Fail).count();
    screen.line(match failed {
        0 => "everything that was checked is as it should be".to_owned(),
        1 => "1 check failed".to_owned(),
        more => format!("{more} checks failed"),
    })
}
