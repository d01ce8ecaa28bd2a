//! `hydra pause` and `hydra resume`: holds that last over restarts and need neither GitHub nor a label.

use super::operator::operator;
use crate::{
    args::{PauseArgs, ResumeArgs},
    config::duration::Duration,
    context::Context,
    exit::Exit,
    failure::Failure,
    output::issue::time,
};
use hydra_core::{SignedDuration, Timestamp};
use hydra_engine::holds::{HoldEntry, Scope};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    scope: String,
    /// `pause` or `cancel`.
    hold: &'static str,
    reason: String,
    until: Option<Timestamp>,
}

impl Report {
    fn of(scope: &Scope, entry: &HoldEntry) -> Self {
        Self {
            scope: scope.to_string(),
            hold: if entry.cancel { "cancel" } else { "pause" },
            reason: entry.reason.clone(),
            until: entry.until,
        }
    }
}

pub(super) fn pause(context: &Context, args: &PauseArgs) -> Result<Exit, Failure> {
    let settings = super::installation(context)?;
    let scope = super::scope(args.target.as_deref(), &settings)?;
    let now = Timestamp::now();
    let until = args.until.as_deref().map(|text| until(text, now)).transpose()?;
    let entry = HoldEntry { reason: args.reason.clone(), until, set_at: now, cancel: false };
    let report = Report::of(&scope, &entry);
    if let Some(cancelled) = operator(&settings)?.hold(&scope, entry)? {
        let why = format!("{scope} is cancelled already ({}), and stays so", cancelled.reason);
        return Err(Failure::new(Exit::Failed, why).help(format!("`hydra resume{}` lifts it", target(&scope))));
    }
    if context.screen.json {
        context.screen.json("pause", &report)?;
        return Ok(Exit::Ok);
    }
    let until = until
        .map_or_else(|| format!("until `hydra resume{}`", target(&scope)), |until| format!("until {}", time(until)));
    context.screen.line(format!("{scope}: nothing new starts {until}. What runs goes on."))?;
    Ok(Exit::Ok)
}

pub(super) fn resume(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let settings = super::installation(context)?;
    let scope = super::scope(args.target.as_deref(), &settings)?;
    let Some(entry) = operator(&settings)?.lift(&scope)? else {
        let what = match &scope {
            Scope::All => "there is no pause of everything here".to_owned(),
            Scope::Repo(_) | Scope::Issue(_) => format!("{scope} is not on hold here"),
        };
        return Err(Failure::new(Exit::Failed, what).help("`hydra status` lists the holds of this installation"));
    };
    if context.screen.json {
        context.screen.json("resume", &Report::of(&scope, &entry))?;
        return Ok(Exit::Ok);
    }
    context.screen.line(format!("{scope}: no longer on hold (it was: {})", entry.reason))?;
    if entry.cancel {
        context.screen.line("A run that was cancelled stays ended: set the trigger label again to go on.")?;
    }
    Ok(Exit::Ok)
}

fn target(scope: &Scope) -> String {
    match scope {
        Scope::All => String::new(),
        Scope::Repo(_) | Scope::Issue(_) => format!(" {scope}"),
    }
}

/// A time, or a length of time from now.
fn until(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return if time > now {
            Ok(time)
        } else {
            Err(Failure::new(Exit::Usage, format!("--until {text} is in the past")))
        };
    }
    let wrong = || {
        Failure::new(Exit::Usage, format!("--until {text} is neither a time nor a length of time"))
            .help("write 2026-12-01T08:00:00Z, or 2h")
    };
    let length: Duration = text.parse().map_err(|_| wrong())?;
    let seconds = i64::try_from(length.as_secs()).map_err(|_| wrong())?;
    now.checked_add(SignedDuration::from_secs(seconds)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_at_a_time_or_after_a_while() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        assert_eq!(until("2h", now).unwrap().to_string(), "2026-11-24T02:00:00Z");
        assert_eq!(until("2026-11-25T00:00:00Z", now).unwrap().to_string(), "2026-11-25T00:00:00Z");
        assert!(until("2026-11-23T00:00:00Z", now).is_err() && until("soon", now).is_err());
    }
}
