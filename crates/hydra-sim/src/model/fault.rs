//! What can go wrong with a provider, in its own words: status, headers and error body as the real one sends them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// 429 with the account's reset time: this credential gets nothing else until then.
    Limit,
    /// As `limit`, and the message itself says when the usage limit ends.
    UsageLimit,
    /// 429 for this one request, without a reset time.
    RateLimit,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 400.
    Refused,
    /// 404: no such model.
    UnknownModel,
    /// 500.
    Broken,
    /// 529.
    Overloaded,
    /// 200, and in mid-stream an `error` event of the type `overloaded_error`.
    OverloadedMidStream,
    /// 200, half an answer, and then nothing more while the connection stays open.
    Stall,
    /// 200, half an answer, and then the connection is closed.
    Reset,
}

/// An error answer.
pub(crate) struct ErrorAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Fault {
    /// Whether it sets the credential aside.
    pub(crate) const fn limits(self) -> bool {
        matches!(self, Self::Limit | Self::UsageLimit)
    }

    /// The error answer, for the faults that have one; the others happen in mid-stream.
    pub(crate) fn answer(self, until: Timestamp, now: Timestamp, retry_after: Option<u64>) -> Option<ErrorAnswer> {
        let (status, kind, message) = match self {
            Self::Limit => (
                429,
                "rate_limit_error",
                "This request would exceed your account's rate limit. Please try again later.".to_owned(),
            ),
            Self::UsageLimit => {
                (429, "rate_limit_error", format!("Claude AI usage limit reached|{}", until.as_second()))
            }
            Self::RateLimit => {
                (429, "rate_limit_error", "Number of request tokens has exceeded your per-minute rate limit".to_owned())
            }
            Self::Unauthorized => (401, "authentication_error", "invalid x-api-key".to_owned()),
            Self::Forbidden => {
                (403, "permission_error", "Your account does not have permission to use this model.".to_owned())
            }
            Self::Refused => {
                (400, "invalid_request_error", "messages: the request was refused by the script".to_owned())
            }
            Self::UnknownModel => (404, "not_found_error", "model: not found".to_owned()),
            Self::Broken => (500, "api_error", "Internal server error".to_owned()),
            Self::Overloaded => (529, "overloaded_error", "Overloaded".to_owned()),
            Self::OverloadedMidStream | Self::Stall | Self::Reset => return None,
        };
        let mut headers = Vec::new();
        if self.limits() {
            let left = until.duration_since(now).as_secs().max(1);
            headers.extend([
                ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
                ("anthropic-ratelimit-unified-reset", until.as_second().to_string()),
                ("anthropic-ratelimit-unified-representative-claim", "five_hour".to_owned()),
                ("retry-after", retry_after.unwrap_or(left.unsigned_abs()).to_string()),
                ("x-should-retry", "false".to_owned()),
            ]);
        } else if let Some(seconds) = retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        Some(ErrorAnswer { status, headers, body: error_body(kind, &message) })
    }
}

/// The provider's error object.
pub(crate) fn error_body(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
}

/// `+SECONDS` from now, or an RFC 3339 time.
pub(crate) fn until(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || format!("{text:?} is neither `+SECONDS` nor an RFC 3339 time");
    match text.strip_prefix('+') {
        Some(seconds) => {
            let seconds: u32 = seconds.parse().map_err(|_| wrong())?;
            now.checked_add(SignedDuration::from_secs(i64::from(seconds))).map_err(|_| wrong())
        }
        None => text.parse().map_err(|_| wrong()),
    }
}
