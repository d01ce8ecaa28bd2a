//! Leftovers of the state folder: notes on jobs that are gone, old logs and pins, temporary files of writers that died.

use crate::{report::Side, status::UnseenFacts, store::StateDir};
use hydra_core::JobId;
use std::{fs, io, path::Path, time::Duration};

/// A note that is younger may be of a job that is being started.
const YOUNG: Duration = Duration::from_secs(3600);
/// Logs are evidence, as is what gates told: they stay for a month.
const LOGS: Duration = Duration::from_secs(30 * 86_400);
/// A pinned text can be had again from its issue, unless that was edited since.
const PINS: Duration = Duration::from_secs(90 * 86_400);

/// Removes them, or only lists them; paths relative to the state folder.
pub(super) fn prune(
    state: &StateDir,
    is_there: &dyn Fn(&JobId) -> bool,
    dry_run: bool,
) -> (Vec<String>, Vec<UnseenFacts>) {
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for (folder, keep) in [
        ("orders", YOUNG),
        ("stops", YOUNG),
        ("by-hand", YOUNG),
        ("logs", LOGS),
        ("egress", LOGS),
        ("pins", PINS),
        ("", YOUNG),
    ] {
        let names = match entries(&state.root().join(folder)) {
            Ok(names) => names,
            Err(error) => {
                failures.push(failed(folder, &error));
                continue;
            }
        };
        for name in names {
            let relative = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let path = state.root().join(&relative);
            if !is_left_over(folder, &name, is_there) || !is_old(&path, if is_temporary(&name) { YOUNG } else { keep })
            {
                continue;
            }
            match if dry_run { Ok(()) } else { fs::remove_file(&path) } {
                Ok(()) => removed.push(relative),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failures.push(failed(&relative, &error)),
            }
        }
    }
    removed.sort();
    (removed, failures)
}

/// Whether nobody needs the file, if it is old enough.
fn is_left_over(folder: &str, name: &str, is_there: &dyn Fn(&JobId) -> bool) -> bool {
    if is_temporary(name) {
        return true;
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match folder {
        "" => false,
        "pins" => true,
        _ => stem.parse().is_ok_and(|job: JobId| !is_there(&job)),
    }
}

/// `<name>.tmp-<process>`, as files are written before they get their name.
fn is_temporary(name: &str) -> bool {
    name.rsplit_once(".tmp-").is_some_and(|(_, pid)| !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()))
}

fn is_old(path: &Path, age: Duration) -> bool {
    // Of a file whose age is not known nothing is removed; a time in the future is young.
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|old| old >= age))
}

/// The plain files of a folder; none, where it is not there.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in read {
        let entry = entry?;
        if entry.file_type()?.is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn failed(what: &str, error: &io::Error) -> UnseenFacts {
    let what = format!("{what} in the state folder");
    UnseenFacts { issue: None, what, why: error.to_string(), side: Side::Machine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn only_old_notes_of_jobs_that_are_gone_are_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the files of this test are as old as the machine's clock says")]
        let old = SystemTime::now() - Duration::from_secs(2 * 3600);
        let put = |name: &str, at: Option<SystemTime>| {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            if let Some(at) = at {
                file.set_modified(at).unwrap();
            }
        };
        put("orders/hydra-gone.json", Some(old));
        put("orders/hydra-there.json", Some(old));
        put("orders/hydra-young.json", None);
        put("stops/hydra-gone.json", Some(old));
        put("logs/hydra-gone.jsonl", Some(old));
        put("egress/hydra-gone.json", Some(old));
        put("egress/hydra-longgone.json", Some(SystemTime::UNIX_EPOCH));
        put("pins/abc.json", Some(old));
        put("holds.tmp-123", Some(old));
        put("holds.json", Some(old));
        put("audit.jsonl", Some(SystemTime::UNIX_EPOCH));
        let there = |id: &JobId| id.as_str() == "hydra-there";
        let all = ["egress/hydra-longgone.json", "holds.tmp-123", "orders/hydra-gone.json", "stops/hydra-gone.json"];
        assert_eq!(prune(&state, &there, true).0, all);
        assert!(dir.path().join("orders/hydra-gone.json").exists(), "a dry run removes nothing");
        let (removed, failures) = prune(&state, &there, false);
        assert_eq!((removed.iter().map(String::as_str).collect::<Vec<_>>(), failures), (all.to_vec(), Vec::new()));
        assert!(!dir.path().join("orders/hydra-gone.json").exists());
        assert!(dir.path().join("egress/hydra-gone.json").exists(), "it is kept for a month");
        assert!(dir.path().join("audit.jsonl").exists() && dir.path().join("logs/hydra-gone.jsonl").exists());
    }
}
