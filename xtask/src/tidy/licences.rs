//! What `deny.toml` says of every dependency, held without an installed cargo-deny: licences, banned crates, sources. Only the advisories need it.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// Where crates may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The rules.
const RULES: &str = "deny.toml";

struct Rules {
    allowed: BTreeSet<String>,
    /// What one crate alone may be under besides.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    banned: BTreeSet<String>,
}

pub(crate) fn check(root: &Path) -> Vec<String> {
    let rules = fs::read_to_string(root.join(RULES)).map_err(|error| error.to_string()).and_then(|text| rules(&text));
    let rules = match rules {
        Ok(rules) => rules,
        Err(why) => return vec![format!("{RULES}: {why}")],
    };
    // The workspace, and the fuzz targets, which have a lock of their own.
    let all = [root.to_owned(), root.join("fuzz")].map(|folder| match packages(&folder) {
        Ok(packages) => packages.iter().flat_map(|package| judge(package, &rules)).collect(),
        Err(why) => vec![format!("{}: cargo metadata: {why}", folder.display())],
    });
    all.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

fn rules(text: &str) -> Result<Rules, String> {
    let rules: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let list = |table: &str, key: &str| rules.get(table).and_then(|table| table.get(key)?.as_array());
    let allowed: BTreeSet<String> =
        list("licenses", "allow").into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    let banned = list("bans", "deny").into_iter().flatten().filter_map(|one| one.get("name")?.as_str());
    let banned: BTreeSet<String> = banned.map(str::to_owned).collect();
    let exceptions = list("licenses", "exceptions").into_iter().flatten().filter_map(|one| {
        let its = one.get("allow")?.as_array()?.iter().filter_map(|one| one.as_str().map(str::to_owned));
        Some((one.get("name")?.as_str()?.to_owned(), its.chain(allowed.iter().cloned()).collect()))
    });
    let exceptions = exceptions.collect();
    if allowed.is_empty() || banned.is_empty() {
        return Err("it allows no licence or bans no crate".to_owned());
    }
    Ok(Rules { allowed, exceptions, banned })
}

/// Every package of the workspace and below it, on the platform that Hydra runs on.
fn packages(root: &Path) -> Result<Vec<Value>, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    // Packages of other platforms are listed too, and not resolved.
    let resolved = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let resolved: BTreeSet<&str> = resolved.filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let packages: Vec<Value> =
        packages.filter(|package| package["id"].as_str().is_some_and(|id| resolved.contains(id))).cloned().collect();
    if packages.len() < 100 {
        return Err(format!("it tells of {} packages only", packages.len()));
    }
    Ok(packages)
}

fn judge(package: &Value, rules: &Rules) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let allowed = rules.exceptions.get(name).unwrap_or(&rules.allowed);
    let mut findings = Vec::new();
    match package["license"].as_str().or_else(|| of_file(package)) {
        None => findings.push(format!("{name}: it names no licence that is known")),
        Some(licence) if !is_allowed(licence, allowed) => {
            findings.push(format!("{name}: the licence {licence:?} is not among those that {RULES} allows"));
        }
        Some(_) => {}
    }
    if rules.banned.contains(name) {
        findings.push(format!("{name}: {RULES} bans it"));
    }
    if let Some(source) = package["source"].as_str()
        && source != REGISTRY
    {
        findings.push(format!("{name}: it comes from {source}, not from crates.io"));
    }
    findings
}

/// The licence whose text a package brings instead of naming it, where it is one that is easily told.
fn of_file(package: &Value) -> Option<&'static str> {
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
    let text = fs::read_to_string(folder.join(package["license_file"].as_str()?)).ok()?;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mit = words.starts_with("MIT License")
        && words.contains("Permission is hereby granted, free of charge, to any person obtaining a copy")
        && words.contains("THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND");
    mit.then_some("MIT")
}

/// Whether one may take it under licences that are allowed: an SPDX expression, in which an old `/` means `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let text = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = every(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        fine |= every(words, at, allowed);
    }
    fine
}

fn every(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut fine = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        fine &= one(words, at, allowed);
    }
    fine
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let fine = any(words, at, allowed);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return fine && closed;
    }
    match (words.get(*at), words.get(*at + 1)) {
        (Some(&"WITH"), Some(exception)) => {
            *at += 2;
            allowed.contains(&format!("{word} WITH {exception}"))
        }
        _ => allowed.contains(*word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Rules {
        rules("[licenses]\nallow = [\"MIT\", \"ISC\", \"Apache-2.0 WITH LLVM-exception\"]\nexceptions = [{ name = \"odd\", allow = [\"NCSA\"] }]\n[bans]\ndeny = [{ name = \"bad\" }]\n")
            .unwrap()
    }

    #[test]
    fn an_expression_is_read_as_spdx_reads_it() {
        let rules = some();
        for fine in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND ISC",
            "(GPL-3.0 OR MIT) AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(fine, &rules.allowed), "{fine}");
        }
        for not in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT OR (",
            "Apache-2.0",
            "(MIT",
            "MIT ISC",
            "",
            "MIT AND (GPL-3.0 OR AGPL-3.0)",
        ] {
            assert!(!is_allowed(not, &rules.allowed), "{not}");
        }
    }

    #[test]
    fn each_rule_can_fail() {
        let package = |name: &str, licence: Value, source: Value| {
            judge(&serde_json::json!({ "name": name, "license": licence, "source": source }), &some())
        };
        assert_eq!(package("good", "MIT".into(), REGISTRY.into()), Vec::<String>::new());
        assert_eq!(package("own", "MIT".into(), Value::Null), Vec::<String>::new());
        assert_eq!(package("odd", "MIT AND NCSA".into(), REGISTRY.into()), Vec::<String>::new());
        assert_eq!(package("other", "MIT AND NCSA".into(), REGISTRY.into()).len(), 1);
        let findings = package("bad", "GPL-3.0".into(), "git+https://example.org/bad".into());
        assert_eq!(
            findings,
            [
                "bad: the licence \"GPL-3.0\" is not among those that deny.toml allows",
                "bad: deny.toml bans it",
                "bad: it comes from git+https://example.org/bad, not from crates.io",
            ]
        );
        assert_eq!(package("none", Value::Null, Value::Null), ["none: it names no licence that is known"]);
        assert!(rules("[licenses]\nallow = []\n").is_err());
    }

    #[test]
    fn the_text_of_the_mit_licence_is_known_and_no_other() {
        let manifest = crate::root().join("Cargo.toml");
        let package = |file: &str| serde_json::json!({ "manifest_path": manifest, "license_file": file });
        assert_eq!(of_file(&package("LICENSE-MIT")), Some("MIT"));
        assert_eq!([of_file(&package("LICENSE-APACHE")), of_file(&package("gone"))], [None, None]);
    }
}
