//! The model accounts of one job, in their order: which one is used now, and what an answer says of it.

use super::route::BETA;
use http::{HeaderMap, HeaderValue, StatusCode};
use hydra_core::{
    AccountName, SignedDuration, Timestamp,
    ports::{AUTH_REST, AccountKind},
};
use std::sync::{Mutex, PoisonError};

/// A limit that passes by itself so soon, or does not say when, is told to nobody: another account is asked meanwhile, and where there is none
/// the agent waits for it.
const SOON: SignedDuration = SignedDuration::from_secs(60);
/// `overloaded_error`, which has no name among the standard ones.
const OVERLOADED: u16 = 529;
/// The entry that an OAuth token needs among the betas.
const OAUTH_BETA: &str = "oauth-2025-04-20";

/// One account. Its value is shown by nothing but the request.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) name: AccountName,
    pub(crate) kind: AccountKind,
    pub(crate) value: HeaderValue,
}

/// What an answer says of the account that it was asked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Says {
    /// Nothing: it goes to the agent, whatever it is.
    Nothing,
    /// It is set aside until then, for every job.
    Aside(Timestamp, &'static str),
    /// Others are asked until then, where there are others.
    Briefly(Timestamp),
    /// This request did not get through, and the account is not to blame: another one may have a way.
    NotItsFault,
}

/// The accounts.
pub(crate) struct Accounts {
    all: Vec<Account>,
    aside: Mutex<Vec<Option<Timestamp>>>,
}

impl Accounts {
    pub(crate) fn new(all: Vec<Account>) -> Self {
        let aside = Mutex::new(vec![None; all.len()]);
        Self { all, aside }
    }
    /// The first that is not set aside, and that this request has not been tried with.
    pub(crate) fn pick(&self, now: Timestamp, tried: &[AccountName]) -> Option<&Account> {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |until: &Option<Timestamp>| until.is_none_or(|until| until <= now);
        let mut all = self.all.iter().zip(aside.iter());
        all.find(|(account, until)| free(until) && !tried.contains(&account.name)).map(|(account, _)| account)
    }
    /// Seconds until one is free again that is so soon.
    pub(crate) fn soon(&self, now: Timestamp) -> Option<u64> {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = aside.iter().flatten().map(|until| until.duration_since(now)).filter(|wait| *wait <= SOON);
        waits.map(|wait| u64::try_from(wait.as_secs()).unwrap_or(0) + 1).min()
    }
    pub(crate) fn set_aside(&self, name: &AccountName, until: Timestamp) {
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        for (account, its) in self.all.iter().zip(aside.iter_mut()) {
            if account.name == *name {
                *its = Some(until);
            }
        }
    }
}

impl Account {
    /// Puts the credential in, by its kind.
    pub(crate) fn sign(&self, headers: &mut HeaderMap) {
        match self.kind {
            AccountKind::Key => _ = headers.insert("x-api-key", self.value.clone()),
            AccountKind::OAuth => {
                headers.insert(http::header::AUTHORIZATION, self.value.clone());
                let betas = headers.get_all(BETA).iter().filter_map(|beta| beta.to_str().ok());
                let mut betas: Vec<&str> =
                    betas.flat_map(|beta| beta.split(',')).map(str::trim).filter(|beta| !beta.is_empty()).collect();
                if !betas.contains(&OAUTH_BETA) {
                    betas.push(OAUTH_BETA);
                }
                if let Ok(betas) = HeaderValue::from_str(&betas.join(",")) {
                    headers.insert(BETA, betas);
                }
            }
        }
    }
    /// The value of the header that carries it.
    pub(crate) fn value(kind: AccountKind, secret: &str) -> Result<HeaderValue, String> {
        let text = match kind {
            AccountKind::Key => secret.to_owned(),
            AccountKind::OAuth => format!("Bearer {secret}"),
        };
        let mut value =
            HeaderValue::from_str(&text).map_err(|_| "a credential holds characters that no header may".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// The type of the error that an answer's body names, where it is such a document.
pub(crate) fn kind_of_error(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Document {
        error: Named,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice(body).ok().map(|document: Document| document.error.kind)
}

/// Reads an answer, by the rules that the engine has for the end of a run: a limit and a refused credential are the account's own, and an
/// overload is not. `kind` is the type of the error, which tells a 403 of the account from one that the request drew, whose words are the agent's.
pub(crate) fn says(status: StatusCode, headers: &HeaderMap, kind: Option<&str>, now: Timestamp) -> Says {
    let later = |by: SignedDuration| now.saturating_add(by).unwrap_or(now);
    match status {
        StatusCode::UNAUTHORIZED => Says::Aside(later(AUTH_REST), "auth"),
        StatusCode::FORBIDDEN if matches!(kind, Some("authentication_error" | "permission_error")) => {
            Says::Aside(later(AUTH_REST), "auth")
        }
        StatusCode::FORBIDDEN => Says::NotItsFault,
        StatusCode::TOO_MANY_REQUESTS => match reset(headers, now) {
            Some(until) if until > later(SOON) => Says::Aside(until, "limit"),
            Some(until) => Says::Briefly(until),
            None => Says::Briefly(later(SOON)),
        },
        StatusCode::SERVICE_UNAVAILABLE => Says::NotItsFault,
        other if other.as_u16() == OVERLOADED => Says::NotItsFault,
        _ => Says::Nothing,
    }
}

/// When a limit ends: as the provider names it, or so many seconds from now.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let named = text("anthropic-ratelimit-unified-reset").and_then(|text| match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    });
    let after = || {
        let seconds = text("retry-after")?.parse::<u32>().ok()?;
        now.saturating_add(SignedDuration::from_secs(seconds.into())).ok()
    };
    named.or_else(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_limit_that_lasts_sets_aside_and_a_short_one_is_the_agents_to_wait_for() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let limit = StatusCode::TOO_MANY_REQUESTS;
        let of = |pairs: &[(&'static str, &str)]| says(limit, &headers(pairs), None, now);
        assert_eq!(of(&[("anthropic-ratelimit-unified-reset", "1003600")]), Says::Aside(at(3600), "limit"));
        assert_eq!(of(&[("retry-after", "3600")]), Says::Aside(at(3600), "limit"));
        assert_eq!(of(&[("retry-after", "20")]), Says::Briefly(at(20)));
        assert_eq!(of(&[]), Says::Briefly(at(60)));
        let plain = |status: u16| says(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), None, now);
        assert_eq!(plain(401), Says::Aside(at(86_400), "auth"));
        assert_eq!([plain(403), plain(503), plain(529)], [Says::NotItsFault, Says::NotItsFault, Says::NotItsFault]);
        assert_eq!([plain(200), plain(400), plain(500)], [Says::Nothing, Says::Nothing, Says::Nothing]);
    }

    #[test]
    fn of_what_is_forbidden_the_errors_type_says_whose_fault_it_is() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let of =
            |body: &str| says(StatusCode::FORBIDDEN, &HeaderMap::new(), kind_of_error(body.as_bytes()).as_deref(), now);
        for kind in ["authentication_error", "permission_error"] {
            let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"no"}},"request_id":"r"}}"#);
            assert!(matches!(of(&body), Says::Aside(_, "auth")), "{kind}");
        }
        for body in [
            r#"{"type":"error","error":{"type":"forbidden","message":"Request not allowed"}}"#,
            r#"{"type":"permission_error"}"#,
            r#"{"error":"permission_error"}"#,
            r#"{"error":{"type":["permission_error"]}}"#,
            "<html>Access denied</html>",
            "",
        ] {
            assert_eq!(of(body), Says::NotItsFault, "{body}");
        }
    }

    #[test]
    fn accounts_are_tried_in_their_order() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let account = |name: &str| Account {
            name: name.parse().unwrap(),
            kind: AccountKind::Key,
            value: Account::value(AccountKind::Key, "sk-x").unwrap(),
        };
        let accounts = Accounts::new(vec![account("first"), account("second")]);
        let name = |at: Timestamp| accounts.pick(at, &[]).map(|account| account.name.to_string());
        assert_eq!(name(now).as_deref(), Some("first"));
        let tried = ["first".parse().unwrap()];
        assert_eq!(accounts.pick(now, &tried).map(|account| account.name.as_str()), Some("second"));
        let later = now.saturating_add(SignedDuration::from_secs(100)).unwrap();
        accounts.set_aside(&"first".parse().unwrap(), later);
        assert_eq!(name(now).as_deref(), Some("second"));
        accounts.set_aside(&"second".parse().unwrap(), later);
        assert_eq!(name(now), None);
        assert_eq!(name(later).as_deref(), Some("first"));
        assert_eq!(accounts.soon(now), None);
        let nearly = now.saturating_add(SignedDuration::from_secs(70)).unwrap();
        assert_eq!(accounts.soon(nearly), Some(31));
    }

    #[test]
    fn each_kind_has_its_header() {
        let sign = |kind, pairs: &[(&'static str, &str)]| {
            let mut headers = headers(pairs);
            let value = Account::value(kind, "secret").unwrap();
            Account { name: "a".parse().unwrap(), kind, value }.sign(&mut headers);
            headers
        };
        let key = sign(AccountKind::Key, &[]);
        assert_eq!(key["x-api-key"], "secret");
        let oauth = sign(AccountKind::OAuth, &[("anthropic-beta", "a-1, b-2")]);
        assert_eq!(
            (&oauth["authorization"], &oauth["anthropic-beta"]),
            (&HeaderValue::from_static("Bearer secret"), &HeaderValue::from_static("a-1,b-2,oauth-2025-04-20"))
        );
        assert_eq!(sign(AccountKind::OAuth, &[])["anthropic-beta"], OAUTH_BETA);
        assert!(!format!("{key:?}").contains("secret"));
        assert!(Account::value(AccountKind::Key, "a\nb").is_err());
    }
}
