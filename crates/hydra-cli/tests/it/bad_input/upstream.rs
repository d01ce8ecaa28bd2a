//! Whom a gate asks: name servers, and a model API under an authority of one's own.

use super::inspect::says;
use insta::assert_snapshot;

#[test]
fn a_name_server_is_an_address() {
    assert_snapshot!(says("[egress]\nname_servers = [\"dns.example.org\"]\n", ""), @r##"
error: [work]/hydra.toml:2: `egress.name_servers.0`: invalid IP address syntax
  help: `hydra config schema --format markdown` says what each key may hold
"##);
    assert_snapshot!(says("[egress]\nname_servers = [\"192.0.2.53:5353\"]\n", ""), @r##"
error: [work]/hydra.toml:2: `egress.name_servers.0`: invalid IP address syntax
  help: `hydra config schema --format markdown` says what each key may hold
"##);
}

#[test]
fn an_authority_stands_for_a_model_api_over_tls_that_a_gate_signs_for() {
    let with = |more: &str| {
        says(
            &format!("{more}\n[models]\nauthority_file = \"nope.pem\"\nbase_url = \"https://models.example.org\"\n"),
            "",
        )
    };
    assert_snapshot!(with(""), @r##"
error: [work]/hydra.toml:3: `models.authority_file`: [work]/nope.pem: it is not there
  help: name a file of certificates in PEM, or leave it out for the authorities of the web
"##);
    assert_snapshot!(with("[egress]\nmode = \"in-container\""), @r##"
error: [work]/hydra.toml:4: `models.authority_file`: only a gate that signs for the agent can be told whom to believe
  help: set egress.mode = "isolated" and credentials.model = "withheld", or leave the file out
error: [work]/hydra.toml:4: `models.authority_file`: [work]/nope.pem: it is not there
  help: name a file of certificates in PEM, or leave it out for the authorities of the web
"##);
    assert_snapshot!(says("[models]\nauthority_file = \"hydra.toml\"\nbase_url = \"http://models.example.org:8080\"\n", ""), @r##"
error: [work]/hydra.toml:2: `models.authority_file`: there is no `models.base_url` that begins with https://
  help: set `models.base_url` to the API that the authority stands for, or leave the file out
error: [work]/hydra.toml:2: `models.authority_file`: [work]/hydra.toml: it holds no certificate in PEM
  help: name a file of certificates in PEM, or leave it out for the authorities of the web
"##);
}
