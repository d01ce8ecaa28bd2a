//! A registry that may be read from and not be published to: the gate looks into the requests.

use super::{Scene, npm::install};
use hydra_core::egress::InspectRule;
use insta::assert_snapshot;

const REGISTRY: &str = "registry.npmjs.org";

#[tokio::test]
#[ignore = "needs images"]
async fn npm_installs_through_an_inspected_registry_and_cannot_publish_to_it() {
    let mut scene = Scene::new();
    let publish = "cp /in/package.json . && npm config set //registry.npmjs.org/:_authToken=npm-of-the-agents-own && npm publish --loglevel error";
    let tries = [("install", install("", "")), ("publish", publish.to_owned())];
    // Without a fence it is published: the registry takes what it is given.
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (outside, certificate) = (text(scene.internet.file("web.pem")), text(scene.internet.file("gate-own.pem")));
    let rule = InspectRule { authority: Some(outside), ..InspectRule::default() };
    let asked = scene.internet.log().len();
    let seen = scene
        .behind("gate.pem", &tries, |gate| {
            gate.config.allow = [REGISTRY.parse().unwrap()].into();
            gate.config.inspect = [(REGISTRY.parse().unwrap(), rule)].into();
            gate.withheld.certificate = Some(certificate.into());
        })
        .await;
    assert_snapshot!(seen.text(), @r#"
    == install: exit 0

    added 1 package in N s
    out of the registry
    == publish: exit 1
    npm error code E403
    npm error 403 403 Forbidden - PUT https://registry.npmjs.org/target - PUT registry.npmjs.org/target is refused by the egress fence of this job (inspect.method); `hydra egress denials` says what would open it
    npm error 403 In most cases, you or one of your dependencies are requesting
    npm error 403 a package version that is forbidden by your security policy, or
    npm error 403 on a server you do not have access to.
    npm error A complete log of this run can be found in: /workspace/publish/.npm/_logs/TIME-debug-0.log
    == refused
    inspect.method POST registry.npmjs.org/-/npm/v1/security/advisories/bulk (tcp)
    inspect.method POST registry.npmjs.org/-/npm/v1/security/audits/quick (tcp)
    inspect.method PUT registry.npmjs.org/target (tcp)
    == reached
    registry.npmjs.org
    "#);
    let asked = scene.internet.log().split_off(asked);
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains(" GET ")), "{asked:#?}");
    scene.clear().await;
}
