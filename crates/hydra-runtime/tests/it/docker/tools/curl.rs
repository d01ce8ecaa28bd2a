//! curl: what agents try first.

use super::{DENIED, Scene};
use insta::assert_snapshot;

#[tokio::test]
#[ignore = "needs images"]
async fn curl_says_which_host_it_may_not_reach() {
    let mut scene = Scene::new();
    let by_address = format!("curl -sS --resolve {DENIED}:443:$INTERNET https://{DENIED}/");
    scene
        .reaches(&[("denied", format!("curl -sS https://{DENIED}/")), ("denied-by-address", by_address.clone())])
        .await;
    let proxy = "HTTPS_PROXY=http://127.0.0.1:443 curl -sS";
    let tries = [
        ("allowed", "curl -sS https://api.example.org/".to_owned()),
        // 11.9.9.9 is nobody's: the name goes to its own address wherever it is dialled.
        ("allowed-elsewhere", "curl -sS --resolve api.example.org:443:11.9.9.9 https://api.example.org/".to_owned()),
        ("allowed-by-proxy", format!("{proxy} https://api.example.org/")),
        ("denied", format!("curl -sS https://{DENIED}/")),
        ("denied-by-address", by_address),
        ("denied-by-proxy", format!("{proxy} https://{DENIED}/")),
        ("denied-by-plain-proxy", format!("http_proxy=http://127.0.0.1:443 curl -sS http://{DENIED}/")),
        ("no-name", "curl -sS https://$INTERNET/".to_owned()),
        ("plain", "curl -sS http://api.example.org/".to_owned()),
        ("other-port", "curl -sS https://api.example.org:8443/".to_owned()),
    ];
    let seen = scene.fenced(&["api.example.org"], &tries).await;
    scene.clear().await;
    assert_snapshot!(seen.text(), @r#"
    == allowed: exit 0
    this is api.example.org
    == allowed-elsewhere: exit 0
    this is api.example.org
    == allowed-by-proxy: exit 0
    this is api.example.org
    == denied: exit 6
    curl: (6) Could not resolve host: elsewhere.example.net
    == denied-by-address: exit 35
    curl: (35) OpenSSL/3.0.22: error:0A000419:SSL routines::tlsv1 alert access denied
    == denied-by-proxy: exit 56
    curl: (56) CONNECT tunnel failed, response 403
    == denied-by-plain-proxy: exit 0
    {"error":"elsewhere.example.net is refused by the egress fence of this job (connect.method); `hydra egress denials` says what would open it","host":"elsewhere.example.net","reason":"connect.method","type":"egress_denied"}
    == no-name: exit 35
    curl: (35) OpenSSL/3.0.22: error:0A000419:SSL routines::tlsv1 alert access denied
    == plain: exit 7
    curl: (7) Failed to connect to api.example.org port 80 after N ms: Couldn't connect to server
    == other-port: exit 7
    curl: (7) Failed to connect to api.example.org port 8443 after N ms: Couldn't connect to server
    == refused
    connect.method elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    packet.tcp 198.18.0.1 port 80 (tcp)
    packet.tcp 198.18.0.1 port 8443 (tcp)
    tls.no_sni INTERNET port 443 (tcp)
    tls.sni_not_allowed elsewhere.example.net (tcp)
    == reached
    api.example.org
    "#);
}
