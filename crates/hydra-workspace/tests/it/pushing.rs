//! Moving a branch, and finding it moved.

use crate::fixture::*;
use hydra_core::{BranchName, CommitSha, TokenRole, ports::*};

fn branch() -> BranchName {
    "hydra/x".parse().unwrap()
}

async fn push(world: &World, from: Option<&CommitSha>, to: Option<&CommitSha>) -> Pushed {
    world.workspace.push(&repo(), &branch(), from, to, TokenRole::Builder).await.unwrap()
}

/// A commit on top of `on` that was delivered and accepted.
async fn delivered(world: &World, on: &CommitSha, text: &str) -> CommitSha {
    git(&world.clone(), &["checkout", "-q", "--detach", on.as_str()]);
    world.write("src/a.sh", text);
    let commit = world.commit(text);
    world.workspace.inspect(&repo(), on, &world.delivery(on)).await.unwrap();
    commit
}

#[tokio::test]
async fn a_branch_is_made_moved_and_deleted_and_each_is_safe_to_repeat() {
    let world = World::new();
    let base = world.tips().await.base;
    let one = delivered(&world, &base, "one").await;
    let two = delivered(&world, &one, "two").await;
    assert_eq!(push(&world, None, Some(&one)).await, Pushed::Done);
    assert_eq!(push(&world, None, Some(&one)).await, Pushed::AlreadyThere);
    assert_eq!(push(&world, Some(&one), Some(&two)).await, Pushed::Done);
    assert_eq!(push(&world, Some(&two), Some(&base)).await, Pushed::Done, "a rebuild goes back");
    assert_eq!(push(&world, Some(&base), None).await, Pushed::Done);
    assert_eq!(push(&world, Some(&base), None).await, Pushed::AlreadyThere);
    assert_eq!(world.remote_tip("hydra/x"), None);
}

#[tokio::test]
async fn a_persons_commit_is_never_overwritten() {
    let world = World::new();
    let base = world.tips().await.base;
    let ours = delivered(&world, &base, "ours").await;
    git(&world.clone(), &["checkout", "-q", "--detach", base.as_str()]);
    world.write("src/b.sh", "by hand");
    let theirs = world.commit("by hand");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:refs/heads/hydra/x"]);
    assert_eq!(push(&world, None, Some(&ours)).await, Pushed::Moved(Some(theirs.clone())));
    assert_eq!(push(&world, Some(&base), Some(&ours)).await, Pushed::Moved(Some(theirs.clone())));
    assert_eq!(push(&world, Some(&base), None).await, Pushed::Moved(Some(theirs.clone())));
    assert_eq!(world.remote_tip("hydra/x"), Some(theirs));
}

#[tokio::test]
async fn of_two_pushes_from_the_same_place_one_wins() {
    let world = World::new();
    let base = world.tips().await.base;
    let mut commits = Vec::new();
    for n in 0..6 {
        commits.push(delivered(&world, &base, &format!("racer {n}")).await);
    }
    let races = commits.iter().map(|c| push(&world, None, Some(c)));
    let ends = futures_join(races).await;
    assert_eq!(ends.iter().filter(|e| **e == Pushed::Done).count(), 1, "{ends:?}");
    let winner = world.remote_tip("hydra/x");
    for (commit, end) in commits.iter().zip(&ends) {
        match end {
            Pushed::Done => assert_eq!(winner.as_ref(), Some(commit)),
            other => assert_eq!(*other, Pushed::Moved(winner.clone())),
        }
    }
}

/// Runs them side by side; the workspace is borrowed, so they cannot be spawned.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in running.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        if running.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_refusal_by_the_remotes_hook_is_an_error_with_its_words() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let base = world.tips().await.base;
    let ours = delivered(&world, &base, "ours").await;
    let hook = world.remote().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho no pushes on Fridays >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = world.workspace.push(&repo(), &branch(), None, Some(&ours), TokenRole::Builder).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Failed);
    assert!(error.message.contains("Fridays") && error.message.contains("pre-receive hook declined"), "{error}");
    assert_eq!(world.remote_tip("hydra/x"), None);
}
