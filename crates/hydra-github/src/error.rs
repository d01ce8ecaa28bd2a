//! GitHub's answers sorted into the kinds of error that a caller can act on.

use crate::wire::GraphError;
use http::{HeaderMap, StatusCode};
use hydra_core::{
    SignedDuration, Timestamp,
    diagnostic::short,
    ports::{ForgeError, ForgeErrorKind},
};

/// GitHub says "at least a minute" where it names no time for a secondary limit.
const SECONDARY_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// What of GitHub's own message is kept, in characters.
const MESSAGE_CHARS: usize = 300;

/// An error of a kind with a message, without a hint.
pub(crate) fn error(kind: ForgeErrorKind, message: impl Into<String>) -> ForgeError {
    ForgeError { kind, message: short(message.into()), hint: None }
}

/// The same with a hint.
pub(crate) fn hinted(kind: ForgeErrorKind, message: impl Into<String>, hint: impl Into<String>) -> ForgeError {
    ForgeError { kind, message: short(message.into()), hint: Some(hint.into()) }
}

/// An answer that is not what was promised.
pub(crate) fn malformed(what: &str, why: impl std::fmt::Display) -> ForgeError {
    hinted(
        ForgeErrorKind::Malformed,
        format!("{what}: GitHub's answer cannot be read: {why}"),
        "look whether github.api_url is the address of GitHub's API, and what answers there",
    )
}

/// The server's time of day, `Tue, 24 Nov 2026 00:08:04 GMT`.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// When an answer was given: by the server's clock, which its waiting times refer to, else by this machine's.
pub(crate) fn now(headers: &HeaderMap) -> Timestamp {
    date(headers).unwrap_or_else(Timestamp::now)
}

/// An answer with a status that is not a success.
pub(crate) fn from_status(
    call: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> ForgeError {
    let said = said(body);
    let kind = kind_of(status, headers, &said, now);
    let said = if said.is_empty() { status.canonical_reason().unwrap_or("no message").to_owned() } else { said };
    let message = format!("{call}: {} {said}", status.as_u16());
    let lower = message.to_ascii_lowercase();
    let hint = match kind {
        ForgeErrorKind::Permission if lower.contains("archived") => {
            Some("the repository is archived: it can be read only".to_owned())
        }
        ForgeErrorKind::Permission if lower.contains("locked") => Some("the conversation is locked".to_owned()),
        _ => hint_of(kind, status, headers),
    };
    ForgeError { kind, message, hint }
}

fn kind_of(status: StatusCode, headers: &HeaderMap, said: &str, now: Timestamp) -> ForgeErrorKind {
    match status.as_u16() {
        401 => ForgeErrorKind::Auth,
        403 | 429 => match limited(status, headers, said, now) {
            Some(until) => ForgeErrorKind::LimitedUntil(until),
            None => ForgeErrorKind::Permission,
        },
        404 | 410 => ForgeErrorKind::Missing,
        // 406: a diff that is too large to be shown.
        405 | 406 | 409 | 412 | 422 => ForgeErrorKind::Conflict,
        408 | 500..=599 => ForgeErrorKind::Transient,
        _ => ForgeErrorKind::Malformed,
    }
}

/// When a limit ends, if the answer speaks of one: `Retry-After`, then the primary limit's reset, then a minute.
fn limited(status: StatusCode, headers: &HeaderMap, said: &str, now: Timestamp) -> Option<Timestamp> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if let Some(seconds) = number("retry-after") {
        return later(now, SignedDuration::from_secs(seconds.clamp(0, 86_400)));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset").and_then(|s| Timestamp::from_second(s).ok());
        return reset.or_else(|| later(now, SECONDARY_WAIT));
    }
    let lower = said.to_ascii_lowercase();
    let speaks = lower.contains("rate limit") || lower.contains("abuse detection");
    (speaks || status == StatusCode::TOO_MANY_REQUESTS).then(|| later(now, SECONDARY_WAIT)).flatten()
}

fn later(now: Timestamp, wait: SignedDuration) -> Option<Timestamp> {
    Some(now.checked_add(wait).unwrap_or(now))
}

fn hint_of(kind: ForgeErrorKind, status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(plain);
    match kind {
        ForgeErrorKind::Auth => {
            Some("the token is invalid, revoked or expired: put a new one in the secrets file".to_owned())
        }
        ForgeErrorKind::Permission => Some(if text("x-github-sso").is_some() {
            "the organisation asks for single sign-on: authorise the token for it on its settings page".to_owned()
        } else if let Some(wanted) = text("x-accepted-github-permissions").filter(|w| !w.is_empty()) {
            format!("the token needs the permission {wanted}")
        } else if let Some(wanted) = text("x-accepted-oauth-scopes").filter(|w| !w.is_empty()) {
            format!("the token needs one of the scopes {wanted}")
        } else {
            "the token may not do this: look at its permissions and its list of repositories".to_owned()
        }),
        ForgeErrorKind::Missing if status == StatusCode::GONE => {
            Some("it was deleted, or what it belongs to is switched off".to_owned())
        }
        ForgeErrorKind::Missing => Some("it does not exist, or the token has no access to it".to_owned()),
        ForgeErrorKind::LimitedUntil(until) => Some(format!("wait until {until:.0}; a pipeline does so by itself")),
        ForgeErrorKind::Transient => {
            Some("GitHub is out of order: try again later; a pipeline does so by itself".to_owned())
        }
        ForgeErrorKind::Conflict => Some("GitHub does not take this as things stand; its message says why".to_owned()),
        ForgeErrorKind::Malformed => {
            Some("look whether github.api_url is the address of GitHub's API, and what answers there".to_owned())
        }
    }
}

/// What GitHub says in an error's body: its message and the details of a failed validation.
fn said(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return String::new();
    };
    let mut text = value["message"].as_str().unwrap_or_default().to_owned();
    for detail in value["errors"].as_array().into_iter().flatten().take(5) {
        let part = match detail {
            serde_json::Value::String(s) => s.clone(),
            other => {
                let words: Vec<_> = ["resource", "field", "code", "message"]
                    .iter()
                    .filter_map(|k| other[*k].as_str().or_else(|| other[*k]["message"].as_str()))
                    .collect();
                words.join(" ")
            }
        };
        if !part.is_empty() {
            text = format!("{text}; {part}");
        }
    }
    plain(&text)
}

/// One line without control characters, cut.
pub(crate) fn plain(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.trim().chars().take(MESSAGE_CHARS).collect()
}

/// Errors in a GraphQL answer: the gravest kind decides, the first message is told.
pub(crate) fn from_graphql(call: &str, headers: &HeaderMap, errors: &[GraphError], now: Timestamp) -> ForgeError {
    let kind = errors.iter().map(|e| graph_kind(e, headers, now)).min_by_key(gravity);
    let kind = kind.unwrap_or(ForgeErrorKind::Malformed);
    let first = errors.iter().find(|e| graph_kind(e, headers, now) == kind);
    let told = first.map_or_else(String::new, |e| format!("{} {}", e.kind.as_deref().unwrap_or("error"), e.message));
    let hint = hint_of(kind, StatusCode::OK, headers);
    ForgeError { kind, message: format!("{call}: {}", plain(&told)), hint }
}

/// Smaller is graver: an answer that holds both a limit and a missing thing is a limit, not an absence.
fn gravity(kind: &ForgeErrorKind) -> u8 {
    match kind {
        ForgeErrorKind::Auth => 0,
        ForgeErrorKind::LimitedUntil(_) => 1,
        ForgeErrorKind::Transient => 2,
        ForgeErrorKind::Malformed => 3,
        ForgeErrorKind::Permission => 4,
        ForgeErrorKind::Conflict => 5,
        ForgeErrorKind::Missing => 6,
    }
}

fn graph_kind(error: &GraphError, headers: &HeaderMap, now: Timestamp) -> ForgeErrorKind {
    let until = || {
        limited(StatusCode::TOO_MANY_REQUESTS, headers, &error.message, now)
            .map_or(ForgeErrorKind::Transient, ForgeErrorKind::LimitedUntil)
    };
    let lower = error.message.to_ascii_lowercase();
    match error.kind.as_deref() {
        Some("RATE_LIMITED" | "RATE_LIMIT") => until(),
        Some("FORBIDDEN" | "INSUFFICIENT_SCOPES") => ForgeErrorKind::Permission,
        Some("NOT_FOUND") => ForgeErrorKind::Missing,
        Some("UNPROCESSABLE" | "STALE_DATA") => ForgeErrorKind::Conflict,
        Some("INTERNAL" | "SERVICE_UNAVAILABLE" | "TIMEOUT") => ForgeErrorKind::Transient,
        _ if lower.contains("rate limit") => until(),
        _ if lower.contains("something went wrong") || lower.contains("timeout") || lower.contains("timed out") => {
            ForgeErrorKind::Transient
        }
        _ if lower.contains("resource not accessible") => ForgeErrorKind::Permission,
        _ => ForgeErrorKind::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
    fn judge(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ForgeError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        from_status("GET /repos/o/r", StatusCode::from_u16(status).unwrap(), &map, body.as_bytes(), at(1_000))
    }

    #[test]
    fn a_primary_limit_ends_when_its_header_says() {
        let seen = judge(
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "5000")],
            r#"{"message":"API rate limit exceeded for user ID 1."}"#,
        );
        assert_eq!(seen.kind, ForgeErrorKind::LimitedUntil(at(5_000)));
    }

    #[test]
    fn a_secondary_limit_waits_for_retry_after_or_a_minute() {
        let text = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes"}"#;
        let kind = |headers| judge(403, headers, text).kind;
        assert_eq!(kind(&[("retry-after", "30")]), ForgeErrorKind::LimitedUntil(at(1_030)));
        assert_eq!(kind(&[("x-ratelimit-remaining", "4999")]), ForgeErrorKind::LimitedUntil(at(1_060)));
        assert_eq!(judge(429, &[], "").kind, ForgeErrorKind::LimitedUntil(at(1_060)));
    }

    #[test]
    fn a_missing_permission_is_named() {
        let seen = judge(
            403,
            &[("x-accepted-github-permissions", "issues=write; pull_requests=write")],
            r#"{"message":"Resource not accessible by personal access token","status":"403"}"#,
        );
        assert_eq!(seen.kind, ForgeErrorKind::Permission);
        assert_eq!(
            seen.to_string(),
            "GET /repos/o/r: 403 Resource not accessible by personal access token (the token needs the permission issues=write; pull_requests=write)"
        );
    }

    #[test]
    fn a_wait_counts_from_the_servers_own_time() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert("date", HeaderValue::from_static("Tue, 24 Nov 2026 00:08:04 GMT"));
        assert_eq!(Some(now(&headers)), "2026-11-24T00:08:04Z".parse().ok());
    }

    #[test]
    fn every_other_status_has_its_kind() {
        for (status, kind) in [
            (401, ForgeErrorKind::Auth),
            (404, ForgeErrorKind::Missing),
            (410, ForgeErrorKind::Missing),
            (405, ForgeErrorKind::Conflict),
            (409, ForgeErrorKind::Conflict),
            (422, ForgeErrorKind::Conflict),
            (500, ForgeErrorKind::Transient),
            (502, ForgeErrorKind::Transient),
            (503, ForgeErrorKind::Transient),
            (400, ForgeErrorKind::Malformed),
        ] {
            assert_eq!(judge(status, &[], "<html>").kind, kind, "{status}");
        }
    }

    #[test]
    fn a_failed_validation_tells_its_details() {
        let body = r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for o:b."},"plain"]}"#;
        assert_eq!(
            judge(422, &[], body).message,
            "GET /repos/o/r: 422 Validation Failed; PullRequest custom A pull request already exists for o:b.; plain"
        );
    }

    #[test]
    fn a_graphql_limit_outweighs_an_absence() {
        let errors: Vec<GraphError> = serde_json::from_str(
            r#"[{"type":"NOT_FOUND","message":"Could not resolve to an Issue"},{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]"#,
        )
        .unwrap();
        let seen = from_graphql("POST /graphql Issue", &HeaderMap::new(), &errors, at(1_000));
        assert_eq!(seen.kind, ForgeErrorKind::LimitedUntil(at(1_060)));
    }
}
