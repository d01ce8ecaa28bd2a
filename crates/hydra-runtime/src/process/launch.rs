//! Starts a job's program so that it outlives the orchestrator and its exit code is known afterwards.

use crate::{
    error::{error, io_error},
    process::{
        ProcessConfig,
        folder::{JobFolder, write_whole},
        probe,
    },
};
use hydra_core::{
    job::{EnvValue, JobSpec},
    ports::{RuntimeError, RuntimeErrorKind},
};
use secrecy::ExposeSecret;
use std::{
    fs::{self, File},
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Waits for the word to go (an orchestrator that dies before it gives it starts nothing), runs the program with signals' default
/// effect on it but not on the shell, writes the exit code, and ends whatever the program left in its group, as a container's end would.
const AROUND: &str = r#"read -r go || exit 125
[ "$go" = go ] || exit 125
dir=$1; shift
trap : INT TERM HUP QUIT
# What was ignored when this shell began, its trap cannot give back: an orchestrator that a script started in the background ignores SIGINT.
env --default-signal=INT true 2>/dev/null && set -- env --default-signal=INT,TERM,HUP,QUIT "$@"
: >"$dir/started" || exit 125
"$@" </dev/null
code=$?
echo "$code" >"$dir/exit.half" && mv "$dir/exit.half" "$dir/exit"
kill -KILL 0
"#;

/// Where programs are looked for, unless the configuration says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A shell that has not begun by then never will.
const BEGIN: Duration = Duration::from_secs(10);

/// Starts the program. The job's lock is held.
pub(super) fn launch(folder: &JobFolder, config: &ProcessConfig, spec: &JobSpec) -> Result<Child, RuntimeError> {
    let root = folder.path("");
    let log = |name: &str| {
        let path = folder.path(name);
        File::create(&path).map_err(|cause| io_error("cannot make", &path, &cause))
    };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(AROUND).arg("hydra-job").arg(&root).arg(&config.program).args(&config.args);
    for (flag, name) in [("--in", "in"), ("--out", "out"), ("--workspace", "workspace"), ("--spec", "spec")] {
        command.arg(flag).arg(folder.path(name));
    }
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", folder.path("home"))
        .env("TMPDIR", folder.path("tmp"))
        .envs(&config.extra_env);
    for (name, value) in &spec.env {
        match value {
            EnvValue::Plain(text) => command.env(name, text),
            EnvValue::Secret { value, .. } => command.env(name, value.expose_secret()),
        };
    }
    command
        .current_dir(folder.path("workspace"))
        .stdin(Stdio::piped())
        .stdout(log("stdout.log")?)
        .stderr(log("stderr.log")?)
        // A group of its own: Ctrl-C at the orchestrator's terminal does not reach the job, and a stop reaches all of it.
        .process_group(0);
    let mut child =
        command.spawn().map_err(|cause| error(RuntimeErrorKind::Failed, format!("cannot start /bin/sh: {cause}")))?;
    match let_go(folder, &mut child) {
        Ok(()) => Ok(child),
        Err(cause) => {
            // Nothing half-started is left behind.
            drop(child.stdin.take());
            child
                .kill()
                .and_then(|()| child.wait())
                .map_err(|wait| error(cause.kind, format!("{cause}; and its end cannot be awaited: {wait}")))?;
            let path = folder.path("process.json");
            match fs::remove_file(&path) {
                Err(missing) if missing.kind() != std::io::ErrorKind::NotFound => {
                    Err(io_error(format!("{cause}; and cannot remove"), &path, &missing))
                }
                Ok(()) | Err(_) => Err(cause),
            }
        }
    }
}

fn let_go(folder: &JobFolder, child: &mut Child) -> Result<(), RuntimeError> {
    let pid = i32::try_from(child.id())
        .map_err(|_| error(RuntimeErrorKind::Failed, format!("process number {} is out of range", child.id())))?;
    let process = probe::identify(pid)?;
    let text = serde_json::to_vec(&process)
        .map_err(|cause| error(RuntimeErrorKind::Failed, format!("cannot write the process number: {cause}")))?;
    write_whole(&folder.path("process.json"), &text)?;
    let Some(mut word) = child.stdin.take() else {
        return Err(error(RuntimeErrorKind::Failed, "the job's shell has no input to be told to go"));
    };
    word.write_all(b"go\n")
        .map_err(|cause| error(RuntimeErrorKind::Failed, format!("the job's shell cannot be told to go: {cause}")))?;
    drop(word);
    // Until it says that it began, a signal would end the shell and leave a job that looks as if it had never been started.
    let (begun, started) = (Instant::now(), folder.path("started"));
    while !started.try_exists().map_err(|cause| io_error("cannot look at", &started, &cause))? {
        if begun.elapsed() > BEGIN {
            return Err(error(RuntimeErrorKind::Failed, format!("the job's shell did not begin within {BEGIN:?}")));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
