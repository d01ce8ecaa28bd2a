//! Labels read back as they were written, and the specification's hash sees every change but a secret's value.

use super::*;
use hydra_core::{
    ContainerType, Generation, IssueKey, IssueNumber, Stage, TokenRole,
    job::{CredentialName, ImageRef, Network},
    persona::Limits,
};

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        key: JobKey {
            issue: IssueKey { repo: "acme/web".parse().unwrap(), number: IssueNumber(7) },
            generation: Generation(1),
            stage: Stage::Build,
            round: 0,
            attempt: 0,
        },
        container: ContainerType::Builder,
        image: ImageRef { name: "hydra-builder".to_owned(), pin: "sha256:00".to_owned() },
        env: BTreeMap::from([
            ("HYDRA_MODE".to_owned(), EnvValue::Plain("build".to_owned())),
            (
                "ANTHROPIC_API_KEY".to_owned(),
                EnvValue::Secret { credential: "account:main".to_owned(), value: "one".to_owned().into() },
            ),
        ]),
        inputs: BTreeMap::from([("prompt.md".to_owned(), InputFile::Bytes(b"do".to_vec()))]),
        spec: BTreeMap::new(),
        limits: Limits { cpu_millis: 1000, memory_mib: 512, pids: 64, minutes: 1, turns: 10 },
        tmp_mib: 16,
        workspace_mib: 64,
        network: Network::Named("hydra-net".to_owned()),
        net_admin: false,
        hosts: BTreeMap::new(),
        credentials: vec![CredentialName::Account("main".parse().unwrap()), CredentialName::Git(TokenRole::Builder)],
    }
}

#[test]
fn labels_read_back() {
    let named = read(&labels("desk", &spec()).unwrap());
    assert_eq!(named.instance, "desk");
    assert_eq!(named.key, Some(spec().key));
    assert_eq!(named.credentials, ["account:main", "git:builder"]);
}

#[test]
fn an_unreadable_key_is_nobodys() {
    let named = read(&BTreeMap::from([(LABEL_KEY.to_owned(), "{".to_owned())]));
    assert_eq!(named.key, None);
}

#[test]
fn the_hash_sees_every_change_but_a_rotated_secret() {
    let whole = spec_hash(&spec()).unwrap();
    let changed = |change: &dyn Fn(&mut JobSpec)| {
        let mut spec = spec();
        change(&mut spec);
        spec_hash(&spec).unwrap()
    };
    let rotated = changed(&|spec| {
        let value = EnvValue::Secret { credential: "account:main".to_owned(), value: "two".to_owned().into() };
        spec.env.insert("ANTHROPIC_API_KEY".to_owned(), value);
    });
    assert_eq!(rotated, whole, "a rotated token is the same job");
    let changes: [&dyn Fn(&mut JobSpec); 8] = [
        &|spec| spec.image.pin.push('1'),
        &|spec| spec.net_admin = true,
        &|spec| spec.network = Network::None,
        &|spec| spec.limits.pids += 1,
        &|spec| spec.credentials.clear(),
        &|spec| drop(spec.inputs.insert("prompt.md".to_owned(), InputFile::Bytes(b"do not".to_vec()))),
        &|spec| std::mem::swap(&mut spec.inputs, &mut spec.spec),
        &|spec| drop(spec.env.insert("HYDRA_MODE".to_owned(), EnvValue::Plain("fix".to_owned()))),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert_ne!(changed(change), whole, "change {at}");
    }
}
