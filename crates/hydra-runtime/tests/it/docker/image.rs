//! A tiny image that needs no registry of images: a static busybox from Debian's package, imported as it is.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Runs docker; its output as text.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The ID of an image whose program is `/bin/sh /in/script.sh /out`. Made once for all tests, and left for the next run.
pub(crate) fn busybox() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let there = Command::new("docker").args(["image", "inspect", "-f", "{{.Id}}", NAME]).output().unwrap();
        if there.status.success() {
            return String::from_utf8_lossy(&there.stdout).trim().to_owned();
        }
        let folder = tempfile::tempdir().unwrap();
        let busybox = busybox_program(folder.path());
        let archive = folder.path().join("root.tar");
        let root = folder.path().join("root");
        let make = r#"set -e
            mkdir -p "$2/bin" "$2/etc" "$2/proc" "$2/sys" "$2/dev" "$2/tmp" "$2/workspace"
            chmod 1777 "$2/tmp" "$2/workspace"
            cp "$1" "$2/bin/busybox"; chmod 755 "$2/bin/busybox"
            for name in sh cat echo printf head ln ls mkdir mount mv rm sleep id touch tail env grep stat dd test true wget chmod sort tr cut cp sed; do
              ln -s busybox "$2/bin/$name"
            done
            echo root:x:0:0::/:/bin/sh > "$2/etc/passwd"
            tar -C "$2" --owner=0 --group=0 -cf "$3" ."#;
        let made = Command::new("sh").args(["-c", make, "sh"]).args([&busybox, &root, &archive]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let change = |text: &'static str| ["-c", text];
        let mut args = vec!["import"];
        args.extend(change(r#"ENTRYPOINT ["/bin/sh","/in/script.sh","/out"]"#));
        args.extend(change("WORKDIR /workspace"));
        args.extend(change("ENV PATH=/bin"));
        let archive = archive.display().to_string();
        args.extend([archive.as_str(), NAME]);
        docker(&args)
    })
}

/// Raise the number when the content changes.
const NAME: &str = "hydra-test-busybox:1";

/// The machine's own static busybox, or the one in Debian's package.
fn busybox_program(folder: &Path) -> PathBuf {
    let fetch = r#"set -e
        cd "$1"; apt-get -qq download busybox-static >/dev/null 2>&1; dpkg-deb -x busybox-static_*.deb ."#;
    let fetched = Command::new("sh").args(["-c", fetch, "sh"]).arg(folder).output().unwrap();
    let program =
        ["bin/busybox", "usr/bin/busybox"].map(|path| folder.join(path)).into_iter().find(|path| path.is_file());
    program.unwrap_or_else(|| panic!("apt-get download busybox-static: {}", String::from_utf8_lossy(&fetched.stderr)))
}
