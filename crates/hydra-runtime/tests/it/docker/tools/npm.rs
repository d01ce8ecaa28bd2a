//! `npm ci` from a lock file.

use super::{DENIED, Scene};
use insta::assert_snapshot;

/// Installs what the lock file has chosen, with npm's own settings.
pub(super) fn install(before: &str, more: &str) -> String {
    format!("cp /in/package.json /in/package-lock.json . && {before} npm ci {more} && node -p 'require(\"tiny\")'")
}

#[tokio::test]
#[ignore = "needs images"]
async fn npm_installs_from_a_registry_of_the_policy_and_names_the_one_that_is_not() {
    let mut scene = Scene::new();
    let registry = format!("--registry https://{DENIED}/");
    // By itself it tries three times, for more than a minute.
    let registry = format!("--fetch-retries 0 {registry}");
    let denied = install("", &registry);
    scene.reaches(&[("denied", denied.clone())]).await;
    let proxy = "HTTPS_PROXY=http://127.0.0.1:443";
    let tries = [
        ("allowed", install("", "")),
        ("allowed-by-proxy", install(proxy, "")),
        ("denied", denied),
        ("denied-by-proxy", install(proxy, &registry)),
    ];
    let seen = scene.fenced(&["registry.npmjs.org"], &tries).await;
    scene.clear().await;
    assert_snapshot!(seen.text(), @r#"
    == allowed: exit 0

    added 1 package, and audited 2 packages in N s

    found 0 vulnerabilities
    out of the registry
    == allowed-by-proxy: exit 0

    added 1 package, and audited 2 packages in N s

    found 0 vulnerabilities
    out of the registry
    == denied: exit 1
    npm error code ENOTFOUND
    npm error syscall getaddrinfo
    npm error errno ENOTFOUND
    npm error network request to https://elsewhere.example.net/tiny/-/tiny-1.0.0.tgz failed, reason: getaddrinfo ENOTFOUND elsewhere.example.net
    npm error network This is a problem related to network connectivity.
    npm error network In most cases you are behind a proxy or have bad network settings.
    npm error network
    npm error network If you are behind a proxy, please make sure that the
    npm error network 'proxy' config is set properly.  See: 'npm help config'
    npm error A complete log of this run can be found in: /workspace/denied/.npm/_logs/TIME-debug-0.log
    == denied-by-proxy: exit 1
    npm error code E403
    npm error 403 403 Forbidden - GET https://elsewhere.example.net/tiny/-/tiny-1.0.0.tgz - elsewhere.example.net is refused by the egress fence of this job (dns.not_allowed); `hydra egress denials` says what would open it
    npm error 403 In most cases, you or one of your dependencies are requesting
    npm error 403 a package version that is forbidden by your security policy, or
    npm error 403 on a server you do not have access to.
    npm error A complete log of this run can be found in: /workspace/denied-by-proxy/.npm/_logs/TIME-debug-0.log
    == refused
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    == reached
    registry.npmjs.org
    "#);
}
