//! Good and bad `.hydra.toml`.
use super::*;
use proptest::prelude::*;

fn faults(text: &str) -> Vec<String> {
    Target::parse(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The example of `docs/repository.md` holds every key, and is read.
#[test]
fn the_documented_file_is_read() {
    let text = include_str!("../../../../docs/repository.md");
    let toml = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let target = Target::parse(toml.as_bytes()).unwrap();
    assert_eq!(target.scope, ["src/", "tests/", "README.md"]);
    for key in KEYS.iter().chain(COMMANDS).chain(TOOLCHAIN) {
        assert!(toml.contains(key), "{key}");
    }
}

#[test]
fn a_whole_file_is_read() {
    let text = "protected = [\"infra/\", \"**/*.lock\"]\nfocus = \"money\"\n[commands]\nlint = \"make lint\"\ntest = \"make test\"\n[toolchain]\nimage = \"node-22\"\nsetup = \"npm ci\"\n[egress]\nbuilder = [\"registry.example.org\"]\n";
    let target = Target::parse(text.as_bytes()).unwrap();
    let commands: Vec<_> = target.quality().into_iter().map(|c| format!("{}: {}", c.name, c.command)).collect();
    assert_eq!(commands, ["setup: npm ci", "lint: make lint", "test: make test"]);
    assert_eq!(target.hosts(ContainerType::Builder), [HostLine { text: "registry.example.org", line: 10 }]);
    assert_eq!(target.only(), None);
    assert!(target.hosts(ContainerType::Quality).is_empty() && target.checks_anything());
    assert_eq!(Target::parse(b""), Ok(Target::default()));
}

#[test]
fn faults_have_lines_and_the_nearest_key() {
    assert_eq!(
        faults("[commands]\nlnt = \"x\"\n"),
        [".hydra.toml:2: the key `commands.lnt` is unknown (did you mean `lint`?)"]
    );
    assert_eq!(
        faults("\n[comands]\nlint = \"x\"\n"),
        [".hydra.toml:2: the key `comands` is unknown (did you mean `commands`?)"]
    );
    assert_eq!(
        faults("[egress]\nbuildr = []\n"),
        [".hydra.toml:2: the key `egress.buildr` is unknown (did you mean `builder`?)"]
    );
    assert!(faults("[commands]\ntest = 3\n")[0].starts_with(".hydra.toml:2: invalid type"));
    assert!(faults("a = \n")[0].starts_with(".hydra.toml:1: "));
    assert!(faults("[commands]\ntest = \" \"\n")[0].starts_with(".hydra.toml:2: commands.test is empty"));
    assert!(faults("protected = [\"../x\"]\n")[0].contains("must lie in the repository"));
    assert!(Target::parse(b"a\n\xff").unwrap_err()[0].to_string().starts_with(".hydra.toml:2: it is not UTF-8"));
}

#[test]
fn a_host_that_cannot_be_allowed_is_named_with_its_own_line() {
    let text = "[egress]\nbuilder = [\n  \"registry.example.org\",\n  '*.com',\n  \"https://api.example.org/v1\",\n]\nquality = [\"0x7f.1\"]\n";
    assert_eq!(
        faults(text),
        [
            ".hydra.toml:4: \"*.com\" is not a host pattern: it stands over a public suffix, under which anybody can have a name",
            ".hydra.toml:5: \"https://api.example.org/v1\" is not a host pattern: a scheme does not belong to it \
             (write \"api.example.org\", if that is what is meant)",
            ".hydra.toml:7: \"0x7f.1\" is not a host pattern: it is an address: only names can be allowed",
        ]
    );
}

proptest! {
    #[test]
    fn never_panics(text in "(\\[commands\\]|\\[|\\]|test|=|\"|\n|'|egress|\\.|\\PC){0,30}") {
        let _ = Target::parse(text.as_bytes());
    }
}

#[test]
fn what_is_left_of_the_organisations_hosts_is_read_with_its_lines() {
    let text = "[egress]\nonly = [\n  \"pypi.org\",\n  \"*.example.org\",\n]\n";
    let target = Target::parse(text.as_bytes()).unwrap();
    let line = |text, line| HostLine { text, line };
    assert_eq!(target.only(), Some(vec![line("pypi.org", 3), line("*.example.org", 4)]));
    assert_eq!(Target::parse(b"[egress]\nonly = []\n").unwrap().only(), Some(vec![]));
    let faults = Target::parse(b"[egress]\nonly = [\"https://pypi.org\"]\n").unwrap_err();
    assert!(faults[0].to_string().starts_with(".hydra.toml:2: "), "{faults:?}");
}

#[test]
fn a_file_of_nothing_but_braces_is_a_fault_and_no_end_of_the_program() {
    for deep in ["{", "[", "a = {", "{a={", "[{"] {
        let faults = Target::parse(deep.repeat(10_000).as_bytes()).unwrap_err();
        assert!(faults[0].to_string().contains("opening braces and brackets; at most 500 are read"), "{faults:?}");
        // As deep as it may be, on the small stack of a test.
        let within = 500 / deep.matches(['{', '[']).count();
        assert!(Target::parse(format!("a = {}", deep.repeat(within)).as_bytes()).is_err());
        assert!(Target::parse(deep.repeat(within).as_bytes()).is_err());
    }
}
