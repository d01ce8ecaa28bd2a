//! git over HTTPS.

use super::{DENIED, Scene};
use insta::assert_snapshot;

#[tokio::test]
#[ignore = "needs images"]
async fn git_clones_from_a_host_of_the_policy_and_names_the_one_that_is_not() {
    let mut scene = Scene::new();
    let clone = |more: &str, host: &str| format!("git {more} clone -q https://{host}/tiny.git && cat tiny/file.txt");
    let to = |host: &str, address: &str| format!("-c http.curloptResolve={host}:443:{address}");
    let by_address = clone(&to(DENIED, "$INTERNET"), DENIED);
    scene.reaches(&[("denied", clone("", DENIED)), ("denied-by-address", by_address.clone())]).await;
    let proxy = "-c http.proxy=http://127.0.0.1:443";
    let tries = [
        ("allowed", clone("", "git.example.org")),
        ("allowed-elsewhere", clone(&to("git.example.org", "11.9.9.9"), "git.example.org")),
        ("allowed-by-proxy", clone(proxy, "git.example.org")),
        ("denied", clone("", DENIED)),
        ("denied-by-address", by_address),
        ("denied-by-proxy", clone(proxy, DENIED)),
    ];
    let seen = scene.fenced(&["git.example.org"], &tries).await;
    scene.clear().await;
    assert_snapshot!(seen.text(), @r#"
    == allowed: exit 0
    out of the repository
    == allowed-elsewhere: exit 0
    out of the repository
    == allowed-by-proxy: exit 0
    out of the repository
    == denied: exit 128
    fatal: unable to access 'https://elsewhere.example.net/tiny.git/': Could not resolve host: elsewhere.example.net
    == denied-by-address: exit 128
    fatal: unable to access 'https://elsewhere.example.net/tiny.git/': gnutls_handshake() failed: Access was denied
    == denied-by-proxy: exit 128
    fatal: unable to access 'https://elsewhere.example.net/tiny.git/': CONNECT tunnel failed, response 403
    == refused
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    tls.sni_not_allowed elsewhere.example.net (tcp)
    == reached
    git.example.org
    "#);
}
