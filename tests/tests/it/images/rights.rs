//! Threat 2: no program in an image lends anybody rights, neither by its mode nor by its capabilities.

use super::{docker, docker_output};
use std::{
    io::Read,
    process::{Command, Stdio},
};

/// Programs of a container's files that lend rights. Reads the archive that the engine exports.
fn lenders(container: &str) -> Vec<String> {
    let mut child =
        Command::new("docker").args(["export", container]).stdout(Stdio::piped()).spawn().expect("docker is there");
    let mut archive = tar::Archive::new(child.stdout.take().expect("an archive"));
    let (mut found, mut files) = (Vec::new(), 0);
    for entry in archive.entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let regular = entry.header().entry_type().is_file() || entry.header().entry_type().is_hard_link();
        if regular {
            files += 1;
            // Above these bits stands the kind of the entry.
            let mode = entry.header().mode().expect("a mode") & 0o7777;
            if mode & 0o6000 != 0 {
                found.push(format!("{path}: mode {mode:o}"));
            }
        }
        let extensions = entry.pax_extensions().expect("extensions");
        for extension in extensions.into_iter().flatten().flatten() {
            if extension.key().is_ok_and(|key| key.ends_with("security.capability")) {
                found.push(format!("{path}: capabilities"));
            }
        }
    }
    // What is left in the pipe is padding.
    drop(archive.into_inner().read_to_end(&mut Vec::new()));
    assert!(child.wait().expect("an end").success());
    assert!(files > 1_000, "{files} files were looked at");
    found
}

struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        docker_output(&["rm", "-f", "-v", &self.0]);
    }
}

#[test]
#[ignore = "needs docker, images"]
fn no_program_of_any_image_lends_rights() {
    let names: Vec<String> = super::pins().into_keys().collect();
    let each = |name: &String| {
        let container = Container(docker(&["create", name]));
        (name.clone(), lenders(&container.0))
    };
    let found: Vec<_> = std::thread::scope(|scope| {
        let halves: Vec<_> = names
            .chunks(names.len().div_ceil(2))
            .map(|half| scope.spawn(move || half.iter().map(each).collect::<Vec<_>>()))
            .collect();
        halves.into_iter().flat_map(|half| half.join().expect("a search")).collect()
    });
    for (name, lenders) in found {
        assert_eq!(lenders, [""; 0], "{name}");
    }
}

#[test]
#[ignore = "needs docker, images"]
fn the_search_finds_what_does() {
    let lend = "import os\nos.chmod('/usr/bin/rg', 0o4755)\n\
                os.setxattr('/usr/bin/jq', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))";
    let name = format!("hydra-test-lenders-{}", std::process::id());
    docker(&["run", "--name", &name, "--network", "none", "--entrypoint", "python3", "hydra-base", "-c", lend]);
    let container = Container(name);
    let mut found = lenders(&container.0);
    found.sort();
    assert_eq!(found, ["usr/bin/jq: capabilities", "usr/bin/rg: mode 4755"]);
}
