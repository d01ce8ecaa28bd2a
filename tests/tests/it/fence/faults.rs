//! Row 5: each set-up step in turn is made to fail, or to lie. Never does the agent start, never does a packet leave.

use super::range::{How, Range, SEND};
use std::os::unix::fs::PermissionsExt;

/// Programs put before the real ones in `PATH`: name, script, and the step that must be named.
const FAULTS: [(&str, &str, &str, &str); 9] = [
    (
        "ip6tables-restore is missing its test",
        "ip6tables-restore",
        "[ \"$1\" = --test ] && exit 3; exec /usr/sbin/ip6tables-restore \"$@\"",
        "step test",
    ),
    (
        "iptables-restore is missing its test",
        "iptables-restore",
        "[ \"$1\" = --test ] && exit 3; exec /usr/sbin/iptables-restore \"$@\"",
        "step test",
    ),
    (
        "ip6tables-restore fails",
        "ip6tables-restore",
        "cat >/dev/null; [ \"$1\" = --test ] && exit 0; exit 4",
        "step apply",
    ),
    (
        "iptables-restore fails",
        "iptables-restore",
        "cat >/dev/null; [ \"$1\" = --test ] && exit 0; exit 4",
        "step apply",
    ),
    ("ip6tables-restore does nothing and says it did", "ip6tables-restore", "cat >/dev/null; exit 0", "step read-back"),
    ("iptables-restore does nothing and says it did", "iptables-restore", "cat >/dev/null; exit 0", "step read-back"),
    ("iptables-save fails", "iptables-save", "exit 1", "step read-back"),
    ("ip6tables-save fails", "ip6tables-save", "exit 1", "step read-back"),
    (
        "iptables does nothing, and the read-back lies",
        "iptables-restore",
        "if [ \"$1\" = --test ]; then exec cat >/dev/null; else exec cat >/tmp/rules; fi",
        "step prove",
    ),
];

#[test]
#[ignore = "needs docker"]
fn row_05_a_step_that_fails_or_lies_keeps_the_agent_from_starting() {
    let range = Range::new();
    let open = range.packets();
    range.run(false, SEND, &How { docker: vec!["--security-opt=no-new-privileges".into()], ..How::default() });
    assert!(range.packets() > open, "unfenced the packets arrive");
    for (number, (what, program, script, step)) in FAULTS.into_iter().enumerate() {
        let shims = range.path(&format!("shims-{number}"));
        std::fs::create_dir(&shims).expect("a folder");
        let mut programs = vec![(program, script)];
        if what.contains("lies") {
            programs.push(("iptables-save", "cat /tmp/rules"));
        }
        for (program, script) in programs {
            let path = shims.join(program);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a shim");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        let docker = vec![
            "--security-opt=no-new-privileges".into(),
            "-v".into(),
            format!("{}:/shims:ro", shims.display()),
            "-e".into(),
            "PATH=/shims:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
        ];
        refused(&range, what, &How { docker, ..How::default() }, step);
    }
}

#[test]
#[ignore = "needs docker"]
fn row_05_a_container_without_the_means_is_refused_by_name() {
    let range = Range::new();
    let nnp = "--security-opt=no-new-privileges".to_owned();
    let endpoint = ("model_endpoint", serde_json::json!("no-such-host.invalid:8443"));
    let cases = [
        ("no NET_ADMIN", How { docker: vec![nnp.clone()], powerless: true, ..How::default() }, "--cap-add NET_ADMIN"),
        ("uid 1000", How { docker: vec![nnp.clone(), "--user=1000".into()], ..How::default() }, "--cap-add NET_ADMIN"),
        ("no-new-privileges is off", How::default(), "--security-opt no-new-privileges"),
        (
            "an endpoint that does not resolve",
            How { docker: vec![nnp.clone()], job: vec![endpoint], ..How::default() },
            "step resolve",
        ),
        (
            "the second half called alone, unfenced",
            How { docker: vec![nnp, "-e".into(), "HYDRA_FENCED=1".into()], powerless: true, ..How::default() },
            "step prove",
        ),
    ];
    for (what, how, step) in cases {
        refused(&range, what, &how, step);
    }
}

fn refused(range: &Range, what: &str, how: &How, step: &str) {
    let before = range.packets();
    let run = range.run(true, SEND, how);
    assert_eq!(run.code, 21, "{what}: {}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(step), "{what}: {}", run.stderr);
    assert!(run.stdout.contains("\"step\":\"fence\""), "{what}: the last event names the step: {}", run.stdout);
    assert!(!run.stdout.contains("\"step\":\"driver\""), "{what}");
    assert_eq!(range.packets() - before, 0, "{what}: {}", range.seen());
}
