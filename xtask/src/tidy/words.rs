//! Words that may not stand in the source: silenced lints, unfinished work, hosts of one machine, secrets, effects in the core.

use super::Source;
use regex::Regex;
use std::path::Path;

/// A rule over lines: where it applies, what it looks for, what it says.
struct Rule {
    pattern: &'static str,
    says: &'static str,
    /// Whether the rule looks at this file.
    applies: fn(&Path) -> bool,
}

const RULES: &[Rule] = &[
    Rule { pattern: r"#!?\[allow\(", says: "use #[expect(…, reason = \"…\")], never #[allow]", applies: is_rust },
    Rule { pattern: r"\b(todo|unimplemented|dbg)!\(", says: "unfinished work", applies: is_rust },
    Rule {
        pattern: r#"#\[ignore\]|#\[ignore = "(?:[^n]|n[^e])"#,
        says: "an ignored test says what it needs: #[ignore = \"needs …\"]",
        // Test texts of the rule that finds skipped tests hold the bare attribute.
        applies: |p| is_rust(p) && !p.starts_with("crates/hydra-core/src/loosened"),
    },
    Rule { pattern: r"\bserde_yaml\b", says: "serde_yaml is deprecated", applies: |p| p.ends_with("Cargo.toml") },
    Rule {
        pattern: r"\b(SystemTime|Timestamp|Instant|Zoned)::now\(",
        says: "the core and the engine take the time from the Clock port",
        applies: |p| is_production(p) && (p.starts_with("crates/hydra-core") || p.starts_with("crates/hydra-engine")),
    },
    Rule {
        pattern: r"\bstd::(env|fs|process|net::(?:Tcp|Udp|ToSocket))\b",
        says: "the core does no I/O",
        applies: |p| is_production(p) && p.starts_with("crates/hydra-core/src"),
    },
    Rule {
        pattern: r"\btokio::spawn\(|\btask::spawn\(",
        says: "every task is joined: use a JoinSet",
        applies: |p| is_production(p) && !p.starts_with("crates/hydra-sim"),
    },
    Rule {
        pattern: r"(?:^|[^\w.])/(?:work|root|home/[a-z]+)/(?:main|shared|\.library|\.cargo)",
        says: "a path of one machine",
        applies: |p| !p.starts_with("xtask/src/tidy"),
    },
    Rule {
        pattern: r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\n[A-Za-z0-9+/]{40}",
        says: "a private key",
        applies: |_| true,
    },
    Rule {
        pattern: r"gh[pousr]_[A-Za-z0-9]{36}\b|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b|sk-ant-(?:api|oat)\d\d-[\w-]{80}",
        says: "what looks like a real token",
        applies: |_| true,
    },
];

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "rs") && !path.starts_with("xtask/src/tidy")
}

fn is_production(path: &Path) -> bool {
    is_rust(path)
        && !path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "examples")
        && !path.ends_with("tests.rs")
}

pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let rules: Vec<(Regex, &Rule)> =
        RULES.iter().filter_map(|rule| Some((Regex::new(rule.pattern).ok()?, rule))).collect();
    let mut findings = Vec::new();
    if rules.len() != RULES.len() {
        findings.push("xtask/src/tidy/words.rs: a pattern does not parse".to_owned());
    }
    for source in sources {
        for (pattern, rule) in rules.iter().filter(|(_, rule)| (rule.applies)(&source.path)) {
            for (index, line) in source.text.lines().enumerate() {
                if line.trim() == "#[cfg(test)]" && is_rust(&source.path) {
                    break;
                }
                if pattern.is_match(line) && !line.trim_start().starts_with("//") {
                    findings.push(format!("{}:{}: {}", source.path.display(), index + 1, rule.says));
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&[Source { path: path.into(), text: text.to_owned() }]).len()
    }

    #[test]
    fn each_rule_can_fail() {
        assert_eq!(found("crates/x/src/a.rs", concat!("#[", "allow(dead_code)]")), 1);
        assert_eq!(found("crates/x/src/a.rs", concat!("to", "do!()")), 1);
        assert_eq!(found("crates/x/src/a.rs", concat!("#[", "ignore]")), 1);
        assert_eq!(found("crates/x/src/a.rs", "#[ignore = \"slow\"]"), 1);
        assert_eq!(found("crates/x/src/a.rs", "#[ignore = \"needs docker\"]"), 0);
        assert_eq!(found("Cargo.toml", "serde_yaml = \"0.9\""), 1);
        assert_eq!(found("crates/hydra-core/src/a.rs", "let t = Timestamp::now();"), 1);
        assert_eq!(found("crates/hydra-core/src/a.rs", "std::fs::read(x)"), 1);
        assert_eq!(found("crates/hydra-engine/src/a.rs", "tokio::spawn(x)"), 1);
        assert_eq!(found("docs/a.md", concat!("see /wo", "rk/main/x")), 1);
        assert_eq!(found("docs/a.md", &format!("gh{}_{}", 'p', "a1".repeat(18))), 1);
    }
}
