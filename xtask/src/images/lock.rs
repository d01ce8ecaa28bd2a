//! `target/images.lock.json`: which images Hydra starts, by ID, or by digest where a registry knows them.

use super::{Build, docker, table::Built};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// Where it lies in a checkout; `runtime.image_lock` of the configuration names the same place.
pub(crate) const LOCK: &str = "target/images.lock.json";

/// Writes what was built; images that were left out this time stay in it as they are.
pub(crate) fn write(build: &Build<'_>, built: &[Built]) -> Result<(), String> {
    let path = build.root.join(LOCK);
    let mut images = read(&path);
    for image in built {
        let mut entry = json!({"id": image.id, "inputs": image.inputs});
        if let Some(digest) = docker::digest(&image.id)? {
            entry["digest"] = digest.into();
        }
        if let Some(base) = &build.options.base {
            entry["base"] = docker::digest(base)?.into();
        }
        images.insert(image.name.clone(), entry);
    }
    let text = format!("{:#}\n", json!({"schema": 1, "images": images}));
    // Whole or not at all: it may be read at any time.
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// The entries of the file; none when it is not there or is none.
fn read(path: &Path) -> Map<String, Value> {
    let text = fs::read(path).unwrap_or_default();
    let lock: Value = serde_json::from_slice(&text).unwrap_or_default();
    lock["images"].as_object().cloned().unwrap_or_default()
}

/// The IDs that the file names.
pub(crate) fn ids(root: &Path) -> Vec<String> {
    let images = read(&root.join(LOCK));
    images.values().filter_map(|image| image["id"].as_str()).map(str::to_owned).collect()
}
