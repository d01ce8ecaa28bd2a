//! Node's own clients: `fetch`, and `tls` at an address.

use super::of_a_language;
use insta::assert_snapshot;

/// A page, or why not and what lies behind it.
fn page(before: &str, host: &str) -> String {
    let script = format!(
        "fetch(\"https://{host}/\").then(a => a.text()).then(t => console.log(t.trim())) \
         .catch(e => {{ console.log(String(e) + \": \" + e.cause); process.exit(1) }})"
    );
    format!("{before} node -e '{script}'")
}

/// A handshake under this name at this address, and the version that was agreed upon.
fn shake(host: &str, address: &str) -> String {
    let script = format!(
        "const s = require(\"tls\").connect({{ host: \"{address}\", port: 443, servername: \"{host}\" }}, () => {{ \
         console.log(s.getProtocol()); s.end() }}).on(\"error\", e => {{ console.log(e.code, e.message); process.exit(1) }})"
    );
    format!("node -e '{script}'")
}

#[tokio::test]
#[ignore = "needs images"]
async fn node_is_refused_by_name_and_by_handshake() {
    let said = of_a_language(page, shake, "NODE_USE_ENV_PROXY=1 HTTPS_PROXY=http://127.0.0.1:443").await;
    assert_snapshot!(said, @r#"
    == allowed: exit 0
    this is api.example.org
    == allowed-elsewhere: exit 0
    TLSv1.3
    == allowed-by-proxy: exit 0
    (node:N) [UNDICI-EHPA] Warning: EnvHttpProxyAgent is experimental, expect them to change at any time.
    (Use `node --trace-warnings ...` to show where the warning was created)
    this is api.example.org
    == denied: exit 1
    TypeError: fetch failed: Error: getaddrinfo ENOTFOUND elsewhere.example.net
    == denied-by-address: exit 1
    ERR_SSL_TLSV1_ALERT_ACCESS_DENIED ID:error:0A000419:SSL routines:ssl3_read_bytes:tlsv1 alert access denied:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:SSL alert number 49

    == denied-by-proxy: exit 1
    (node:N) [UNDICI-EHPA] Warning: EnvHttpProxyAgent is experimental, expect them to change at any time.
    (Use `node --trace-warnings ...` to show where the warning was created)
    TypeError: fetch failed: Error: Request was cancelled.
    == refused
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    tls.sni_not_allowed elsewhere.example.net (tcp)
    == reached
    api.example.org
    "#);
}
