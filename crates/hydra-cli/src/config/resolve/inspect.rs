//! `egress.inspect`: hosts whose requests are looked into.

use super::{
    Pass,
    authority::{NEXT, authority},
};
use crate::config::runtime::{EgressMode, Inspect};
use hydra_core::egress::{EgressPolicy, HostName, InspectError, InspectRule, shared};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    str::FromStr,
};

/// Every rule that is as it must be; what is wrong with the others is reported.
pub(super) fn rules(pass: &mut Pass<'_>, policy: &EgressPolicy, root: &Path) -> BTreeMap<HostName, InspectRule> {
    let egress = &pass.values.egress;
    if !egress.inspect.is_empty() && egress.mode == EgressMode::InContainer {
        let help = "set egress.mode = \"isolated\", or leave the hosts out".to_owned();
        pass.report("egress.inspect", "only a gate can look into requests, and mode `in-container` has none", help);
    }
    warn_of_shared(pass, policy);
    let mut rules = BTreeMap::new();
    for (text, entry) in &egress.inspect {
        let key = format!("egress.inspect.{text:?}");
        let host = match text.parse::<HostName>() {
            Ok(host) => host,
            Err(error) => {
                pass.report(&key, error, "name one host; `*` cannot be looked into");
                continue;
            }
        };
        let lists = policy.base.iter().chain(policy.extra.values().flatten()).chain(&policy.floor);
        if !lists.into_iter().any(|pattern| pattern.matches(&host)) {
            let help = format!("add \"{host}\" to egress.base, egress.extra or egress.floor, or leave it out");
            pass.report(&key, "no list lets anything reach this host, so there is nothing to look into", help);
        }
        if let Some(rule) = rule(pass, &key, entry, root) {
            rules.insert(host, rule);
        }
    }
    rules
}

/// A line that lets too much through by itself: its requests should be looked into.
fn warn_of_shared(pass: &mut Pass<'_>, policy: &EgressPolicy) {
    let inspected: BTreeSet<&str> = pass.values.egress.inspect.keys().map(String::as_str).collect();
    for line in policy.base.iter().chain(policy.extra.values().flatten()).collect::<BTreeSet<_>>() {
        let text = line.to_string();
        if let Some(why) = shared(line).filter(|_| !inspected.contains(text.as_str())) {
            pass.warnings.push(format!(
                "egress: {text} is allowed, and {why}: whoever may reach it may reach all of them; \
                 [egress.inspect.{text:?}] bounds what may be asked there"
            ));
        }
    }
}

fn rule(pass: &mut Pass<'_>, key: &str, entry: &Inspect, root: &Path) -> Option<InspectRule> {
    let methods = parsed(pass, &format!("{key}.methods"), &entry.methods, "write them as HTTP does: \"GET\", \"HEAD\"");
    let paths =
        parsed(pass, &format!("{key}.paths"), &entry.paths, "write what a path begins with, such as \"/@example/\"");
    if entry.methods.is_empty() {
        let help = "leave `methods` out for GET and HEAD, or leave the host out of the lists".to_owned();
        pass.report(&format!("{key}.methods"), "without a method nothing can be asked", help);
    }
    if entry.credential.is_some() && entry.paths.is_empty() {
        let help =
            "name what jobs need of it, such as `paths = [\"/@example/\"]`, and nothing by which it tells of accounts"
                .to_owned();
        pass.report(
            &format!("{key}.credential"),
            "every request to the host would be signed, whatever it asks for",
            help,
        );
    }
    let authority = match &entry.authority_file {
        None => None,
        Some(file) => match authority(&root.join(file)) {
            Ok(pem) => Some(pem),
            Err(why) => {
                pass.report(&format!("{key}.authority_file"), why, NEXT);
                return None;
            }
        },
    };
    Some(InspectRule { methods, paths, credential: entry.credential.clone(), authority })
}

fn parsed<T: FromStr<Err = InspectError> + Ord>(
    pass: &mut Pass<'_>,
    key: &str,
    texts: &[String],
    help: &str,
) -> BTreeSet<T> {
    let mut all = BTreeSet::new();
    for text in texts {
        match text.parse() {
            Ok(value) => _ = all.insert(value),
            Err(error) => pass.report(key, error, help),
        }
    }
    all
}
