//! The internet of one test: a network with public addresses and no way out, and on it one server under the names of many hosts. The
//! engine's own resolver answers for it, as it does for a gate on a real network.

use crate::docker::image::docker;
use hydra_core::job::ImageRef;
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The hosts that there are; the last one is in no policy.
const HOSTS: [&str; 6] =
    ["git.example.org", "registry.npmjs.org", "pypi.org", "files.pythonhosted.org", "api.example.org", super::DENIED];

pub(super) struct Internet {
    pub(super) network: String,
    /// Where all hosts are.
    pub(super) address: String,
    name: String,
}

impl Internet {
    pub(super) fn new(network: String, image: &ImageRef) -> Self {
        open(&network);
        let name = format!("{network}-internet");
        let mut args = vec!["run", "-d", "--name", &name, "--network", &network, "--entrypoint", "python3"];
        args.extend(HOSTS.iter().flat_map(|host| ["--network-alias", host]));
        args.extend([image.pin.as_str(), "-c", include_str!("internet.py")]);
        args.extend(HOSTS);
        docker(&args);
        let address = docker(&["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &name]);
        let internet = Self { network, address, name };
        let begun = Instant::now();
        while internet.log().first().is_none_or(|line| line != "ready") {
            assert!(begun.elapsed() < Duration::from_secs(60), "{}", docker(&["logs", &internet.name]));
            std::thread::sleep(Duration::from_millis(100));
        }
        internet
    }
    /// A file that it has made for the test.
    pub(super) fn file(&self, name: &str) -> Vec<u8> {
        docker(&["exec", &self.name, "cat", &format!("/tmp/internet/{name}")]).into_bytes()
    }
    /// Host, method and path of every request so far, behind the line that it is ready.
    pub(super) fn log(&self) -> Vec<String> {
        docker(&["logs", &self.name]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        // After a failure the network may still be in use.
        for args in [["rm", "-f", &self.name].as_slice(), &["network", "rm", &self.network]] {
            _ = Command::new("docker").args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// Makes the network, in the first range that nobody has.
fn open(network: &str) {
    let mine = std::process::id();
    for shift in 0..200 {
        let range = format!("11.{}.{}.0/24", 16 + (mine / 250 + shift) % 200, mine % 250);
        let args = ["network", "create", "--internal", "--subnet", &range, network];
        if Command::new("docker").args(args).output().unwrap().status.success() {
            return;
        }
    }
    panic!("there is no range for the network {network}");
}
