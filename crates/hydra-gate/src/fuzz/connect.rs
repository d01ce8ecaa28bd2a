//! The heads of requests that come where a handshake was expected.

use crate::connect::{Head, head};
use hydra_core::egress::{DenyReason, HostName};

/// The kind of its answer.
///
/// # Panics
/// When what was read does not hold.
#[must_use]
pub fn check(bytes: &[u8]) -> String {
    let said = head(bytes);
    match &said {
        Head::Tunnel(name) => {
            // Read again by lines and words alone.
            let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
            let text = text.trim_start_matches('\n');
            let (first, rest) = text.split_once('\n').unwrap();
            let [method, target, version] = first.split(' ').collect::<Vec<_>>().try_into().unwrap();
            assert!(method == "CONNECT" && version.starts_with("HTTP/1."), "{first:?}");
            let (host, port) = target.rsplit_once(':').unwrap();
            assert_eq!((host.parse::<HostName>().as_ref(), port), (Ok(name), "443"));
            assert!(
                name.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
            );
            // It ends at the first empty line, and nothing stands behind it.
            let end = if rest.starts_with('\n') { 1 } else { rest.find("\n\n").unwrap() + 2 };
            assert_eq!(end, rest.len(), "something was sent ahead");
            for line in rest.to_ascii_lowercase().lines() {
                let name = line.split(':').next().unwrap_or_default();
                assert!(!matches!(name.trim(), "content-length" | "transfer-encoding"), "a body");
            }
            // However it came, it was none before its end.
            for short in (0..bytes.len()).rev().take(300) {
                assert_eq!(head(&bytes[..short]), Head::More);
            }
        }
        Head::Refused(reason, host) => {
            assert!(matches!(reason, DenyReason::ConnectMethod | DenyReason::ConnectPort | DenyReason::DnsNotAllowed));
            assert!(*reason != DenyReason::DnsNotAllowed || host.parse::<HostName>().is_err(), "{host:?} is a name");
        }
        Head::More | Head::None => {}
    }
    match said {
        Head::Tunnel(_) => "tunnel".to_owned(),
        Head::Refused(reason, _) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

/// Heads of tunnels and of other things.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "CONNECT api.example.org:443 HTTP/1.1\r\nHost: api.example.org:443\r\nUser-Agent: curl/8.5\r\nProxy-Connection: Keep-Alive\r\n\r\n",
        "CONNECT api.example.org:443 HTTP/1.0\n\n",
        "CONNECT b\u{fc}cher.example:443 HTTP/1.1\r\n\r\n",
        "CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n",
        "CONNECT [::1]:443 HTTP/1.1\r\n\r\n",
        "CONNECT a.example.org:80 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
        "CONNECT a.example.org:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "CONNECT a.example.org:443 HTTP/1.1\r\n\r\n\u{16}\u{3}\u{1}",
        "GET http://a.example.org/ HTTP/1.1\r\nHost: a.example.org\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::{check, seeds};

    #[test]
    fn heads() {
        let report = hydra_fuzz::fuzz("connect-head", &seeds(), check);
        for kind in ["tunnel", "More", "None", "connect.method", "connect.port", "dns.not_allowed"] {
            assert!(report.saw(kind), "{kind}: {report:?}");
        }
    }
}
