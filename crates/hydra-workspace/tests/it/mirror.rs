//! Tips, reads, the bundle for a job, and diffs.

use crate::fixture::*;
use hydra_core::ports::*;

#[tokio::test]
async fn tips_follow_the_remote_and_an_absent_work_branch_is_none() {
    let world = World::new();
    let first = world.head();
    assert_eq!(world.tips().await, Tips { base: first.clone(), head: None });
    world.write("src/a.sh", "echo aa\n");
    let work = world.commit("work");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x"]);
    assert_eq!(world.tips().await, Tips { base: first.clone(), head: Some(work) });
    git(&world.clone(), &["push", "-q", "origin", ":hydra/x"]);
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x/y"]);
    assert_eq!(world.tips().await, Tips { base: first, head: None });
}

#[tokio::test]
async fn a_missing_base_branch_or_repository_is_an_error_and_never_an_absence() {
    let world = World::new();
    let error = world.workspace.tips(&repo(), &"trunk".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Missing);
    assert_eq!(error.message, "acme/shop has no branch trunk");
    let other = "acme/other".parse().unwrap();
    let error = world.workspace.tips(&other, &"main".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Missing, "{error}");
}

#[tokio::test]
async fn a_folder_is_read_at_a_commit_without_its_links() {
    let world = World::new();
    std::os::unix::fs::symlink("/etc/passwd", world.clone().join("src/link")).unwrap();
    world.write("src/deep/c.bin", [0_u8, 255, 10]);
    world.write("srcs.txt", "not below src");
    let at = world.commit("more");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:main"]);
    let files = world.workspace.read(&repo(), &at, "src").await.unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["a.sh", "b.sh", "deep/c.bin"]);
    assert_eq!(files["deep/c.bin"], [0_u8, 255, 10]);
    let one = world.workspace.read(&repo(), &at, "src/deep/c.bin").await.unwrap();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["c.bin"]);
    assert_eq!(world.workspace.read(&repo(), &at, "").await.unwrap().len(), 5);
    assert!(world.workspace.read(&repo(), &at, "nowhere").await.unwrap().is_empty());
    for path in ["../x", "/etc", "src/../../x"] {
        assert_eq!(world.workspace.read(&repo(), &at, path).await.unwrap_err().kind, WorkspaceErrorKind::Refused);
    }
    let absent = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
    assert_eq!(world.workspace.read(&repo(), &absent, "src").await.unwrap_err().kind, WorkspaceErrorKind::Missing);
}

#[tokio::test]
async fn too_many_and_too_large_files_are_refused() {
    let world = World::new();
    for n in 0..1_001 {
        world.write(&format!("many/{n}"), "x");
    }
    world.write("large/file", vec![b'x'; 21 * 1024 * 1024]);
    let at = world.commit("much");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:main"]);
    for (path, word) in [("many", "more than 1000 files"), ("large", "more than 20 MB")] {
        let error = world.workspace.read(&repo(), &at, path).await.unwrap_err();
        assert_eq!(error.kind, WorkspaceErrorKind::Refused);
        assert!(error.message.contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_job_is_given_exactly_base_and_head() {
    let world = World::new();
    let base = world.head();
    world.write("src/a.sh", "echo aa\n");
    let head = world.commit("work");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x"]);
    let path = world.workspace.bundle(&repo(), &base, &head).await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let heads = git(world.dir.path(), &["bundle", "list-heads", &path.display().to_string()]);
    assert_eq!(heads, format!("{base} refs/heads/hydra-base\n{head} refs/heads/hydra-head"));
    assert_eq!(world.workspace.bundle(&repo(), &base, &head).await.unwrap(), path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(world.workspace.bundle(&repo(), &base, &head).await.unwrap(), path);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same ids give the same file");
    // The first build begins at the base itself.
    let path = world.workspace.bundle(&repo(), &base, &base).await.unwrap();
    git(world.dir.path(), &["clone", "-q", "-b", "hydra-head", &path.display().to_string(), "fresh"]);
    assert_eq!(git(&world.dir.path().join("fresh"), &["rev-parse", "HEAD"]), base.to_string());
}

#[tokio::test]
async fn a_diff_starts_at_the_fork_and_tells_a_conflict() {
    let world = World::new();
    world.write("src/a.sh", "echo work\n");
    world.write("pic.bin", [0_u8, 1, 2]);
    std::fs::rename(world.clone().join("src/b.sh"), world.clone().join("src/c.sh")).unwrap();
    let work = world.commit("work");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x"]);
    git(&world.clone(), &["checkout", "-q", "main"]);
    git(&world.clone(), &["reset", "-q", "--hard", "HEAD~1"]);
    world.write("README.md", "a better shop\n");
    let beside = world.commit("beside");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:main"]);
    let (diff, conflicts) = world.workspace.diff(&repo(), &beside, &work).await.unwrap();
    assert!(!conflicts);
    let rows: Vec<_> = diff
        .files
        .iter()
        .map(|f| format!("{} {} {:?} {:?} {} {}", f.status, f.path, f.from, f.lines, f.binary, f.bytes))
        .collect();
    assert_eq!(
        rows,
        [
            "A pic.bin None None true 3",
            "M src/a.sh None Some((1, 1)) false 10",
            "R src/c.sh Some(\"src/b.sh\") Some((0, 0)) false 7",
        ]
    );
    assert!(diff.patch.contains("+echo work") && !diff.patch.contains("better shop"));
    world.write("src/a.sh", "echo other\n");
    let clash = world.commit("clash");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:main"]);
    assert!(world.workspace.diff(&repo(), &clash, &work).await.unwrap().1);
}

#[tokio::test]
async fn a_long_patch_is_cut_and_says_so() {
    let world = World::new();
    let base = world.head();
    world.write("long.txt", "grüße\n".repeat(500_000));
    let head = world.commit("long");
    git(&world.clone(), &["push", "-q", "origin", "HEAD:hydra/x"]);
    let (diff, _) = world.workspace.diff(&repo(), &base, &head).await.unwrap();
    assert!(diff.truncated && diff.patch.len() <= 2 * 1024 * 1024 && diff.patch.len() > 2_000_000);
    assert_eq!(diff.files[0].lines, Some((500_000, 0)));
}

#[tokio::test]
async fn old_bundles_are_swept_and_written_again_when_needed() {
    let world = World::new();
    let base = world.tips().await.base;
    assert_eq!(world.workspace.sweep(std::time::Duration::ZERO).unwrap(), 0, "nothing is there yet");
    let path = world.workspace.bundle(&repo(), &base, &base).await.unwrap();
    assert_eq!(world.workspace.sweep(std::time::Duration::from_secs(3_600)).unwrap(), 0);
    assert_eq!(world.workspace.sweep(std::time::Duration::ZERO).unwrap(), 1);
    assert!(!path.exists());
    assert_eq!(world.workspace.bundle(&repo(), &base, &base).await.unwrap(), path);
    assert!(path.exists());
}
