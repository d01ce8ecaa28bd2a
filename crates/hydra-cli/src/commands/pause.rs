//! `hydra pause` and `hydra resume`: holds that last over restarts and need no label.

use crate::{
    args::{PauseArgs, ResumeArgs},
    config::duration::Duration,
    context::Context,
    exit::Exit,
    failure::Failure,
};
use hydra_core::{SignedDuration, Timestamp};

pub(super) fn pause(context: &Context, args: &PauseArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let _target = super::target(args.target.as_deref(), &settings)?;
    let _until = args.until.as_deref().map(|text| until(text, Timestamp::now())).transpose()?;
    Err(Failure::not_built("pause"))
}

pub(super) fn resume(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let _target = super::target(args.target.as_deref(), &settings)?;
    Err(Failure::not_built("resume"))
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
