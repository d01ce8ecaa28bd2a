//! Which requests go to a model API, and what of a request goes with them.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hydra_core::egress::gate::ModelApi;

impl Shape {
    /// The API that it belongs to.
    pub(crate) const fn api(self) -> ModelApi {
        match self {
            Self::Messages | Self::CountTokens | Self::Models => ModelApi::Messages,
            Self::Responses => ModelApi::Responses,
            Self::ChatCompletions => ModelApi::ChatCompletions,
            Self::Gemini => ModelApi::Gemini,
        }
    }
    /// Whether the provider takes anything for it.
    pub(crate) const fn is_charged(self) -> bool {
        !matches!(self, Self::CountTokens | Self::Models)
    }
    /// Whether a sentence can be put into it that a model reads: what is only counted is read by none, and the others' bodies have no
    /// `messages` to put it in.
    pub(crate) const fn can_be_told(self) -> bool {
        matches!(self, Self::Messages | Self::ChatCompletions)
    }
}

/// Names of what is not in every version of the API.
pub(crate) const BETA: &str = "anthropic-beta";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anthropic's Messages.
    Messages,
    /// The same, counted and not answered.
    CountTokens,
    /// Which models there are.
    Models,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's Chat Completions.
    ChatCompletions,
    /// Gemini's generateContent and streamGenerateContent.
    Gemini,
}

/// Everything that may be asked; `None` for anything else.
pub(crate) fn route(method: &Method, path: &str) -> Option<Shape> {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            // A server may take these for a step in the path: `/v1/models/..` is `/v1/` to it.
            && !matches!(part, "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    match (method, path) {
        (&Method::POST, "/v1/messages") => Some(Shape::Messages),
        (&Method::POST, "/v1/messages/count_tokens") => Some(Shape::CountTokens),
        (&Method::POST, "/v1/responses") => Some(Shape::Responses),
        (&Method::POST, "/v1/chat/completions") => Some(Shape::ChatCompletions),
        (&Method::GET, "/v1/models") => Some(Shape::Models),
        (&Method::POST, _) => {
            let (model, verb) = path.strip_prefix("/v1beta/models/")?.split_once(':')?;
            let known = matches!(verb, "generateContent" | "streamGenerateContent" | "countTokens");
            (known && plain(model)).then_some(Shape::Gemini)
        }
        (&Method::GET, _) => path.strip_prefix("/v1/models/").filter(|model| plain(model)).map(|_| Shape::Models),
        _ => None,
    }
}

/// The queries that the APIs are asked with; others could carry a key, or hide what was used.
pub(crate) fn plain_query(query: &str) -> bool {
    matches!(query, "" | "beta=true" | "alt=sse")
}

/// The headers that go on: what the API needs to know. A credential of the agent's own, cookies and everything else stay behind.
pub(crate) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let goes = |name: &HeaderName| {
        [header::CONTENT_TYPE, header::ACCEPT, header::USER_AGENT].contains(name)
            || matches!(name.as_str(), "anthropic-version" | BETA | "x-app")
            || name.as_str().starts_with("x-stainless-")
    };
    let on = headers.iter().filter(|(name, _)| goes(name));
    on.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Asks for a long context. It costs more than what is counted, unless it is configured: then its price is.
const LONG_CONTEXT: &str = "context-1m";

/// Takes out what only a job whose model has a long context may ask for.
pub(crate) fn without_long_context(headers: &mut HeaderMap) {
    let betas = headers.get_all(BETA).iter().filter_map(|beta| beta.to_str().ok());
    let stay: Vec<&str> = betas
        .flat_map(|beta| beta.split(','))
        .map(str::trim)
        .filter(|beta| !beta.is_empty() && !beta.to_ascii_lowercase().starts_with(LONG_CONTEXT))
        .collect();
    match HeaderValue::from_str(&stay.join(",")) {
        Ok(stay) if !stay.is_empty() => _ = headers.insert(BETA, stay),
        _ => _ = headers.remove(BETA),
    }
}

/// The headers of an answer that come back: nothing that sets cookies or names an account's owner.
pub(crate) fn returned(headers: &HeaderMap) -> HeaderMap {
    let comes = |name: &HeaderName| {
        [header::CONTENT_TYPE, header::RETRY_AFTER, header::CACHE_CONTROL].contains(name)
            || name.as_str().starts_with("anthropic-ratelimit-")
            || matches!(name.as_str(), "request-id" | "x-should-retry")
    };
    let back = headers.iter().filter(|(name, _)| comes(name));
    back.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_go() {
        for (method, path, shape) in [
            (Method::POST, "/v1/messages", Shape::Messages),
            (Method::POST, "/v1/messages/count_tokens", Shape::CountTokens),
            (Method::POST, "/v1/responses", Shape::Responses),
            (Method::POST, "/v1/chat/completions", Shape::ChatCompletions),
            (Method::POST, "/v1beta/models/gemini-3-pro:streamGenerateContent", Shape::Gemini),
            (Method::GET, "/v1/models/claude-sonnet-4-6", Shape::Models),
        ] {
            assert_eq!(route(&method, path), Some(shape), "{path}");
        }
        for (method, path) in [
            (Method::GET, "/v1/messages"),
            (Method::DELETE, "/v1/models"),
            (Method::POST, "/v1/messages/"),
            (Method::POST, "/v1/messages/batches"),
            (Method::POST, "/v1/files"),
            (Method::GET, "/v1/organizations/me"),
            (Method::POST, "/v1beta/models/../files:generateContent"),
            (Method::POST, "/v1beta/models/a%2fb:generateContent"),
            (Method::POST, "/v1beta/models/x:batchGenerateContent"),
            (Method::GET, "/v1/models/a/b"),
            (Method::GET, "/v1/models/."),
            (Method::GET, "/v1/models/.."),
        ] {
            assert_eq!(route(&method, path), None, "{method} {path}");
        }
        assert!(plain_query("beta=true") && plain_query("alt=sse"));
        assert!(!plain_query("key=AIza") && !plain_query("beta=true&fields=a"));
    }

    #[test]
    fn a_credential_of_the_agents_own_stays_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer stolen"),
            ("x-api-key", "stolen"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "1.1.1.1"),
            ("anthropic-version", "2023-06-01"),
            ("x-stainless-lang", "js"),
            ("content-type", "application/json"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let names: Vec<_> = forwarded(&headers).keys().map(ToString::to_string).collect();
        assert_eq!(names, ["anthropic-version", "x-stainless-lang", "content-type"]);
    }

    #[test]
    fn a_long_context_that_is_not_configured_is_not_asked_for() {
        let left = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(BETA, value.parse().unwrap());
            }
            without_long_context(&mut headers);
            headers.get_all(BETA).iter().map(|beta| beta.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(left(&["a-1, Context-1M-2025-08-07,b-2", "context-1m-2030-01-01"]), ["a-1,b-2"]);
        assert_eq!(left(&["context-1m-2025-08-07"]), [""; 0]);
        assert_eq!(left(&[]), [""; 0]);
    }
}
