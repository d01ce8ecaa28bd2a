//! The builder's image with two tools that it does not hold: curl and pip, out of Debian's packages.

use crate::docker::{Yard, image::docker};
use hydra_core::job::ImageRef;
use std::{path::Path, process::Command, sync::OnceLock};

/// Raise the number when the content changes.
const PART: &str = "hydra-test-tools:1";

/// To be removed by whoever asked for it. Asks no registry of images for anything.
pub(super) fn image(yard: &Yard) -> ImageRef {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/images.lock.json");
    let lock: serde_json::Value = serde_json::from_slice(&std::fs::read(lock).unwrap()).unwrap();
    let builder = lock["images"]["hydra-builder"]["id"].as_str().unwrap();
    part();
    let (from, to) = (format!("{}-part", yard.instance), format!("{}-made", yard.instance));
    docker(&["create", "--name", &from, PART, "none"]);
    docker(&["create", "--name", &to, builder]);
    let copy = r#"set -e; docker cp "$1:/usr" - | docker cp - "$2:/""#;
    let copied = Command::new("sh").args(["-c", copy, "sh", &from, &to]).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let program = r#"ENTRYPOINT ["/bin/sh","/in/script.sh","/out"]"#;
    let pin = docker(&["commit", "--change", program, &to]);
    docker(&["rm", &from, &to]);
    ImageRef { name: "tools".to_owned(), pin }
}

/// What is put in. Everything that it needs besides is in the builder's image. Made once, and left for the next run.
fn part() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let there = Command::new("docker").args(["image", "inspect", "-f", "{{.Id}}", PART]).output().unwrap();
        if there.status.success() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let make = r#"set -e
            cd "$1"
            mmdebstrap --quiet --variant=extract --include=curl,python3-pip bookworm whole.tar
            mkdir part
            tar -xf whole.tar -C part --wildcards './usr/bin/curl' './usr/bin/pip' './usr/lib/*/libcurl.so.4*' \
              './usr/lib/python3/dist-packages/pip' './usr/lib/python3/dist-packages/pip-*'
            tar -C part --owner=0 --group=0 -cf part.tar .
            docker import part.tar "$2""#;
        let made = Command::new("sh").args(["-c", make, "sh"]).arg(folder.path()).arg(PART).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    });
}
