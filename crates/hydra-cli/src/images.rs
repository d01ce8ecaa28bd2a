//! Which image a kind of container is started from: the lock file that `cargo xtask images` writes, read with its pins.

use crate::{config::Settings, exit::Exit, failure::Failure};
use hydra_core::{ContainerType, job::ImageRef};
use serde_json::Value;
use std::{collections::BTreeMap, io::ErrorKind, path::Path};

/// The image's own name: that of the documented table.
#[must_use]
pub const fn image_name(container: ContainerType) -> &'static str {
    match container {
        ContainerType::Builder | ContainerType::Quality => "hydra-builder",
        ContainerType::Reviewer => "hydra-reviewer",
        ContainerType::Security => "hydra-security",
        ContainerType::Applier => "hydra-applier",
    }
}

/// What people call it: `ghcr.io/conductionnl/hydra-builder:latest`.
#[must_use]
pub fn full_name(settings: &Settings, container: ContainerType) -> String {
    let runtime = &settings.values.runtime;
    let prefix = runtime.image_prefix.trim_end_matches('/');
    let glue = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{glue}{}:{}", image_name(container), runtime.image_tag)
}

/// Every container type's image, pinned by the lock file.
///
/// # Errors
/// When there is no lock file, it cannot be read, or it lacks an image.
pub fn pinned(settings: &Settings) -> Result<BTreeMap<ContainerType, ImageRef>, Failure> {
    let path = settings.root.join(&settings.values.runtime.image_lock);
    let pins = pins(&path)?;
    let mut images = BTreeMap::new();
    for container in ContainerType::ALL {
        let name = full_name(settings, *container);
        let pin = pins.get(&name).or_else(|| pins.get(image_name(*container))).ok_or_else(|| {
            Failure::new(Exit::Runtime, format!("{} does not pin the image {}", path.display(), image_name(*container)))
                .help("build the images with `cargo xtask images`, or add the digest of the one you pull")
        })?;
        images.insert(*container, ImageRef { name, pin: pin.clone() });
    }
    Ok(images)
}

/// The gate's own name.
pub(crate) const GATE: &str = "hydra-gate";

/// The gate's image, pinned by the lock file.
///
/// # Errors
/// As for [`pinned`].
pub fn gate(settings: &Settings) -> Result<ImageRef, Failure> {
    let path = settings.root.join(&settings.values.runtime.image_lock);
    let pin = pins(&path)?.remove(GATE).ok_or_else(|| {
        Failure::new(Exit::Runtime, format!("{} does not pin the image {GATE}", path.display()))
            .help("build the images with `cargo xtask images`, or set egress.mode = \"in-container\"")
    })?;
    Ok(ImageRef { name: GATE.to_owned(), pin })
}

/// The pins of a lock file by image name: `{"images": {"hydra-builder": {"id": "sha256:…"}}}`; a digest goes before an ID.
///
/// # Errors
/// When it cannot be read, or is no lock file.
pub fn pins(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        let failure = Failure::local(format_args!("{} cannot be read", path.display()), &error);
        if error.kind() == ErrorKind::NotFound {
            return failure
                .help("`cargo xtask images` in Hydra's checkout builds the images and writes it there; where this installation lies elsewhere, name that file with runtime.image_lock");
        }
        failure
    })?;
    let broken = || {
        Failure::new(Exit::Configuration, format!("{} is not a lock file of images", path.display()))
            .help("write it again with `cargo xtask images`")
    };
    let root: Value = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    let images = root.get("images").unwrap_or(&root).as_object().ok_or_else(broken)?;
    let mut pins = BTreeMap::new();
    for (name, entry) in images {
        let pin = match entry {
            Value::String(pin) => Some(pin.as_str()),
            Value::Object(fields) => ["digest", "pin", "id"].iter().find_map(|key| fields.get(*key)?.as_str()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        };
        if let Some(pin) = pin.filter(|pin| pin.contains("sha256:")) {
            pins.insert(name.clone(), pin.to_owned());
        }
    }
    Ok(pins)
}
