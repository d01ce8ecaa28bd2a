//! What jobs deliver, honest and not.

use crate::fixture::*;
use hydra_core::{CommitSha, TokenRole, ports::*};

async fn inspect(world: &World, parent: &CommitSha, bundle: &[u8]) -> Result<Delivery, WorkspaceError> {
    world.workspace.inspect(&repo(), parent, bundle).await
}

/// Refused, with this word in the reason, and nothing of it in the mirror.
async fn refused(world: &World, parent: &CommitSha, bundle: &[u8], word: &str) {
    let error = inspect(world, parent, bundle).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Refused, "{error}");
    assert!(error.message.contains(word), "{error}");
    let mirror = world.dir.path().join("state/repos/acme/shop.git");
    assert_eq!(git(&mirror, &["for-each-ref", "refs/hydra/delivered"]), "");
    let left = std::fs::read_dir(world.dir.path().join("state/quarantine")).map(|d| d.count()).unwrap_or_default();
    assert_eq!(left, 0, "the quarantine is empty again");
}

#[tokio::test]
async fn an_honest_delivery_is_described_and_can_be_pushed() {
    let world = World::new();
    let parent = world.tips().await.base;
    world.write("src/a.sh", "echo aa\n");
    let one = world.commit("one\n\nwith a body");
    world.write("src/new.sh", "echo new\n");
    let two = world.commit("two");
    let bundle = world.delivery(&parent);
    let delivery = inspect(&world, &parent, &bundle).await.unwrap();
    assert!(delivery.descends);
    assert_eq!(delivery.head, two);
    assert_eq!(delivery.bytes, bundle.len() as u64);
    assert_eq!(delivery.refs.keys().collect::<Vec<_>>(), ["refs/heads/hydra-result"]);
    let commits: Vec<_> = delivery.commits.iter().map(|c| (&c.sha, c.message.as_str(), c.author.as_str())).collect();
    assert_eq!(
        commits,
        [(&one, "one\n\nwith a body", "Ann <ann@example.org>"), (&two, "two", "Ann <ann@example.org>")]
    );
    assert_eq!(delivery.commits[0].parents, std::slice::from_ref(&parent));
    let paths: Vec<_> = delivery.diff.files.iter().map(|f| (f.status, f.path.as_str())).collect();
    assert_eq!(paths, [('M', "src/a.sh"), ('A', "src/new.sh")]);
    // Twice is the same, and what was accepted can be pushed later, by another process too.
    assert_eq!(inspect(&world, &parent, &bundle).await.unwrap(), delivery);
    let branch = "hydra/x".parse().unwrap();
    let pushed = world.workspace.push(&repo(), &branch, None, Some(&two), TokenRole::Builder).await.unwrap();
    assert_eq!(pushed, Pushed::Done);
    assert_eq!(world.remote_tip("hydra/x"), Some(two));
}

#[tokio::test]
async fn a_rewritten_history_does_not_descend_and_cannot_be_pushed() {
    let world = World::new();
    let root = world.tips().await.base;
    world.write("src/a.sh", "echo aa\n");
    let parent = world.commit("the given head");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x"]);
    git(&world.clone(), &["commit", "-q", "--amend", "-m", "another past"]);
    let delivery = inspect(&world, &parent, &world.delivery(&root)).await.unwrap();
    assert!(!delivery.descends);
    let branch = "hydra/x".parse().unwrap();
    let error = world
        .workspace
        .push(&repo(), &branch, Some(&parent), Some(&delivery.head), TokenRole::Builder)
        .await
        .unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Missing);
    assert_eq!(world.remote_tip("hydra/x"), Some(parent));
}

#[tokio::test]
async fn links_modes_and_submodules_are_facts_of_the_delivery() {
    let world = World::new();
    let parent = world.tips().await.base;
    std::os::unix::fs::symlink("../../../etc/passwd", world.clone().join("src/link")).unwrap();
    git(&world.clone(), &["add", "-A"]);
    git(&world.clone(), &["update-index", "--chmod=+x", "src/a.sh"]);
    git(&world.clone(), &["update-index", "--add", "--cacheinfo", &format!("160000,{parent},vendor")]);
    git(&world.clone(), &["commit", "-q", "-m", "odd"]);
    let delivery = inspect(&world, &parent, &world.delivery(&parent)).await.unwrap();
    let rows: Vec<_> =
        delivery.diff.files.iter().map(|f| (f.path.as_str(), f.mode.as_str(), f.link.as_deref(), f.binary)).collect();
    assert_eq!(
        rows,
        [
            ("src/a.sh", "100755", None, false),
            ("src/link", "120000", Some("../../../etc/passwd"), false),
            ("vendor", "160000", None, false),
        ]
    );
}

#[tokio::test]
async fn a_path_into_dot_git_is_refused_by_the_object_check() {
    let world = World::new();
    let parent = world.tips().await.base;
    let clone = world.clone();
    let blob = git_input(&clone, &["hash-object", "-w", "--stdin"], b"#!/bin/sh\nid\n");
    for name in [".git", ".GIT", "..", "git~1", "a/b"] {
        let tree = |entries: Vec<(&str, &str, &str)>| {
            let mut raw = Vec::new();
            for (mode, name, id) in entries {
                raw.extend(format!("{mode} {name}\0").bytes());
                raw.extend((0..20).map(|i| u8::from_str_radix(&id[i * 2..i * 2 + 2], 16).unwrap()));
            }
            git_input(&clone, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &raw)
        };
        let hooks = tree(vec![("100755", "post-checkout", &blob)]);
        let root = tree(vec![("40000", name, &hooks)]);
        let commit = git(&clone, &["commit-tree", &root, "-p", parent.as_str(), "-m", "hook"]);
        git(&clone, &["update-ref", "refs/heads/hydra-result", &commit]);
        let bundle = world.bundle(&["refs/heads/hydra-result", &format!("^{parent}")]);
        refused(&world, &parent, &bundle, "not sound").await;
    }
}

#[tokio::test]
async fn what_is_no_proper_bundle_is_refused_with_the_reason() {
    let world = World::new();
    let parent = world.tips().await.base;
    world.write("src/a.sh", "echo aa\n");
    world.commit("work");
    let good = world.delivery(&parent);
    refused(&world, &parent, b"hello", "no git bundle").await;
    refused(&world, &parent, &good[..good.len() - 30], "not sound").await;
    let mut flipped = good.clone();
    let middle = flipped.len() - 40;
    flipped[middle] ^= 0xff;
    refused(&world, &parent, &flipped, "not sound").await;
    refused(&world, &parent, &vec![0; 100 * 1024 * 1024 + 1], "at most 100 MB").await;
    git(&world.clone(), &["update-ref", "refs/heads/other", "HEAD"]);
    let other = world.bundle(&["refs/heads/other", &format!("^{parent}")]);
    refused(&world, &parent, &other, "does not hold refs/heads/hydra-result").await;
    let both = world.bundle(&["refs/heads/other", "refs/heads/hydra-result", &format!("^{parent}")]);
    refused(&world, &parent, &both, "another ref").await;
    let tag = git_input(
        &world.clone(),
        &["mktag"],
        format!("object {parent}\ntype commit\ntag t\ntagger A <a@b> 0 +0000\n\nx\n").as_bytes(),
    );
    let text = format!("# v2 git bundle\n{tag} refs/heads/hydra-result\n\n");
    let pack = &good[good.windows(4).position(|w| w == b"PACK").unwrap()..];
    refused(&world, &parent, &[text.as_bytes(), pack].concat(), "not sound").await;
}

#[tokio::test]
async fn a_bundle_on_an_unknown_base_is_refused() {
    let world = World::new();
    let parent = world.tips().await.base;
    world.write("src/a.sh", "echo aa\n");
    let unknown = world.commit("never pushed");
    world.write("src/a.sh", "echo aaa\n");
    world.commit("on top");
    refused(&world, &parent, &world.delivery(&unknown), "not in the history").await;
}

#[tokio::test]
async fn two_hundred_commits_are_enough() {
    let world = World::new();
    let parent = world.tips().await.base;
    let tree = git(&world.clone(), &["rev-parse", "HEAD^{tree}"]);
    let mut stream = String::from("reset refs/heads/hydra-result\n");
    stream += &format!("from {parent}\n\n");
    for n in 0..201 {
        stream +=
            &format!("commit refs/heads/hydra-result\ncommitter A <a@b> {n} +0000\ndata 1\nx\nM 040000 {tree} \n\n");
    }
    git_input(&world.clone(), &["fast-import", "--quiet", "--force"], stream.as_bytes());
    let bundle = world.bundle(&["refs/heads/hydra-result", &format!("^{parent}")]);
    refused(&world, &parent, &bundle, "more than 200 commits").await;
}
