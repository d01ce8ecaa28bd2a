//! `egress.inspect` and the registries' credentials that it names.

use super::{Writes, refusal};
use crate::harness::Sandbox;
use insta::assert_snapshot;

/// What `hydra config check` says of a hydra.toml with these lines, in short: place and cause.
pub(super) fn says(lines: &str, credentials: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("hydra.toml", lines);
    if !credentials.is_empty() {
        sandbox.secret("secrets/credentials.json", credentials);
    }
    let said = refusal(&sandbox, Writes::Nothing, &["config", "check"]);
    let said = said.replace(&*sandbox.work("").to_string_lossy(), "");
    let kept = said.lines().filter(|line| line.starts_with("error") || line.trim_start().starts_with("help"));
    kept.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_rule_that_cannot_be_is_named_with_its_line() {
    assert_snapshot!(says(
        r#"
[egress.inspect."registry.npmjs.org"]
paths = ["/@scope/", "b", "/a/../b"]
[egress.inspect."pypi.org"]
methods = ["get", "CONNECT"]
[egress.inspect."*.example.com"]
[egress.inspect."127.0.0.1"]
[egress.inspect."npm.example.com"]
credential = "npm"
[egress.inspect."static.crates.io"]
methods = []
authority_file = "nope.pem"
"#,
        ""
    ), @r##"
error: [work]/hydra.toml:6: `egress.inspect."*.example.com"`: "*.example.com" is not a host name: a star belongs to a pattern
  help: name one host; `*` cannot be looked into
error: [work]/hydra.toml:7: `egress.inspect."127.0.0.1"`: "127.0.0.1" is not a host name: it is an address: only names can be allowed
  help: name one host; `*` cannot be looked into
error: [work]/hydra.toml:8: `egress.inspect."npm.example.com"`: no list lets anything reach this host, so there is nothing to look into
  help: add "npm.example.com" to egress.base, egress.extra or egress.floor, or leave it out
error: [work]/hydra.toml:9: `egress.inspect."npm.example.com".credential`: every request to the host would be signed, whatever it asks for
  help: name what jobs need of it, such as `paths = ["/@example/"]`, and nothing by which it tells of accounts
error: [work]/hydra.toml:5: `egress.inspect."pypi.org".methods`: "get" is not a method of HTTP: methods are capital letters, 20 at most
  help: write them as HTTP does: "GET", "HEAD"
error: [work]/hydra.toml:5: `egress.inspect."pypi.org".methods`: "CONNECT" is not a method of HTTP: it is never let through
  help: write them as HTTP does: "GET", "HEAD"
error: [work]/hydra.toml:3: `egress.inspect."registry.npmjs.org".paths`: "b" is not the beginning of a path: it begins with a slash
  help: write what a path begins with, such as "/@example/"
error: [work]/hydra.toml:3: `egress.inspect."registry.npmjs.org".paths`: "/a/../b" is not the beginning of a path: no path that may be asked for begins like this
  help: write what a path begins with, such as "/@example/"
error: [work]/hydra.toml:11: `egress.inspect."static.crates.io".methods`: without a method nothing can be asked
  help: leave `methods` out for GET and HEAD, or leave the host out of the lists
error: [work]/hydra.toml:12: `egress.inspect."static.crates.io".authority_file`: [work]/nope.pem: it is not there
  help: name a file of certificates in PEM, or leave it out for the authorities of the web
"##);
}

#[test]
fn no_other_mode_looks_into_requests() {
    assert_snapshot!(says("[egress]\nmode = \"in-container\"\n[egress.inspect.\"pypi.org\"]\n", ""), @r##"
error: [work]/hydra.toml:3: `egress.inspect`: only a gate can look into requests, and mode `in-container` has none
  help: set egress.mode = "isolated", or leave the hosts out
"##);
}

#[test]
fn a_registrys_credential_is_named_when_it_is_missing_and_never_shown() {
    let rule = "[egress.inspect.\"pypi.org\"]\ncredential = \"npm\"\n";
    assert_snapshot!(says(rule, r#"{"registries":{"npm":{"user":"a:b","token":"s3cretvalue"},"x":7,"bad name":{}}}"#), @r##"
error: [work]/secrets/credentials.json: a name in registries cannot be one
  help: give it a short name of letters, digits, '-', '_' and '.'; the token stands in `token`
error: [work]/secrets/credentials.json: registries.npm.user must be a text in quotes, without ':' and white space
  help: leave it out where the registry asks for a token alone
error: [work]/secrets/credentials.json: registries.x must be an object with token, and user where it needs one
  help: write "NAME": { "token": "…" }, with "user" beside it where the registry asks for one
"##);
}

#[test]
fn a_side_service_that_cannot_be_is_named_with_its_line() {
    assert_snapshot!(says(
        r#"
[runtime.services.Postgres]
image = "postgres"
pin = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
port = 443
[runtime.services.redis]
image = "redis"
pin = "sha256:0"
port = 6379
user = "redis"
memory_mib = 1
"#,
        ""
    ), @r##"
error: [work]/hydra.toml:2: `runtime.services."Postgres"`: its name must have 1 to 20 small letters, digits or '-'
  help: call it by what it is, such as [runtime.services.db]
error: [work]/hydra.toml:5: `runtime.services."Postgres".port`: 443 cannot be a service's
  help: take another: the gate answers at 53, 443, 8088
error: [work]/hydra.toml:8: `runtime.services."redis".pin`: it must name the image by ID or digest (sha256: and 64 digits), for a tag may be another image tomorrow
  help: write sha256:… or NAME@sha256:…, as `docker image inspect redis` shows them (Id, RepoDigests)
error: [work]/hydra.toml:11: `runtime.services."redis".memory_mib`: it must be at least 16
  help: write a larger number of MiB, or leave it out for 512
error: [work]/hydra.toml:10: `runtime.services."redis".user`: it must be UID or UID:GID, in numbers
  help: write "999" or "999:999", or leave it out for the image's own
"##);
    assert_snapshot!(says("[runtime.services.redis]\nimage = \"redis\"\nport = 6379\n", ""), @r##"
error: [work]/hydra.toml:1: `runtime.services.redis` lacks `pin`
  help: add `pin`
"##);
}

#[test]
fn a_host_that_many_share_is_warned_of_unless_it_is_looked_into() {
    let sandbox = Sandbox::complete();
    let own = sandbox.read("hydra.toml");
    let lists = "[egress]\nextra.builder = [\"d111.cloudfront.net\", \"pypi.org\"]\n";
    sandbox.write("hydra.toml", format!("{own}{lists}"));
    let ran = sandbox.run(&["config", "check"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(
        ran.all().contains("d111.cloudfront.net is allowed, and many parties serve their own content there"),
        "{}",
        ran.all()
    );
    assert!(!ran.all().contains("pypi.org is allowed"), "{}", ran.all());
    sandbox
        .write("hydra.toml", format!("{own}{lists}[egress.inspect.\"d111.cloudfront.net\"]\npaths = [\"/ours/\"]\n"));
    let ran = sandbox.run(&["config", "check"]);
    assert!(ran.code == 0 && !ran.all().contains("is allowed, and"), "{}", ran.all());
}
