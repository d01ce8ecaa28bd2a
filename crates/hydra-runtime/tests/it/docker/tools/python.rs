//! Python's own clients: `urllib`, and `ssl` over a socket.

use super::of_a_language;
use insta::assert_snapshot;

/// What goes wrong is said in the last line of a traceback; here without the others.
const SHORT: &str =
    "import sys; sys.excepthook = lambda kind, why, at: print(f'{kind.__module__}.{kind.__name__}: {why}')";

/// A page.
fn page(before: &str, host: &str) -> String {
    let script = format!("import urllib.request as u; print(u.urlopen('https://{host}/').read().decode().strip())");
    format!("{before} python3 -c \"{SHORT}; {script}\"")
}

/// A handshake under this name at this address, and the version that was agreed upon.
fn shake(host: &str, address: &str) -> String {
    let script = format!(
        "import socket, ssl; s = socket.create_connection(('{address}', 443)); \
         print(ssl.create_default_context().wrap_socket(s, server_hostname='{host}').version())"
    );
    format!("python3 -c \"{SHORT}; {script}\"")
}

#[tokio::test]
#[ignore = "needs images"]
async fn python_is_refused_by_name_and_by_handshake() {
    let said = of_a_language(page, shake, "HTTPS_PROXY=http://127.0.0.1:443").await;
    assert_snapshot!(said, @r#"
    == allowed: exit 0
    this is api.example.org
    == allowed-elsewhere: exit 0
    TLSv1.3
    == allowed-by-proxy: exit 0
    this is api.example.org
    == denied: exit 1
    urllib.error.URLError: <urlopen error [Errno -2] Name or service not known>
    == denied-by-address: exit 1
    ssl.SSLError: [SSL: TLSV1_ALERT_ACCESS_DENIED] tlsv1 alert access denied (_ssl.c:992)
    == denied-by-proxy: exit 1
    urllib.error.URLError: <urlopen error Tunnel connection failed: 403 Forbidden>
    == refused
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    tls.sni_not_allowed elsewhere.example.net (tcp)
    == reached
    api.example.org
    "#);
}
