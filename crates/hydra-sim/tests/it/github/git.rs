//! Real git against the simulator.

use super::hub::*;
use hydra_sim::github::{Access, Token};
use std::{path::Path, process::Command};

async fn git(folder: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.current_dir(folder).args([
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@example.test",
        "-c",
        "credential.helper=",
    ]);
    command
        .args(args)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn url(hub: &Hub, token: &str) -> String {
    hub.sim.clone_url(REPO).replace("http://", &format!("http://x-access-token:{token}@"))
}

#[tokio::test]
async fn clone_commit_push_and_the_pull_request_follows() {
    let hub = Hub::new().await;
    let number = hub.draft("hydra/count").await;
    let before = hub.sim.issue(REPO, number).unwrap().pull.unwrap().head;
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("app");
    let (ok, text) = git(folder.path(), &["clone", "-q", "-b", "hydra/count", &url(&hub, BUILDER), "app"]).await;
    assert!(ok, "{text}");
    let executable =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(work.join("test.sh")).unwrap().permissions());
    assert_eq!(executable & 0o111, 0o111);
    std::fs::write(work.join("new.txt"), "x".repeat(3_000_000)).unwrap();
    assert!(git(&work, &["add", "-A"]).await.0);
    assert!(git(&work, &["commit", "-qm", "More"]).await.0);
    let (ok, text) = git(&work, &["push", "-q", "origin", "hydra/count"]).await;
    assert!(ok, "{text}");
    let (_, head) = git(&work, &["rev-parse", "HEAD"]).await;
    let pull = hub.sim.issue(REPO, number).unwrap().pull.unwrap();
    assert_eq!(pull.head, head.trim());
    assert_ne!(pull.head, before);
    assert_eq!(hub.sim.refs(REPO)[&format!("refs/pull/{number}/head")], pull.head);
    assert!(git(&work, &["push", "-q", "origin", ":hydra/count"]).await.0);
    assert!(!hub.sim.issue(REPO, number).unwrap().open, "a pull request without its branch is closed");
}

#[tokio::test]
async fn a_push_needs_contents_write() {
    let hub = Hub::new().await;
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("app");
    let (ok, text) = git(folder.path(), &["clone", "-q", &url(&hub, READER), "app"]).await;
    assert!(ok, "{text}");
    assert!(git(&work, &["commit", "-q", "--allow-empty", "-m", "x"]).await.0);
    let (ok, text) = git(&work, &["push", "origin", "HEAD:refs/heads/x"]).await;
    assert!(!ok && text.contains("403"), "{text}");
    let probe = |token| {
        let path = "/acme/app.git/info/refs?service=git-receive-pack";
        let basic =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x-access-token:{token}"));
        let hub = &hub;
        async move { hub.send("", "GET", path, None, &[("authorization", &format!("Basic {basic}"))]).await.unwrap().status }
    };
    assert_eq!(probe(BUILDER).await, 200);
    assert_eq!(probe(READER).await, 403);
    assert_eq!(probe("nonsense").await, 401);
    assert_eq!(
        hub.send("", "GET", "/acme/app.git/info/refs?service=git-upload-pack", None, &[]).await.unwrap().status,
        401
    );
    let (ok, text) = git(folder.path(), &["clone", "-q", &hub.sim.clone_url(REPO), "none"]).await;
    assert!(!ok, "{text}");
}

#[tokio::test]
async fn own_namespaces_and_leases_by_git_and_workflow_files_refused() {
    let hub = Hub::new().await;
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("app");
    assert!(git(folder.path(), &["clone", "-q", &url(&hub, BUILDER), "app"]).await.0);
    let lease = "HEAD:refs/hydra/lease/7";
    assert!(git(&work, &["push", "--force-with-lease=refs/hydra/lease/7:", "origin", lease]).await.0);
    assert!(git(&work, &["commit", "-q", "--allow-empty", "-m", "later"]).await.0);
    let (ok, text) = git(&work, &["push", "--force-with-lease=refs/hydra/lease/7:", "origin", lease]).await;
    assert!(!ok && text.contains("stale info"), "{text}");
    assert!(hub.sim.refs(REPO).contains_key("refs/hydra/lease/7"));
    std::fs::create_dir_all(work.join(".github/workflows")).unwrap();
    std::fs::write(work.join(".github/workflows/ci.yml"), "on: push\n").unwrap();
    assert!(git(&work, &["add", "-A"]).await.0);
    assert!(git(&work, &["commit", "-qm", "ci"]).await.0);
    let (ok, text) = git(&work, &["push", "origin", "HEAD:refs/heads/ci"]).await;
    assert!(!ok && text.contains("refusing to allow"), "{text}");
    let allowed = Token::fine_grained("github_pat_ci", "builder").allow_work().allow("workflows", Access::Write);
    hub.sim.token(allowed);
    let (ok, text) = git(&work, &["push", &url(&hub, "github_pat_ci"), "HEAD:refs/heads/ci"]).await;
    assert!(ok, "{text}");
}
