//! Whether a running job must be stopped now, and when that is to be asked again: pure.

use crate::{
    ledger::Spent,
    stops::{Halt, StopNote},
};
use hydra_core::{
    Timestamp,
    plan::{Progress, StopReason},
};
use std::time::Duration;

/// A running job's limits in time and turns.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// When it was started.
    pub started_at: Timestamp,
    /// When it is stopped from outside: its stage's time-out and the grace for its own deadline.
    pub deadline: Duration,
    /// Since when its lines are heard, where that is later: what was said before is read then, and nobody heard a silence.
    pub heard_from: Timestamp,
    /// No event for so long; `None`: never.
    pub stall: Option<Duration>,
    /// No first event for so long; `None`: never.
    pub first_sign: Option<Duration>,
    /// Model turns; `None`: not limited (quality).
    pub turns: Option<u32>,
}

impl Bounds {
    /// The same while nobody hears it: its silence means nothing.
    #[must_use]
    pub fn unheard(self) -> Self {
        Self { stall: None, first_sign: None, ..self }
    }
    fn heard(&self) -> Timestamp {
        self.heard_from.max(self.started_at)
    }
}

/// Decides. `over` is the budget that is spent, if one is.
#[must_use]
pub fn judge(now: Timestamp, bounds: &Bounds, progress: &Progress, over: Option<Spent>) -> Option<StopNote> {
    let because = |why, detail| Some(StopNote { why: Halt::Because(why), detail, at: now });
    match over {
        Some(Spent::Issue) => return because(StopReason::Budget, "the budget of the issue is spent".into()),
        Some(Spent::Day) => return because(StopReason::Budget, "the budget of the day is spent".into()),
        None => {}
    }
    let turns = progress.spend.turns;
    // One more than allowed: the wrapper ends it at the limit, and its last response is already counted.
    if let Some(limit) = bounds.turns.filter(|limit| turns > limit.saturating_add(1)) {
        return Some(StopNote { why: Halt::Turns, detail: format!("{turns} turns, {limit} are allowed"), at: now });
    }
    let ran = since(bounds.started_at, now);
    if ran >= bounds.deadline {
        return because(StopReason::TimeOut, format!("it ran for {} s", ran.as_secs()));
    }
    match (progress.last_event, bounds.first_sign, bounds.stall) {
        (None, Some(limit), _) if since(bounds.heard(), now) >= limit => {
            because(StopReason::NoSignOfLife, format!("no event within {} s of its start", limit.as_secs()))
        }
        (Some(last), _, Some(limit)) if since(last.max(bounds.heard()), now) >= limit => {
            because(StopReason::Stall, format!("no event for {} s", limit.as_secs()))
        }
        _ => None,
    }
}

/// When to judge again without any new event.
#[must_use]
pub fn next_check(bounds: &Bounds, progress: &Progress) -> Timestamp {
    let deadline = later(bounds.started_at, bounds.deadline);
    let silent = match progress.last_event {
        None => bounds.first_sign.map(|limit| later(bounds.heard(), limit)),
        Some(last) => bounds.stall.map(|limit| later(last.max(bounds.heard()), limit)),
    };
    silent.map_or(deadline, |at| at.min(deadline))
}

fn since(from: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}
fn later(from: Timestamp, by: Duration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
    fn bounds() -> Bounds {
        Bounds {
            started_at: at(1000),
            heard_from: at(1000),
            deadline: Duration::from_secs(600),
            stall: Some(Duration::from_secs(120)),
            first_sign: Some(Duration::from_secs(60)),
            turns: Some(3),
        }
    }
    fn why(now: i64, progress: &Progress) -> Option<Halt> {
        judge(at(now), &bounds(), progress, None).map(|note| note.why)
    }

    #[test]
    fn silence_is_judged_by_the_first_sign_and_then_by_the_stall() {
        let silent = Progress::default();
        assert_eq!(why(1059, &silent), None);
        assert_eq!(why(1060, &silent), Some(Halt::Because(StopReason::NoSignOfLife)));
        assert_eq!(next_check(&bounds(), &silent), at(1060));
        let spoke = Progress { last_event: Some(at(1050)), ..Progress::default() };
        assert_eq!(why(1169, &spoke), None);
        assert_eq!(why(1170, &spoke), Some(Halt::Because(StopReason::Stall)));
        assert_eq!(next_check(&bounds(), &spoke), at(1170));
    }

    #[test]
    fn silence_counts_from_when_somebody_listens_and_time_from_its_start() {
        let late = Bounds { heard_from: at(1300), ..bounds() };
        let silent = Progress::default();
        assert_eq!(judge(at(1359), &late, &silent, None), None);
        let note = judge(at(1360), &late, &silent, None).unwrap();
        assert_eq!(note.why, Halt::Because(StopReason::NoSignOfLife));
        assert_eq!(next_check(&late, &silent), at(1360));
        assert_eq!(judge(at(1599), &late.unheard(), &silent, None), None);
        let note = judge(at(1600), &late.unheard(), &silent, None).unwrap();
        assert_eq!(note.why, Halt::Because(StopReason::TimeOut));
    }

    #[test]
    fn a_busy_job_is_stopped_when_its_time_its_turns_or_its_money_run_out() {
        let busy = Progress { last_event: Some(at(1599)), ..Progress::default() };
        assert_eq!(why(1599, &busy), None);
        assert_eq!(why(1600, &busy), Some(Halt::Because(StopReason::TimeOut)));
        assert_eq!(next_check(&bounds(), &busy), at(1600));
        let mut many = Progress { last_event: Some(at(1010)), ..Progress::default() };
        many.spend.turns = 4;
        assert_eq!(why(1011, &many), None, "the wrapper itself ends it at its limit");
        many.spend.turns = 5;
        assert_eq!(why(1011, &many), Some(Halt::Turns));
        let note = judge(at(1011), &bounds(), &busy, Some(Spent::Issue)).unwrap();
        assert_eq!(note.why, Halt::Because(StopReason::Budget));
    }

    #[test]
    fn a_limit_of_zero_is_off() {
        let off = Bounds { stall: None, first_sign: None, turns: None, ..bounds() };
        let silent = Progress::default();
        assert_eq!(judge(at(1599), &off, &silent, None), None);
        assert_eq!(next_check(&off, &silent), at(1600));
    }
}
