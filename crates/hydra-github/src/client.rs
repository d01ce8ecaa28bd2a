//! One token's way to GitHub: guarded requests, conditional reads with bounded retries, writes one after the other.

use crate::{
    cache::{EtagCache, Remembered},
    config::GitHubConfig,
    connect,
    error::{from_status, hinted, malformed, now, plain},
};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hydra_core::{
    Timestamp, TokenRole,
    ports::{ForgeError, ForgeErrorKind},
    view::{IdentityView, TokenKind},
};
use octocrab::{OctoBody, Octocrab};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};
use url::Url;

/// The version that every request is pinned to.
const API_VERSION: &str = "2022-11-28";
/// Redirects (a renamed repository) that are followed, at most.
const MAX_REDIRECTS: u32 = 3;
/// What to do about an outage. Pipelines try again by themselves; who typed a command must do it.
const UNREACHABLE: &str =
    "GitHub cannot be reached: look at the network, a proxy and github.api_url; a pipeline tries again by itself";
const ERROR_PAGE: &str =
    "an error page of GitHub, or of a proxy in between: look with a browser; a pipeline tries again by itself";

/// One token's client.
pub(crate) struct Client {
    octocrab: Octocrab,
    token: SecretString,
    bearer: HeaderValue,
    basic: HeaderValue,
    pub(crate) config: Arc<GitHubConfig>,
    graphql: Url,
    cache: Mutex<EtagCache>,
    last_write: tokio::sync::Mutex<Option<Instant>>,
    /// Held from a write's look-up to its end, so that two equal writes at once are one.
    pub(crate) applying: tokio::sync::Mutex<()>,
    pub(crate) identity: OnceCell<IdentityView>,
    /// Whose token it is; the first of the roles that share it.
    role: TokenRole,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body, decoded.
    pub(crate) fn json<T: DeserializeOwned>(&self, call: &str) -> Result<T, ForgeError> {
        decode(call, &self.body)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the token of a role.
    pub(crate) fn new(config: Arc<GitHubConfig>, role: TokenRole, token: &SecretString) -> Result<Self, ForgeError> {
        let unfit = || {
            hinted(
                ForgeErrorKind::Auth,
                format!("the GitHub token of {role} holds characters that no token has"),
                "look for quotes, spaces or line ends around it in the secrets file",
            )
        };
        let text = token.expose_secret().trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unfit());
        }
        let sensitive = |value: String| {
            let mut value = HeaderValue::from_str(&value).map_err(|_| unfit())?;
            value.set_sensitive(true);
            Ok(value)
        };
        let basic = base64::prelude::BASE64_STANDARD.encode(format!("x-access-token:{text}"));
        Ok(Self {
            octocrab: connect::octocrab(&config)?,
            bearer: sensitive(format!("Bearer {text}"))?,
            basic: sensitive(format!("Basic {basic}"))?,
            token: SecretString::from(text),
            graphql: config.graphql(),
            cache: Mutex::new(EtagCache::new(config.cache_bytes)),
            last_write: tokio::sync::Mutex::new(None),
            applying: tokio::sync::Mutex::new(()),
            identity: OnceCell::new(),
            role,
            config,
        })
    }

    /// The token's kind by its prefix.
    pub(crate) fn kind(&self) -> TokenKind {
        let token = self.token.expose_secret();
        match () {
            () if token.starts_with("github_pat_") => TokenKind::FineGrained,
            () if token.starts_with("ghp_") => TokenKind::Classic,
            () if token.starts_with("ghs_") => TokenKind::Installation,
            () => TokenKind::Other,
        }
    }

    /// The value of `http.extraHeader` for git, a secret.
    pub(crate) fn git_header(&self) -> SecretString {
        SecretString::from(format!("Authorization: {}", self.basic.to_str().unwrap_or_default()))
    }

    /// Takes the token out of a text, should anything ever echo it.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let basic = self.basic.to_str().unwrap_or_default().trim_start_matches("Basic ");
        let text = text.replace(self.token.expose_secret(), "***");
        if basic.is_empty() { text } else { text.replace(basic, "***") }
    }

    /// An address below the API's own.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        below(&self.config.api_base, segments)
    }

    /// The same with a query.
    pub(crate) fn url_with(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url(segments);
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    /// One object.
    pub(crate) async fn get<T: DeserializeOwned + Serialize>(&self, url: &Url) -> Result<T, ForgeError> {
        let (body, _) = self.conditional(url, slim::<T>).await?;
        decode(&call(&Method::GET, url), &body)
    }

    /// All pages of a list; an error on one is an error of the whole.
    pub(crate) async fn list<T: DeserializeOwned + Serialize>(&self, url: &Url) -> Result<Vec<T>, ForgeError> {
        self.pages(url, |page: Vec<T>| page).await
    }

    /// All pages of a list, each of which is a `P` that `items` are taken from.
    pub(crate) async fn pages<P: DeserializeOwned + Serialize, T>(
        &self,
        url: &Url,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, ForgeError> {
        let mut all = Vec::new();
        let mut here = url.clone();
        for _ in 0..self.config.max_pages {
            let (body, next) = self.conditional(&here, slim::<P>).await?;
            all.extend(items(decode(&call(&Method::GET, &here), &body)?));
            match next {
                None => return Ok(all),
                Some(next) => here = self.same_origin(&here, &next)?,
            }
        }
        Err(malformed(&call(&Method::GET, url), format!("it has more than {} pages", self.config.max_pages)))
    }

    /// A read that is neither cached nor JSON; any status that is not a success is an error.
    pub(crate) async fn fetch(&self, url: &Url) -> Result<Reply, ForgeError> {
        let mut patience = Patience::new(&self.config);
        loop {
            match self.once(&Method::GET, url, None, &[], &self.bearer).await {
                Ok(reply) => return Ok(reply),
                Err(e) if patience.wait(&e).await => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// A read that git's smart protocol answers, with git's way of showing the token.
    pub(crate) async fn fetch_git(&self, url: &Url) -> Result<Reply, ForgeError> {
        self.once(&Method::GET, url, None, &[], &self.basic).await
    }

    /// One write, sent once, without a body when it is null: whoever gets `Transient` looks the effect up by its key before anything else.
    pub(crate) async fn write(&self, method: Method, url: &Url, body: &serde_json::Value) -> Result<Reply, ForgeError> {
        let mut last = self.last_write.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.config.write_gap).await;
        }
        let body = (!body.is_null()).then_some(body);
        let sent = self.once(&method, url, body, &[], &self.bearer).await;
        *last = Some(Instant::now());
        sent
    }

    /// A GraphQL read: sent as POST, safe to repeat.
    pub(crate) async fn post_query(&self, body: &serde_json::Value) -> Result<Reply, ForgeError> {
        let url = self.graphql.clone();
        self.once(&Method::POST, &url, Some(body), &[], &self.bearer).await
    }

    /// A GraphQL mutation: a write.
    pub(crate) async fn post_mutation(&self, body: &serde_json::Value) -> Result<Reply, ForgeError> {
        let url = self.graphql.clone();
        self.write(Method::POST, &url, body).await
    }

    async fn conditional(&self, url: &Url, slim: Slim) -> Result<(Bytes, Option<String>), ForgeError> {
        let mut patience = Patience::new(&self.config);
        loop {
            match self.conditional_once(url, slim).await {
                Ok(found) => return Ok(found),
                Err(e) if patience.wait(&e).await => {}
                Err(e) => return Err(e),
            }
        }
    }

    async fn conditional_once(&self, url: &Url, slim: Slim) -> Result<(Bytes, Option<String>), ForgeError> {
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(url.as_str());
        let etag = known.as_ref().and_then(|k| HeaderValue::from_str(&k.etag).ok());
        let headers: Vec<_> = etag.map(|etag| (header::IF_NONE_MATCH, etag)).into_iter().collect();
        let reply = self.once(&Method::GET, url, None, &headers, &self.bearer).await?;
        if reply.status == StatusCode::NOT_MODIFIED {
            return match known {
                Some(known) => Ok((known.body, known.next)),
                None => Err(malformed(&call(&Method::GET, url), "304 without a condition")),
            };
        }
        let next = next_link(&reply.headers);
        if let Some(etag) = reply.headers.get(header::ETAG).and_then(|v| v.to_str().ok()) {
            let body = slim(&reply.body).unwrap_or_else(|| reply.body.clone());
            let answer = Remembered { etag: etag.to_owned(), next: next.clone(), body };
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(url.as_str(), answer);
        }
        Ok((reply.body, next))
    }

    /// One request. A redirect keeps the method and stays on the host; HTML is an outage whatever its status.
    async fn once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&serde_json::Value>,
        headers: &[(HeaderName, HeaderValue)],
        auth: &HeaderValue,
    ) -> Result<Reply, ForgeError> {
        let mut here = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let label = call(method, &here);
            let reply = self.exchange(method, &here, body, headers, auth).await?;
            let status = reply.status;
            if matches!(status.as_u16(), 301 | 302 | 307 | 308) {
                let to = reply.headers.get(header::LOCATION).and_then(|v| v.to_str().ok());
                let to = to.ok_or_else(|| malformed(&label, "a redirect without an address"))?;
                here = self.same_origin(&here, to)?;
                continue;
            }
            let kind = reply.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
            if kind.starts_with("text/html") {
                return Err(hinted(
                    ForgeErrorKind::Transient,
                    format!("{label}: {} with HTML instead of JSON", status.as_u16()),
                    ERROR_PAGE,
                ));
            }
            if status.is_success() || status == StatusCode::NOT_MODIFIED {
                return Ok(reply);
            }
            let mut seen = from_status(&label, status, &reply.headers, &reply.body, now(&reply.headers));
            seen.message = self.scrub(&seen.message);
            let whose = format!("the token of {}", self.role);
            seen.hint = seen.hint.map(|hint| hint.replacen("the token", &whose, 1));
            return Err(seen);
        }
        Err(malformed(&call(method, url), "it redirects in a circle"))
    }

    async fn exchange(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&serde_json::Value>,
        headers: &[(HeaderName, HeaderValue)],
        auth: &HeaderValue,
    ) -> Result<Reply, ForgeError> {
        let label = call(method, url);
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::AUTHORIZATION, auth)
            .header(header::USER_AGENT, &self.config.user_agent)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", API_VERSION);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = match body {
            Some(body) => {
                request.header(header::CONTENT_TYPE, "application/json").body(OctoBody::from(body.to_string()))
            }
            None => request.body(OctoBody::empty()),
        };
        let request = request.map_err(|e| malformed(&label, e))?;
        let limit = self.config.max_body;
        let exchange = async {
            let broken = |e: &dyn std::error::Error| {
                let why = self.scrub(&plain(&root(e)));
                hinted(ForgeErrorKind::Transient, format!("{label}: {why}"), UNREACHABLE)
            };
            let response = self.octocrab.execute(request).await.map_err(|e| broken(&e))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await.map_err(|e| broken(e.as_ref()))?;
            Ok(Reply { status: parts.status, headers: parts.headers, body: body.to_bytes() })
        };
        tokio::time::timeout(self.config.request_timeout, exchange).await.unwrap_or_else(|_| {
            let seconds = self.config.request_timeout.as_secs_f32();
            Err(hinted(ForgeErrorKind::Transient, format!("{label}: no answer within {seconds} s"), UNREACHABLE))
        })
    }

    /// An address that an answer names; another host is refused, for it would be shown the token.
    fn same_origin(&self, from: &Url, to: &str) -> Result<Url, ForgeError> {
        let label = call(&Method::GET, from);
        let to = from.join(to).map_err(|e| malformed(&label, e))?;
        if to.origin() == from.origin() {
            return Ok(to);
        }
        Err(hinted(
            ForgeErrorKind::Malformed,
            format!("{label}: the answer points to another host, {}", plain(&to.origin().ascii_serialization())),
            "it is not followed, for the token would go with it",
        ))
    }
}

/// How long a read goes on trying.
pub(crate) struct Patience<'a> {
    config: &'a GitHubConfig,
    tried: u32,
}

impl<'a> Patience<'a> {
    /// At the first attempt.
    pub(crate) fn new(config: &'a GitHubConfig) -> Self {
        Self { config, tried: 1 }
    }

    /// Waits if another attempt is worth it, and says so.
    pub(crate) async fn wait(&mut self, error: &ForgeError) -> bool {
        if self.tried >= self.config.read_attempts {
            return false;
        }
        let wait = match error.kind {
            ForgeErrorKind::Transient => self.config.retry_delay.saturating_mul(1 << (self.tried - 1).min(10)),
            ForgeErrorKind::LimitedUntil(until) => {
                let wait = until.duration_since(Timestamp::now());
                let wait = Duration::try_from(wait).unwrap_or_default();
                if wait > self.config.max_wait {
                    return false;
                }
                // Clocks differ: never at once.
                wait.max(self.config.retry_delay)
            }
            ForgeErrorKind::Auth
            | ForgeErrorKind::Permission
            | ForgeErrorKind::Missing
            | ForgeErrorKind::Conflict
            | ForgeErrorKind::Malformed => return false,
        };
        self.tried += 1;
        tracing::debug!(attempt = self.tried, error = %error, "a read is tried again");
        tokio::time::sleep(wait).await;
        true
    }
}

/// `METHOD path`: what an error names. The query is left out.
pub(crate) fn call(method: &Method, url: &Url) -> String {
    format!("{method} {}", url.path())
}

/// An address below another, each segment encoded.
pub(crate) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // Only addresses like `mailto:` have no segments; the constructor lets http and https through alone.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// What is remembered of an answer's body; `None` for the whole of it.
type Slim = fn(&[u8]) -> Option<Bytes>;

/// Only what is read of it: GitHub says of an issue in a list some ten times as much.
fn slim<T: DeserializeOwned + Serialize>(body: &[u8]) -> Option<Bytes> {
    let read: T = serde_json::from_slice(body).ok()?;
    // Boxed: what the writer reserved beyond it would be kept as long.
    serde_json::to_vec(&read).ok().map(Vec::into_boxed_slice).map(Bytes::from)
}

fn decode<T: DeserializeOwned>(call: &str, body: &[u8]) -> Result<T, ForgeError> {
    if body.trim_ascii_start().starts_with(b"<") {
        return Err(hinted(ForgeErrorKind::Transient, format!("{call}: HTML instead of JSON"), ERROR_PAGE));
    }
    serde_json::from_slice(body).map_err(|e| malformed(call, e))
}

/// The address of `rel="next"` in a `Link` header.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(header::LINK)?.to_str().ok()?;
    link.split(',').find_map(|part| {
        let (address, rest) = part.trim().strip_prefix('<')?.split_once('>')?;
        rest.split(';').any(|p| p.trim() == "rel=\"next\"").then(|| address.to_owned())
    })
}

/// The innermost cause: what the layers above it say is that they failed too.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn what_is_remembered_reads_as_the_whole_does() {
        let body = br#"[
            {"number":1,"state":"open","title":"a","labels":["plain",{"name":"b","color":"0","id":7}],"updated_at":"2026-11-24T03:00:00Z",
             "url":"https://api.github.com/repos/acme/shop/issues/1","reactions":{"total_count":0},"user":{"login":"alice","id":1}},
            {"number":2,"state":"open","title":"c","updated_at":"2026-11-24T03:00:00Z","pull_request":{"url":"x"}},
            {"number":3,"state":"open","title":"d","updated_at":"2026-11-24T03:00:00Z","pull_request":null}
        ]"#;
        let slim = slim::<Vec<wire::Issue>>(body).unwrap();
        assert!(slim.len() < body.len(), "{} of {} bytes", slim.len(), body.len());
        let read = |body: &[u8]| -> Vec<wire::Issue> { serde_json::from_slice(body).unwrap() };
        assert_eq!(format!("{:?}", read(&slim)), format!("{:?}", read(body)));
        assert_eq!(read(&slim).iter().filter(|issue| issue.pull_request.is_some()).count(), 1);
        let run = br#"{"total_count":1,"check_runs":[{"id":1,"name":"ci","status":"completed","conclusion":null,"app":null,"url":"u"}]}"#;
        let read = |body: &[u8]| format!("{:?}", serde_json::from_slice::<wire::CheckRuns>(body).unwrap());
        assert_eq!(read(&super::slim::<wire::CheckRuns>(run).unwrap()), read(run));
        assert_eq!(super::slim::<Vec<wire::Issue>>(b"<html>"), None);
    }
}
