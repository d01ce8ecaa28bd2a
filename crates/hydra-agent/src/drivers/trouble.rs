//! Tells a provider's troubles apart, by status where there is one, else by its words; and reads the time at which a limit ends.

use hydra_core::{Timestamp, agent_event::Trouble};
use jiff::{civil, tz::TimeZone};

/// The kind of trouble that an HTTP status stands for.
#[must_use]
pub const fn of_status(status: u16) -> Option<Trouble> {
    match status {
        429 => Some(Trouble::Limit),
        401 | 403 => Some(Trouble::Auth),
        400 | 402 | 404 | 405 | 413 | 422 => Some(Trouble::Refused),
        408 => Some(Trouble::Network),
        500..=599 => Some(Trouble::Overload),
        _ => None,
    }
}

/// Words that stand for a kind, in order of judgement. All lower-case.
const WORDS: [(&str, Trouble); 29] = [
    ("usage limit", Trouble::Limit),
    ("session limit", Trouble::Limit),
    ("weekly limit", Trouble::Limit),
    ("hit your limit", Trouble::Limit),
    ("rate_limit", Trouble::Limit),
    ("rate limit", Trouble::Limit),
    ("quota", Trouble::Limit),
    ("insufficient_quota", Trouble::Limit),
    ("too many requests", Trouble::Limit),
    ("resource_exhausted", Trouble::Limit),
    ("overloaded", Trouble::Overload),
    ("service unavailable", Trouble::Overload),
    ("internal server error", Trouble::Overload),
    ("server_error", Trouble::Overload),
    ("authentication", Trouble::Auth),
    ("unauthorized", Trouble::Auth),
    ("invalid api key", Trouble::Auth),
    ("api key not valid", Trouble::Auth),
    ("oauth token", Trouble::Auth),
    ("please run /login", Trouble::Auth),
    ("permission_error", Trouble::Auth),
    ("invalid_request", Trouble::Refused),
    ("usage policy", Trouble::Refused),
    ("not_found_error", Trouble::Refused),
    ("connection", Trouble::Network),
    ("econnrefused", Trouble::Network),
    ("enotfound", Trouble::Network),
    ("fetch failed", Trouble::Network),
    ("stream disconnected", Trouble::Network),
];

/// The kind of trouble that a text speaks of: a status in it ("API Error: 529 …", "(429)", "status 401") counts before words.
#[must_use]
pub fn of_text(text: &str) -> Option<Trouble> {
    let lower = crate::events::cut(text, 2_000).to_ascii_lowercase();
    let status = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 3)
        .filter_map(|word| word.parse().ok())
        .find_map(of_status);
    let about_http = ["api error", "status", "http", "(4", "(5"].iter().any(|mark| lower.contains(mark));
    if about_http && status.is_some() {
        return status;
    }
    WORDS.iter().find(|(words, _)| lower.contains(words)).map(|(_, trouble)| *trouble)
}

/// When a limit ends, as the CLI words it: `…|1795600000` (seconds), `resets Nov 25, 9:46am (UTC)`, `resets 3pm (UTC)`.
/// A time of day means the next one after `now`; a date the next one. Times in a zone other than UTC are not guessed.
#[must_use]
pub fn reset(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(seconds) = text.rsplit_once('|').and_then(|(_, tail)| tail.trim().parse::<i64>().ok()) {
        return of_epoch(seconds);
    }
    let at = text.find("resets ")?;
    let words = text.get(at + "resets ".len()..)?;
    let words = words.get(..words.find("(UTC)")?)?.trim();
    let (date, time) = match words.rsplit_once(", ") {
        Some((date, time)) => (Some(date), time),
        None => (None, words),
    };
    let time = time_of_day(time.strip_prefix("at ").unwrap_or(time))?;
    let today = now.to_zoned_datetime(TimeZone::UTC).date();
    let candidates: Vec<civil::Date> = match date {
        Some(date) => {
            let (month, day) = date.split_once(' ')?;
            let month =
                MONTHS.iter().position(|name| month.starts_with(name)).and_then(|at| i8::try_from(at + 1).ok())?;
            let day: i8 = day.trim().parse().ok()?;
            [today.year(), today.year() + 1]
                .into_iter()
                .filter_map(|year| civil::Date::new(year, month, day).ok())
                .collect()
        }
        None => vec![today, today.tomorrow().ok()?],
    };
    candidates
        .into_iter()
        .filter_map(|date| date.to_datetime(time).to_zoned_datetime(TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp())
        .find(|at| *at >= now)
}

/// Seconds since 1970; milliseconds are told by their size. Nothing before 2020 or after 2100.
#[must_use]
pub fn of_epoch(number: i64) -> Option<Timestamp> {
    let seconds = if number > 100_000_000_000 { number / 1_000 } else { number };
    (1_577_836_800..4_102_444_800).contains(&seconds).then(|| Timestamp::from_second(seconds).ok()).flatten()
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `9:46am`, `3pm`, `15:00`.
fn time_of_day(text: &str) -> Option<civil::Time> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, half) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(digits), _) => (digits, Some(0)),
        (None, Some(digits)) => (digits, Some(12)),
        (None, None) => (lower.as_str(), None),
    };
    let (hour, minute) = digits.trim().split_once(':').unwrap_or((digits.trim(), "0"));
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    let hour = match half {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour,
    };
    civil::Time::new(hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_s_words_are_told_apart() {
        for (text, expected) in [
            ("API Error: 400 invalid_request_error", Some(Trouble::Refused)),
            ("API Error: Request rejected (429) · rate_limit_error", Some(Trouble::Limit)),
            ("Failed to authenticate. API Error: 401 authentication_error", Some(Trouble::Auth)),
            ("API Error: 529 overloaded_error. This is a server-side issue", Some(Trouble::Overload)),
            ("You've hit your session limit · resets 9:46am (UTC)", Some(Trouble::Limit)),
            ("API Error: Connection error.", Some(Trouble::Network)),
            ("unexpected status 503 Service Unavailable", Some(Trouble::Overload)),
            ("I fixed 429 tests", None),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn the_end_of_a_limit_is_read() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("Claude AI usage limit reached|1795600000", Some("2026-11-25T09:46:40Z")),
            ("You've hit your session limit · resets Nov 25, 9:46am (UTC)", Some("2026-11-25T09:46:00Z")),
            ("resets Jan 2, 12am (UTC)", Some("2027-01-02T00:00:00Z")),
            ("limit reached · resets 3pm (UTC)", Some("2026-11-24T15:00:00Z")),
            ("limit reached · resets 9am (UTC)", Some("2026-11-25T09:00:00Z")),
            ("limit reached · resets 9am (Mars/Olympus)", None),
            ("limit reached · resets 99pm (UTC)", None),
            ("limit reached|12", None),
        ] {
            assert_eq!(reset(text, now), expected.map(|at| at.parse().unwrap()), "{text}");
        }
    }
}
