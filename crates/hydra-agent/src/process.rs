//! Runs one program in a process group of its own, within a deadline, and stops it the way coding agents want to be stopped:
//! SIGINT, a grace period, then SIGKILL for the whole group.

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    signal::unix::{Signal as Stream, SignalKind, signal},
};

/// How long a program may take to end after SIGINT.
const GRACE: Duration = Duration::from_secs(10);
/// How long output is still read after the program ended.
const DRAIN: Duration = Duration::from_secs(2);
/// How much of the error output is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// SIGINT and SIGTERM to the wrapper.
pub(crate) struct Signals {
    int: Stream,
    term: Stream,
}

impl Signals {
    /// From now on both are noticed instead of ending the process. Needs a runtime.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }
    async fn next(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}

/// What to run.
pub(crate) struct Program<'a> {
    pub(crate) argv: &'a [String],
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) dir: &'a Path,
    /// Its standard input.
    pub(crate) stdin: Option<File>,
    /// When its time is up.
    pub(crate) deadline: Instant,
}

/// Why the wrapper stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Deadline,
    TurnLimit,
    Budget,
    Interrupted,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code, or 128 + signal.
    pub(crate) code: i32,
    /// The end of its error output.
    pub(crate) stderr: String,
    /// Why the wrapper stopped it, when it did.
    pub(crate) stopped: Option<Stop>,
}

/// Why it did not come to an end of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{program} cannot be started: {source}")]
    Start { program: String, source: io::Error },
    #[error(transparent)]
    Write(#[from] crate::events::WriteError),
    #[error("{0}")]
    Wait(io::Error),
}

/// A piece of output.
pub(crate) enum Output<'a> {
    Stdout(&'a [u8]),
    Stderr(&'a [u8]),
}

/// What the reader of the output wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    /// It is to end, and this is why.
    Stop(Stop),
}

/// Runs it to its end. Whatever happens, nothing of its process group is left.
pub(crate) async fn run(
    program: Program<'_>,
    signals: &mut Signals,
    mut output: impl FnMut(Output<'_>) -> Result<Next, crate::events::WriteError>,
) -> Result<Ran, RunError> {
    let (name, args) = program
        .argv
        .split_first()
        .ok_or_else(|| RunError::Start { program: "nothing".into(), source: io::ErrorKind::InvalidInput.into() })?;
    let mut child = Command::new(name)
        .args(args)
        .env_clear()
        .envs(program.env)
        .current_dir(program.dir)
        .stdin(program.stdin.map_or_else(Stdio::null, Stdio::from))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| RunError::Start { program: name.clone(), source })?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out_chunk, mut err_chunk) = (vec![0; 256 * 1024], vec![0; 16 * 1024]);
    let mut kept = Tail::default();
    let mut stopped = None;
    let mut kill_at: Option<Instant> = None;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    while ended.is_none() || stdout.is_some() || stderr.is_some() {
        let limit = match (&ended, kill_at) {
            (Some((_, at)), _) => *at,
            (None, Some(at)) => at,
            (None, None) => program.deadline,
        };
        let mut wish = None;
        tokio::select! {
            biased;
            () = signals.next(), if ended.is_none() => wish = Some(Stop::Interrupted),
            read = read(&mut stdout, &mut out_chunk), if stdout.is_some() => match read {
                Some(bytes) => if let Next::Stop(why) = output(Output::Stdout(bytes))? { wish = Some(why) },
                None => stdout = None,
            },
            read = read(&mut stderr, &mut err_chunk), if stderr.is_some() => match read {
                Some(bytes) => {
                    kept.push(bytes);
                    output(Output::Stderr(bytes))?;
                }
                None => stderr = None,
            },
            status = child.wait(), if ended.is_none() => {
                ended = Some((status.map_err(RunError::Wait)?, Instant::now() + DRAIN));
                // Tools that outlived their agent hold the pipes open, and must not go on working.
                group.signal(Signal::SIGKILL);
            }
            () = tokio::time::sleep_until(limit.into()) => match (&ended, kill_at) {
                (Some(_), _) => (stdout, stderr) = (None, None),
                (None, Some(_)) => {
                    group.signal(Signal::SIGKILL);
                    kill_at = Some(Instant::now() + GRACE);
                }
                (None, None) => wish = Some(Stop::Deadline),
            }
        }
        if let Some(why) = wish.filter(|_| stopped.is_none() && ended.is_none()) {
            stopped = Some(why);
            kill_at = Some(Instant::now() + GRACE);
            group.signal(Signal::SIGINT);
        }
    }
    let code =
        ended.map_or(-1, |(status, _)| status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1));
    Ok(Ran { code, stderr: kept.text(), stopped })
}

async fn read<'b>(from: &mut Option<impl AsyncRead + Unpin>, chunk: &'b mut [u8]) -> Option<&'b [u8]> {
    match from.as_mut()?.read(chunk).await {
        Ok(count) if count > 0 => chunk.get(..count),
        Ok(_) | Err(_) => None,
    }
}

/// A process group; none of it outlives this.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone already.
            let _ = killpg(pid, signal);
        }
    }
}
impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// The last bytes of an output.
#[derive(Default)]
pub(crate) struct Tail(VecDeque<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
        let over = (self.0.len() + bytes.len()).saturating_sub(KEPT);
        self.0.drain(..over.min(self.0.len()));
        self.0.extend(bytes);
    }
    /// As text, without control characters but tabs and newlines.
    pub(crate) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, seconds: u64) -> (Ran, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let argv = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let env = [("PATH".to_owned(), std::env::var("PATH").unwrap())].into();
        let mut seen = Vec::new();
        let ran = runtime.block_on(async {
            let mut signals = Signals::catch().unwrap();
            let deadline = Instant::now() + Duration::from_secs(seconds);
            let program = Program { argv: &argv, env: &env, dir: Path::new("/"), stdin: None, deadline };
            run(program, &mut signals, |output| {
                if let Output::Stdout(bytes) = output {
                    seen.extend_from_slice(bytes);
                }
                Ok(if seen.ends_with(b"stop\n") { Next::Stop(Stop::TurnLimit) } else { Next::Go })
            })
            .await
            .unwrap()
        });
        (ran, String::from_utf8(seen).unwrap())
    }

    #[test]
    fn code_and_outputs_are_kept() {
        let (ran, out) = sh("echo out; echo err >&2; exit 3", 20);
        assert_eq!((ran.code, ran.stderr.as_str(), ran.stopped, out.as_str()), (3, "err\n", None, "out\n"));
    }

    #[test]
    fn the_deadline_ends_the_whole_group_by_sigint_first() {
        let started = Instant::now();
        let (ran, out) = sh("trap 'echo bye; exit 7' INT; sleep 60 & while :; do sleep 0.1; done", 1);
        assert_eq!((ran.code, ran.stopped, out.as_str()), (7, Some(Stop::Deadline), "bye\n"));
        assert!(started.elapsed() < Duration::from_secs(8), "the sleeping tool must not hold the pipe open");
    }

    #[test]
    fn the_reader_may_ask_for_the_end() {
        let (ran, _) = sh("trap 'exit 9' INT; echo stop; while :; do sleep 0.1; done", 30);
        assert_eq!((ran.code, ran.stopped), (9, Some(Stop::TurnLimit)));
    }

    #[test]
    fn a_tail_is_bounded() {
        let mut tail = Tail::default();
        for _ in 0..100 {
            tail.push(&[b'a'; 10_000]);
        }
        tail.push(b"end\x1b[0m");
        assert_eq!(tail.0.len(), KEPT);
        assert!(tail.text().ends_with("aend[0m"));
    }
}
