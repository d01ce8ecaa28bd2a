//! One request: whether it is for the host of the handshake, and what of its head goes on.

use super::Host;
use http::{HeaderMap, HeaderName, Method, Uri, header, request::Parts};
use hydra_core::egress::{DenyReason, HostName};

/// Why a request goes nowhere: the reason, and what it was about.
pub(crate) type No = (DenyReason, String);

/// Whether it may go on.
pub(crate) fn judge(host: &Host, head: &Parts) -> Result<(), No> {
    let named = named(&head.uri, &head.headers);
    if named.is_empty() || named.iter().any(|name| !is(&host.name, name)) {
        let other = named.into_iter().find(|name| !is(&host.name, name)).unwrap_or_default();
        return Err((DenyReason::InspectHostMismatch, other));
    }
    let path = head.uri.path();
    let asked = || format!("{} {}{path}", head.method, host.name);
    if !host.rule.allows(head.method.as_str(), path) {
        return Err((DenyReason::InspectMethod, asked()));
    }
    if let Some(other) = head.headers.keys().find(|name| asks_for_another(name)) {
        return Err((DenyReason::InspectMethod, format!("{} with {other}", asked())));
    }
    Ok(())
}

/// Headers by which some servers take another method, path or host than the request's own. None is needed by who asks for what it may have.
fn asks_for_another(name: &HeaderName) -> bool {
    const NAMES: [&str; 3] = ["forwarded", "x-host", "x-method"];
    const BEGIN: [&str; 4] = ["x-http-method", "x-original-", "x-forwarded-", "x-rewrite-"];
    // Many servers read both as one.
    let plain = name.as_str().replace('_', "-");
    // In its second form, what frames a request or belongs to one connection would not be seen as such.
    let hidden = plain != name.as_str() && (plain == "content-length" || HOPS.iter().any(|hop| *hop == plain.as_str()));
    hidden
        || plain.contains("override")
        || NAMES.contains(&plain.as_str())
        || BEGIN.iter().any(|begin| plain.starts_with(begin))
}

/// Methods whose request has a body. With any other a server may take the body for a request of its own, which nobody has judged.
pub(crate) fn may_have_a_body(head: &Parts) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(&head.method)
}

/// Every host that a request names: `:authority` or an absolute address, and each `Host`. They all count, for servers differ in which they
/// believe.
fn named(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let authority = uri.authority().map(|authority| authority.as_str().to_owned());
    let fields = headers.get_all(header::HOST).iter();
    authority.into_iter().chain(fields.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

fn is(name: &HostName, text: &str) -> bool {
    let bare = text.strip_suffix(":443").unwrap_or(text);
    bare.parse::<HostName>().is_ok_and(|other| other == *name)
}

/// The headers that belong to one connection alone.
const HOPS: [HeaderName; 8] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::PROXY_AUTHENTICATE,
    header::HOST,
];

/// What of the headers goes on, in either direction.
pub(crate) fn passed(headers: &HeaderMap) -> HeaderMap {
    let listed = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<String> =
        listed.flat_map(|line| line.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let stays = |name: &HeaderName| {
        HOPS.contains(name)
            // Ways past this connection, and words between neighbours.
            || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings" | "alt-svc" | "expect")
            || listed.iter().any(|listed| listed == name.as_str())
    };
    let on = headers.iter().filter(|(name, _)| !stays(name));
    on.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn every_host_that_a_request_names_counts() {
        let name: HostName = "a.example.org".parse().unwrap();
        let all = |uri: &str, fields: &[&str]| {
            let fields: Vec<_> = fields.iter().map(|field| ("host", *field)).collect();
            let named = named(&uri.parse().unwrap(), &headers(&fields));
            !named.is_empty() && named.iter().all(|text| is(&name, text))
        };
        assert!(all("/", &["A.example.org"]) && all("https://a.example.org/", &[]) && all("/", &["a.example.org:443"]));
        for (uri, fields) in [
            ("/", vec![]),
            ("/", vec!["b.example.org"]),
            ("/", vec!["a.example.org", "b.example.org"]),
            ("/", vec!["a.example.org:444"]),
            ("/", vec!["x@a.example.org"]),
            ("/", vec!["a.example.org, b.example.org"]),
            ("/", vec![""]),
            ("https://b.example.org/", vec!["a.example.org"]),
            ("https://a.example.org/", vec!["b.example.org"]),
        ] {
            assert!(!all(uri, &fields), "{uri} {fields:?}");
        }
    }

    #[test]
    fn what_is_between_neighbours_stays_between_them() {
        let passed = passed(&headers(&[
            ("host", "a"),
            ("connection", "Upgrade, X-Secret"),
            ("upgrade", "websocket"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("alt-svc", "h3=:443"),
            ("accept", "*/*"),
        ]));
        assert_eq!(passed.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
