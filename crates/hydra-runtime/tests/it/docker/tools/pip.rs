//! `pip install` from an index.

use super::{DENIED, Scene};
use insta::assert_snapshot;

fn install(before: &str, more: &str) -> String {
    format!(
        "{before} pip install --target lib {more} tiny && PYTHONPATH=lib python3 -c 'import tiny; print(tiny.said)'"
    )
}

#[tokio::test]
#[ignore = "needs images"]
async fn pip_installs_from_an_index_of_the_policy_and_names_the_one_that_is_not() {
    let mut scene = Scene::new();
    let index = format!("--index-url https://{DENIED}/simple");
    scene.reaches(&[("denied", install("", &index))]).await;
    let proxy = "HTTPS_PROXY=http://127.0.0.1:443";
    let tries = [
        ("allowed", install("", "")),
        ("allowed-by-proxy", install(proxy, "")),
        ("denied", install("", &index)),
        ("denied-by-proxy", install(proxy, &index)),
    ];
    let seen = scene.fenced(&["pypi.org", "files.pythonhosted.org"], &tries).await;
    // An index of the policy whose files lie on another host.
    let half = scene.fenced(&["pypi.org"], &[("files-denied", install("", ""))]).await;
    scene.clear().await;
    assert_snapshot!(seen.text(), @r#"
    == allowed: exit 0
    Collecting tiny
      Downloading tiny-1.0-py3-none-any.whl (736 bytes)
    Installing collected packages: tiny
    Successfully installed tiny-1.0
    out of the index
    == allowed-by-proxy: exit 0
    Collecting tiny
      Downloading tiny-1.0-py3-none-any.whl (736 bytes)
    Installing collected packages: tiny
    Successfully installed tiny-1.0
    out of the index
    == denied: exit 1
    Looking in indexes: https://elsewhere.example.net/simple
    WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/
    WARNING: Retrying (Retry(total=3, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/
    WARNING: Retrying (Retry(total=2, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/
    WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/
    WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/tiny/
    ERROR: Could not find a version that satisfies the requirement tiny (from versions: none)
    ERROR: No matching distribution found for tiny
    == denied-by-proxy: exit 1
    Looking in indexes: https://elsewhere.example.net/simple
    WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/tiny/
    WARNING: Retrying (Retry(total=3, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/tiny/
    WARNING: Retrying (Retry(total=2, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/tiny/
    WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/tiny/
    WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))': /simple/tiny/
    ERROR: Could not find a version that satisfies the requirement tiny (from versions: none)
    ERROR: No matching distribution found for tiny
    == refused
    dns.not_allowed elsewhere.example.net (tcp)
    dns.not_allowed elsewhere.example.net (udp)
    == reached
    files.pythonhosted.org
    pypi.org
    "#);
    assert_snapshot!(half.text(), @r#"
    == files-denied: exit 1
    Collecting tiny
      WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /tiny-1.0-py3-none-any.whl
      WARNING: Retrying (Retry(total=3, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /tiny-1.0-py3-none-any.whl
      WARNING: Retrying (Retry(total=2, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /tiny-1.0-py3-none-any.whl
      WARNING: Retrying (Retry(total=1, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /tiny-1.0-py3-none-any.whl
      WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known')': /tiny-1.0-py3-none-any.whl
    ERROR: Could not install packages due to an OSError: HTTPSConnectionPool(host='files.pythonhosted.org', port=443): Max retries exceeded with url: /tiny-1.0-py3-none-any.whl (Caused by NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x0>: Failed to establish a new connection: [Errno -2] Name or service not known'))

    == refused
    dns.not_allowed files.pythonhosted.org (udp)
    == reached
    pypi.org
    "#);
}
