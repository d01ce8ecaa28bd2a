//! Egress lists that cannot be: each line is named, and why, and what might have been meant.

use super::{Writes, refusal};
use crate::harness::Sandbox;
use hydra_cli::config::{self, Sources, environment::Environment};
use insta::assert_snapshot;

/// What `hydra config check` says of these lines in `egress.base`, each on a line of its own from the third one on: line, cause,
/// and what might have been meant.
fn says(lines: &[&str]) -> String {
    let sandbox = Sandbox::new();
    // JSON's escapes are TOML's too.
    let entries: Vec<String> = lines.iter().map(|line| format!("  {},\n", serde_json::json!(line))).collect();
    sandbox.write("hydra.toml", format!("[egress]\nbase = [\n{}]\n", entries.concat()));
    let said = refusal(&sandbox, Writes::Nothing, &["config", "check"]);
    let kept = said.lines().filter(|line| line.starts_with("error") || line.starts_with("  help: write \""));
    let short = kept.map(|line| {
        line.replace("error: [work]/hydra.toml:", "")
            .replace("`egress.base`: ", "")
            .replace(" is not a host pattern", "")
    });
    short.collect::<Vec<_>>().join("\n")
}

#[test]
fn patterns_that_would_let_anybody_in() {
    let lines = [
        "*",
        "*.com",
        "*.co.uk",
        "*.github.io",
        "*.s3.amazonaws.com",
        "a*b.com",
        "www.*.com",
        "*.*.example.com",
        "*example.com",
        "**.example.com",
    ];
    assert_snapshot!(says(&lines), @r##"
3: "*": a star stands for a whole label, the left-most one: *.example.com
4: "*.com": it stands over a public suffix, under which anybody can have a name
5: "*.co.uk": it stands over a public suffix, under which anybody can have a name
6: "*.github.io": it stands over a public suffix, under which anybody can have a name
7: "*.s3.amazonaws.com": it stands over a public suffix, under which anybody can have a name
8: "a*b.com": a star stands for a whole label, the left-most one: *.example.com
9: "www.*.com": a star stands for a whole label, the left-most one: *.example.com
10: "*.*.example.com": one star, as the left-most label, is all there can be
11: "*example.com": a star stands for a whole label, the left-most one: *.example.com
12: "**.example.com": a star stands for a whole label, the left-most one: *.example.com
"##);
}

#[test]
fn addresses_in_every_way_of_writing_them() {
    let lines = [
        "127.0.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "1.2.3.0x4",
        "[::1]",
        "::1",
        "fd00:ec2::254",
        "*.0.0.1",
    ];
    assert_snapshot!(says(&lines), @r##"
3: "127.0.0.1": it is an address: only names can be allowed
4: "0177.0.0.1": it is an address: only names can be allowed
5: "0x7f.0.0.1": it is an address: only names can be allowed
6: "0x7f000001": it is an address: only names can be allowed
7: "2130706433": it is an address: only names can be allowed
8: "127.1": it is an address: only names can be allowed
9: "1.2.3.0x4": it is an address: only names can be allowed
10: "[::1]": neither a port nor an IPv6 address belongs here
11: "::1": neither a port nor an IPv6 address belongs here
12: "fd00:ec2::254": neither a port nor an IPv6 address belongs here
13: "*.0.0.1": it is an address: only names can be allowed
"##);
}

#[test]
fn more_than_a_host() {
    let lines = [
        "https://api.example.org",
        "https://api.example.org:443/v1?x=1",
        "http://api.example.org",
        "api.example.org:443",
        "api.example.org:8443",
        "*.api.example.org:443",
        "api.example.org/v1",
        "user@api.example.org",
        "//api.example.org",
    ];
    assert_snapshot!(says(&lines), @r##"
3: "https://api.example.org": a scheme does not belong to it
  help: write "api.example.org", if that is what is meant
4: "https://api.example.org:443/v1?x=1": a scheme does not belong to it
  help: write "api.example.org", if that is what is meant
5: "http://api.example.org": a scheme does not belong to it
6: "api.example.org:443": neither a port nor an IPv6 address belongs here
  help: write "api.example.org", if that is what is meant
7: "api.example.org:8443": neither a port nor an IPv6 address belongs here
8: "*.api.example.org:443": neither a port nor an IPv6 address belongs here
  help: write "*.api.example.org", if that is what is meant
9: "api.example.org/v1": only the host itself belongs here, no path and no user
  help: write "api.example.org", if that is what is meant
10: "user@api.example.org": only the host itself belongs here, no path and no user
11: "//api.example.org": only the host itself belongs here, no path and no user
"##);
}

#[test]
fn letters_that_look_like_others() {
    let lines = [
        "\u{430}pi.anthropic.com",
        "b\u{fc}cher.example",
        "*.ex\u{430}mple.org",
        "api\u{3002}example.org",
        "\u{ff41}pi.example.org",
        "a\u{200b}pi.example.org",
        "\u{202e}gro.elpmaxe",
        "xn--a.example.org",
    ];
    assert_snapshot!(says(&lines), @r##"
3: "аpi.anthropic.com": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "xn--pi-6kc.anthropic.com", if that is what is meant
4: "bücher.example": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "xn--bcher-kva.example", if that is what is meant
5: "*.exаmple.org": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "*.xn--exmple-4nf.org", if that is what is meant
6: "api。example.org": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "api.example.org", if that is what is meant
7: "ａpi.example.org": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "api.example.org", if that is what is meant
8: "a\u{200b}pi.example.org": letters beyond ASCII may look like others: a policy has the form that DNS knows
  help: write "api.example.org", if that is what is meant
9: "\u{202e}gro.elpmaxe": letters beyond ASCII may look like others: a policy has the form that DNS knows
10: "xn--a.example.org": it cannot be written in the letters, digits and hyphens that DNS knows
"##);
}

#[test]
fn what_is_no_name() {
    let long = format!("{}.example.org", "a".repeat(64));
    let longer = format!("{}example.org", "abcdefg.".repeat(40));
    let lines = [
        "",
        " ",
        ".",
        "..",
        "api..example.org",
        ".example.org",
        "api.example.org..",
        "-a.example.org",
        "a_b.example.org",
        "api.example.org\n",
        "a\0b.example.org",
        "%61pi.example.org",
        "localhost",
        "*.",
        &long,
        &longer,
    ];
    assert_snapshot!(says(&lines), @r##"
3: "": it is empty
4: " ": white space, control characters and escapes are not allowed
5: ".": it has an empty label
6: "..": it has an empty label
7: "api..example.org": it has an empty label
8: ".example.org": it has an empty label
9: "api.example.org..": it has an empty label
10: "-a.example.org": a label begins or ends with a hyphen
11: "a_b.example.org": it cannot be written in the letters, digits and hyphens that DNS knows
12: "api.example.org\n": white space, control characters and escapes are not allowed
  help: write "api.example.org", if that is what is meant
13: "a\0b.example.org": white space, control characters and escapes are not allowed
14: "%61pi.example.org": white space, control characters and escapes are not allowed
15: "localhost": a name of one label means another host in every network
16: "*.": it is empty
17: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org": a label is longer than 63 bytes
18: "abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcdefg.abcd": it is longer than 253 bytes
"##);
}

#[test]
fn upper_case_a_dot_at_the_end_and_a_line_twice_change_nothing() {
    let read = |lines: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("hydra.toml", format!("[egress]\nbase = [{lines}]\n"));
        let (cwd, environment) = (sandbox.work(""), Environment::default());
        let sources = Sources { cwd: &cwd, file: None, flags: Vec::new(), environment: &environment };
        config::load(&sources).unwrap().settings.egress
    };
    let plain = read("\"api.example.org\", \"*.files.example.org\"");
    let same = read("\"API.Example.ORG.\", \"api.example.org\", \"*.FILES.example.org\", \"api.example.org\"");
    assert_eq!((plain.base.len(), &plain, plain.hash()), (2, &same, same.hash()));
}

#[test]
fn ten_thousand_names_and_one_that_is_none() {
    let mut lines: Vec<String> = (0..10_000).map(|n| format!("n{n}.example.org")).collect();
    let sandbox = Sandbox::new();
    let text = |lines: &[String]| {
        format!("[egress]\nbase = [\n{}]\n", lines.iter().map(|line| format!("{line:?},\n")).collect::<String>())
    };
    sandbox.write("hydra.toml", text(&lines));
    let begun = std::time::Instant::now();
    let ran = sandbox.run(&["egress", "check", "n9999.example.org", "--type", "reviewer"]);
    assert!(ran.code == 0 && ran.out.contains("n9999.example.org"), "{}", ran.all());
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    lines[7_000] = "*.com".to_owned();
    sandbox.write("hydra.toml", text(&lines));
    let said = refusal(&sandbox, Writes::Nothing, &["config", "check"]);
    assert!(said.contains("hydra.toml:7003: `egress.base`: \"*.com\"") && said.len() < 2_000, "{said:.3000}");
    // Every one of them.
    sandbox.write("hydra.toml", text(&vec!["*.com".to_owned(); 10_000]));
    let said = refusal(&sandbox, Writes::Nothing, &["config", "check"]);
    assert!(said.contains("10000 problems; the first 50 are shown") && said.len() < 100_000, "{} bytes", said.len());
}

#[test]
fn a_floor_a_type_and_an_endpoint_have_the_same_care() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hydra.toml",
        "[egress]\nfloor = [\"*.example.com\",\n \"*.io\"]\nmodel_endpoint = \"https://models.test\"\n[egress.extra]\nbuildr = [\"a.test\"]\nquality = [\n\"10.0.0.1\"]\n",
    );
    let said = refusal(&sandbox, Writes::Nothing, &["config", "check"]);
    let kept: Vec<&str> = said.lines().filter(|line| line.starts_with("error") || line.starts_with("  help")).collect();
    assert_snapshot!(kept.join("\n"), @r##"
error: [work]/hydra.toml:3: `egress.floor`: "*.io" is not a host pattern: it stands over a public suffix, under which anybody can have a name
  help: write one name, such as api.example.com, or *.example.com for all of one label more
error: [work]/hydra.toml:6: `egress.extra.buildr`: there is no container type "buildr": it is one of builder, quality, reviewer, security, applier
  help: did you mean `builder`?
error: [work]/hydra.toml:8: `egress.extra.quality`: "10.0.0.1" is not a host pattern: it is an address: only names can be allowed
  help: write one name, such as api.example.com, or *.example.com for all of one label more
error: [work]/hydra.toml:4: `egress.model_endpoint`: "https://models.test" is not an endpoint: the port must be a number from 1 to 65535
  help: write HOST:PORT, such as models.example.com:8443
"##);
}
