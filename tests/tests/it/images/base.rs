//! A Debian root on a base image (`cargo xtask images --base IMAGE`), built without a network: what a package manager is asked for, and what
//! the last step makes of a base that nobody has tidied up.

use super::{docker, docker_output, root};
use std::{os::unix::fs::PermissionsExt as _, process::Command};

/// Stands in for apt-get, of which no packet may be sent: tells what it was asked for.
const APT: &str = "#!/bin/sh\necho \"$*\" >>/apt-said\n";
/// A base as others make them: with a program that lends rights, and lists and logs lying about.
const UNTIDY: &str = "cp /bin/cat /usr/bin/lender; chmod 4755 /usr/bin/lender; touch /var/lib/apt/lists/list /var/log/some.log; \
                      chmod 755 /tmp; rm -rf /workspace; sed -i /^agent:/d /etc/passwd /etc/group";

#[test]
#[ignore = "needs docker, images"]
fn a_debian_root_on_a_base_image_is_what_one_without_is() {
    let (name, folder) = (format!("hydra-test-base-{}", std::process::id()), tempfile::tempdir().expect("a folder"));
    let apt = folder.path().join("apt-get");
    std::fs::write(&apt, APT).expect("a file");
    std::fs::set_permissions(&apt, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let layer = "hydra-layer-debian-gate";
    docker(&["run", "--name", &name, "--network", "none", "--entrypoint", "sh", layer, "-ec", UNTIDY]);
    docker(&["cp", &apt.display().to_string(), &format!("{name}:/usr/local/sbin/apt-get")]);
    let base = docker(&["commit", &name, &name]);
    docker(&["rm", &name]);

    // As xtask asks for it, but for the network.
    let made = format!("{name}-made");
    let built = Command::new("docker")
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "--force-rm", "--network", "none", "--tag", &made])
        .args(["--build-arg", &format!("BASE={base}"), "--build-arg", "PACKAGES=iproute2 nftables"])
        .arg(root().join("images/debian"))
        .output()
        .expect("docker is there");
    let told = String::from_utf8_lossy(&built.stderr).into_owned();
    let look = "cat /apt-said; stat -c '%n %a' /tmp /workspace /usr/bin/lender; id -u agent; grep -c ^agent: /etc/group; \
                ls -A /var/lib/apt/lists; test -e /finish.sh && echo left; grep -c ^nftables /usr/share/hydra-packages";
    let run = ["run", "--rm", "--network", "none", "--entrypoint", "sh", &made, "-c", look];
    let said = built.status.success().then(|| docker(&run));
    for image in [&made, &name] {
        docker_output(&["image", "rm", "--force", image]);
    }
    assert_eq!(
        said.unwrap_or(told).lines().collect::<Vec<_>>(),
        [
            "update",
            "install -y --no-install-recommends iproute2 nftables",
            "/tmp 1777",
            "/workspace 1777",
            "/usr/bin/lender 755",
            "1000",
            "1",
            "1",
        ]
    );
}
