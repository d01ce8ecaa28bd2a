//! Servers that refuse, disks that are full, and where the token may be seen.

use crate::fixture::*;
use hydra_core::{TokenRole, ports::*};
use hydra_workspace::{GitWorkspace, RemoteTemplate};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Answers every request with one status and keeps what it was asked.
async fn server(status: &'static str) -> (String, Arc<Mutex<Vec<String>>>, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/{{repo}}.git", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = vec![0; 16 * 1024];
            let read = socket.read(&mut buffer).await.unwrap_or_default();
            log.lock().unwrap().push(String::from_utf8_lossy(&buffer[..read]).into_owned());
            if status.is_empty() {
                continue;
            }
            let challenge = if status.starts_with("401") { "WWW-Authenticate: Basic realm=\"x\"\r\n" } else { "" };
            let location = if status.starts_with("302") { "Location: http://127.0.0.1:1/elsewhere\r\n" } else { "" };
            let answer = format!(
                "HTTP/1.1 {status}\r\n{challenge}{location}Content-Length: 5\r\nConnection: close\r\n\r\nsorry"
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (address, seen, serving)
}

fn with_token(dir: &std::path::Path, template: String) -> GitWorkspace {
    let remotes = RemoteTemplate::new(template, |role| Ok(Some(format!("secret-of-{role}").into())));
    GitWorkspace::new(dir.join("state"), Arc::new(remotes))
}

#[tokio::test]
async fn a_servers_refusal_says_what_it_was_and_never_the_token() {
    for (status, kind) in [
        ("401 Unauthorized", WorkspaceErrorKind::Auth),
        ("403 Forbidden", WorkspaceErrorKind::Auth),
        ("404 Not Found", WorkspaceErrorKind::Missing),
        ("429 Too Many Requests", WorkspaceErrorKind::Transient),
        ("500 Internal Server Error", WorkspaceErrorKind::Transient),
        ("502 Bad Gateway", WorkspaceErrorKind::Transient),
        ("200 OK", WorkspaceErrorKind::Transient),
        ("302 Found", WorkspaceErrorKind::Failed),
        ("", WorkspaceErrorKind::Transient),
    ] {
        let (address, seen, task) = server(status).await;
        let dir = tempfile::tempdir().unwrap();
        let workspace = with_token(dir.path(), address);
        let error = workspace.tips(&repo(), &"main".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
        drop(task);
        assert_eq!(error.kind, kind, "{status}: {error}");
        let asked = seen.lock().unwrap().join("\n");
        assert!(asked.contains("Authorization: Basic eC1hY2Nlc3MtdG9rZW46"), "{asked}");
        assert!(!format!("{error:?}").contains("secret-of") && !error.message.contains("eC1hY2Nlc3M"));
    }
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = with_token(dir.path(), "http://127.0.0.1:1/{repo}.git".into());
    let error = workspace.tips(&repo(), &"main".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn the_token_is_in_no_argument_of_any_process_and_in_no_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let base = world.tips().await.base;
    let bin = world.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    // A git that writes its arguments down, as any user of the machine could read them in /proc, and then goes on.
    let log = world.dir.path().join("argv.log");
    let script = format!(
        "#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline >> {0}; echo >> {0}\nenv | grep -c 'Authorization: Basic' >> {0}.env\nexec /usr/bin/git \"$@\"\n",
        log.display()
    );
    std::fs::write(bin.join("git"), script).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (address, _, task) = server("403 Forbidden").await;
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let workspace = with_token(world.dir.path(), address).with_environment(vec![("PATH".into(), path.into())]);
    let branch = "hydra/x".parse().unwrap();
    workspace.push(&repo(), &branch, None, Some(&base), TokenRole::Builder).await.unwrap_err();
    drop(task);
    let argv = std::fs::read_to_string(&log).unwrap();
    assert!(argv.contains("ls-remote"), "{argv}");
    assert!(!argv.contains("secret-of") && !argv.contains("eC1hY2Nlc3M"), "{argv}");
    let env = std::fs::read_to_string(format!("{}.env", log.display())).unwrap();
    assert!(env.contains('1'), "the credential went by the environment: {env}");
    let grep = std::process::Command::new("grep")
        .args(["-rlE", "secret-of|eC1hY2Nlc3M"])
        .arg(world.dir.path().join("state"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "");
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_written_is_a_disk_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let workspace = GitWorkspace::new(file.join("state"), Arc::new(RemoteTemplate::open("/nowhere/{repo}")));
    let error = workspace.tips(&repo(), &"main".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, WorkspaceErrorKind::Disk, "{error}");
    assert!(error.message.contains("make room"), "{error}");
}

#[tokio::test]
async fn a_machine_without_git_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = GitWorkspace::new(dir.path(), Arc::new(RemoteTemplate::open("/nowhere/{repo}")))
        .with_environment(vec![("PATH".into(), dir.path().into())]);
    let error = workspace.tips(&repo(), &"main".parse().unwrap(), &"x".parse().unwrap()).await.unwrap_err();
    assert!(error.message.contains("install git"), "{error}");
}
