//! What is refused, and that nothing else is.

use super::*;
use crate::naming::tests::spec;
use std::path::PathBuf;

fn refused(change: impl FnOnce(&mut JobSpec)) -> String {
    let mut spec = spec();
    change(&mut spec);
    let error = check(&spec).unwrap_err();
    assert_eq!(error.kind, RuntimeErrorKind::Refused, "{error}");
    error.to_string()
}

#[test]
fn a_usual_specification_passes() {
    assert_eq!(check(&spec()), Ok(()));
}

#[test]
fn networks_that_are_not_the_jobs_own_are_refused() {
    for name in ["host", "bridge", "default", "none", "container:other", "ns:/proc/1/ns/net", "", "-x", "a b"] {
        let said = refused(|spec| spec.network = Network::Named(name.to_owned()));
        assert!(said.contains("a network of its own"), "{said}");
    }
}

#[test]
fn an_engine_is_never_handed_over() {
    refused(|spec| {
        spec.env.insert("DOCKER_HOST".to_owned(), EnvValue::Plain("tcp://127.0.0.1:2375".to_owned()));
    });
    refused(|spec| {
        spec.inputs.insert("sock".to_owned(), InputFile::Path(PathBuf::from("/var/run/docker.sock")));
    });
    let said = refused(|spec| {
        spec.inputs.insert("device".to_owned(), InputFile::Path(PathBuf::from("/dev/null")));
    });
    assert!(said.contains("is not a plain file"), "{said}");
}

#[test]
fn paths_stay_below_their_folder() {
    for name in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", "a\nb", "a\\b"] {
        refused(|spec| {
            spec.spec.insert(name.to_owned(), InputFile::Bytes(Vec::new()));
        });
    }
    assert!(relative("specs/cart/spec.md"));
}

#[test]
fn no_limit_may_be_none() {
    refused(|spec| spec.limits.memory_mib = 0);
    refused(|spec| spec.limits.pids = 0);
    refused(|spec| spec.tmp_mib = 0);
}

#[test]
fn a_secret_is_not_in_the_refusal() {
    let value = "s3cr3t\0".to_owned().into();
    let said = refused(|spec| {
        spec.env.insert("TOKEN".to_owned(), EnvValue::Secret { credential: "git:builder".to_owned(), value });
    });
    assert!(!said.contains("s3cr3t"), "{said}");
}
